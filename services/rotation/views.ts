import type { EventOf, EventType } from '@attestry/contracts'
import type { Fold, Tx } from '@attestry/kit'
import { principalOf } from './plan.ts'
import { evolve, isOver, type Rotation } from './state.ts'

/** What is known of the estate and of policies, as far as rotation needs it: rows that are folded again at will. */

type Handle = { readonly [T in EventType]?: (event: EventOf<T>, tx: Tx) => Promise<unknown> }

const json = (value: unknown): string => JSON.stringify(value)

const POLICY_NAME = (data: EventOf<'rotation.policy-enabled'>['data']): string => data.subject?.name ?? ''

const putPolicy = (
  { at, data }: EventOf<'rotation.policy-enabled' | 'rotation.policy-revised'>,
  tx: Tx,
  enabled: boolean | null,
) =>
  tx.rows(
    `insert into policies (tenant, policy, enabled, credential, cadence_days, subject, settings, selector, name, since)
     values ($1, $2, coalesce($3, true), $4, $5, $6, $7, $8, $9, $10)
     on conflict (tenant, policy) do update set enabled = coalesce($3, policies.enabled), credential = excluded.credential,
       cadence_days = excluded.cadence_days, subject = coalesce(excluded.subject, policies.subject),
       settings = coalesce(excluded.settings, policies.settings), selector = coalesce(excluded.selector, policies.selector),
       name = case when excluded.name = '' then policies.name else excluded.name end,
       since = case when $3 then excluded.since else policies.since end`,
    [
      tx.tenant,
      data.policy,
      enabled,
      data.credential,
      data.cadenceDays,
      data.subject ? json(data.subject) : null,
      data.settings ? json(data.settings) : null,
      data.selector ?? null,
      POLICY_NAME(data),
      at,
    ],
  )

const judge = (state: 'verified' | 'excluded', match: string, tx: Tx) =>
  tx.rows('update matches set state = $3 where tenant = $1 and match = $2', [tx.tenant, match, state])

