import type {
  AppCredential,
  Application,
  DataOf,
  Edge,
  EventOf,
  EventType,
  Vault,
  VaultItem,
} from '@attestry/contracts'
import { Estate } from './estate.ts'
import { changesOf } from './record.ts'

/*
 * Facts for tests: every builder gives a thing that passes all rules, and a test names only what matters to it.
 */

/** The instant at which tests look at the estate. */
export const NOW = Date.parse('2026-06-01T12:00:00Z')
const DAY_MS = 86_400_000

/** An instant some days from NOW, moved by some milliseconds. */
export const inDays = (days: number, andMs = 0): string => new Date(NOW + days * DAY_MS + andMs).toISOString()

/** An opaque id that is the same for the same words. */
export const id = (kind: string, words: string): string =>
  `${kind}-${Buffer.from(words).toString('hex').padEnd(4, '0').slice(-24)}`

export const vaultFacts = (more: Partial<Vault> = {}): Vault => ({
  name: 'payments',
  uri: 'https://payments.vault.example',
  resourceId: '/subscriptions/s/vaults/payments',
  subscription: 's',
  location: 'westeurope',
  sku: 'premium',
  softDelete: true,
  purgeProtection: true,
  retentionDays: 90,
  rbac: true,
  publicNetworkAccess: 'disabled',
  defaultAction: 'deny',
  openToAll: false,
  privateEndpoints: 1,
  tags: [],
  ...more,
})

const item = (kind: VaultItem['kind'], name: string, more: Partial<VaultItem>): VaultItem => ({
  asset: id(kind, name),
  kind,
  name,
  enabled: true,
  created: inDays(-10),
  updated: inDays(-10),
  notBefore: null,
  expires: inDays(200),
  managed: false,
  contentType: null,
  tags: [['owner', 'payments']],
  algorithm: null,
  bits: null,
  curve: null,
  thumbprint: null,
  issuer: null,
  ...more,
})

export const secret = (name = 'billing-db-password', more: Partial<VaultItem> = {}) =>
  item('secret', name, more)
export const key = (name = 'ledger-signing', more: Partial<VaultItem> = {}) =>
  item('key', name, { algorithm: 'RSA', bits: 3072, ...more })
export const certificate = (name = 'shop-tls', more: Partial<VaultItem> = {}) =>
  item('certificate', name, { algorithm: 'RSA', bits: 2048, ...more })

export const credential = (name: string, more: Partial<AppCredential> = {}): AppCredential => ({
  asset: id('app-secret', name),
  keyId: name,
  kind: 'secret',
  name,
  startsAt: inDays(-10),
  endsAt: inDays(100),
  ...more,
})

export const application = (name: string, credentials: AppCredential[]): Application => ({
  asset: id('application', name),
  appId: name,
  objectId: name,
  name,
  created: inDays(-400),
  credentials,
})

export const edge = (target: string | null, more: Partial<Edge> = {}): Edge => ({
  edge: id('edge', `${target}${more.setting ?? ''}`),
  via: 'key-vault-reference',
  setting: 'DB_PASSWORD',
  target,
  targetName: 'billing-db-password',
  confidence: 100,
  status: 'Resolved',
  ...more,
})

export const ENVIRONMENT = id('environment', 'prod')
export const VAULT = id('vault', 'payments')
export const RESOURCE = id('resource', 'shop')
export const POLICY = id('policy', 'shop')
export const ROUTE = id('route', 'payments')

let seq = 0

/** An event as a fold is given it. Its place in the chain is after every event made before. */
export function happened<T extends EventType>(
  type: T,
  data: DataOf<T>,
  at: string = inDays(0),
  env: string = ENVIRONMENT,
): EventOf<T> {
  seq += 1
  const event = {
    tenant: 'contoso',
    seq,
    stream: `test-${type.slice(0, 4)}`,
    position: seq,
    type,
    at,
    id: `00000000-0000-7000-8000-${String(seq).padStart(12, '0')}`,
    by: { kind: 'service', id: 'test' },
    cause: { correlation: 'c', causation: 'c' },
    env,
    data,
  }
  // Type and data belong together by the signature; the union of events forgets it.
  return event as unknown as EventOf<T>
}

