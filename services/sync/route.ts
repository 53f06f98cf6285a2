import { canonical, type EventOf, type Fact, fact, type RouteSettings } from '@attestry/contracts'
import { type Refused, refuse } from '@attestry/kit'
import { cloudOfKind, type Connector } from './connector.ts'
import { checkMapping, foldedName, targetName } from './mapping.ts'
import type { Capabilities } from './targets/target.ts'

/** A route as its stream tells it. */
export interface Route {
  readonly route: string
  readonly source: string
  readonly connector: string
  readonly settings: RouteSettings
  readonly state: 'active' | 'paused' | 'closed'
  /** Whether a person accepted what it writes. */
  readonly accepted: boolean
  readonly position: number
}

function evolveRoute(known: Route | null, event: EventOf): Route | null {
  const { position } = event
  if (event.type === 'sync.route-opened') {
    const { route, source, target, settings } = event.data
    return settings
      ? { route, source, connector: target, settings, state: 'active', accepted: false, position }
      : null
  }
  if (!known) return null
  switch (event.type) {
    case 'sync.route-revised':
      return {
        ...known,
        settings: event.data.settings,
        accepted: known.accepted && !event.data.reaccept,
        position,
      }
    case 'sync.plan-accepted':
      return { ...known, accepted: true, position }
    case 'sync.route-paused':
      return { ...known, state: 'paused', position }
    case 'sync.route-resumed':
      return { ...known, state: 'active', position }
    case 'sync.route-closed':
      return { ...known, state: 'closed', position }
    default:
      return { ...known, position }
  }
}

export const routeOf = (events: readonly EventOf[]): Route | null => events.reduce(evolveRoute, null)

/** What a route is judged against when it is saved. */
export interface Surroundings {
  readonly can: Capabilities
  readonly connector: Connector | null
  readonly source: { readonly vault: string; readonly name: string; readonly uri: string } | null
  /** Names of what the source holds and the route would take, as far as discovery knows. */
  readonly names: readonly string[]
  /** Folded names of the same place that other open routes write or would write, with the route's name. */
  readonly taken: ReadonlyMap<string, string>
  /** Open routes from vault to vault, by address: who writes to whom. */
  readonly vaultRoutes: readonly { readonly from: string; readonly to: string }[]
}

export type RouteRefusal = Refused<
  | 'bad-mapping'
  | 'no-such-connector'
  | 'no-such-vault'
  | 'wrong-kind'
  | 'names-taken'
  | 'loop'
  | 'no-such-route'
  | 'route-closed'
>

/** Whether a way from a vault leads back to where it began. */
function closesLoop(routes: Surroundings['vaultRoutes'], from: string, to: string): boolean {
  const seen = new Set<string>()
  const next = [to]
  // Each vault is looked at once.
  for (let at = next.pop(); at !== undefined; at = next.pop()) {
    if (at === from) return true
    if (seen.has(at)) continue
    seen.add(at)
    for (const route of routes) if (route.from === at) next.push(route.to)
  }
  return false
}

/** Everything that can be told to be wrong before anything is listed: S4 and S10 of the design. */
export function checkRoute(settings: RouteSettings, around: Surroundings): RouteRefusal | null {
  const { can, connector, source } = around
  if (!connector?.connected) return refuse('no-such-connector', 'No connector of this id is there.')
  if (!source) return refuse('no-such-vault', 'Discovery knows no vault of this id.')
  if (cloudOfKind(settings.kind) !== connector.cloud)
    return refuse('wrong-kind', `${settings.kind} is not of the connector’s cloud.`, [
      { field: 'body.settings.kind', message: `must be of ${connector.cloud}` },
    ])
  const mapping = checkMapping(settings, can)
  if (mapping) return mapping
  if (connector.cloud === 'azure' && closesLoop(around.vaultRoutes, source.uri, connector.account))
    return refuse('loop', 'Copies would come back to the vault that they came from.', [
      { field: 'body.connector', message: 'leads back to the source' },
    ])
  const taken = around.names.flatMap((name) => {
    const target = targetName(settings, source.name, name)
    const by = around.taken.get(foldedName(target, can))
    return by === undefined ? [] : [{ target, by }]
  })
  const [first] = taken
  if (first)
    return refuse(
      'names-taken',
      `${taken.length} names belong to another route, such as ${first.target} to “${first.by}”.`,
      [{ field: 'body.settings.template', message: `gives ${first.target}, which “${first.by}” writes` }],
    )
  return null
}

export function decideOpen(
  known: Route | null,
  wish: {
    readonly route: string
    readonly source: string
    readonly connector: string
    readonly settings: RouteSettings
  },
  around: Surroundings,
): Fact[] | RouteRefusal {
  const refusal = checkRoute(wish.settings, around)
  if (refusal) return refusal
  const { route, source, connector: target, settings } = wish
  return known ? [] : [fact('sync.route-opened', { route, source, target, settings })]
}

/** Settings that change what is written where: a person accepts again. */
const WRITTEN: readonly (keyof RouteSettings)[] = [
  'kind',
  'selector',
  'template',
  'overrides',
  'binary',
  'deletePolicy',
  'pruneLimit',
  'onDisabled',
  'onDrift',
]

export function decideRevise(
  known: Route | null,
  settings: RouteSettings,
  around: Surroundings,
): Fact[] | RouteRefusal {
  if (!known) return noSuchRoute()
  if (known.state === 'closed') return closed()
  if (settings.kind !== known.settings.kind)
    return refuse('wrong-kind', 'The kind of a target stays as it is: open another route.', [
      { field: 'body.settings.kind', message: `must be ${known.settings.kind}` },
    ])
  const refusal = checkRoute(settings, around)
  if (refusal) return refusal
  if (canonical(settings) === canonical(known.settings)) return []
  const reaccept = WRITTEN.some((key) => canonical(settings[key]) !== canonical(known.settings[key]))
  return [fact('sync.route-revised', { route: known.route, settings, reaccept })]
}

/** @refuses 'no-such-route', 'route-closed', 'nothing-changed' */
export function decideState(
  known: Route | null,
  wish: 'pause' | 'resume' | 'close',
): Fact[] | Refused<'no-such-route' | 'route-closed' | 'nothing-changed'> {
  if (!known) return noSuchRoute()
  if (known.state === 'closed') return closed()
  const { route } = known
  if (wish === 'close') return [fact('sync.route-closed', { route })]
  if ((wish === 'pause') === (known.state === 'paused'))
    return refuse('nothing-changed', `The route is ${known.state} already.`)
  return [wish === 'pause' ? fact('sync.route-paused', { route }) : fact('sync.route-resumed', { route })]
}

export const noSuchRoute = () => refuse('no-such-route', 'No route of this id is there.')
const closed = () =>
  refuse('route-closed', 'The route is closed; its copies stay where they are. Open another.')
