import { contextOf, type EventOf } from '@attestry/contracts'
import { open } from './committed.ts'
import { messageOf, Transient } from './failure.ts'
import type { Logger } from './log.ts'
import type { Placed } from './message.ts'
import type { Fold, Outcome, Reaction, Service, Tx } from './service.ts'

/*
 * The one consumer rule. The relay stamps each event with seq and prevSeq, the previous one of the same
 * tenant and context. A consumer keeps a cursor for each tenant and context, and in one transaction with
 * its state:
 *   seq ≤ cursor        skip: it was applied
 *   prevSeq ≤ cursor    apply, advance
 *   prevSeq > cursor    something is missing: read (cursor, seq] of that context from the ledger
 * So a lost, doubled or reordered message changes nothing.
 */

/** What to do with events at hand, given how far the consumer has read. Pure. */
export function plan(
  cursor: number,
  events: readonly { seq: number; prevSeq: number }[],
): { apply: number[]; gap: { after: number; upTo: number } | null } {
  const apply: number[] = []
  let at = cursor
  for (const [index, event] of events.entries()) {
    if (event.seq <= at) continue
    if (event.prevSeq > at) return { apply, gap: { after: at, upTo: event.prevSeq } }
    apply.push(index)
    at = event.seq
  }
  return { apply, gap: null }
}

/** A fold or a set of reactions: something with a cursor. */
export type Consumer =
  | { readonly kind: 'fold'; readonly fold: Fold }
  | { readonly kind: 'reaction'; readonly reaction: Reaction }

export const consumersOf = ({ views, reactions }: Pick<Service, 'views' | 'reactions'>): Consumer[] => [
  ...views.map((fold) => ({ kind: 'fold', fold }) as const),
  ...reactions.map((reaction) => ({ kind: 'reaction', reaction }) as const),
]

export const consumerName = (c: Consumer): string => (c.kind === 'fold' ? c.fold.name : c.reaction.name)

export const contextsOf = (c: Consumer): readonly string[] =>
  c.kind === 'fold' ? c.fold.contexts : [...new Set(c.reaction.on.map(contextOf))]

export const versionOf = (c: Consumer): number => (c.kind === 'fold' ? c.fold.version : 1)

/** What the consumer needs of its host. */
export interface ConsumerHost {
  tx<T>(tenant: string, work: (tx: Tx) => Promise<T>): Promise<T>
  /**
   * A page of a context's events after a seq, of a tenant or within a transaction, oldest first; fewer than asked for
   * where they are large, none at the end.
   */
  readContext(of: string | Tx, context: string, after: number, limit: number): Promise<Placed[]>
  /** Carries out what a reaction wants, in its transaction. */
  carryOut(tx: Tx, outcome: Outcome, cause: Placed): Promise<void>
  readonly log: Logger
  /** Whether holes may be closed from the ledger; off only to prove that messages alone suffice. */
  readonly gapReads: boolean
  now(): string
}

const PAGE = 500

/** How often one event may fail in a reaction before it is set aside. */
const TRIES = 5

interface Cursor {
  seq: number
  version: number
}

async function lockCursor(tx: Tx, consumer: Consumer, context: string): Promise<number> {
  const name = consumerName(consumer)
  const values = [tx.tenant, name, context]
  await tx.rows(
    'insert into cursor (tenant, consumer, context, seq, version) values ($1, $2, $3, 0, $4) on conflict do nothing',
    [...values, versionOf(consumer)],
  )
  const [row] = await tx.rows<Cursor>(
    'select seq, version from cursor where tenant = $1 and consumer = $2 and context = $3 for update',
    values,
  )
  if (!row) throw new Error('a cursor that was just written is gone')
  if (row.version === versionOf(consumer)) return row.seq
  // The rows mean something else now: all contexts of the fold start over.
  if (consumer.kind === 'fold') await consumer.fold.clear(tx)
  await tx.rows('update cursor set seq = 0, version = $3 where tenant = $1 and consumer = $2', [
    tx.tenant,
    name,
    versionOf(consumer),
  ])
  return 0
}