/** A vault that was read, holding these items. */
export const scanned = (items: VaultItem[], facts: Partial<Vault> = {}, vault = VAULT) =>
  happened('discovery.vault-scanned', {
    vault,
    facts: vaultFacts(facts),
    found: items,
    changed: [],
    lost: [],
  })

export const unreachable = (why: DataOf<'discovery.vault-unreachable'>['why'], vault = VAULT) =>
  happened('discovery.vault-unreachable', { vault, facts: vaultFacts(), why })

/** A resource that was read. */
export const uses = (more: Partial<DataOf<'discovery.resource-scanned'>> = {}) =>
  happened('discovery.resource-scanned', {
    resource: RESOURCE,
    facts: {
      name: 'shop',
      resourceId: '/subscriptions/s/sites/shop',
      type: 'app-service',
      subscription: 's',
    },
    gone: false,
    found: [],
    lost: [],
    settingsRead: true,
    hardCodedFound: [],
    hardCodedCleared: [],
    ...more,
  })

export const apps = (...found: Application[]) =>
  happened('discovery.apps-scanned', { directory: id('directory', 'd'), found, changed: [], lost: [] })

export const policy = (credentialAsset: string, more: Partial<DataOf<'rotation.policy-enabled'>> = {}) =>
  happened('rotation.policy-enabled', {
    policy: POLICY,
    credential: credentialAsset,
    cadenceDays: 90,
    targetVault: VAULT,
    ...more,
  })

export const proposed = (name: string, policyId = POLICY) =>
  happened('rotation.match-proposed', {
    policy: policyId,
    match: id('match', name),
    secret: id('secret', name),
    confidence: 80,
  })
export const verified = (name: string, policyId = POLICY) =>
  happened('rotation.match-verified', { policy: policyId, match: id('match', name) })
export const excluded = (name: string, policyId = POLICY) =>
  happened('rotation.match-excluded', { policy: policyId, match: id('match', name) })

export const route = (name = 'payments') =>
  happened('sync.route-opened', { route: id('route', name), source: VAULT, target: id('target', 'aws') })
export const copied = (name: string, at = inDays(0)) =>
  happened(
    'sync.copied',
    {
      route: ROUTE,
      copy: id('copy', name),
      secret: id('secret', name),
      sourceVersion: 'a',
      targetVersion: 'b',
      sourceMac: 'm',
      targetMac: 'm',
    },
    at,
  )
export const copyFailed = (name: string, at = inDays(0)) =>
  happened(
    'sync.copy-failed',
    {
      route: ROUTE,
      copy: id('copy', name),
      secret: id('secret', name),
      attempt: 1,
      reason: 'denied',
      retryAt: null,
    },
    at,
  )
export const worker = (runs: boolean) =>
  happened(runs ? 'sync.worker-started' : 'sync.worker-lost', { worker: id('worker', 'one') })

/** A scan that ended, with what it was refused. */
export const scanEnded = (refused: DataOf<'discovery.scan-completed'>['refused'] = []) =>
  happened('discovery.scan-completed', {
    scan: id('scan', 'one'),
    environment: ENVIRONMENT,
    counts: {
      subscriptions: 1,
      vaults: 1,
      secrets: 1,
      keys: 1,
      certificates: 1,
      applications: 1,
      credentials: 1,
      resources: 1,
      edges: 1,
    },
    unreachable: [],
    refused,
    inventoryDigest: '0'.repeat(64),
    calls: 1,
    durationMs: 1,
  })

/** The estate after these events. */
export function estateAfter(...events: readonly EventOf[]): Estate {
  const estate = new Estate()
  for (const event of events) estate.apply(changesOf(event))
  return estate
}
