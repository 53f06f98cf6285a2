import { type Actor, type EventOf, type Fact, fact, type Unreachable, type Vault } from '@attestry/contracts'
import { discoveryHttp, type EnvironmentRow, type ScanRow } from '@attestry/contracts/http'
import {
  bind,
  type Caller,
  cursorOf,
  cursorText,
  Denied,
  eventStream,
  type Guard,
  type Handlers,
  type Host,
  instantOf,
  iso,
  isRefused,
  messageOf,
  pause,
  refuse,
  type Refused,
  timeCursorOf,
  Transient,
} from '@attestry/kit'
import type * as z from 'zod'
import { listAssets, readAsset, summariseAssets } from './asset-list.ts'
import type { Cloud } from './cloud.ts'
import {
  decideConnect,
  decideDisconnect,
  decideRevise,
  type Environment,
  environmentId,
  environmentOf,
  mayConnect,
  noSuchEnvironment,
  tooManySubscriptions,
} from './environment.ts'
import { requestScan, scanAtWork } from './request.ts'
import { countSubscriptions } from './subscriptions.ts'
import { lastScans, listScans, readScan } from './scan-list.ts'

export interface RouteParts {
  readonly host: Host
  readonly guard: Guard
  readonly cloudOf: (tenant: string, environment: string) => Promise<Cloud>
  readonly overridden: boolean
  /** Vaults that the licence admits; null is no limit. */
  readonly vaultLimit: () => Promise<number | null>
  /** Subscriptions that the licence admits, of all environments together; null is no limit. */
  readonly subscriptionLimit: () => Promise<number | null>
}

/** A decision is repeated so often when somebody else appended in between. */
const CONFLICTS = 5
/** A connection is tried for at most so long. */
const TEST_MS = 20_000
/** Between two looks at a scan that is watched, and how long one watch may last. */
const WATCH_EVERY_MS = 400
const WATCH_TURNS = 9000

const actorOf = (who: Caller, address: string, reason?: string): Actor => ({
  kind: 'operator',
  id: who.operator,
  ...(address === '' ? {} : { address: address.slice(0, 200) }),
  ...(reason ? { reason } : {}),
})

