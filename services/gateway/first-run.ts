import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isRefused, iso } from '@attestry/kit'
import { NO_LIMIT } from './operator.ts'
import type { Operators } from './operators.ts'
import { hashPassword, oneTimePassword } from './password.ts'

/** Who is made when nobody may sign in yet. */
export const FIRST_OPERATOR = 'admin'

/** Where the first password waits, readable by the account that runs the product alone. */
const firstSignInFile = (stateDir: string): string => join(stateDir, 'first-sign-in.txt')

/**
 * Makes the first administrator with a one-time password, in a file and on the terminal, never in the log.
 * The password is stored before the operator exists, so a crash in between is simply done again.
 * Where the first password was never used and is too old, another takes its place.
 * @returns whether a password was made
 */
export async function firstRun(options: {
  readonly operators: Operators
  readonly stateDir: string
  readonly random: (bytes: number) => Uint8Array
  readonly announce: (text: string, file: string) => void
  readonly now: Temporal.Instant
  readonly goodUntil: Temporal.Instant
}): Promise<boolean> {
  const { operators, stateDir, random, announce, now, goodUntil } = options
  const id = await operators.idOf(FIRST_OPERATOR)
  const file = firstSignInFile(stateDir)
  const { operator } = await operators.load(id)
  const waiting = operator !== null && operator.mustChangePassword && existsSync(file)
  if (operator) {
    if (!waiting) return false
    const until = (await operators.passwordOf(id))?.goodUntil ?? null
    if (until === null || Temporal.Instant.compare(until, now) > 0) {
      announce(`The first sign-in of ${FIRST_OPERATOR} has not been used yet: it waits in ${file}`, file)
      return false
    }
    // Nobody else could give another one.
  }
  const password = oneTimePassword(random)
  const text = `Sign in as ${FIRST_OPERATOR} with the one-time password ${password}`
  const refused = await operators.change(
    id,
    async () =>
      operator
        ? { do: 'reset-password' }
        : { do: 'add', operator: id, name: FIRST_OPERATOR, roles: ['tenant-admin'], users: NO_LIMIT },
    { by: { kind: 'install', id: 'gateway' }, cause: { correlation: 'start', causation: 'start' } },
    async () => {
      await mkdir(stateDir, { recursive: true, mode: 0o700 })
      // Removed first: `mode` counts only for a file that is new.
      await rm(file, { force: true })
      await writeFile(file, `${text}\n`, { mode: 0o600, flag: 'wx' })
      await operators.setPassword(id, { phc: await hashPassword(password, random), goodUntil })
    },
  )
  if (isRefused(refused)) return false
  announce(`${text}\nIt is good until ${iso(goodUntil)}, and kept in ${file} until it was used.`, file)
  return true
}

/** The first password was used: the file goes. */
export const firstSignInUsed = (stateDir: string): Promise<void> =>
  rm(firstSignInFile(stateDir), { force: true })
