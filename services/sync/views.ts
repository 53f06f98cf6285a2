import type { EventOf } from '@attestry/contracts'
import type { Fold, Tx } from '@attestry/kit'
import { type Copy, evolveCopy, isCopyEvent } from './copy.ts'
import { markReleased, markThrown } from './kill-switch.ts'

/*
 * What pages and runs read: folds of sync's own events, and of what discovery tells of vaults and their secrets.
 */

const ROUTE_STATES = {
  'sync.route-paused': 'paused',
  'sync.route-resumed': 'active',
  'sync.route-closed': 'closed',
} as const

const DONE: readonly string[] = ['sync.copied', 'sync.copy-disabled', 'sync.pruned']

async function applyCopies(events: readonly EventOf[], tx: Tx): Promise<void> {
  const mine = events.filter(isCopyEvent)
  if (mine.length === 0) return
  const ids = [...new Set(mine.map((e) => e.data.copy))]
  const rows = await tx.rows<{ copy: string; body: Copy }>(
    'select copy, body from copy where tenant = $1 and copy = any($2)',
    [tx.tenant, ids],
  )
  const known = new Map(rows.map((row) => [row.copy, row.body]))
  const at = new Map<string, string>()
  for (const event of mine) {
    known.set(event.data.copy, evolveCopy(known.get(event.data.copy) ?? null, event))
    at.set(event.data.copy, event.at)
  }
  await tx.rows(
    `insert into copy (tenant, copy, route, secret, state, source_name, target_name, changed_at, body)
     select $1, c ->> 'copy', c ->> 'route', c ->> 'secret', c ->> 'state', c ->> 'sourceName', c ->> 'targetName',
       (a ->> (c ->> 'copy'))::timestamptz, c
     from jsonb_array_elements($2::jsonb) as c, (select $3::jsonb as a) as times
     on conflict (tenant, copy) do update set state = excluded.state, source_name = excluded.source_name,
       target_name = excluded.target_name, changed_at = excluded.changed_at, body = excluded.body`,
    [tx.tenant, JSON.stringify(ids.map((id) => known.get(id))), JSON.stringify(Object.fromEntries(at))],
  )
  // What a plan wanted of it is done.
  const done = mine.filter((e) => DONE.includes(e.type)).map((e) => e.data.copy)
  if (done.length > 0)
    await tx.rows(
      `delete from plan_line where tenant = $1 and copy = any($2) and action in ('create', 'update', 'prune')`,
      [tx.tenant, done],
    )
}

