import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/*
 * Key files under the state folder: made at the first need, kept whole, readable by their owner alone. A rotation
 * overwrites the file, so that nobody can sign with the old key again; what it signed is verified with its public half.
 */

const pathOf = (stateDir: string, name: string) => join(stateDir, 'keys', name)

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT'

/** The text of a key file, or null where there is none. */
export async function readKeyFile(stateDir: string, name: string): Promise<string | null> {
  try {
    return await readFile(pathOf(stateDir, name), 'utf8')
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

/** Writes a key file whole or not at all. */
export async function writeKeyFile(stateDir: string, name: string, text: string): Promise<void> {
  const path = pathOf(stateDir, name)
  await mkdir(join(stateDir, 'keys'), { recursive: true, mode: 0o700 })
  await writeFile(`${path}.new`, text, { mode: 0o600 })
  await chmod(`${path}.new`, 0o600)
  await rename(`${path}.new`, path)
}

/** The text of a key file, which is made where there is none. */
export async function keyFile(stateDir: string, name: string, make: () => string): Promise<string> {
  const found = await readKeyFile(stateDir, name)
  if (found !== null) return found
  const made = make()
  await writeKeyFile(stateDir, name, made)
  return made
}