const advance = (tx: Tx, consumer: Consumer, context: string, seq: number) =>
  tx.rows('update cursor set seq = $4 where tenant = $1 and consumer = $2 and context = $3', [
    tx.tenant,
    consumerName(consumer),
    context,
    seq,
  ])

/** After so many characters of events everything else in the process gets a turn. */
const READ_AT_A_TIME = 100_000

async function opened(events: readonly Placed[]): Promise<EventOf[]> {
  const all: EventOf[] = []
  let read = 0
  for (const placed of events) {
    const event = open(placed)
    if (event) all.push(event)
    read += placed.envelope.length
    if (read < READ_AT_A_TIME) continue
    read = 0
    await new Promise(setImmediate)
  }
  return all
}

const stuckId = (consumer: Consumer, context: string, seq: number): string =>
  `${consumerName(consumer)}:${context}:${seq}`

/** Records that an event cannot be digested; the same event again only raises the count. */
async function setAside(
  host: ConsumerHost,
  consumer: Consumer,
  context: string,
  event: { tenant: string; seq: number },
  error: unknown,
): Promise<number> {
  const name = consumerName(consumer)
  host.log.error(
    { error, consumer: name, tenant: event.tenant, seq: event.seq },
    'An event cannot be digested',
  )
  return host.tx(event.tenant, async (tx) => {
    const [row] = await tx.rows<{ attempts: number }>(
      `insert into stuck (tenant, id, consumer, context, seq, reason, since) values ($1, $2, $3, $4, $5, $6, $7)
       on conflict (tenant, id) do update set attempts = stuck.attempts + 1, reason = excluded.reason
       returning attempts`,
      [
        event.tenant,
        stuckId(consumer, context, event.seq),
        name,
        context,
        event.seq,
        messageOf(error).slice(0, 500),
        host.now(),
      ],
    )
    return row?.attempts ?? 1
  })
}

/** Forgets what a fold had stalled on, once it is past it. */
const clearAside = (tx: Tx, consumer: Consumer, context: string, upTo: number) =>
  tx.rows('delete from stuck where tenant = $1 and consumer = $2 and context = $3 and seq <= $4', [
    tx.tenant,
    consumerName(consumer),
    context,
    upTo,
  ])

/** Forgets that a reaction had failed on an event. Earlier ones stay: they were passed over. */
const forget = (tx: Tx, consumer: Consumer, context: string, seq: number) =>
  tx.rows('delete from stuck where tenant = $1 and id = $2', [tx.tenant, stuckId(consumer, context, seq)])

/**
 * Brings one consumer forward over the events at hand, all of one tenant and context, in seq order.
 * Answers whether they are all behind its cursor now; if not, they must be delivered again.
 * Throws Transient when the database is away.
 */
export async function deliver(
  host: ConsumerHost,
  consumer: Consumer,
  context: string,
  events: readonly Placed[],
): Promise<boolean> {
  const first = events[0]
  if (!first) return true
  const tenant = first.tenant
  // Bounded: every turn advances the cursor by a page at least, or stops.
  for (;;) {
    const step = await host.tx(tenant, async (tx) => {
      const cursor = await lockCursor(tx, consumer, context)
      const { apply, gap } = plan(cursor, events)
      const wanted = apply.map((i) => events[i]).filter((e): e is Placed => e !== undefined)
      if (wanted.length === 0 && !gap) return 'done'
      if (wanted.length === 0 && gap) {
        if (!host.gapReads) return 'hole'
        const missing = await host.readContext(tx, context, gap.after, PAGE)
        // Retention took what was missing.
        if (missing.length === 0) await advance(tx, consumer, context, gap.upTo)
        return { batch: missing, more: true }
      }
      return { batch: wanted, more: gap !== null }
    })
    if (step === 'done') return true
    if (step === 'hole') return false
    if (!(await digest(host, consumer, context, step.batch))) return false
    if (!step.more) return true
  }
}

