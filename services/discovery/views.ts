import type { EventOf, EventType } from '@attestry/contracts'
import type { Fold, Tx } from '@attestry/kit'
import { foldApplications } from './views/applications.ts'
import { foldResource } from './views/resources.ts'
import { vaultBatch } from './views/vaults.ts'

/** Tables that the fold fills; `scan_request` is none of them. */
const TABLES = [
  'environments',
  'scans',
  'vaults',
  'directories',
  'applications',
  'assets',
  'asset_history',
  'resources',
  'edges',
  'hard_coded',
] as const

/**
 * The estate as rows, from this service's own events. Vault events are gathered over the batch and written together:
 * a first scan brings thousands, and one statement for many rows is what makes 100,000 of them a matter of seconds.
 */
export const estateView: Fold = {
  name: 'estate',
  contexts: ['discovery'],
  version: 1,
  apply: async (events, tx) => {
    const vaults = vaultBatch()
    for (const event of events) if (!vaults.take(event)) await foldOne(event, tx)
    await vaults.write(tx)
  },
  clear: async (tx) => {
    for (const table of TABLES) await tx.rows(`delete from ${table} where tenant = $1`, [tx.tenant])
  },
}

/** What each event means for the tables; an event that is not named says nothing to them. */
const folds: { readonly [K in EventType]?: (event: EventOf<K>, tx: Tx) => Promise<void> } = {
  'discovery.environment-connected': async (event, tx) => {
    const { environment, cloud, name, scope, settingsScan, everyHours } = event.data
    await tx.rows(
      `insert into environments (tenant, environment, cloud, name, subscriptions, settings_scan, every_hours, connected_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (tenant, environment) do update set name = excluded.name, subscriptions = excluded.subscriptions,
           settings_scan = excluded.settings_scan, every_hours = excluded.every_hours,
           connected_at = excluded.connected_at, disconnected_at = null`,
      [
        tx.tenant,
        environment,
        cloud,
        name,
        JSON.stringify(scope.subscriptions),
        settingsScan,
        everyHours,
        event.at,
      ],
    )
  },
  'discovery.environment-revised': async (event, tx) => {
    const { environment, scope, settingsScan, everyHours } = event.data
    await tx.rows(
      `update environments set subscriptions = $3, settings_scan = $4, every_hours = $5
         where tenant = $1 and environment = $2`,
      [tx.tenant, environment, JSON.stringify(scope.subscriptions), settingsScan, everyHours],
    )
  },
  'discovery.environment-disconnected': async (event, tx) => {
    await tx.rows('update environments set disconnected_at = $3 where tenant = $1 and environment = $2', [
      tx.tenant,
      event.data.environment,
      event.at,
    ])
  },
  'discovery.scan-started': async (event, tx) => {
    const { scan, environment, trigger } = event.data
    await tx.rows(
      `insert into scans (tenant, scan, environment, state, trigger, started_at)
         values ($1, $2, $3, 'running', $4, $5) on conflict do nothing`,
      [tx.tenant, scan, environment, trigger, event.at],
    )
  },
  'discovery.scan-completed': async (event, tx) => {
    const { scan, counts, unreachable, refused, calls } = event.data
    await tx.rows(
      `update scans set state = 'completed', ended_at = $3, counts = $4, unreachable = $5, refused = $6, calls = $7
         where tenant = $1 and scan = $2`,
      [
        tx.tenant,
        scan,
        event.at,
        JSON.stringify(counts),
        JSON.stringify(unreachable),
        JSON.stringify(refused),
        calls,
      ],
    )
  },
  'discovery.scan-failed': async (event, tx) => {
    const { scan, environment, reason, detail } = event.data
    await tx.rows(
      `insert into scans (tenant, scan, environment, state, trigger, ended_at, problem)
         values ($1, $2, $3, $4, 'operator', $5, $6)
         on conflict (tenant, scan) do update set state = excluded.state, ended_at = excluded.ended_at,
           problem = excluded.problem`,
      [tx.tenant, scan, environment, reason === 'cancelled' ? 'cancelled' : 'failed', event.at, detail],
    )
  },
  'discovery.apps-scanned': foldApplications,
  'discovery.resource-scanned': foldResource,
  'discovery.edge-confirmed': foldResource,
  'discovery.edge-rejected': foldResource,
}

async function foldOne(event: EventOf, tx: Tx): Promise<void> {
  // Indexed by the event's own type, so it is the fold of just this type.
  const fold = folds[event.type] as ((event: EventOf, tx: Tx) => Promise<void>) | undefined
  await fold?.(event, tx)
}
