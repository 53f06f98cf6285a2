import type { AppCredential, EventOf, EventType, Resource, Vault, VaultItem } from '@attestry/contracts'

/*
 * What compliance keeps of the facts of others: one record a thing, in the words of the events. A record is
 * only ever merged into or marked gone, so that folding events in seq order always ends in the same records.
 */

export type RecordKind =
  | 'environment'
  | 'vault'
  | 'item'
  | 'application'
  | 'credential'
  | 'resource'
  | 'edge'
  | 'setting'
  | 'policy'
  | 'match'
  | 'route'
  | 'copy'
  | 'worker'

/** Contexts whose facts are judged. */
export const CONTEXTS = ['discovery', 'rotation', 'sync'] as const

/** One thing that is known, as a row of `estate` holds it. */
export interface EstateRecord {
  readonly id: string
  readonly kind: RecordKind
  /** The vault of an item, the application of a credential, the resource of an edge or setting, the policy of a match. */
  readonly holder: string | null
  readonly name: string
  readonly gone: boolean
  /** Fields of the events by their own names; a field that no event has told yet is absent. */
  readonly facts: Facts
}

/** All fields that the rules look at. Every one may be absent: facts arrive in pieces. */
export interface Facts {
  readonly env?: string | null
  // environment
  readonly connected?: boolean
  readonly settingsScan?: boolean
  readonly refused?: readonly ('applications' | 'resources' | 'settings')[]
  readonly scanning?: boolean
  readonly scanned?: boolean
  // vault, resource
  readonly facts?: Vault | Resource
  readonly unreachable?: string | null
  readonly since?: string
  // item
  readonly itemKind?: 'secret' | 'key' | 'certificate'
  readonly enabled?: boolean
  readonly managed?: boolean
  readonly created?: string | null
  readonly expires?: string | null
  readonly tags?: readonly (readonly [string, string])[]
  readonly algorithm?: string | null
  readonly bits?: number | null
  readonly curve?: string | null
  // application
  /** Ids of all credentials that it has now. */
  readonly credentials?: readonly string[]
  // credential
  readonly credentialKind?: AppCredential['kind']
  // resource, edge, setting
  readonly settingsRead?: boolean
  readonly via?: string
  readonly target?: string | null
  readonly setting?: string
  readonly confidence?: number
  readonly decided?: 'confirmed' | 'rejected'
  readonly looksLike?: string
  // policy, match, rotation
  readonly credential?: string
  readonly cadenceDays?: number
  readonly targetVault?: string | null
  readonly secret?: string
  readonly state?: 'proposed' | 'verified' | 'excluded' | 'active' | 'paused'
  readonly last?: EndedRotation
  // route, copy, worker
  readonly source?: string
  readonly route?: string
  readonly copiedAt?: string
  readonly failedAt?: string
  readonly reason?: string
  readonly runs?: boolean
  readonly until?: string
}

/** How the last rotation under a policy ended. */
export interface EndedRotation {
  readonly rotation: string
  readonly ended: 'completed' | 'failed'
  readonly dependents: number
  readonly confirmed: number
  readonly step: string | null
  readonly reason: string | null
}

/** What an event changes of one record. Absent name or holder: as it was. */
export interface Change {
  readonly id: string
  readonly kind: RecordKind
  readonly merge: Facts
  readonly gone: boolean
  readonly holder?: string
  readonly name?: string
}

const put = (
  kind: RecordKind,
  id: string,
  merge: Facts,
  more: { name?: string; holder?: string } = {},
): Change => ({ id, kind, merge, gone: false, ...more })

const drop = (kind: RecordKind, id: string): Change => ({ id, kind, merge: {}, gone: true })

const policyOf = ({ data }: EventOf<'rotation.policy-enabled' | 'rotation.policy-revised'>): Facts => ({
  credential: data.credential,
  cadenceDays: data.cadenceDays,
  targetVault: data.targetVault,
})

const itemFacts = (i: VaultItem): Facts => ({
  itemKind: i.kind,
  enabled: i.enabled,
  managed: i.managed,
  created: i.created,
  expires: i.expires,
  tags: i.tags,
  algorithm: i.algorithm,
  bits: i.bits,
  curve: i.curve,
})

/** A vault or resource: its description where the event brings one. */
const described = (
  kind: 'vault' | 'resource',
  id: string,
  described: (NonNullable<Facts['facts']> & { readonly name: string }) | null,
  merge: Facts,
): Change =>
  described ? put(kind, id, { ...merge, facts: described }, { name: described.name }) : put(kind, id, merge)