/** Reads a context from the cursor to its end: at start, on a sweep, and after a rebuild. */
export async function catchUp(
  host: ConsumerHost,
  consumer: Consumer,
  tenant: string,
  context: string,
): Promise<void> {
  for (;;) {
    const cursor = await host.tx(tenant, (tx) => lockCursor(tx, consumer, context))
    const batch = await host.readContext(tenant, context, cursor, PAGE)
    if (batch.length === 0) return
    if (!(await digest(host, consumer, context, batch))) return
  }
}

/** Applies a contiguous run; false when it stalled. */
async function digest(
  host: ConsumerHost,
  consumer: Consumer,
  context: string,
  batch: readonly Placed[],
): Promise<boolean> {
  const last = batch.at(-1)
  const first = batch[0]
  if (!last || !first) return true
  if (consumer.kind === 'fold') {
    try {
      await host.tx(first.tenant, async (tx) => {
        const cursor = await lockCursor(tx, consumer, context)
        const fresh = batch.filter((e) => e.seq > cursor)
        if (fresh.length === 0) return
        await consumer.fold.apply(await opened(fresh), tx)
        await advance(tx, consumer, context, last.seq)
        await clearAside(tx, consumer, context, last.seq)
      })
      return true
    } catch (error) {
      if (error instanceof Transient) throw error
      // A view stalls on poison: going on would make rows that no replay could make again.
      await setAside(host, consumer, context, first, error)
      return false
    }
  }
  return react(host, consumer.reaction, consumer, context, batch)
}

async function react(
  host: ConsumerHost,
  reaction: Reaction,
  consumer: Consumer,
  context: string,
  batch: readonly Placed[],
): Promise<boolean> {
  const on: readonly string[] = reaction.on
  for (const placed of batch) {
    const skip = async (tx: Tx) => {
      const cursor = await lockCursor(tx, consumer, context)
      if (placed.seq > cursor) await advance(tx, consumer, context, placed.seq)
    }
    if (!on.some((type) => placed.envelope.includes(`"type":"${type}"`))) {
      // Nothing to do: the cursor moves with the next event that matters, or at the batch's end.
      if (placed === batch.at(-1)) await host.tx(placed.tenant, skip)
      continue
    }
    try {
      await host.tx(placed.tenant, async (tx) => {
        const cursor = await lockCursor(tx, consumer, context)
        if (placed.seq <= cursor) return
        // Opened here: one that cannot be read is set aside like one that cannot be reacted to.
        const event = open(placed)
        if (event && on.includes(event.type)) await host.carryOut(tx, await reaction.react(event, tx), placed)
        await advance(tx, consumer, context, placed.seq)
        await forget(tx, consumer, context, placed.seq)
      })
    } catch (error) {
      if (error instanceof Transient) throw error
      if ((await setAside(host, consumer, context, placed, error)) < TRIES) return false
      // Set aside for a person; the events behind it are not held up.
      await host.tx(placed.tenant, skip)
    }
  }
  return true
}

/** Tries a reaction's event again that was set aside, and forgets it when it went well. */
export async function replay(
  host: ConsumerHost,
  consumer: Consumer,
  tenant: string,
  context: string,
  seq: number,
): Promise<void> {
  if (consumer.kind === 'fold') return catchUp(host, consumer, tenant, context)
  const [placed] = await host.readContext(tenant, context, seq - 1, 1)
  if (!placed || placed.seq !== seq) throw new Error(`event ${seq} is not in the ledger`)
  const event = open(placed)
  await host.tx(tenant, async (tx) => {
    if (event) await host.carryOut(tx, await consumer.reaction.react(event, tx), placed)
    await forget(tx, consumer, context, seq)
  })
}
