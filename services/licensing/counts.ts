import { COUNTERS, type Counter, type Counters, type EventOf, type EventType } from '@attestry/contracts'
import type { Fold, Tx } from '@attestry/kit'

/*
 * What an install counts about itself: folded from events, so that no service is asked, and nothing but numbers.
 */

type Effect =
  | { readonly add: string }
  | { readonly in: string; readonly id: string }
  | { readonly out: string; readonly id: string }

/** What an event means for a tally or a set; those not named mean nothing. */
const EFFECTS: { readonly [K in EventType]?: (event: EventOf<K>) => Effect } = {
  'discovery.environment-connected': (e) => ({ in: 'environments', id: e.data.environment }),
  'discovery.environment-disconnected': (e) => ({ out: 'environments', id: e.data.environment }),
  'gateway.operator-added': (e) => ({ in: 'operators', id: e.data.operator }),
  'gateway.operator-enabled': (e) => ({ in: 'operators', id: e.data.operator }),
  'gateway.operator-disabled': (e) => ({ out: 'operators', id: e.data.operator }),
  'compliance.evaluation-completed': () => ({ add: 'evaluations' }),
  'rotation.policy-enabled': (e) => ({ in: 'policies', id: e.data.policy }),
  'rotation.policy-disabled': (e) => ({ out: 'policies', id: e.data.policy }),
  'rotation.completed': () => ({ add: 'rotationsCompleted' }),
  'rotation.failed': () => ({ add: 'rotationsFailed' }),
  'sync.route-opened': (e) => ({ in: 'routes', id: e.data.route }),
  'sync.route-closed': (e) => ({ out: 'routes', id: e.data.route }),
  'sync.copied': () => ({ add: 'copies' }),
  'sync.copy-failed': () => ({ add: 'copiesFailed' }),
  'evidence.bundle-sealed': () => ({ add: 'bundles' }),
}

const carryOut = async (effect: Effect, tx: Tx): Promise<void> => {
  if ('add' in effect)
    await tx.rows(
      `insert into tally (tenant, name, n) values ($1, $2, 1) on conflict (tenant, name) do update set n = tally.n + 1`,
      [tx.tenant, effect.add],
    )
  else if ('in' in effect)
    await tx.rows('insert into member (tenant, kind, id) values ($1, $2, $3) on conflict do nothing', [
      tx.tenant,
      effect.in,
      effect.id,
    ])
  else
    await tx.rows('delete from member where tenant = $1 and kind = $2 and id = $3', [
      tx.tenant,
      effect.out,
      effect.id,
    ])
}

/** Name of the tally of rotations that a person asked for in a month: `manual 2026-11`. */
const manualIn = (at: string): string => `manual ${at.slice(0, 7)}`

async function foldOne(event: EventOf, tx: Tx): Promise<void> {
  if (event.type === 'discovery.scan-completed') {
    await tx.rows(
      `insert into estate (tenant, environment, counts) values ($1, $2, $3)
       on conflict (tenant, environment) do update set counts = excluded.counts`,
      [tx.tenant, event.data.environment, JSON.stringify(event.data.counts)],
    )
    return carryOut({ add: 'scans' }, tx)
  }
  if (event.type === 'discovery.environment-disconnected')
    await tx.rows('delete from estate where tenant = $1 and environment = $2', [
      tx.tenant,
      event.data.environment,
    ])
  if (event.type === 'rotation.requested' && event.by.kind === 'operator')
    await carryOut({ add: manualIn(event.at) }, tx)
  // Indexed by the event's own type, so it is the effect of just this type.
  const effect = EFFECTS[event.type] as ((event: EventOf) => Effect) | undefined
  if (effect) await carryOut(effect(event), tx)
}

export const countsView: Fold = {
  name: 'counts',
  contexts: ['discovery', 'compliance', 'rotation', 'sync', 'evidence', 'gateway'],
  version: 1,
  apply: async (events, tx) => {
    for (const event of events) await foldOne(event, tx)
  },
  clear: async (tx) => {
    for (const table of ['estate', 'tally', 'member'])
      await tx.rows(`delete from ${table} where tenant = $1`, [tx.tenant])
  },
}

const isCounter = (name: string): name is Counter => (COUNTERS as readonly string[]).includes(name)

/** A tenant's counts, and the rotations that people asked for this month. */
export async function countsOf(tx: Tx, now: string): Promise<{ counts: Counters; manualRotations: number }> {
  const rows = await tx.rows<{ name: string; n: number }>(
    `select name, n::float8 as n from tally where tenant = $1
     union all select kind, count(*)::float8 from member where tenant = $1 group by kind
     union all select key, sum(value::float8) from estate, jsonb_each_text(counts) where tenant = $1 group by key`,
    [tx.tenant],
  )
  const counts: Partial<Record<Counter, number>> = {}
  for (const { name, n } of rows) if (isCounter(name)) counts[name] = n
  return { counts, manualRotations: rows.find((r) => r.name === manualIn(now))?.n ?? 0 }
}

/** Sums of several tenants' counts. */
export function sumOf(all: readonly Counters[]): Counters {
  const sum: Partial<Record<Counter, number>> = {}
  for (const counts of all)
    for (const name of COUNTERS) {
      const n = counts[name]
      if (n !== undefined) sum[name] = (sum[name] ?? 0) + n
    }
  return sum
}

/** The text of counts as it is sent and shown: known names in their order. */
export const textOf = (counts: Counters): string =>
  JSON.stringify(Object.fromEntries(COUNTERS.map((name) => [name, counts[name] ?? 0])))
