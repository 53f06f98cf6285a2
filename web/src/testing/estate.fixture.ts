import type { Vault } from '@attestry/contracts'
import type { AssetRow, ReplyOfFixture } from './shapes.fixture.ts'
import { chance, hex } from './chance.fixture.ts'

const DAY = 86_400_000

const VAULTS = [
  'kv-payments-prod',
  'kv-payments-stage',
  'kv-identity-prod',
  'kv-orders-prod',
  'kv-orders-stage',
  'kv-data-platform',
  'kv-edge-weu',
  'kv-edge-neu',
  'kv-partner-b2b',
  'kv-mobile-backend',
  'kv-legacy-erp',
  'kv-analytics',
  'kv-shared-hsm',
  'kv-sandbox',
] as const
const STEMS = [
  'stripe-webhook',
  'sql-orders',
  'storage-invoices',
  'redis-session',
  'smtp-relay',
  'sftp-partner',
  'jwt-signing',
  'cosmos-catalog',
  'servicebus-listen',
  'sendgrid-api',
  'datadog-intake',
  'github-deploy',
  'grafana-oncall',
  'ldap-bind',
  'erp-service-user',
  'maps-api',
  'search-admin',
  'kafka-producer',
  'vpn-preshared',
  'oidc-client',
] as const
const APPS = [
  'payments-api',
  'orders-worker',
  'identity-sync',
  'partner-portal',
  'data-loader',
  'mobile-gateway',
] as const
const RESOURCES = [
  'app-payments-web',
  'func-orders-intake',
  'app-identity',
  'ca-partner-portal',
  'func-invoices',
  'app-mobile-bff',
] as const

export interface Estate {
  readonly now: number
  readonly vaults: ReplyOfFixture<'discovery', 'listVaults'>['items']
  readonly assets: readonly AssetRow[]
  detail(asset: AssetRow): ReplyOfFixture<'discovery', 'readAsset'>
}

const iso = (ms: number): string => new Date(ms).toISOString()

/** A made-up estate, the same for the same seed and moment: 14 vaults and about `items` things in them. */
export function makeEstate(now: number, items = 150): Estate {
  const random = chance(7)
  const pick = <T>(list: readonly T[]): T => list[Math.trunc(random() * list.length)] as T
  const subscriptions = ['0b8f2c1e-5a77-4d0e-9c3b-1f6f0a4d2e11', '7d1c9b52-2e4f-4c69-8a80-6be1d3f0c902']
  const vaults = VAULTS.map((name, i): Estate['vaults'][number] => {
    const unreachable = ({ 7: 'firewall', 10: 'forbidden', 11: 'throttled' } as const)[i] ?? null
    const facts: Vault = {
      name,
      uri: `https://${name}.vault.example/`,
      resourceId: `/subscriptions/${subscriptions[i % 2]}/resourceGroups/rg-${name.slice(3)}/providers/Microsoft.KeyVault/vaults/${name}`,
      subscription: subscriptions[i % 2] ?? '',
      location: i % 3 === 0 ? 'northeurope' : 'westeurope',
      sku: i === 12 || i === 0 ? 'premium' : 'standard',
      softDelete: i === 13 ? false : i % 4 === 0 ? null : true,
      purgeProtection: i % 3 === 1 ? null : i !== 13,
      retentionDays: i === 13 ? null : 90,
      rbac: i % 4 !== 3,
      publicNetworkAccess: i % 5 === 0 ? 'disabled' : 'enabled',
      defaultAction: i % 2 === 0 ? 'deny' : 'allow',
      openToAll: i === 9,
      privateEndpoints: i % 5 === 0 ? 1 : 0,
      tags:
        i % 3 === 0
          ? []
          : [
              ['owner', pick(['payments', 'platform', 'identity'])],
              ['env', name.endsWith('stage') ? 'stage' : 'prod'],
            ],
    }
    return {
      vault: `vault-${hex(random, 16)}`,
      facts,
      unreachable,
      items: { secrets: 0, keys: 0, certificates: 0 },
      lastChange: iso(now - Math.trunc(random() * 40) * DAY - 3_600_000),
    }
  })
  const apps = APPS.map((name) => ({ id: `app-${hex(random, 16)}`, name }))
  const assets = Array.from({ length: items }, (_, n): AssetRow => {
    const r = random()
    const kind =
      r < 0.55
        ? 'secret'
        : r < 0.7
          ? 'key'
          : r < 0.84
            ? 'certificate'
            : r < 0.97
              ? 'app-secret'
              : 'app-certificate'
    const ofApp = kind === 'app-secret' || kind === 'app-certificate'
    const app = pick(apps)
    const vault = pick(vaults.filter((v) => v.unreachable === null))
    const left = random()
    const days =
      left < 0.05
        ? -Math.trunc(random() * 40) - 1
        : left < 0.09
          ? Math.trunc(random() * 7)
          : left < 0.2
            ? 7 + Math.trunc(random() * 23)
            : left < 0.45
              ? 30 + Math.trunc(random() * 60)
              : 90 + Math.trunc(random() * 500)
    const expires =
      random() < 0.22 && kind !== 'certificate' && !ofApp ? null : iso(now + days * DAY + 5_400_000)
    const created = now - Math.trunc(random() * 500) * DAY - 7_200_000
    if (!ofApp) vault.items[`${kind}s`] += 1
    const ec = random() < 0.25
    const keyed = kind === 'key' || kind === 'certificate'
    return {
      asset: `${kind}-${hex(random, 20)}`,
      kind,
      name: `${pick(STEMS)}-${n % 97 < 49 ? 'prod' : 'stage'}${n >= 97 ? `-${n}` : ''}`,
      holder: ofApp ? app.id : vault.vault,
      holderName: ofApp ? app.name : vault.facts.name,
      subscription: ofApp ? null : vault.facts.subscription,
      enabled: random() > 0.06,
      created: iso(created),
      updated: iso(Math.min(now - 3_600_000, created + Math.trunc(random() * 60) * DAY)),
      expires,
      managed: kind === 'secret' && random() < 0.06,
      algorithm: keyed ? (ec ? 'EC' : 'RSA') : null,
      bits: keyed && !ec ? (random() < 0.1 ? 1024 : random() < 0.6 ? 2048 : 4096) : null,
      curve: keyed && ec ? 'P-256' : null,
      dependents: random() < 0.5 ? 0 : 1 + Math.trunc(random() * 4),
      firstSeen: iso(now - (20 + Math.trunc(random() * 30)) * DAY),
    }
  })
  return { now, vaults, assets, detail: (asset) => detail(asset, now) }
}

