import type { RotationTarget } from '@attestry/contracts'
import type { Tx } from '@attestry/kit'
import { policyOf, type PolicyRowOf, readVaults } from './known.ts'
import type { Dependence } from './plan.ts'
import type { PolicyState } from './policy.ts'

/*
 * What plans are made of, read for many policies in a few statements: a thousand may be due in one minute. Rows may be a
 * moment behind the ledger.
 */

/** A target as rows know it; what its vault serves is looked at later. */
export type Place = Omit<RotationTarget, 'previous'>

/** What is known of one policy. */
export interface ForPlan {
  readonly policy: PolicyState
  /** Where the new value goes: the policy's own targets, else the secrets of its verified matches. */
  readonly targets: readonly Place[]
  /** A rotation of it that has not ended, as far as rows tell. */
  readonly running: string | null
  /** Of an application's secret. */
  readonly keyId: string | null
  /** Who uses what the targets hold: resources by their edges, and routes that copied it elsewhere. */
  readonly dependents: readonly Dependence[]
}

/** Of one secret. */
const MOST_EDGES = 2000
const MOST_MATCHES = 10

/** By policy; one that is not known, or of an earlier version without a subject and terms, is left out. */
export async function readForPlans(
  tx: Tx,
  ids: readonly string[],
  opaque: (kind: string, name: string) => string,
): Promise<ReadonlyMap<string, ForPlan>> {
  const rows = await tx.rows<PolicyRowOf & { key_id: string | null; running: string | null }>(
    `select p.policy, p.enabled, p.credential, p.cadence_days, p.subject, p.settings, p.selector,
       c.key_id, (select r.rotation from runs r where r.tenant = p.tenant and r.policy = p.policy
         and not r.over and r.stage <> 'planned' limit 1) as running
     from policies p
     left join credentials c on c.tenant = p.tenant and c.asset = p.credential and c.kind = 'secret'
     where p.tenant = $1 and p.policy = any($2) and p.subject is not null and p.settings is not null`,
    [tx.tenant, ids],
  )
  const policies = rows.map((row) => ({ row, policy: policyOf(row) }))
  const targets = await targetsOf(
    tx,
    policies.map(({ policy }) => policy),
  )
  const assetOf = ({ vault, secret }: Place) => opaque('secret', `${vault}/${secret.toLowerCase()}`)
  const all = [...targets.values()].flat()
  const assets = [...new Set(all.map(assetOf))]
  const edges = await edgesTo(tx, assets)
  const routes = await routesOf(tx, assets)
  return new Map(
    policies.map(({ row, policy }) => {
      const own = targets.get(policy.policy) ?? []
      return [
        policy.policy,
        {
          policy,
          targets: own,
          running: row.running,
          keyId: row.key_id,
          dependents: dependentsOf(
            own.map((place) => edges.get(assetOf(place)) ?? []),
            own.map((place) => routes.get(assetOf(place)) ?? []),
          ),
        },
      ]
    }),
  )
}

function grouped<T>(rows: readonly T[], keyOf: (row: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>()
  for (const row of rows) {
    const group = groups.get(keyOf(row))
    if (group) group.push(row)
    else groups.set(keyOf(row), [row])
  }
  return groups
}

const bare = (uri: string): string => uri.replace(/\/$/, '')

async function targetsOf(
  tx: Tx,
  policies: readonly PolicyState[],
): Promise<ReadonlyMap<string, readonly Place[]>> {
  const vaults = await readVaults(tx, [
    ...new Set(policies.flatMap(({ settings }) => settings.targets.map(({ vault }) => vault))),
  ])
  const without = policies.filter(({ settings }) => settings.targets.length === 0)
  const matched = grouped(
    await tx.rows<{ policy: string; vault: string; uri: string; name: string }>(
      `select policy, vault, uri, name from (
         select m.policy, v.vault, v.uri, i.name,
           row_number() over (partition by m.policy order by m.confidence desc, m.match) as n
         from matches m
         join items i on i.tenant = m.tenant and i.asset = m.secret
         join vaults v on v.tenant = i.tenant and v.vault = i.vault
         where m.tenant = $1 and m.policy = any($2) and m.state = 'verified') as ranked
       where n <= ${MOST_MATCHES} order by policy, n`,
      [tx.tenant, without.map(({ policy }) => policy)],
    ),
    ({ policy }) => policy,
  )
  return new Map(
    policies.map(({ policy, settings }): [string, readonly Place[]] => [
      policy,
      settings.targets.length > 0
        ? settings.targets.flatMap(({ vault, secret, content }) => {
            const uri = vaults.get(vault)?.uri
            return uri ? [{ vault, uri: bare(uri), secret, content }] : []
          })
        : (matched.get(policy) ?? []).map(({ vault, uri, name }) => ({
            vault,
            uri: bare(uri),
            secret: name,
            content: 'value',
          })),
    ]),
  )
}

interface Edge {
  readonly resource: string
  readonly type: Dependence['type']
  readonly via: string
  readonly name: string
  readonly at: string
  readonly setting: string
  readonly target: string
  readonly confidence: number
  readonly verdict: string
}

/** Edges to secrets, by secret. */
const edgesTo = async (tx: Tx, assets: readonly string[]) =>
  grouped(
    await tx.rows<Edge>(
      `select resource, type, via, name, at, setting, target, confidence, verdict from (
         select e.resource, r.type, e.via, r.name, r.resource_id as at, e.setting, e.target, e.confidence, e.verdict,
           row_number() over (partition by e.target order by e.edge) as n
         from edges e join resources r on r.tenant = e.tenant and r.resource = e.resource
         where e.tenant = $1 and e.target = any($2) and e.verdict <> 'rejected') as ranked
       where n <= ${MOST_EDGES} order by target, n`,
      [tx.tenant, assets],
    ),
    ({ target }) => target,
  )

/** Routes that copied a secret elsewhere, by secret: one that never did holds nothing that would have to be replaced. */
const routesOf = async (tx: Tx, assets: readonly string[]) =>
  grouped(
    await tx.rows<{ route: string; secret: string }>(
      `select c.route, c.secret from copies c join routes r on r.tenant = c.tenant and r.route = c.route
       where c.tenant = $1 and r.active and c.secret = any($2) order by c.route`,
      [tx.tenant, assets],
    ),
    ({ secret }) => secret,
  )

/** Dependents of one policy, from the edges to each of its targets and the routes that copied each. */
function dependentsOf(
  edges: readonly (readonly Edge[])[],
  routes: readonly (readonly { readonly route: string }[])[],
): Dependence[] {
  const found = new Map<string, Dependence>()
  for (const [target, to] of edges.entries())
    for (const e of to) {
      const confidence = e.verdict === 'confirmed' ? 100 : e.confidence
      const before = found.get(e.resource)
      // One switch of a resource serves all of its settings; the surest tells how.
      if (before && before.confidence >= confidence) continue
      const { resource: dependent, type, via, name, at, setting } = e
      found.set(dependent, { dependent, type, via, name, at, setting, target, confidence })
    }
  for (const [target, from] of routes.entries())
    for (const { route } of from)
      if (!found.has(route))
        found.set(route, {
          dependent: route,
          type: 'sync-route',
          via: 'route',
          name: `sync route ${route}`,
          at: route,
          setting: null,
          target,
          confidence: 100,
        })
  return [...found.values()]
}