async function applyOne(event: EventOf, tx: Tx): Promise<void> {
  const { tenant } = tx
  switch (event.type) {
    case 'sync.connector-added': {
      const { connector, cloud, name, account, region, how, access } = event.data
      await tx.rows(
        `insert into connector (tenant, connector, cloud, name, account, region, how, access, added_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
        [tenant, connector, cloud, name, account, region, how, JSON.stringify(access), event.at],
      )
      return
    }
    case 'sync.connector-tested':
      await tx.rows(
        'update connector set tested_at = $3, tested_ok = $4, problem = $5 where tenant = $1 and connector = $2',
        [tenant, event.data.connector, event.at, event.data.ok, event.data.problem],
      )
      return
    case 'sync.credential-replaced':
      await tx.rows('update connector set how = $3, access = $4 where tenant = $1 and connector = $2', [
        tenant,
        event.data.connector,
        event.data.how,
        JSON.stringify(event.data.access),
      ])
      return
    case 'sync.connector-removed':
      await tx.rows('update connector set removed_at = $3 where tenant = $1 and connector = $2', [
        tenant,
        event.data.connector,
        event.at,
      ])
      return
    case 'sync.route-opened': {
      const { route, source, target, settings } = event.data
      if (!settings) return
      await tx.rows(
        `insert into route (tenant, route, source, connector, name, settings, state, accepted, opened_at)
         values ($1, $2, $3, $4, $5, $6, 'active', false, $7)`,
        [tenant, route, source, target, settings.name, JSON.stringify(settings), event.at],
      )
      return
    }
    case 'sync.route-revised': {
      const { route, settings, reaccept } = event.data
      await tx.rows(
        'update route set name = $3, settings = $4, accepted = accepted and not $5 where tenant = $1 and route = $2',
        [tenant, route, settings.name, JSON.stringify(settings), reaccept],
      )
      return
    }
    case 'sync.route-paused':
    case 'sync.route-resumed':
    case 'sync.route-closed':
      await tx.rows('update route set state = $3 where tenant = $1 and route = $2', [
        tenant,
        event.data.route,
        ROUTE_STATES[event.type],
      ])
      return
    case 'sync.run-started':
      await tx.rows(
        `insert into run (tenant, run, route, trigger, started_at) values ($1, $2, $3, $4, $5) on conflict do nothing`,
        [tenant, event.data.run, event.data.route, event.data.trigger, event.at],
      )
      return
    case 'sync.plan-made':
      await tx.rows('update run set plan = $3, planned = $4, needs = $5 where tenant = $1 and run = $2', [
        tenant,
        event.data.run,
        event.data.plan,
        JSON.stringify(event.data.counts),
        event.data.needs,
      ])
      return
    case 'sync.plan-accepted':
    case 'sync.plan-rejected': {
      const accepted = event.type === 'sync.plan-accepted'
      await tx.rows('update run set decided = $3 where tenant = $1 and run = $2', [
        tenant,
        event.data.run,
        accepted ? 'accepted' : 'rejected',
      ])
      if (accepted)
        await tx.rows('update route set accepted = true where tenant = $1 and route = $2', [
          tenant,
          event.data.route,
        ])
      return
    }
    case 'sync.run-ended': {
      const { run, outcome, counts, failed, listCalls, valuesRead, problem } = event.data
      await tx.rows(
        `update run set ended_at = $3, outcome = $4, done = $5, failed = $6, list_calls = $7, values_read = $8, problem = $9
         where tenant = $1 and run = $2`,
        [tenant, run, event.at, outcome, JSON.stringify(counts), failed, listCalls, valuesRead, problem],
      )
      return
    }
    case 'sync.switch-thrown':
      await markThrown(tx, event.data.connector, event.at, event.data.reason)
      return
    case 'sync.switch-released':
      await markReleased(tx, event.data.connector, event.at)
      return
    case 'sync.writes-allowed':
      await tx.rows(
        `insert into allowance (tenant, allowed) values ($1, $2)
         on conflict (tenant) do update set allowed = excluded.allowed`,
        [tenant, event.data.allowed],
      )
      return
    default:
  }
}

export const syncView: Fold = {
  name: 'sync',
  contexts: ['sync'],
  version: 1,
  apply: async (events, tx) => {
    for (const event of events) await applyOne(event, tx)
    await applyCopies(events, tx)
  },
  clear: async (tx) => {
    for (const table of ['connector', 'route', 'copy', 'run', 'kill_switch', 'allowance'])
      await tx.rows(`delete from ${table} where tenant = $1`, [tx.tenant])
  },
}

/** Where copies can come from: vaults and the names of their secrets. */
export const sourceView: Fold = {
  name: 'sources',
  contexts: ['discovery'],
  version: 1,
  apply: async (events, tx) => {
    for (const event of events) {
      if (event.type !== 'discovery.vault-scanned') continue
      const { vault, facts, found, changed, lost } = event.data
      if (facts)
        await tx.rows(
          `insert into source_vault (tenant, vault, name, uri) values ($1, $2, $3, $4)
           on conflict (tenant, vault) do update set name = excluded.name, uri = excluded.uri`,
          [tx.tenant, vault, facts.name, facts.uri.replace(/\/+$/, '')],
        )
      const secrets = [...found, ...changed].filter((item) => item.kind === 'secret')
      if (secrets.length > 0)
        await tx.rows(
          `insert into source_item (tenant, asset, vault, name)
           select $1, a, $2, n from unnest($3::text[], $4::text[]) as t (a, n)
           on conflict (tenant, asset) do update set name = excluded.name`,
          [tx.tenant, vault, secrets.map((s) => s.asset), secrets.map((s) => s.name)],
        )
      if (lost.length > 0)
        await tx.rows('delete from source_item where tenant = $1 and asset = any($2)', [tx.tenant, lost])
    }
  },
  clear: async (tx) => {
    for (const table of ['source_vault', 'source_item'])
      await tx.rows(`delete from ${table} where tenant = $1`, [tx.tenant])
  },
}
