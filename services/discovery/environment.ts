import { type EventOf, type Fact, fact, type Scope } from '@attestry/contracts'
import { type Refused, refuse } from '@attestry/kit'

/** A set of cloud connections as its stream tells it. */
export interface Environment {
  readonly environment: string
  readonly name: string
  readonly scope: Scope
  readonly settingsScan: boolean
  readonly everyHours: number | null
  readonly connectedAt: string
  readonly connected: boolean
  /** Position of the last event in the stream. */
  readonly position: number
}

/** What an operator may set. */
export interface Wishes {
  readonly subscriptions: readonly string[]
  readonly settingsScan: boolean
  readonly everyHours: number | null
}

/**
 * The stream of an environment. Its id comes from its name, so that two of one name meet in one stream and the second
 * is refused there, whatever any view shows at that moment.
 */
export const environmentId = (opaque: (kind: string, name: string) => string, name: string): string =>
  opaque('environment', name.trim().toLowerCase())

function evolveEnvironment(known: Environment | null, event: EventOf): Environment | null {
  const { position } = event
  if (event.type === 'discovery.environment-connected') {
    const { environment, name, scope, settingsScan, everyHours } = event.data
    return {
      environment,
      name,
      scope,
      settingsScan,
      everyHours,
      connectedAt: event.at,
      connected: true,
      position,
    }
  }
  if (known && event.type === 'discovery.environment-revised') {
    const { scope, settingsScan, everyHours } = event.data
    return { ...known, scope, settingsScan, everyHours, position }
  }
  const disconnected = event.type === 'discovery.environment-disconnected'
  return known && { ...known, connected: known.connected && !disconnected, position }
}

export const environmentOf = (events: readonly EventOf[]): Environment | null =>
  events.reduce(evolveEnvironment, null)

/**
 * A demonstration's chain says so for ever, so it takes only the stand-in on this machine; and a real chain must not
 * hold what a stand-in made up.
 * @refuses 'demonstration-takes-no-real-connection'
 */
export function mayConnect(
  origin: 'real' | 'demo',
  overridden: boolean,
): Refused<'demonstration-takes-no-real-connection'> | null {
  if (origin === 'demo' && !overridden)
    return refuse(
      'demonstration-takes-no-real-connection',
      'This chain is a demonstration and takes no real connection. Start a new install to connect a real cloud.',
    )
  if (origin === 'real' && overridden)
    return refuse(
      'demonstration-takes-no-real-connection',
      'The cloud is a stand-in on this machine, and this chain is a real one. Unset ATTESTRY_AZURE_ENDPOINT.',
    )
  return null
}

export function decideConnect(
  known: Environment | null,
  wish: Wishes & { readonly environment: string; readonly name: string },
  reality: { readonly origin: 'real' | 'demo'; readonly overridden: boolean },
): Fact[] | Refused<'name-taken' | 'demonstration-takes-no-real-connection'> {
  const refusal = mayConnect(reality.origin, reality.overridden)
  if (refusal) return refusal
  if (known?.connected)
    return refuse('name-taken', `An environment called ${wish.name} is connected already.`, [
      { field: 'body.name', message: 'is taken' },
    ])
  const { environment, name, subscriptions, settingsScan, everyHours } = wish
  return [
    fact(
      'discovery.environment-connected',
      {
        environment,
        cloud: 'azure',
        name: name.trim(),
        scope: { subscriptions: folded(subscriptions) },
        settingsScan,
        everyHours,
      },
      { env: environment },
    ),
  ]
}

/**
 * Whether a wish declares more subscriptions than the licence admits, those of other environments included. What is
 * declared already stays, and may always be narrowed.
 */
export function tooManySubscriptions(
  known: Environment | null,
  wished: readonly string[],
  room: { readonly most: number; readonly others: number } | null,
): Refused<'too-many-subscriptions'> | null {
  const declared = folded(wished).length
  // An environment that declares none takes what it sees; how many that are tells its first scan.
  if (room === null || declared === 0 || declared + room.others <= room.most) return null
  if (known?.connected && declared <= known.scope.subscriptions.length) return null
  return refuse(
    'too-many-subscriptions',
    `The licence admits ${room.most} subscriptions, and ${declared + room.others} would be declared. Name fewer, or ask the vendor for a licence that admits more.`,
    [{ field: 'body.subscriptions', message: `at most ${Math.max(0, room.most - room.others)} here` }],
  )
}

/** Nothing where nothing changes. */
export function decideRevise(
  known: Environment | null,
  wish: Wishes,
): Fact[] | Refused<'no-such-environment'> {
  if (!known?.connected) return noSuchEnvironment()
  const { environment } = known
  const scope = { subscriptions: folded(wish.subscriptions) }
  const { settingsScan, everyHours } = wish
  if (
    known.scope.subscriptions.join() === scope.subscriptions.join() &&
    known.settingsScan === settingsScan &&
    known.everyHours === everyHours
  )
    return []
  return [
    fact(
      'discovery.environment-revised',
      { environment, scope, settingsScan, everyHours },
      { env: environment },
    ),
  ]
}

export function decideDisconnect(
  known: Environment | null,
  scanRunning: boolean,
): Fact[] | Refused<'no-such-environment' | 'scan-running'> {
  if (!known?.connected) return noSuchEnvironment()
  if (scanRunning)
    return refuse('scan-running', 'A scan of this environment runs. Cancel it or wait for its end.')
  const { environment } = known
  return [fact('discovery.environment-disconnected', { environment }, { env: environment })]
}

export const noSuchEnvironment = () =>
  refuse('no-such-environment', 'No environment of this id is connected.')

/** Subscription ids in one spelling and order. */
const folded = (subscriptions: readonly string[]): string[] =>
  [...new Set(subscriptions.map((s) => s.toLowerCase()))].toSorted()

/**
 * When an environment's next scheduled scan is due; null without a schedule. However many were missed while the
 * product was off, one is due.
 * @param lastAt when a scan was last asked for, or null
 */
export function dueAt(
  { everyHours, connectedAt, connected }: Pick<Environment, 'everyHours' | 'connectedAt' | 'connected'>,
  lastAt: string | null,
): Temporal.Instant | null {
  if (!connected || everyHours === null) return null
  return Temporal.Instant.from(lastAt ?? connectedAt).add({ hours: everyHours })
}
