import type { Queryable } from '../postgres.ts'
import { rows } from '../postgres.ts'

/** An event as it lies in the database. */
export interface Stored {
  readonly tenant: string
  readonly seq: number
  /** The seq of the event before it of the same tenant and context; 0 for the first. */
  readonly contextPrevSeq: number
  readonly stream: string
  readonly position: number
  readonly type: string
  readonly at: string
  readonly id: string
  /** The exact text that was hashed. */
  readonly envelope: string
  readonly leaf: Uint8Array
  readonly link: Uint8Array
  readonly private: string | null
  readonly trace: { readonly traceparent: string; readonly tracestate?: string } | null
}

/** A place of the chain, whose body retention may have taken. */
export type Line = Omit<Stored, 'envelope'> & { readonly envelope: string | null }

interface Row extends Omit<Stored, 'trace'> {
  readonly traceparent: string | null
  readonly tracestate: string | null
}

const COLUMNS = `tenant, seq, context_prev_seq as "contextPrevSeq", stream, position, type,
  to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at, id, envelope, leaf, link, private,
  traceparent, tracestate`

const storedOf = ({ traceparent, tracestate, ...event }: Row): Stored => ({
  ...event,
  trace: traceparent === null ? null : { traceparent, ...(tracestate === null ? {} : { tracestate }) },
})

export interface ReadAfter {
  readonly tenant: string
  /** The last seq already known; 0 reads from the start. */
  readonly after: number
  /** Up to and with this seq. */
  readonly upTo?: number
  /** Only events of these contexts. */
  readonly contexts?: readonly string[]
  /** Events at most. */
  readonly limit: number
}

/** Of large events a page holds fewer than asked for: no more are begun after so many bytes of envelopes. */
const PAGE_BYTES = 4_000_000

/** A page of events, cut where it grows too large. An envelope's length is known without reading it. */
const cut = (page: string): string =>
  `select ${COLUMNS} from (
    select p.*, sum(octet_length(envelope)) over (order by seq) - octet_length(envelope) as before from (${page}) p
  ) sized where before < ${PAGE_BYTES} order by seq`

/** A tenant's events after a seq, in order, but for those whose bodies retention took. Under a service's role the transaction must name the tenant. */
export const readAfter = async (
  on: Queryable,
  { tenant, after, upTo, contexts, limit }: ReadAfter,
): Promise<Stored[]> => {
  const last = upTo ?? Number.MAX_SAFE_INTEGER
  const found = contexts
    ? // A limited walk of the index for each context, merged: one walk over several contexts could not stop early.
      await rows<Row>(
        on,
        cut(`select e.* from unnest($2::text[]) c(context) cross join lateral (
            select * from ledger.event
            where tenant = $1 and context = c.context and seq > $3 and seq <= $4 and envelope is not null
            order by seq limit $5
          ) e order by e.seq limit $5`),
        [tenant, contexts, after, last, limit],
      )
    : await rows<Row>(
        on,
        cut(`select * from ledger.event where tenant = $1 and seq > $2 and seq <= $3 and envelope is not null
          order by seq limit $4`),
        [tenant, after, last, limit],
      )
  return found.map(storedOf)
}

/** Every place of the chain after a seq, in order, those whose bodies retention took among them: what an export needs. */
export const readLines = async (
  on: Queryable,
  { tenant, after, upTo, limit }: Required<Omit<ReadAfter, 'contexts'>>,
): Promise<Line[]> => {
  const found = await rows<Row>(
    on,
    `select ${COLUMNS} from ledger.event where tenant = $1 and seq > $2 and seq <= $3 order by seq limit $4`,
    [tenant, after, upTo, limit],
  )
  return found.map(storedOf)
}

/** The events of one stream after a position, in order. */
export const readStream = async (
  on: Queryable,
  { tenant, stream, after = 0, limit }: { tenant: string; stream: string; after?: number; limit: number },
): Promise<Stored[]> => {
  const found = await rows<Row>(
    on,
    `select ${COLUMNS} from ledger.event where tenant = $1 and stream = $2 and position > $3
      and envelope is not null order by position limit $4`,
    [tenant, stream, after, limit],
  )
  return found.map(storedOf)
}

/** The last seq of each context of a tenant: a reader whose cursor stands there has nothing to read. */
export const contextHeads = async (on: Queryable, tenant: string): Promise<ReadonlyMap<string, number>> => {
  const found = await rows<{ context: string; seq: number }>(
    on,
    `select u.context, u.seq from ledger.head h, unnest(h.contexts, h.context_seqs) u(context, seq)
      where h.tenant = $1`,
    [tenant],
  )
  return new Map(found.map((row) => [row.context, row.seq]))
}

/** The last event's seq and link; null for a tenant without a chain. */
export const readHead = async (
  on: Queryable,
  tenant: string,
): Promise<{ readonly seq: number; readonly link: Uint8Array } | null> => {
  const [head] = await rows<{ seq: number; link: Uint8Array }>(
    on,
    'select seq, link from ledger.head where tenant = $1',
    [tenant],
  )
  return head ?? null
}

/**
 * The seq of a tenant's first event at or after an instant; one beyond the last where there is none. Time never runs
 * backwards in a chain, so it is searched by halves and needs no index of its own.
 */
export const firstSince = async (on: Queryable, tenant: string, instant: string): Promise<number> => {
  const [ends] = await rows<{ low: number | null; high: number | null }>(
    on,
    'select min(seq) as low, max(seq) as high from ledger.event where tenant = $1',
    [tenant],
  )
  let low = ends?.low ?? 1
  let high = (ends?.high ?? 0) + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    // The next event there is: what retention took leaves no event at its seq.
    const [found] = await rows<{ seq: number; since: boolean }>(
      on,
      `select seq, at >= $3 as since from ledger.event where tenant = $1 and seq >= $2 order by seq limit 1`,
      [tenant, middle, instant],
    )
    if (!found || found.since) high = middle
    else low = found.seq + 1
  }
  return low
}

/** Pages of a long walk, each read by key from where the last ended: no cursor stays open on the server. */
export async function* pages(
  on: Queryable,
  walk: Omit<ReadAfter, 'limit'> & { readonly pageSize?: number; readonly signal?: AbortSignal },
): AsyncGenerator<Stored[], void, undefined> {
  const { pageSize = 1000, signal, ...request } = walk
  let after = request.after
  for (;;) {
    signal?.throwIfAborted()
    const page = await readAfter(on, { ...request, after, limit: pageSize })
    const last = page.at(-1)
    // Only an empty page is the last: one of large events is short.
    if (!last) return
    yield page
    after = last.seq
  }
}
