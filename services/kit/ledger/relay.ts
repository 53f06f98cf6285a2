import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import type { Bell } from '../bell.ts'
import { pause } from '../clock.ts'
import { type PoolClient, rows, transaction } from '../postgres.ts'
import { LEDGER_ROLE } from './open.ts'
import { readAfter, type Stored } from './read.ts'

export interface RelayOptions {
  readonly pool: Pool
  /**
   * Publishes events of one tenant in the order given; resolves when the far side has them. A failure or a crash
   * afterwards publishes them again: receivers tell by seq. Must end within `leaseMs`, or another process begins.
   */
  readonly publish: (batch: readonly Stored[]) => Promise<void>
  readonly signal: AbortSignal
  /** Rung in this process after an append; other processes' appends are found by polling. */
  readonly bell?: Bell
  /** Told of failures; the relay goes on. */
  readonly onError?: (error: unknown) => void
  /** Whose cursors: another name relays everything once more, elsewhere. @default 'bus' */
  readonly name?: string
  /** This process, among those that offer themselves. @default a random id */
  readonly holder?: string
  /** Events at most in a batch. @default 200 */
  readonly batch?: number
  /** How long a process that died holds others off. @default 10000 */
  readonly leaseMs?: number
  /** How soon the append of another process is seen. @default 200 */
  readonly pollMs?: number
}

/** Tenants that one round looks at; those behind them come next round. */
const TENANTS_A_ROUND = 100
const LONGEST_PAUSE_MS = 5000

/**
 * The outbox: publishes each tenant's events by seq, in order, and moves the tenant's cursor only after publish has
 * resolved. Whichever process holds the lease row does it; the others wait. Resolves when the signal ends it, having
 * given the lease back.
 */
export const relay = async (options: RelayOptions): Promise<void> => {
  const {
    pool,
    publish,
    signal,
    bell,
    onError,
    name = 'bus',
    holder = randomUUID(),
    leaseMs = 10_000,
  } = options
  const { batch: batchSize = 200, pollMs = 200 } = options
  const lease = { pool, name, holder, leaseMs }
  let renewAt = 0
  let failures = 0

  const held = async (): Promise<boolean> => {
    if (performance.now() < renewAt) return true
    const before = performance.now()
    const mine = await takeLease(lease)
    // By our own steady clock, from before the question: we let go earlier than the database thinks.
    renewAt = mine ? before + leaseMs / 3 : 0
    return mine
  }

  /**
   * Batches, one of each tenant that has something before any gets its second, until there is nothing more. What was
   * published is recorded in the transaction that reads what is next: ways to the database cost more than they carry.
   */
  const publishAll = async (): Promise<void> => {
    let published: Place | null = null
    let behind: readonly Place[] = []
    while (!signal.aborted && (await held())) {
      const next: Next | null = await transaction(pool, { role: LEDGER_ROLE }, (client) =>
        goOn(client, lease, published, behind, batchSize),
      )
      published = null
      if (next === null) {
        renewAt = 0
        return
      }
      const last = next.batch.at(-1)
      if (!last) return
      behind = next.behind
      await publish(next.batch)
      published = { tenant: last.tenant, seq: last.seq }
    }
    const done = published
    if (done) await transaction(pool, { role: LEDGER_ROLE }, (client) => advance(client, lease, done))
  }

  while (!signal.aborted) {
    try {
      await publishAll()
      failures = 0
      await (renewAt > 0 && bell ? bell.wait(pollMs, signal) : pause(pollMs, signal))
    } catch (error) {
      if (signal.aborted) break
      onError?.(error)
      failures++
      await pause(Math.min(LONGEST_PAUSE_MS, pollMs * 2 ** Math.min(failures, 5)), signal)
    }
  }
  try {
    await transaction(pool, { role: LEDGER_ROLE }, (client) =>
      client.query('delete from ledger.lease where name = $1 and holder = $2', [name, holder]),
    )
  } catch (error) {
    // The lease runs out by itself.
    onError?.(error)
  }
}

interface Lease {
  readonly pool: Pool
  readonly name: string
  readonly holder: string
  readonly leaseMs: number
}

/** Takes or renews the lease. Time is the database's: the processes' clocks need not agree. */
const takeLease = async ({ pool, name, holder, leaseMs }: Lease): Promise<boolean> => {
  const taken = await transaction(pool, { role: LEDGER_ROLE }, (client) =>
    rows(
      client,
      `insert into ledger.lease as l (name, holder, until)
        values ($1, $2, clock_timestamp() + make_interval(secs => $3 / 1000.0))
        on conflict (name) do update set holder = excluded.holder, until = excluded.until
        where l.holder = excluded.holder or l.until < clock_timestamp() returning 1`,
      [name, holder, leaseMs],
    ),
  )
  return taken.length > 0
}

/** How far a tenant was relayed. */
interface Place {
  readonly tenant: string
  readonly seq: number
}

interface Next {
  /** Empty: nothing is behind. */
  readonly batch: readonly Stored[]
  /** Tenants whose turn comes before any other's. */
  readonly behind: readonly Place[]
}

/** Records what was published and reads what is next; null when the lease went to another meanwhile. */
const goOn = async (
  client: PoolClient,
  lease: Lease,
  published: Place | null,
  behind: readonly Place[],
  limit: number,
): Promise<Next | null> => {
  if (published && !(await advance(client, lease, published))) return null
  const [next, ...others] = behind.length > 0 ? behind : await backlog(client, lease.name)
  if (!next) return { batch: [], behind: [] }
  const { tenant, seq: after } = next
  return { batch: await readAfter(client, { tenant, after, limit }), behind: others }
}

const backlog = (client: PoolClient, name: string): Promise<Place[]> =>
  rows<{ tenant: string; seq: number }>(
    client,
    `select h.tenant, coalesce(c.seq, 0) as seq
      from ledger.head h left join ledger.relay_cursor c on c.tenant = h.tenant and c.name = $1
      where h.seq > coalesce(c.seq, 0) order by coalesce(c.seq, 0) - h.seq, h.tenant limit $2`,
    [name, TENANTS_A_ROUND],
  )

/** Moves a tenant's cursor forward, unless the lease went to another meanwhile. */
const advance = async (
  client: PoolClient,
  { name, holder }: Lease,
  { tenant, seq }: Place,
): Promise<boolean> => {
  const moved = await rows(
    client,
    `insert into ledger.relay_cursor as c (tenant, name, seq)
      select $1, $2, $3 from ledger.lease l where l.name = $2 and l.holder = $4 and l.until > clock_timestamp()
      on conflict (name, tenant) do update set seq = excluded.seq where c.seq < excluded.seq returning 1`,
    [tenant, name, seq, holder],
  )
  return moved.length > 0
}