const HANDLES: Handle = {
  'discovery.vault-scanned': async (event, tx) => {
    const { vault, facts, found, changed, lost } = event.data
    if (facts) await putVault(event.env ?? null, vault, facts, tx)
    else await tx.rows('update vaults set gone = false where tenant = $1 and vault = $2', [tx.tenant, vault])
    await tx.rows(
      `insert into items (tenant, asset, vault, kind, name, enabled, managed, created, updated, expires, tags)
       select $1, i.asset, $2, i.kind, i.name, i.enabled, i.managed, i.created, i.updated, i.expires, i.tags
       from jsonb_to_recordset($3::jsonb) as i(asset text, kind text, name text, enabled boolean, managed boolean,
         created timestamptz, updated timestamptz, expires timestamptz, tags jsonb)
       on conflict (tenant, asset) do update set name = excluded.name, enabled = excluded.enabled,
         managed = excluded.managed, created = excluded.created, updated = excluded.updated,
         expires = excluded.expires, tags = excluded.tags`,
      [tx.tenant, vault, json([...found, ...changed])],
    )
    await tx.rows('delete from items where tenant = $1 and asset = any($2)', [tx.tenant, lost])
  },
  'discovery.vault-unreachable': async ({ env, data: { vault, facts, why } }, tx) => {
    if (facts) await putVault(env ?? null, vault, facts, tx)
    await tx.rows('update vaults set gone = $3 where tenant = $1 and vault = $2', [
      tx.tenant,
      vault,
      why === 'gone',
    ])
  },
  'discovery.apps-scanned': async ({ env, data: { found, changed, lost } }, tx) => {
    const present = [...found, ...changed]
    await tx.rows('delete from credentials where tenant = $1 and application = any($2)', [
      tx.tenant,
      [...present.map((a) => a.asset), ...lost],
    ])
    await tx.rows(
      `insert into credentials (tenant, asset, application, environment, object_id, app_id, app_name, key_id, kind, name,
         starts_at, ends_at)
       select $1, c.asset, a.asset, $2, a."objectId", a."appId", a.name, c."keyId", c.kind, c.name, c."startsAt", c."endsAt"
       from jsonb_to_recordset($3::jsonb) as a(asset text, "objectId" text, "appId" text, name text, credentials jsonb),
         jsonb_to_recordset(a.credentials) as c(asset text, "keyId" text, kind text, name text,
           "startsAt" timestamptz, "endsAt" timestamptz)
       on conflict (tenant, asset) do nothing`,
      [tx.tenant, env ?? null, json(present)],
    )
  },
  'discovery.resource-scanned': async ({ data }, tx) => {
    const { resource, facts, gone, found, lost } = data
    if (gone) {
      await tx.rows('delete from edges where tenant = $1 and resource = $2', [tx.tenant, resource])
      await tx.rows('delete from resources where tenant = $1 and resource = $2', [tx.tenant, resource])
      return
    }
    if (facts)
      await tx.rows(
        `insert into resources (tenant, resource, type, name, resource_id) values ($1, $2, $3, $4, $5)
         on conflict (tenant, resource) do update set type = excluded.type, name = excluded.name,
           resource_id = excluded.resource_id`,
        [tx.tenant, resource, facts.type, facts.name, facts.resourceId],
      )
    await tx.rows('delete from edges where tenant = $1 and edge = any($2)', [tx.tenant, lost])
    await tx.rows(
      `insert into edges (tenant, edge, resource, target, via, setting, confidence)
       select $1, e.edge, $2, e.target, e.via, e.setting, e.confidence
       from jsonb_to_recordset($3::jsonb) as e(edge text, target text, via text, setting text, confidence int)
       on conflict (tenant, edge) do update set target = excluded.target, via = excluded.via,
         setting = excluded.setting, confidence = excluded.confidence`,
      [tx.tenant, resource, json(found)],
    )
  },
  'discovery.edge-confirmed': ({ data }, tx) =>
    tx.rows(`update edges set verdict = 'confirmed' where tenant = $1 and edge = $2`, [tx.tenant, data.edge]),
  'discovery.edge-rejected': ({ data }, tx) =>
    tx.rows(`update edges set verdict = 'rejected' where tenant = $1 and edge = $2`, [tx.tenant, data.edge]),
  'sync.route-opened': ({ data: { route, source } }, tx) =>
    tx.rows(
      `insert into routes (tenant, route, source, active) values ($1, $2, $3, true)
       on conflict (tenant, route) do update set source = excluded.source, active = true`,
      [tx.tenant, route, source],
    ),
  'sync.route-paused': ({ data }, tx) => routeActive(data.route, false, tx),
  'sync.route-resumed': ({ data }, tx) => routeActive(data.route, true, tx),
  'sync.route-closed': ({ data }, tx) => routeActive(data.route, false, tx),
  'sync.copied': ({ at, data: { route, secret, sourceVersion } }, tx) =>
    tx.rows(
      `insert into copies (tenant, route, secret, source_version, at) values ($1, $2, $3, $4, $5)
       on conflict (tenant, route, secret) do update set source_version = excluded.source_version, at = excluded.at`,
      [tx.tenant, route, secret, sourceVersion, at],
    ),
  'sync.pruned': ({ data: { route, secret } }, tx) =>
    tx.rows('delete from copies where tenant = $1 and route = $2 and secret = $3', [
      tx.tenant,
      route,
      secret,
    ]),
  'rotation.policy-enabled': (event, tx) => putPolicy(event, tx, true),
  'rotation.policy-revised': (event, tx) => putPolicy(event, tx, null),
  'rotation.policy-disabled': ({ data }, tx) =>
    tx.rows('update policies set enabled = false where tenant = $1 and policy = $2', [
      tx.tenant,
      data.policy,
    ]),
  'rotation.selector-enabled': ({ data: { selector, namePart, cadenceDays, settings } }, tx) =>
    tx.rows(
      `insert into selectors (tenant, selector, enabled, name_part, cadence_days, settings)
       values ($1, $2, true, $3, $4, $5)
       on conflict (tenant, selector) do update set enabled = true, name_part = excluded.name_part,
         cadence_days = excluded.cadence_days, settings = excluded.settings`,
      [tx.tenant, selector, namePart, cadenceDays, json(settings)],
    ),
  'rotation.selector-disabled': ({ data }, tx) =>
    tx.rows('update selectors set enabled = false where tenant = $1 and selector = $2', [
      tx.tenant,
      data.selector,
    ]),
  'rotation.match-proposed': ({ data }, tx) =>
    tx.rows(
      `insert into matches (tenant, match, policy, secret, confidence, signals, state)
       values ($1, $2, $3, $4, $5, $6, 'proposed')
       on conflict (tenant, match) do update set confidence = excluded.confidence, signals = excluded.signals`,
      [tx.tenant, data.match, data.policy, data.secret, data.confidence, json(data.signals ?? [])],
    ),
  'rotation.match-verified': ({ data }, tx) => judge('verified', data.match, tx),
  'rotation.match-excluded': ({ data }, tx) => judge('excluded', data.match, tx),
  'rotation.freeze-declared': ({ data: { freeze, from, until, name, policies } }, tx) =>
    tx.rows(
      `insert into freezes (tenant, id, starts_at, ends_at, name, policies) values ($1, $2, $3, $4, $5, $6)
       on conflict do nothing`,
      [tx.tenant, freeze, from, until, name, json(policies)],
    ),
  'rotation.freeze-lifted': ({ data }, tx) =>
    tx.rows('update freezes set lifted = true where tenant = $1 and id = $2', [tx.tenant, data.freeze]),
}

