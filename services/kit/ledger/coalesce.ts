import type { Pool } from 'pg'
import { Transient } from '../failure.ts'
import { sqlState } from '../postgres.ts'
import { type AppendRequest, type AppendResult, appendAs, type PreparedAppend, prepare } from './append.ts'

export interface AppenderOptions {
  readonly pool: Pool
  /** `attestry_<context>`: taken in each transaction. */
  readonly role: string
  /** Batches that may be under way at once; a tenant keeps to one lane. @default 2 */
  readonly lanes?: number
  /** Called after each commit with the tenants that got events: the bell of the relay. */
  readonly onCommit?: (tenants: ReadonlySet<string>) => void
}

/** Appends of one process, gathered into batches. */
export interface Appender {
  /**
   * Resolves when the events are committed, or refused by a version conflict.
   * @param signal takes a request that is still waiting out of the line; one already sent is decided by the database
   * @throws {AppendDenied} for a mistake of the caller, {Transient} when the database is away: then it is unknown
   * whether the events stand, and the same request again tells
   */
  append(request: AppendRequest, signal?: AbortSignal): Promise<AppendResult>
  /** Sends what waits, refuses what comes, and resolves when all is decided. */
  close(): Promise<void>
}

/** Bounds of one batch: a transaction stays short, a message small. One request above them goes alone. */
const MAX_REQUESTS = 512
const MAX_BYTES = 4_000_000

interface Waiting {
  readonly prepared: PreparedAppend
  readonly resolve: (result: AppendResult) => void
  readonly reject: (reason: unknown) => void
  readonly signal: AbortSignal | undefined
}

/**
 * The coalescing lane: while one batch commits, the next collects. No timer: a lone append goes at once, and under
 * load a batch is as large as a commit is slow. That is what makes a chained append faster than a plain one.
 */
export const createAppender = (options: AppenderOptions): Appender => {
  const { pool, role, onCommit } = options
  const lanes = Array.from({ length: options.lanes ?? 2 }, () => createLane(pool, role, onCommit))
  let closed = false
  return {
    async append(request, signal) {
      if (closed) throw new Error('the appender is closed')
      signal?.throwIfAborted()
      const prepared = prepare(request)
      const lane = lanes[laneOf(request.tenant, lanes.length)]
      if (!lane) throw new Error('an appender has at least one lane')
      return await lane.add(prepared, signal)
    },
    async close() {
      closed = true
      await Promise.all(lanes.map((lane) => lane.idle()))
    },
  }
}

/** A tenant's batches go one after the other: two at once would only wait for its head. */
const laneOf = (tenant: string, lanes: number): number => {
  let hash = 0
  for (let i = 0; i < tenant.length; i++) hash = (hash * 31 + tenant.charCodeAt(i)) | 0
  return Math.abs(hash) % lanes
}

/** Whether nobody reached the database: then each would wait for it again. A deadlock, class 40, is of this batch. */
const isAway = (error: unknown): boolean =>
  error instanceof Transient && !sqlState(error.cause)?.startsWith('40')

interface Lane {
  add(prepared: PreparedAppend, signal: AbortSignal | undefined): Promise<AppendResult>
  idle(): Promise<void>
}

const createLane = (pool: Pool, role: string, onCommit: AppenderOptions['onCommit']): Lane => {
  let waiting: Waiting[] = []
  let running: Promise<void> | null = null

  const nextBatch = (): Waiting[] => {
    const batch: Waiting[] = []
    let bytes = 0
    for (const item of waiting) {
      if (batch.length >= MAX_REQUESTS || (batch.length > 0 && bytes + item.prepared.bytes > MAX_BYTES)) break
      batch.push(item)
      bytes += item.prepared.bytes
    }
    waiting = waiting.slice(batch.length)
    return batch.filter((item) => {
      if (!item.signal?.aborted) return true
      item.reject(item.signal.reason)
      return false
    })
  }

  const commit = async (batch: readonly Waiting[]): Promise<void> => {
    try {
      const results = await appendAs(
        pool,
        role,
        batch.map((item) => item.prepared),
      )
      for (const [index, item] of batch.entries()) {
        const result = results[index]
        if (result) item.resolve(result)
      }
      onCommit?.(new Set(batch.map((item) => item.prepared.request.tenant)))
    } catch (error) {
      if (batch.length === 1 || isAway(error)) {
        for (const { reject } of batch) reject(error)
        return
      }
      // One bad request fails the whole batch, and nothing of it stands: each is judged by itself.
      for (const item of batch) await commit([item])
    }
  }

  const drain = async (): Promise<void> => {
    // One turn of the event loop, so that appends made together travel together.
    await Promise.resolve()
    while (waiting.length > 0) {
      const batch = nextBatch()
      if (batch.length > 0) await commit(batch)
    }
    running = null
  }

  return {
    add(prepared, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<AppendResult>()
      waiting.push({ prepared, resolve, reject, signal })
      running ??= drain()
      return promise
    },
    idle: () => running ?? Promise.resolve(),
  }
}
