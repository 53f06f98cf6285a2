import { type Actor, fact, type RouteSettings } from '@attestry/contracts'
import { syncHttp } from '@attestry/contracts/http'
import { bind, type Caller, type Guard, type Handlers, type Host, instantOf, refuse } from '@attestry/kit'
import { placeOf } from './account.ts'
import { connectorOf, noSuchConnector } from './connector.ts'
import { connectorHandlers } from './connector-routes.ts'
import { copyHandlers } from './copy-routes.ts'
import { decided } from './decided.ts'
import { claimsAt } from './gather.ts'
import type { Keyring } from './keyring.ts'
import { ALL, markReleased, markThrown } from './kill-switch.ts'
import { listPlan, listRoutes, listRuns, readRoute, readRun } from './lists.ts'
import { foldedName, targetName } from './mapping.ts'
import {
  decideOpen,
  decideRevise,
  decideState,
  noSuchRoute,
  type Route,
  routeOf,
  type Surroundings,
} from './route.ts'
import { sendRun } from './send-run.ts'
import { selects } from './selector.ts'
import type { World } from './targets/access.ts'
import { targetType } from './targets/catalog.ts'
import type { Worker } from './worker.ts'

export interface RouteParts {
  readonly host: Host
  readonly guard: Guard
  readonly keyring: Keyring
  readonly world: World
  readonly worker: Worker
  readonly licensed: () => Promise<boolean>
  readonly byOf: (who: Caller) => Actor
}

/** A worker that was seen within this time runs. */
const SEEN_MS = 60_000