function detail(asset: AssetRow, now: number): ReplyOfFixture<'discovery', 'readAsset'> {
  const random = chance(asset.asset.length + asset.name.length * 31 + asset.name.charCodeAt(0))
  const ofApp = asset.kind === 'app-secret' || asset.kind === 'app-certificate'
  return {
    ...asset,
    tags:
      random() < 0.4
        ? []
        : [
            ['owner', 'payments'],
            ['rotation', '90 days'],
            ['ticket', 'OPS-1182'],
          ],
    contentType: asset.kind === 'secret' ? 'text/plain' : null,
    item:
      ofApp || !(asset.kind === 'secret' || asset.kind === 'key' || asset.kind === 'certificate')
        ? null
        : {
            asset: asset.asset,
            kind: asset.kind,
            name: asset.name,
            enabled: asset.enabled,
            created: asset.created,
            updated: asset.updated,
            notBefore: asset.created,
            expires: asset.expires,
            managed: asset.managed,
            contentType: null,
            tags: [],
            algorithm: asset.algorithm,
            bits: asset.bits,
            curve: asset.curve,
            thumbprint: asset.kind === 'certificate' ? hex(random, 40).toUpperCase() : null,
            issuer: asset.kind === 'certificate' ? 'DigiCert' : null,
          },
    credential: ofApp
      ? {
          asset: asset.asset,
          keyId: `${hex(random, 8)}-${hex(random, 4)}-4${hex(random, 3)}-8${hex(random, 3)}-${hex(random, 12)}`,
          kind: asset.kind === 'app-secret' ? 'secret' : 'certificate',
          name: asset.name,
          startsAt: asset.created,
          endsAt: asset.expires,
        }
      : null,
    usedBy: Array.from({ length: asset.dependents }, (_, n) => ({
      resource: `resource-${hex(random, 16)}`,
      facts: {
        name: RESOURCES[n % RESOURCES.length] ?? '',
        resourceId: `/subscriptions/${asset.subscription ?? 'none'}/sites/${n}`,
        type: (['app-service', 'function', 'container-app'] as const)[n % 3] ?? 'function',
        subscription: asset.subscription ?? '',
      },
      edge: {
        edge: `edge-${hex(random, 16)}`,
        via: (['key-vault-reference', 'tag', 'name'] as const)[n % 3] ?? 'name',
        setting: 'ConnectionStrings__Main',
        target: asset.asset,
        targetName: asset.name,
        confidence: [100, 70, 40][n % 3] ?? 40,
        status: n % 3 === 0 ? 'Resolved' : null,
      },
      verdict: n % 3 === 0 ? ('confirmed' as const) : ('proposed' as const),
    })),
    history: [
      { at: iso(now - 2 * DAY), seq: 1841, what: 'changed' as const },
      { at: asset.firstSeen, seq: 212, what: 'found' as const },
    ],
  }
}
