import { catalog } from '@attestry/contracts'
import type { Pool } from 'pg'
import { rows, transaction } from '../postgres.ts'
import type { Pruned } from '../service.ts'
import { asDenial, eventBody } from './append.ts'
import { LEDGER_ROLE } from './open.ts'
import { firstSince } from './read.ts'

/** The record of acts is kept in full at least this long. */
export const LEAST_DAYS = 365

/** Bodies that go in one transaction, under one event. */
const MOST_AT_ONCE = 10_000

const typesThat = (may: 'always' | 'superseded'): string[] =>
  Object.entries(catalog)
    .filter(([, definition]) => 'prunable' in definition && definition.prunable === may)
    .map(([type]) => type)

export interface Prune {
  readonly tenant: string
  readonly retentionDays: number
  readonly now: Temporal.Instant
  readonly by: unknown
  readonly cause: unknown
  /** UUIDv7 of the event that accounts for it. */
  readonly id: string
}

/**
 * Removes the bodies of events that only told of an act and are older than the retention, behind the newest checkpoint
 * of the chain. First `ledger.pruned`, which says what goes, then the bodies, in one transaction; leaf, link and place
 * stay. The newest event of a stream never goes: a stream is continued from it.
 * @returns how many went, and whether as many again may wait; 'retention-too-short' below 365 days; 'no-checkpoint'
 * where the chain was never anchored
 */
export const prune = async (pool: Pool, request: Prune): Promise<Pruned> => {
  const { tenant, retentionDays, now, by, cause, id } = request
  if (retentionDays < LEAST_DAYS) return { ok: false, refused: 'retention-too-short' }
  const before = now.subtract({ hours: retentionDays * 24 }).toString({ smallestUnit: 'millisecond' })
  try {
    return await transaction(pool, { role: LEDGER_ROLE, tenant }, async (client): Promise<Pruned> => {
      const [checkpoint] = await rows<{ size: number; root: string }>(
        client,
        `select (d ->> 'size')::bigint as size, d ->> 'root' as root from (
           select envelope::json #> '{event,data}' as d, seq from ledger.event
           where tenant = $1 and context = 'evidence' and type = 'evidence.anchored' and envelope is not null
           order by seq desc limit 1) newest`,
        [tenant],
      )
      if (!checkpoint) return { ok: false, refused: 'no-checkpoint' }
      const end = Math.min(await firstSince(client, tenant, before), checkpoint.size + 1)
      const types = { always: typesThat('always'), superseded: typesThat('superseded') }
      const going = await rows<{ seq: number; type: string }>(
        client,
        `select e.seq, e.type from ledger.event e
         where e.tenant = $1 and e.seq < $2 and e.envelope is not null
           and (e.type = any ($3) or e.type = any ($4)) and exists (
             select from ledger.event n where n.tenant = e.tenant and n.stream = e.stream and n.position > e.position
               and (e.type = any ($3) or n.type = e.type))
         order by e.seq limit $5`,
        [tenant, end, types.always, types.superseded, MOST_AT_ONCE],
      )
      const last = going.at(-1)
      if (!last) return { ok: true, events: 0, more: false }
      const data = {
        before,
        checkpoint: { root: checkpoint.root, size: checkpoint.size },
        events: going.length,
        retentionDays,
        through: last.seq,
        types: [...new Set(going.map((g) => g.type))].sort(),
      }
      const body = eventBody({ type: 'ledger.pruned', v: 1, id, data, by, cause })
      await client.query('select ledger.prune($1, $2::bigint[], $3, $4)', [
        tenant,
        going.map((g) => g.seq),
        id,
        body,
      ])
      return { ok: true, events: going.length, more: going.length === MOST_AT_ONCE }
    })
  } catch (error) {
    throw asDenial(error)
  }
}