/** The HTTP face: decisions on the service's own streams, and reads of its own rows. */
export function syncRoutes(parts: RouteParts) {
  const { host, keyring, worker, byOf } = parts

  const routeNow = async (tenant: string, id: string): Promise<Route | null> =>
    routeOf(await host.stream(tenant, id))

  /** What a route is judged against, as far as rows tell it. */
  async function surroundings(
    tenant: string,
    wish: {
      readonly route: string
      readonly source: string
      readonly connector: string
      readonly settings: RouteSettings
    },
  ): Promise<Surroundings> {
    const { can } = await targetType(wish.settings.kind)
    const connector = connectorOf(await host.stream(tenant, wish.connector))
    const rows = await host.tx(tenant, async (tx) => ({
      source: (
        await tx.rows<{ vault: string; name: string; uri: string }>(
          'select vault, name, uri from source_vault where tenant = $1 and vault = $2',
          [tx.tenant, wish.source],
        )
      )[0],
      items: await tx.rows<{ vault: string; name: string }>(
        `select vault, name from source_item where tenant = $1
           and (vault = $2 or vault in (select source from route where tenant = $1 and state <> 'closed'))`,
        [tx.tenant, wish.source],
      ),
      others: await tx.rows<{
        route: string
        name: string
        settings: RouteSettings
        source: string
        source_name: string
        uri: string
        cloud: string
        account: string
        region: string | null
      }>(
        `select r.route, r.name, r.settings, r.source, v.name as source_name, v.uri, k.cloud, k.account, k.region
         from route r join connector k on k.tenant = r.tenant and k.connector = r.connector
         join source_vault v on v.tenant = r.tenant and v.vault = r.source
         where r.tenant = $1 and r.state <> 'closed' and r.route <> $2`,
        [tx.tenant, wish.route],
      ),
    }))
    const taken = new Map<string, string>()
    const place = connector ? placeOf(connector, wish.settings) : ''
    // Tags are not known here, so a route that picks by tag is taken to pick all: rather refused than overwritten.
    const takes = (settings: RouteSettings, name: string) =>
      selects({ ...settings.selector, tags: [], contentTypes: [] }, { name, tags: [], contentType: null })
    const names = new Map(rows.others.map((other) => [other.route, other.name]))
    for (const other of rows.others)
      if (placeOf(other, other.settings) === place)
        for (const item of rows.items)
          if (item.vault === other.source && takes(other.settings, item.name))
            taken.set(foldedName(targetName(other.settings, other.source_name, item.name), can), other.name)
    for (const [name, { route }] of await claimsAt(host, tenant, place, can))
      if (route !== wish.route && !taken.has(name)) taken.set(name, names.get(route) ?? 'another route')
    return {
      can,
      connector,
      source: rows.source ?? null,
      names: rows.items
        .filter((item) => item.vault === wish.source && takes(wish.settings, item.name))
        .map((item) => item.name),
      taken,
      vaultRoutes: rows.others.flatMap(({ cloud, uri, account }) =>
        cloud === 'azure' ? [{ from: uri.toLowerCase(), to: account.toLowerCase() }] : [],
      ),
    }
  }
  const handlers: Handlers<typeof syncHttp> = {
    ...connectorHandlers(parts),
    ...copyHandlers(parts),

    readStatus: async ({ who }) => {
      const licensed = await parts.licensed()
      return host.tx(who.tenant, async (tx) => {
        const [row] = await tx.rows<{
          allowed: boolean
          thrown_at: string | null
          reason: string | null
          seen_at: string | null
          routes: number
          held: number
          failed: number
          conflicts: number
          waiting: number
        }>(
          `select coalesce((select allowed from allowance where tenant = $1), false) as allowed, s.thrown_at, s.reason,
             (select max(beat_at) from heartbeat where tenant = $1) as seen_at,
             (select count(*)::int from route where tenant = $1 and state <> 'closed') as routes,
             (select count(*)::int from held where tenant = $1) as held,
             (select count(*)::int from copy c join route r on r.tenant = c.tenant and r.route = c.route and r.state <> 'closed'
               where c.tenant = $1 and c.state = 'failed') as failed,
             (select count(*)::int from plan_line l join route r on r.tenant = l.tenant and r.route = l.route and r.state <> 'closed'
               where l.tenant = $1 and l.action = 'conflict') as conflicts,
             (select count(*)::int from route r where r.tenant = $1 and r.state <> 'closed' and exists (
               select from run n where n.tenant = r.tenant and n.route = r.route and n.needs is not null and n.decided is null
                 and n.started_at = (select max(started_at) from run where tenant = r.tenant and route = r.route))) as waiting
           from (select 1) as one left join kill_switch s on s.tenant = $1 and s.connector = $2`,
          [tx.tenant, ALL],
        )
        if (!row) throw new Error('a row without a table is always there')
        const seen = row.seen_at === null ? null : instantOf(row.seen_at)
        const age =
          seen === null ? Number.POSITIVE_INFINITY : host.clock.now().epochMilliseconds - Date.parse(seen)
        return {
          writesAllowed: row.allowed,
          licensed,
          stopped: row.thrown_at === null ? null : { at: instantOf(row.thrown_at), reason: row.reason ?? '' },
          worker: { running: age < SEEN_MS, seenAt: seen },
          routes: row.routes,
          held: row.held,
          failed: row.failed,
          conflicts: row.conflicts,
          waiting: row.waiting,
        }
      })
    },

    allowWrites: async ({ who, body, correlation }) => {
      await decided(host, who.tenant, { stream: 'sync-writes', by: byOf(who), correlation }, (events) => {
        const last = events.findLast((e) => e.type === 'sync.writes-allowed')
        return (last?.data.allowed ?? false) === body.allowed ? [] : [fact('sync.writes-allowed', body)]
      })
      // At once, not when the fold comes round: what is accepted next is judged by it, and so is what runs.
      await host.tx(who.tenant, (tx) =>
        tx.rows(
          `insert into allowance (tenant, allowed) values ($1, $2)
           on conflict (tenant) do update set allowed = excluded.allowed`,
          [tx.tenant, body.allowed],
        ),
      )
      return undefined
    },

    throwSwitch: async ({ who, body, correlation }) => {
      const { connector, thrown, reason } = body
      if (connector !== null && !connectorOf(await host.stream(who.tenant, connector))?.connected)
        return noSuchConnector()
      const stream = `switch-${connector ?? ALL}`
      const refusal = await decided(host, who.tenant, { stream, by: byOf(who), correlation }, (events) => {
        const isThrown = events.at(-1)?.type === 'sync.switch-thrown'
        if (isThrown === thrown)
          return refuse('nothing-changed', `The kill switch is ${thrown ? 'thrown' : 'released'} already.`)
        return thrown
          ? [fact('sync.switch-thrown', { connector, reason })]
          : [fact('sync.switch-released', { connector })]
      })
      if (refusal) return refusal
      // At once, not when the fold comes round: a person who throws a kill switch wants it thrown.
      // By the event's own time: a clock that is ahead of the ledger's would put the row beyond its release.
      const told = (await host.stream(who.tenant, stream)).at(-1)
      await host.tx(who.tenant, async (tx) => {
        if (told?.type === 'sync.switch-thrown') await markThrown(tx, connector, told.at, told.data.reason)
        if (told?.type === 'sync.switch-released') await markReleased(tx, connector, told.at)
      })
      return undefined
    },

    rotateRing: async ({ who, correlation }) => {
      const rotated = await host.tx(who.tenant, (tx) => keyring.rotate(tx))
      await decided(host, who.tenant, { stream: 'sync-ring', by: byOf(who), correlation }, () => [
        fact('sync.ring-rotated', rotated),
      ])
      return rotated
    },

    listSources: ({ who }) =>
      host.tx(who.tenant, async (tx) => ({
        items: await tx.rows<{ vault: string; name: string; secrets: number }>(
          `select v.vault, v.name, (select count(*)::int from source_item i where i.tenant = v.tenant and i.vault = v.vault) as secrets
           from source_vault v where v.tenant = $1 order by v.name limit 2000`,
          [tx.tenant],
        ),
      })),

    listRoutes: ({ who, query }) => host.tx(who.tenant, (tx) => listRoutes(host, tx, query)),

    openRoute: async ({ who, body, correlation }) => {
      const route = host.ids.opaque('route')
      const around = await surroundings(who.tenant, { route, ...body })
      const by = byOf(who)
      const refusal = await decided(host, who.tenant, { stream: route, by, correlation }, (events) =>
        decideOpen(routeOf(events), { route, ...body }, around),
      )
      if (refusal) return refusal
      await worker.announce(who.tenant)
      await host.tx(who.tenant, (tx) =>
        sendRun(
          host,
          tx,
          { route, connector: body.connector },
          { trigger: 'operator', by, planOnly: true, correlation },
        ),
      )
      return { route }
    },

    readRoute: async ({ who, params }) =>
      (await host.tx(who.tenant, (tx) => readRoute(host, tx, params.route))) ?? noSuchRoute(),

    reviseRoute: async ({ who, params, body, correlation }) => {
      const known = await routeNow(who.tenant, params.route)
      if (!known) return noSuchRoute()
      const around = await surroundings(who.tenant, { ...known, settings: body })
      return (
        (await decided(host, who.tenant, { stream: params.route, by: byOf(who), correlation }, (events) =>
          decideRevise(routeOf(events), body, around),
        )) ?? undefined
      )
    },

    changeRoute: async ({ who, params, body, correlation }) => {
      const refusal = await decided(
        host,
        who.tenant,
        { stream: params.route, by: byOf(who), correlation },
        (events) => decideState(routeOf(events), body.wish),
      )
      if (refusal) return refusal
      const { route } = params
      if (body.wish === 'close')
        await host.tx(who.tenant, (tx) =>
          tx.rows('delete from held where tenant = $1 and route = $2', [tx.tenant, route]),
        )
      const resumed = body.wish === 'resume' ? await routeNow(who.tenant, route) : null
      // What changed while it was paused started no run.
      if (resumed)
        await host.tx(who.tenant, (tx) =>
          sendRun(host, tx, resumed, { trigger: 'released', by: byOf(who), correlation }),
        )
      return undefined
    },

    startRun: async ({ who, params, body, correlation }) => {
      const route = await routeNow(who.tenant, params.route)
      if (!route) return noSuchRoute()
      if (route.state === 'closed') return routeClosed()
      return host.tx(who.tenant, async (tx) => {
        await tx.rows('select pg_advisory_xact_lock(hashtext($1), hashtext($2))', [tx.tenant, route.route])
        const [busy] = await tx.rows(
          `select 1 from pending_command where tenant = $1 and command = 'run' and outcome is null
             and body ->> 'route' = $2 and body ->> 'secrets' = '[]' limit 1`,
          [tx.tenant, route.route],
        )
        if (busy) return refuse('already-running', 'A run of this route waits or runs already.')
        const run = await sendRun(host, tx, route, {
          trigger: 'operator',
          by: byOf(who),
          planOnly: body.planOnly,
          correlation,
        })
        return { run }
      })
    },

    listRuns: ({ who, query }) => host.tx(who.tenant, (tx) => listRuns(host, tx, query)),

    readRun: async ({ who, params }) =>
      (await host.tx(who.tenant, (tx) => readRun(host, tx, params.run))) ?? noSuchRun(),

    listPlan: ({ who, params, query }) => host.tx(who.tenant, (tx) => listPlan(tx, params.run, query)),

    decidePlan: async ({ who, params, body, correlation }) => {
      const { run } = params
      const accept = body.decision === 'accept'
      const events = await host.stream(who.tenant, run)
      const made = events.findLast((e) => e.type === 'sync.plan-made')
      if (!made) return events.length === 0 ? noSuchRun() : nothingWaits()
      if (made.data.plan !== body.plan)
        return refuse(
          'another-plan',
          'This run has another plan than the one that was decided on: look again.',
        )
      if (accept && !(await writesAllowed(who.tenant)))
        return refuse('writes-off', 'Writes of sync are off: an administrator switches them on.')
      const { route: id } = made.data
      const by = byOf(who)
      const refusal = await decided(host, who.tenant, { stream: id, by, correlation }, (known) => {
        const route = routeOf(known)
        if (!route || route.state === 'closed') return routeClosed()
        const before = known.some(
          (e) => (e.type === 'sync.plan-accepted' || e.type === 'sync.plan-rejected') && e.data.run === run,
        )
        if (before || made.data.needs === null) return nothingWaits()
        const data = { route: id, run, plan: body.plan }
        return accept ? [fact('sync.plan-accepted', data)] : [fact('sync.plan-rejected', data)]
      })
      if (refusal) return refusal
      if (!accept) return { run: null }
      const route = await routeNow(who.tenant, id)
      if (!route) return noSuchRun()
      const next = await host.tx(who.tenant, (tx) =>
        sendRun(host, tx, route, { trigger: 'accepted', by, accept: body.plan, correlation }),
      )
      return { run: next }
    },
  }

  const writesAllowed = (tenant: string) =>
    host.tx(tenant, async (tx) => {
      const [row] = await tx.rows<{ allowed: boolean }>('select allowed from allowance where tenant = $1', [
        tx.tenant,
      ])
      return row?.allowed ?? false
    })

  return bind(syncHttp, handlers, parts.guard, host.log)
}

const routeClosed = () => refuse('route-closed', 'The route is closed; its copies stay where they are.')
const noSuchRun = () => refuse('no-such-run', 'No run of this id is known.')
const nothingWaits = () => refuse('nothing-waits', 'This plan does not wait for anybody.')
