import type { Pool } from 'pg'
import type { Bell } from '../bell.ts'
import { rows, transaction } from '../postgres.ts'
import { LEDGER_ROLE } from './open.ts'
import { firstSince, readHead } from './read.ts'

/** One event as a list of what happened shows it. */
export interface Happened {
  readonly seq: number
  readonly at: string
  readonly type: string
  readonly stream: string
  readonly actorKind: string
  readonly actorId: string
  /** Where the actor was and why, where they said so and it was not erased. */
  readonly address: string | null
  readonly reason: string | null
  /** Hexadecimal. */
  readonly link: string
}

/** What a page of happenings is asked for. */
export interface ActivityFilter {
  /** Only events before this seq; null for the newest. */
  readonly before: number | null
  readonly limit: number
  readonly type?: string
  /** Opaque id of an actor. */
  readonly actor?: string
  readonly kind?: string
  /** From this instant on, and before this one. */
  readonly from?: string
  readonly to?: string
}

const ACTOR = `(envelope::json #>> '{event,by,id}')`
const KIND = `(envelope::json #>> '{event,by,kind}')`
/** A committed value of the actor, opened: `private` is a list of path, salt and value. */
const opened = (path: string) =>
  `(select d ->> 2 from json_array_elements(private::json) d where d ->> 0 = '${path}' limit 1)`

/** A tenant's events, newest first, with the number of all that match. */
export const readActivity = (
  pool: Pool,
  tenant: string,
  { before, limit, type, actor, kind, from, to }: ActivityFilter,
): Promise<{ rows: Happened[]; total: number }> =>
  transaction(pool, { role: LEDGER_ROLE, tenant }, async (client) => {
    // Time never runs backwards in a chain, so a time is a place in it, found without a walk.
    const first = from === undefined ? 0 : await firstSince(client, tenant, from)
    const end = to === undefined ? null : await firstSince(client, tenant, to)
    const match = `tenant = $1 and envelope is not null and ($2::text is null or type = $2) and ($3::text is null or ${ACTOR} = $3)
      and ($4::text is null or ${KIND} = $4) and seq >= $5::bigint and ($6::bigint is null or seq < $6)`
    const values = [tenant, type ?? null, actor ?? null, kind ?? null, first, end]
    const found = await rows<Happened>(
      client,
      `select seq, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at, type, stream,
         ${KIND} as "actorKind", ${ACTOR} as "actorId", ${opened('/by/address')} as address,
         ${opened('/by/reason')} as reason, encode(link, 'hex') as link
       from ledger.event where ${match} and ($7::bigint is null or seq < $7) order by seq desc limit $8`,
      [...values, before, limit],
    )
    // Without another filter than time the number is known: a chain has no gaps.
    if (type === undefined && actor === undefined && kind === undefined) {
      const after = end ?? ((await readHead(client, tenant))?.seq ?? 0) + 1
      return { rows: found, total: Math.max(0, after - Math.max(1, first)) }
    }
    const [count] = await rows<{ n: number }>(
      client,
      `select count(*) as n from ledger.event where ${match}`,
      values,
    )
    return { rows: found, total: count?.n ?? 0 }
  })

const TAIL_PAGE = 500

/**
 * What happens in a tenant from now on: seq and type of each event. The bell is a hint; a look every `everyMs`
 * finds what another process appended. Ends with the signal.
 */
export async function* tail(
  pool: Pool,
  options: {
    readonly tenant: string
    readonly bell: Pick<Bell, 'wait'>
    readonly everyMs: number
    readonly signal: AbortSignal
  },
): AsyncGenerator<{ seq: number; type: string }, void, void> {
  const { tenant, bell, everyMs, signal } = options
  const ask = <T extends object>(sql: string, values: unknown[]) =>
    transaction(pool, { role: LEDGER_ROLE, tenant }, (client) =>
      rows<T & Record<string, unknown>>(client, sql, values),
    )
  const [head] = await ask<{ seq: number }>('select seq from ledger.head where tenant = $1', [tenant])
  for (let after = head?.seq ?? 0; !signal.aborted; ) {
    const found = await ask<{ seq: number; type: string }>(
      'select seq, type from ledger.event where tenant = $1 and seq > $2 order by seq limit $3',
      [tenant, after, TAIL_PAGE],
    )
    for (const happened of found) yield happened
    after = found.at(-1)?.seq ?? after
    if (found.length < TAIL_PAGE) await bell.wait(everyMs, signal)
  }
}