const routeActive = (route: string, active: boolean, tx: Tx) =>
  tx.rows('update routes set active = $3 where tenant = $1 and route = $2', [tx.tenant, route, active])

const putVault = (
  env: string | null,
  vault: string,
  facts: { readonly name: string; readonly uri: string; readonly resourceId: string },
  tx: Tx,
) =>
  tx.rows(
    `insert into vaults (tenant, vault, environment, name, uri, resource_id, gone) values ($1, $2, $3, $4, $5, $6, false)
     on conflict (tenant, vault) do update set environment = coalesce(excluded.environment, vaults.environment),
       name = excluded.name, uri = excluded.uri, resource_id = excluded.resource_id, gone = false`,
    [tx.tenant, vault, env, facts.name, facts.uri, facts.resourceId],
  )

/** Rows of runs from all the events of each rotation that a batch touched. */
async function foldRuns(events: readonly EventOf[], tx: Tx): Promise<void> {
  const own = events.filter((e) => e.stream.startsWith('rotation-'))
  if (own.length === 0) return
  await tx.rows(
    `insert into run_events (tenant, rotation, position, event)
     select $1, r.stream, r.position, r.event from jsonb_to_recordset($2::jsonb) as r(stream text, position int, event jsonb)
     on conflict do nothing`,
    [tx.tenant, json(own.map((event) => ({ stream: event.stream, position: event.position, event })))],
  )
  const touched = [...new Set(own.map((e) => e.stream))]
  const all = await tx.rows<{ rotation: string; event: EventOf }>(
    'select rotation, event from run_events where tenant = $1 and rotation = any($2) order by rotation, position',
    [tx.tenant, touched],
  )
  const states = new Map<string, Rotation | null>()
  const replacedBy = new Map<string, string>()
  for (const { rotation, event } of all) {
    states.set(rotation, evolve(states.get(rotation) ?? null, event))
    if (event.type === 'rotation.completed' && event.data.replacedBy)
      replacedBy.set(rotation, event.data.replacedBy)
  }
  const rows = [...states].flatMap(([rotation, s]) =>
    s
      ? [
          {
            rotation,
            policy: s.plan.policy,
            credential: s.plan.credential,
            replaced_by: replacedBy.get(rotation) ?? null,
            principal: principalOf(s.plan.subject),
            kind: s.plan.subject.kind,
            name: s.plan.subject.name,
            mode: s.plan.mode,
            trigger: s.plan.trigger,
            stage: s.stage,
            since: s.since,
            over: isOver(s),
            paused: s.paused,
            needs_operator: s.needsOperator,
            planned_at: s.plannedAt,
            opens_at: s.opensAt,
            ended_at: s.endedAt,
            reason: s.reason,
          },
        ]
      : [],
  )
  await tx.rows(
    `insert into runs (tenant, rotation, policy, credential, replaced_by, principal, kind, name, mode, trigger, stage, since, over,
       paused, needs_operator, planned_at, opens_at, ended_at, reason)
     select $1, r.* from jsonb_to_recordset($2::jsonb) as r(rotation text, policy text, credential text, replaced_by text,
       principal text, kind text, name text, mode text, trigger text, stage text, since timestamptz, over boolean, paused boolean,
       needs_operator jsonb, planned_at timestamptz, opens_at timestamptz, ended_at timestamptz, reason text)
     on conflict (tenant, rotation) do update set stage = excluded.stage, since = excluded.since, over = excluded.over, paused = excluded.paused,
       needs_operator = excluded.needs_operator, opens_at = excluded.opens_at, ended_at = excluded.ended_at,
       reason = excluded.reason, replaced_by = excluded.replaced_by`,
    [tx.tenant, json(rows)],
  )
}

const TABLES = [
  'vaults',
  'items',
  'credentials',
  'resources',
  'edges',
  'routes',
  'copies',
  'policies',
  'selectors',
  'matches',
  'freezes',
  'run_events',
  'runs',
]

export const rotationView: Fold = {
  name: 'rotations',
  contexts: ['discovery', 'sync', 'rotation'],
  version: 3,
  apply: async (events, tx) => {
    for (const event of events) {
      // The table pairs each type with its own events; indexing by the type forgets the pairing.
      const handle = HANDLES[event.type] as ((event: EventOf, tx: Tx) => Promise<unknown>) | undefined
      await handle?.(event, tx)
    }
    await foldRuns(events, tx)
  },
  clear: async (tx) => {
    for (const table of TABLES) await tx.rows(`delete from ${table} where tenant = $1`, [tx.tenant])
  },
}
