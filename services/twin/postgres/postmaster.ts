import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { textAt } from './files.ts'

/** What a running Postgres says of itself in `postmaster.pid`. @see PostgreSQL, "Database File Layout" */
export interface Postmaster {
  readonly pid: number
  readonly port: number
  readonly status: 'starting' | 'ready' | 'stopping' | 'standby' | 'unknown'
}

const STATUSES = ['starting', 'ready', 'stopping', 'standby'] as const

/** Reads `postmaster.pid` of a data directory; null where no Postgres has it open, as far as the file tells. */
export const readPostmaster = async (data: string): Promise<Postmaster | null> => {
  const text = await textAt(join(data, 'postmaster.pid'))
  if (text === null) return null
  const lines = text.split('\n')
  const pid = Number(lines[0])
  if (!Number.isSafeInteger(pid) || pid <= 0) return null
  const word = lines[7]?.trim()
  return { pid, port: Number(lines[3] ?? 0), status: STATUSES.find((s) => s === word) ?? 'unknown' }
}

/** Whether a process with this id exists, be it ours or another user's. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** Whether the process of that id is a Postgres on that data directory, and not a stranger with a reused id. */
export const servesDirectory = async (pid: number, data: string): Promise<boolean> => {
  if (!isAlive(pid)) return false
  const line = await textAt(`/proc/${pid}/cmdline`)
  if (line !== null) return line.includes(data)
  if (process.platform === 'linux' || process.platform === 'win32') return process.platform === 'win32'
  try {
    return (await promisify(execFile)('ps', ['-o', 'args=', '-p', String(pid)])).stdout.includes(data)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 1) return false
    throw error
  }
}

/** Waits until a condition holds, asking every 20 ms. False when the deadline passed first. */
export const waitUntil = async (
  holds: () => boolean | Promise<boolean>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> => {
  const attempts = Math.ceil(timeoutMs / 20)
  for (let i = 0; i < attempts; i++) {
    if (await holds()) return true
    await sleep(20, undefined, { signal })
  }
  return await holds()
}

/**
 * Ends the Postgres of a data directory: a fast shutdown, which rolls back, writes a checkpoint and loses nothing;
 * after 30 s an immediate one, from which the next start recovers.
 * @throws when it still runs after that
 */
export const stopPostmaster = async (pid: number, data: string): Promise<void> => {
  const gone = async () => !isAlive(pid) || (await readPostmaster(data))?.pid !== pid
  for (const [signal, timeoutMs] of [
    ['SIGINT', 30_000],
    ['SIGQUIT', 10_000],
  ] as const) {
    if (await gone()) break
    try {
      process.kill(pid, signal)
    } catch (error) {
      // It may end between the question and the signal.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
    }
    if (await waitUntil(gone, timeoutMs)) break
  }
  if (!(await gone()))
    throw new Error(`Postgres (process ${pid}) does not stop; end it by hand and start again`)
  // The file goes a moment before the process. Bounded: in a container without an init nobody reaps it.
  await waitUntil(() => !isAlive(pid), 5000)
}
