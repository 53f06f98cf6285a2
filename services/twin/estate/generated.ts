import { estateBuilder } from './builder.ts'
import { elsewhere } from './elsewhere.ts'
import type { Estate, KeyShape } from './estate.ts'

export interface Size {
  readonly vaults: number
  /** Secrets, keys and certificates in each vault. */
  readonly secrets: number
  readonly keys: number
  readonly certificates: number
  /** Applications with a secret that is about to end, each kept in a vault and tagged with its key id. @default 0 */
  readonly applications?: number
}

const shapes: readonly KeyShape[] = [
  { kty: 'RSA', bits: 2048 },
  { kty: 'RSA', bits: 4096 },
  { kty: 'EC', curve: 'P-256' },
  { kty: 'EC-HSM', curve: 'P-384' },
]
/** So many vaults to a subscription; larger companies split further, which changes nothing for a scan. */
const vaultsPerSubscription = 100

/** An estate of the given size for benchmarks, up to 1,000 vaults and 100,000 items; the same for the same seed. */
export function generatedEstate({
  vaults,
  secrets,
  keys,
  certificates,
  applications = 0,
  seed = 'bench',
  now,
}: Size & { seed?: string; now: number }): Estate {
  const build = estateBuilder(`generated-${seed}`, now)
  const subscriptions = Array.from({ length: Math.ceil(vaults / vaultsPerSubscription) }, (_, index) =>
    build.subscription(`generated-${String(index + 1).padStart(2, '0')}`, [
      'rg-generated',
      'rg-observability',
    ]),
  )
  // A repeating pattern of states, so that about a fifth of the items has a finding.
  const state = (index: number) => ({
    expiresIn: [200, 90, 45, 365, 20, 150, null, 3, -10, 120][index % 10] ?? 200,
    age: 10 + ((index * 37) % 300),
    ...(index % 23 === 7 ? { disabled: true as const } : {}),
    ...(index % 19 === 5 ? { tags: null } : {}),
  })
  const pad = (index: number) => String(index).padStart(4, '0')
  const stores: ReturnType<typeof build.vault>[] = []
  for (let v = 0; v < vaults; v += 1) {
    const subscription = subscriptions[Math.floor(v / vaultsPerSubscription)]
    if (subscription === undefined) break
    const one = build.vault(`kv-generated-${pad(v)}`, {
      subscription: subscription.id,
      resourceGroup: 'rg-generated',
      sku: v % 3 === 0 ? 'premium' : 'standard',
      purgeProtection: v % 5 === 0 ? null : true,
    })
    stores.push(one)
    for (let i = 0; i < secrets; i += 1) one.secret(`secret-${pad(i)}`, state(v + i))
    for (let i = 0; i < keys; i += 1)
      one.key(
        `key-${pad(i)}`,
        shapes[(v + i) % shapes.length] ?? { kty: 'RSA', bits: 2048 },
        state(v + i * 3),
      )
    for (let i = 0; i < certificates; i += 1) {
      const { expiresIn, ...rest } = state(v + i * 7)
      one.certificate(`certificate-${pad(i)}`, { ...rest, expiresIn: expiresIn ?? 200 })
    }
  }
  const scanner = build.scanner()
  // What has to be rotated soon: the product's identity owns them all.
  const owners = [
    { id: scanner.id, kind: 'servicePrincipal', name: scanner.name, userPrincipalName: null },
  ] as const
  for (let a = 0; a < applications; a += 1) {
    const secret = build.canary(`application ${pad(a)}`)
    // Half an hour apart, so that each date tells whose it is.
    const startedDaysAgo = 360 - a * 0.02
    const { application } = build.application(`workload ${pad(a)}`, {
      owners,
      passwords: [{ startedDaysAgo, endsIn: 5, secret }],
    })
    const [password] = application.passwords
    stores[a % stores.length]?.secret(`workload-${pad(a)}-client`, {
      age: startedDaysAgo,
      expiresIn: 5,
      value: secret,
      tags: { 'key-id': password?.keyId ?? '' },
    })
  }
  for (const { id } of subscriptions) build.mayScan(scanner, id, 'rg-generated')
  elsewhere(build, scanner)
  return build.estate
}
