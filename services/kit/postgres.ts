import { escapeLiteral, Pool, types, type PoolClient, type QueryResultRow } from 'pg'
import { BulkSocket } from './bulk-socket.ts'
import { Transient } from './failure.ts'

/** What runs a statement: the pool, or a client within a transaction. */
export type Queryable = Pick<Pool | PoolClient, 'query'>
export type { Pool, PoolClient } from 'pg'

export interface ConnectOptions {
  /** `postgres://…`; holds a password, never log it. */
  readonly url: string
  /** Connections at most. @default 10 */
  readonly max?: number
  /** Shown in `pg_stat_activity`. @default 'attestry' */
  readonly applicationName?: string
  /** Milliseconds until a connection must stand. @default 10000 */
  readonly connectTimeoutMs?: number
  /** Told when an idle connection breaks; the pool replaces it by itself. */
  readonly onIdleError?: (error: Error) => void
}

const INT8 = 20
const TIMESTAMPTZ = 1184

/** int8 as a number: our counts and seqs are safe integers, and one that is not must not be rounded in silence. */
const safeInteger = (text: string): number => {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is beyond the safe integers`)
  return value
}

/**
 * A pool of connections. Nothing is kept in a session (no SET, no LISTEN, no session locks, no named statements), so
 * it works behind a pooler in transaction mode.
 */
export const connect = (options: ConnectOptions): Pool => {
  const pool = new Pool({
    connectionString: options.url,
    max: options.max ?? 10,
    application_name: options.applicationName ?? 'attestry',
    connectionTimeoutMillis: options.connectTimeoutMs ?? 10_000,
    // A server whose machine is gone says nothing: the network finds out.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    stream: () => new BulkSocket(),
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') => {
        if (format !== 'binary' && oid === INT8) return safeInteger
        // As Postgres writes it: a Date would cut microseconds off.
        if (format !== 'binary' && oid === TIMESTAMPTZ) return (text: string) => text
        // The default parser of any other type.
        return types.getTypeParser(oid, format)
      },
    },
  })
  // Without a listener a broken idle connection would end the process.
  pool.on('error', (error) => {
    // The pool hangs the whole connection on it, with the key that cancels its statements: nothing for a log.
    if ('client' in error) delete error.client
    options.onIdleError?.(error)
  })
  return pool
}

/** SQLSTATE of an error that Postgres reported, else null. */
export const sqlState = (error: unknown): string | null =>
  error instanceof Error &&
  'code' in error &&
  typeof error.code === 'string' &&
  /^[0-9A-Z]{5}$/.test(error.code)
    ? error.code
    : null

/** Errors of the way to the server, which pg reports by text or by the system's code. */
const BROKEN =
  /^(Connection terminated|Client has encountered a connection error|timeout exceeded when trying|Client was closed)/
const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
])

/** Whether the same call may succeed later: the server is away, starting, stopping, or full. */
const isTransient = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false
  const state = sqlState(error)
  // 08P01 is ours: a statement that does not fit its parameters fits them no better the next time.
  if (state) return /^(08(?!P01)|53|57P0|40001|40P01|25P03)/.test(state)
  if (BROKEN.test(error.message)) return true
  return 'code' in error && typeof error.code === 'string' && NETWORK.has(error.code)
}

/** Turns an error of pg into a Transient where trying again makes sense; any other is left as it is. */
export const asFailure = (error: unknown): unknown =>
  isTransient(error) && error instanceof Error
    ? new Transient(`the database is unavailable: ${error.message || String(error)}`, { cause: error })
    : error

/**
 * Rows of a parameterised statement. The caller names the row's shape; the columns are ours.
 * @throws {Transient} when the database is away
 */
export const rows = async <R extends QueryResultRow>(
  on: Queryable,
  sql: string,
  values: readonly unknown[] = [],
): Promise<R[]> => {
  try {
    return (await on.query<R>(sql, [...values])).rows
  } catch (error) {
    throw asFailure(error)
  }
}

export interface TransactionOptions {
  /** Taken for this transaction alone, such as `attestry_discovery`. */
  readonly role?: string
  /** Whose rows the transaction sees. Without it a service's role sees none. */
  readonly tenant?: string
  /** Schema in which unqualified names are looked up. */
  readonly searchPath?: string
  /** Ends the transaction, and the connection if a statement is running. */
  readonly signal?: AbortSignal
  /** All statements see the database as it was at the first, and none may write. @default false */
  readonly snapshot?: boolean
  /** How often to run `work` anew after a serialization failure or a deadlock. @default 0 */
  readonly retries?: number
}

/**
 * Runs `work` in one transaction, committed if it resolves and rolled back if it throws.
 * @throws {Transient} when the database is away; whether a commit cut off by that took place is then unknown, so
 * work must bear to be done twice (an append does: the ids of its events tell)
 */
export const transaction = async <T>(
  pool: Pool,
  options: TransactionOptions,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> => {
  for (let left = options.retries ?? 0; ; left--) {
    try {
      return await once(pool, options, work)
    } catch (error) {
      const state = sqlState(error)
      if (left <= 0 || (state !== '40001' && state !== '40P01')) throw asFailure(error)
    }
  }
}

/** What a transaction takes for itself alone. */
const settings = ({ role, tenant, searchPath }: TransactionOptions): string => {
  const taken = { role: role ?? 'none', 'attestry.tenant': tenant ?? '', search_path: searchPath }
  const set = Object.entries(taken).flatMap(([name, value]) =>
    value === undefined ? [] : [`set_config('${name}', ${escapeLiteral(value)}, true)`],
  )
  return `select ${set.join(', ')}`
}

/**
 * Asks what takes no parameters, in one message that is a transaction by itself: for loops, which ask the same all day.
 * @param questions statements that only read; values in them are escaped, with `escapeLiteral`
 * @returns the rows of each
 * @throws {Transient} when the database is away
 */
export const look = async (
  pool: Pool,
  options: Pick<TransactionOptions, 'role' | 'tenant' | 'searchPath'>,
  questions: readonly string[],
): Promise<QueryResultRow[][]> => {
  try {
    const text = ['set transaction read only', settings(options), ...questions].join('; ')
    // Several statements have several results, which pg's types do not tell.
    const results = (await pool.query(text)) as unknown as { rows: QueryResultRow[] }[]
    return results.slice(-questions.length).map((result) => result.rows)
  } catch (error) {
    throw asFailure(error)
  }
}

/**
 * Begins and takes role, tenant and schema in one message. Most transactions are one small statement, so each way to
 * the server and back that they can do without is a quarter of what they cost.
 */
const opening = (options: TransactionOptions): string => {
  const begin = options.snapshot ? 'begin isolation level repeatable read, read only' : 'begin'
  if (options.role === undefined && options.tenant === undefined) return begin
  return `${begin}; ${settings(options)}`
}

const once = async <T>(
  pool: Pool,
  options: TransactionOptions,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> => {
  const { signal } = options
  signal?.throwIfAborted()
  const client = await pool.connect()
  let broken: Error | undefined
  const abort = () => {
    broken = new Error('the transaction was aborted')
    // pg cannot cancel a statement from outside; a closed connection makes the server roll back.
    client.connection.stream.destroy()
  }
  const noteBreak = (error: Error) => {
    broken = error
  }
  client.on('error', noteBreak)
  signal?.addEventListener('abort', abort, { once: true })
  try {
    await client.query(opening(options))
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (error) {
    if (signal?.aborted) signal.throwIfAborted()
    if (!broken) {
      try {
        await client.query('rollback')
      } catch (failed) {
        // The first error is the one to tell; this connection only must not be used again.
        broken = failed instanceof Error ? failed : new Error(String(failed))
      }
    }
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
    client.off('error', noteBreak)
    client.release(broken)
  }
}