/** The HTTP face: decisions on the service's own streams, and reads of its own rows. */
export function discoveryRoutes(parts: RouteParts) {
  const { host, guard, cloudOf, overridden, vaultLimit, subscriptionLimit } = parts
  /** Decides on a stream as it is now, appends, and decides anew when somebody else was faster. */
  async function decided<C extends string>(
    tenant: string,
    stream: string,
    by: Actor,
    correlation: string,
    decide: (events: EventOf[]) => Fact[] | Refused<C>,
  ): Promise<null | Refused<C>> {
    for (let turn = 0; turn < CONFLICTS; turn++) {
      const events = await host.stream(tenant, stream)
      const facts = decide(events)
      if (isRefused(facts)) return facts
      if (facts.length === 0) return null
      const result = await host.append(tenant, {
        stream,
        expected: events.at(-1)?.position ?? 0,
        facts,
        by,
        cause: { correlation: correlation.slice(0, 80), causation: correlation.slice(0, 80) },
      })
      if (result.ok) return null
    }
    throw new Transient('Others changed the same thing at the same time; try again')
  }

  /** Subscriptions that the licence admits beside those of the other environments; null is no limit. */
  const roomBeside = async (tenant: string, environment: string) => {
    const most = await subscriptionLimit()
    if (most === null) return null
    return { most, others: await host.tx(tenant, (tx) => countSubscriptions(tx, environment)) }
  }

  const environmentNow = async (tenant: string, id: string): Promise<Environment | null> => {
    const environment = environmentOf(await host.stream(tenant, id))
    return environment?.connected ? environment : null
  }

  const handlers: Handlers<typeof discoveryHttp> = {
    listEnvironments: ({ who }) =>
      host.tx(who.tenant, async (tx) => {
        const rows = await tx.rows<{
          environment: string
          name: string
          subscriptions: string[]
          settings_scan: boolean
          every_hours: number | null
          connected_at: string
        }>(
          `select environment, name, subscriptions, settings_scan, every_hours, connected_at from environments
           where tenant = $1 and disconnected_at is null order by name`,
          [tx.tenant],
        )
        const scans = await lastScans(host, tx)
        return {
          items: rows.map(
            (row): z.input<typeof EnvironmentRow> => ({
              environment: row.environment,
              cloud: 'azure',
              name: row.name,
              scope: { subscriptions: row.subscriptions },
              settingsScan: row.settings_scan,
              everyHours: row.every_hours,
              connectedAt: instantOf(row.connected_at),
              lastScan: scans.get(row.environment) ?? null,
            }),
          ),
        }
      }),

    connectEnvironment: async ({ who, body, address, correlation }) => {
      const environment = environmentId(await host.opaque(who.tenant), body.name)
      const room = await roomBeside(who.tenant, environment)
      const refusal = await decided(
        who.tenant,
        environment,
        actorOf(who, address),
        correlation,
        (events) =>
          tooManySubscriptions(null, body.subscriptions, room) ??
          decideConnect(environmentOf(events), { ...body, environment }, { origin: host.origin, overridden }),
      )
      return refusal ?? { environment }
    },

    testEnvironment: async ({ who, params, address, correlation, signal }) => {
      const { environment } = params
      if (!(await environmentNow(who.tenant, environment))) return noSuchEnvironment()
      const tried = await tryConnection(who.tenant, environment, signal)
      await decided(who.tenant, environment, actorOf(who, address), correlation, () => [
        fact('discovery.environment-tested', { environment, ...tried }, { env: environment }),
      ])
      return tried
    },

    reviseEnvironment: async ({ who, params, body, address, correlation }) => {
      const room = await roomBeside(who.tenant, params.environment)
      return (
        (await decided(
          who.tenant,
          params.environment,
          actorOf(who, address),
          correlation,
          (events) =>
            tooManySubscriptions(environmentOf(events), body.subscriptions, room) ??
            decideRevise(environmentOf(events), body),
        )) ?? undefined
      )
    },

    disconnectEnvironment: async ({ who, params, address, correlation }) => {
      const atWork = await host.tx(who.tenant, (tx) => scanAtWork(host, tx, params.environment))
      return (
        (await decided(who.tenant, params.environment, actorOf(who, address), correlation, (events) =>
          decideDisconnect(environmentOf(events), atWork !== null),
        )) ?? undefined
      )
    },

    startScan: async ({ who, body, address, correlation }) => {
      const { environment } = body
      if (!(await environmentNow(who.tenant, environment))) return noSuchEnvironment()
      const limit = await vaultLimit()
      const most = await subscriptionLimit()
      return host.tx(who.tenant, async (tx) => {
        const subscriptions = await countSubscriptions(tx, null)
        if (most !== null && subscriptions > most)
          return refuse(
            'too-many-subscriptions',
            `The licence admits ${most} subscriptions and the environments cover ${subscriptions}. Name those to be scanned in the environment’s scope, or ask the vendor for a licence that admits more. Scans that are scheduled go on.`,
          )
        const [known] = await tx.rows<{ vaults: number }>(
          `select count(*)::int as vaults from vaults where tenant = $1 and unreachable is distinct from 'gone'`,
          [tx.tenant],
        )
        if (limit !== null && (known?.vaults ?? 0) > limit)
          return refuse(
            'too-many-vaults',
            `The licence admits ${limit} vaults and ${known?.vaults} are known. Narrow the scope, or renew the licence.`,
          )
        return requestScan(
          host,
          tx,
          { scan: host.ids.opaque('scan'), environment, trigger: 'operator' },
          actorOf(who, address),
          correlation.slice(0, 80),
        )
      })
    },

    listScans: ({ who, query }) =>
      host.tx(who.tenant, async (tx) => {
        const { items, last, total } = await listScans(host, tx, timeCursorOf(query.after), query.limit)
        return { items, next: last && cursorText(last), total }
      }),

    readScan: async ({ who, params }) =>
      (await host.tx(who.tenant, (tx) => readScan(host, tx, params.scan))) ?? noSuchScan(),

    watchScan: async ({ who, params, signal }) => {
      const read = () => host.tx(who.tenant, (tx) => readScan(host, tx, params.scan))
      const first = await read()
      if (!first) return noSuchScan()
      return eventStream(watch(first, read, signal), signal)
    },

    cancelScan: ({ who, params, address }) =>
      host.tx(who.tenant, async (tx) => {
        if (!(await readScan(host, tx, params.scan))) return noSuchScan()
        // The scan itself records its end, by the one who asked for it.
        await tx.rows('update scan_request set cancelled_by = $3 where tenant = $1 and scan = $2', [
          tx.tenant,
          params.scan,
          JSON.stringify(actorOf(who, address)),
        ])
        return (await host.cancel(tx, params.scan))
          ? undefined
          : refuse('not-running', 'This scan has ended already.')
      }),

    listVaults: ({ who, query }) =>
      host.tx(who.tenant, async (tx) => {
        const after = cursorOf(query.after)
        const rows = await tx.rows<{
          vault: string
          name: string
          facts: Vault
          unreachable: Unreachable | null
          last_change: string
          secrets: number
          keys: number
          certificates: number
        }>(
          `select v.vault, v.name, v.facts, v.unreachable, v.last_change,
             coalesce(n.secrets, 0) as secrets, coalesce(n.keys, 0) as keys, coalesce(n.certificates, 0) as certificates
           from vaults v left join lateral (
             select count(*) filter (where kind = 'secret')::int as secrets, count(*) filter (where kind = 'key')::int as keys,
               count(*) filter (where kind = 'certificate')::int as certificates
             from assets a where a.tenant = v.tenant and a.holder = v.vault) n on true
           where v.tenant = $1 and v.facts is not null and v.unreachable is distinct from 'gone'
             and ($2::text is null or (v.name, v.vault) > ($2, $3))
           order by v.name, v.vault limit $4`,
          [tx.tenant, after?.key ?? null, after?.id ?? null, query.limit + 1],
        )
        const [count] = await tx.rows<{ total: number }>(
          `select count(*)::int as total from vaults
           where tenant = $1 and facts is not null and unreachable is distinct from 'gone'`,
          [tx.tenant],
        )
        const page = rows.slice(0, query.limit)
        const end = page.at(-1)
        return {
          items: page.map(({ vault, facts, unreachable, last_change, secrets, keys, certificates }) => ({
            vault,
            facts,
            unreachable,
            items: { secrets, keys, certificates },
            lastChange: instantOf(last_change),
          })),
          next: rows.length > query.limit && end ? cursorText({ key: end.name, id: end.vault }) : null,
          total: count?.total ?? 0,
        }
      }),

    listAssets: ({ who, query }) => host.tx(who.tenant, (tx) => listAssets(tx, query, iso(host.clock.now()))),

    summariseAssets: ({ who }) => host.tx(who.tenant, (tx) => summariseAssets(tx, iso(host.clock.now()))),

    readAsset: async ({ who, params }) =>
      (await host.tx(who.tenant, (tx) => readAsset(tx, params.asset))) ??
      refuse('no-such-asset', 'No asset of this id is known now; the ledger still has its history.'),

    judgeEdge: async ({ who, params, body, address, correlation }) => {
      const { edge } = params
      const [row] = await host.tx(who.tenant, (tx) =>
        tx.rows<{ resource: string; verdict: string }>(
          'select resource, verdict from edges where tenant = $1 and edge = $2',
          [tx.tenant, edge],
        ),
      )
      if (!row) return refuse('no-such-edge', 'No dependency of this id is known.')
      const { resource } = row
      const by = actorOf(who, address, body.reason)
      return (
        (await decided(who.tenant, resource, by, correlation, (events) => {
          const verdict = verdictOf(events, edge)
          if (verdict === body.verdict)
            return refuse('already-judged', `Somebody ${body.verdict} this dependency before.`)
          return [
            body.verdict === 'confirmed'
              ? fact('discovery.edge-confirmed', { resource, edge })
              : fact('discovery.edge-rejected', { resource, edge }),
          ]
        })) ?? undefined
      )
    },

    listHardCoded: ({ who, query }) =>
      host.tx(who.tenant, async (tx) => {
        const after = cursorOf(query.after)
        const rows = await tx.rows<{
          setting: string
          name: string
          looksLike: z.infer<typeof discoveryHttp.listHardCoded.reply>['items'][number]['looksLike']
          resource: string
          resourceName: string
        }>(
          `select h.setting, h.name, h.looks_like as "looksLike", h.resource, r.name as "resourceName"
           from hard_coded h join resources r on r.tenant = h.tenant and r.resource = h.resource
           where h.tenant = $1 and ($2::text is null or (r.name, h.setting) > ($2, $3))
           order by r.name, h.setting limit $4`,
          [tx.tenant, after?.key ?? null, after?.id ?? null, query.limit + 1],
        )
        const [count] = await tx.rows<{ total: number }>(
          'select count(*)::int as total from hard_coded where tenant = $1',
          [tx.tenant],
        )
        const items = rows.slice(0, query.limit)
        const end = items.at(-1)
        return {
          items,
          next:
            rows.length > query.limit && end ? cursorText({ key: end.resourceName, id: end.setting }) : null,
          total: count?.total ?? 0,
        }
      }),
  }

  async function tryConnection(
    tenant: string,
    environment: string,
    signal: AbortSignal,
  ): Promise<{ ok: boolean; subscriptions: number; problem: string | null }> {
    const refusal = mayConnect(host.origin, overridden)
    if (refusal) return { ok: false, subscriptions: 0, problem: refusal.detail }
    try {
      const cloud = await cloudOf(tenant, environment)
      const seen = await cloud.subscriptions(AbortSignal.any([signal, AbortSignal.timeout(TEST_MS)]))
      return {
        ok: seen.length > 0,
        subscriptions: seen.length,
        problem: seen.length > 0 ? null : 'The identity sees no subscription: give it Reader.',
      }
    } catch (error) {
      if (signal.aborted) throw error
      if (!(error instanceof Denied || error instanceof Transient))
        host.log.warn({ error, environment }, 'A connection could not be tried')
      return { ok: false, subscriptions: 0, problem: messageOf(error).slice(0, 500) }
    }
  }

  return bind(discoveryHttp, handlers, guard, host.log)
}

const noSuchScan = () => refuse('no-such-scan', 'No scan of this id is known.')

/** What people last said of an edge, by the resource's own stream. */
function verdictOf(events: readonly EventOf[], edge: string): 'confirmed' | 'rejected' | null {
  const last = events.findLast(
    (e) =>
      (e.type === 'discovery.edge-confirmed' || e.type === 'discovery.edge-rejected') && e.data.edge === edge,
  )
  if (!last) return null
  return last.type === 'discovery.edge-confirmed' ? 'confirmed' : 'rejected'
}

/** The scan's row whenever it changed, to its end. Ends by itself after an hour: a page then asks again. */
async function* watch(
  first: ScanRow,
  read: () => Promise<ScanRow | null>,
  signal: AbortSignal,
): AsyncGenerator<{ event: string; data: ScanRow }> {
  let row: ScanRow | null = first
  let shown = ''
  for (let turn = 0; turn < WATCH_TURNS && row && !signal.aborted; turn++) {
    const text = JSON.stringify(row)
    if (text !== shown) yield { event: 'scan', data: row }
    shown = text
    if (row.state !== 'queued' && row.state !== 'running') return
    await pause(WATCH_EVERY_MS, signal)
    row = await read()
  }
}