/** What each event changes. Events that are not here change nothing. */
const CHANGES: { readonly [T in EventType]?: (event: EventOf<T>) => readonly Change[] } = {
  'discovery.environment-connected': ({ data: { environment, settingsScan, name } }) => [
    put('environment', environment, { connected: true, settingsScan }, { name }),
  ],
  'discovery.environment-revised': ({ data: { environment, settingsScan } }) => [
    put('environment', environment, { settingsScan }),
  ],
  'discovery.environment-disconnected': ({ data }) => [
    put('environment', data.environment, { connected: false }),
  ],
  'discovery.scan-started': ({ data }) => [put('environment', data.environment, { scanning: true })],
  'discovery.scan-completed': ({ data: { environment, refused } }) => [
    put('environment', environment, { scanning: false, scanned: true, refused }),
  ],
  'discovery.scan-failed': ({ data }) => [
    put('environment', data.environment, { scanning: false, scanned: true }),
  ],
  'discovery.vault-scanned': ({ env = null, data: { vault, facts, found, changed, lost } }) => [
    described('vault', vault, facts, { env, unreachable: null }),
    ...[...found, ...changed].map((i) => put('item', i.asset, itemFacts(i), { name: i.name, holder: vault })),
    ...lost.map((asset) => drop('item', asset)),
  ],
  'discovery.vault-unreachable': ({ env = null, at, data: { vault, facts, why } }) => [
    described('vault', vault, facts, { env, unreachable: why, since: at }),
  ],
  'discovery.apps-scanned': ({ env = null, data: { found, changed, lost } }) => [
    ...[...found, ...changed].flatMap((a) => [
      put('application', a.asset, { env, credentials: a.credentials.map((c) => c.asset) }, { name: a.name }),
      ...a.credentials.map((c) =>
        put('credential', c.asset, { credentialKind: c.kind }, { name: c.name ?? c.keyId, holder: a.asset }),
      ),
    ]),
    ...lost.map((asset) => drop('application', asset)),
  ],
  'discovery.resource-scanned': ({ env = null, data }) => {
    const { resource, facts, settingsRead } = data
    if (data.gone) return [drop('resource', resource)]
    return [
      described('resource', resource, facts, { env, settingsRead }),
      ...data.found.map(({ edge, via, target, setting, confidence, targetName: name }) =>
        put('edge', edge, { via, target, setting, confidence }, { name, holder: resource }),
      ),
      ...data.lost.map((edge) => drop('edge', edge)),
      ...data.hardCodedFound.map(({ setting, looksLike, name }) =>
        put('setting', setting, { looksLike }, { name, holder: resource }),
      ),
      ...data.hardCodedCleared.map((setting) => drop('setting', setting)),
    ]
  },
  'discovery.edge-confirmed': ({ data: { edge, resource } }) => [
    put('edge', edge, { decided: 'confirmed' }, { holder: resource }),
  ],
  'discovery.edge-rejected': ({ data: { edge, resource } }) => [
    put('edge', edge, { decided: 'rejected' }, { holder: resource }),
  ],
  'rotation.policy-enabled': (e) => [put('policy', e.data.policy, { ...policyOf(e), enabled: true })],
  'rotation.policy-revised': (e) => [put('policy', e.data.policy, policyOf(e))],
  'rotation.policy-disabled': ({ data }) => [put('policy', data.policy, { enabled: false })],
  'rotation.match-proposed': ({ data: { policy, match, secret, confidence } }) => [
    put('match', match, { secret, confidence, state: 'proposed' }, { holder: policy }),
  ],
  'rotation.match-verified': ({ data }) => [
    put('match', data.match, { state: 'verified' }, { holder: data.policy }),
  ],
  'rotation.match-excluded': ({ data }) => [
    put('match', data.match, { state: 'excluded' }, { holder: data.policy }),
  ],
  'rotation.completed': ({ data: { rotation, policy, dependents, dependentsConfirmed: confirmed } }) => [
    put('policy', policy, {
      last: { rotation, ended: 'completed', dependents, confirmed, step: null, reason: null },
    }),
  ],
  'rotation.failed': ({ data: { rotation, policy, step, reason } }) => [
    put('policy', policy, { last: { rotation, ended: 'failed', dependents: 0, confirmed: 0, step, reason } }),
  ],
  'sync.route-opened': ({ data: { route, source, target } }) => [
    put('route', route, { source, target, state: 'active' }),
  ],
  'sync.route-paused': ({ data }) => [put('route', data.route, { state: 'paused' })],
  'sync.route-resumed': ({ data }) => [put('route', data.route, { state: 'active' })],
  'sync.route-closed': ({ data }) => [drop('route', data.route)],
  'sync.copied': ({ at, data: { copy, route, secret } }) => [
    put('copy', copy, { route, secret, copiedAt: at }),
  ],
  'sync.copy-failed': ({ at, data: { copy, route, secret, reason } }) => [
    put('copy', copy, { route, secret, reason, failedAt: at }),
  ],
  'sync.worker-started': ({ data: { worker, until } }) => [
    put('worker', worker, { runs: true, ...(until === undefined ? {} : { until }) }),
  ],
  'sync.worker-seen': ({ data: { worker, until } }) => [put('worker', worker, { runs: true, until })],
  'sync.worker-lost': ({ data }) => [put('worker', data.worker, { runs: false })],
}

/** The changes that an event makes to what is known. Pure; events of no interest change nothing. */
export const changesOf = (event: EventOf): readonly Change[] =>
  // The table pairs each type with a function over its own events; indexing by the type forgets the pairing.
  (CHANGES[event.type] as ((event: EventOf) => readonly Change[]) | undefined)?.(event) ?? []

/** Types of the events that change anything. */
export const JUDGED_EVENTS = Object.keys(CHANGES) as readonly EventType[] // keys of a table keyed by type

/** A record with a change merged into it. */
export const merged = (before: EstateRecord | undefined, change: Change): EstateRecord => ({
  id: change.id,
  kind: change.kind,
  holder: change.holder ?? before?.holder ?? null,
  name: change.name ?? before?.name ?? '',
  gone: change.gone,
  facts: { ...before?.facts, ...change.merge },
})

/** One change an id, in order of first sight: what a whole page of events does, ready for one upsert. */
export function squashed(changes: Iterable<Change>): Change[] {
  const byId = new Map<string, Change>()
  for (const change of changes) {
    const before = byId.get(change.id)
    byId.set(
      change.id,
      before ? { ...before, ...change, merge: { ...before.merge, ...change.merge } } : change,
    )
  }
  return [...byId.values()]
}
