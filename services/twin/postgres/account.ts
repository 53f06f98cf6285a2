import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { exists } from './files.ts'

const run = promisify(execFile)

/** The account that Postgres runs as; null means our own. */
export type Account = { readonly uid: number; readonly gid: number } | null

const numberOf = async (flag: '-u' | '-g', user: string): Promise<number | null> => {
  try {
    return Number((await run('id', [flag, user])).stdout.trim())
  } catch (error) {
    // `id` ends with 1 for a user that does not exist; anything else is a fault of the machine.
    if (error instanceof Error && 'code' in error && error.code === 1) return null
    throw error
  }
}

/**
 * Postgres refuses to run as root. Root hands it to the owner of an existing data directory, else to `postgres`
 * where the machine has one, else to `nobody`, whom every Unix has: starting a program creates no accounts.
 */
export const accountFor = async (data: string): Promise<Account> => {
  if (process.getuid?.() !== 0) return null
  if (await exists(data)) {
    const { uid, gid } = await stat(data)
    if (uid !== 0) return { uid, gid }
  }
  for (const user of ['postgres', 'nobody']) {
    const [uid, gid] = [await numberOf('-u', user), await numberOf('-g', user)]
    if (uid !== null && gid !== null && uid !== 0) return { uid, gid }
  }
  throw new Error('Postgres cannot run as root, and this machine has neither a user postgres nor nobody')
}

/** Whether an account can enter a directory, asked of the kernel rather than worked out from modes. */
export const canEnter = async (account: Account, directory: string): Promise<boolean> => {
  if (!account) return true
  try {
    await run('/bin/sh', ['-c', 'cd "$1"', 'sh', directory], { ...account, cwd: '/' })
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && typeof error.code === 'number') return false
    throw error
  }
}
