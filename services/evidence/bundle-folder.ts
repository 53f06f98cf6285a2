import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Outlet, Sink } from './written-file.ts'
import { type Packable, packZip } from './zip-write.ts'

/** Where a sealed bundle lies. Its digest is in the name, so that two who build the same one never share a file. */
export const bundlePath = (stateDir: string, tenant: string, bundle: string, zipSha256: string): string =>
  join(stateDir, 'bundles', tenant, `${bundle}.${zipSha256.slice(0, 16)}.zip`)

/** Where a bundle grows. What a build that was killed left there goes when the next one begins. */
export const workPath = (stateDir: string, tenant: string, bundle: string): string =>
  join(stateDir, 'bundles', tenant, `${bundle}.building`)

/** The bytes of a file of this machine, read when they are needed. */
export const fileChunks = (path: string) => ({
  chunks: (): AsyncIterable<Uint8Array> => createReadStream(path),
})

/** An empty folder that files are written to, gone when it is disposed. */
export async function openFolder(
  path: string,
): Promise<AsyncDisposable & { readonly outlet: Outlet; readonly pathOf: (file: string) => string }> {
  await rm(path, { recursive: true, force: true })
  await mkdir(path, { recursive: true, mode: 0o700 })
  const pathOf = (file: string) => join(path, file)
  return {
    pathOf,
    outlet: { hash: () => createHash('sha256'), open: (file) => fileSink(pathOf(file)) },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}

/** A file that is made with its first bytes. */
function fileSink(path: string): Sink {
  let opened: FileHandle | null = null
  const file = async () => {
    if (opened) return opened
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    opened = await open(path, 'wx', 0o600)
    return opened
  }
  return {
    write: async (bytes) => writeAll(await file(), bytes, null),
    close: async () => (await file()).close(),
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number | null): Promise<void> {
  // Ends: every turn writes something, or the disk refuses.
  for (let done = 0; done < bytes.length; ) {
    const place = at === null ? null : at + done
    done += (await file.write(bytes, done, bytes.length - done, place)).bytesWritten
  }
}

/**
 * Packs files into an archive and puts it where sealed bundles lie, whole or not at all: a reader never sees half of one.
 * @param draft where it grows, on the same disk
 */
export async function keepZip(
  files: ReadonlyMap<string, Packable>,
  draft: string,
  placeOf: (zipSha256: string) => string,
): Promise<{ readonly zipSha256: string; readonly bytes: number }> {
  await mkdir(dirname(draft), { recursive: true, mode: 0o700 })
  const file = await open(draft, 'w', 0o600)
  let bytes: number
  try {
    bytes = await packZip(files, { write: (piece, at) => writeAll(file, piece, at) })
    await file.sync()
  } finally {
    await file.close()
  }
  // Headers are written last, so the digest is taken of what lies there.
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(draft)) hash.update(chunk)
  const zipSha256 = hash.digest('hex')
  await rename(draft, placeOf(zipSha256))
  return { zipSha256, bytes }
}
