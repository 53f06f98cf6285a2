import { estateBuilder } from './builder.ts'
import { elsewhere } from './elsewhere.ts'
import type { Estate } from './estate.ts'
import { roles } from './roles.ts'

/**
 * A small estate in which every rule that looks at discovered facts passes: what `contoso` fails, this one shows
 * done right. C001, C006 and so on have members here, so they pass and are not merely not applicable.
 */
export function cleanEstate(nowMs: number): Estate {
  const build = estateBuilder('clean', nowMs)
  const { id: subscription } = build.subscription('northwind-production', [
    'rg-shop',
    'rg-identity',
    'rg-observability',
  ])
  const team = { env: 'prod', owner: 'shop-team' }

  // Reached through an approved private endpoint, public access disabled.
  const shop = build.vault('kv-northwind-shop', {
    subscription,
    resourceGroup: 'rg-shop',
    tags: team,
    publicNetworkAccess: 'Disabled',
    network: { bypass: 'None', defaultAction: 'Deny', ipRules: [], virtualNetworks: [] },
    privateLink: true,
  })
  shop.secret('orders-db-connection', { expiresIn: 120, age: 20, older: 2, contentType: 'text/plain' })
  shop.secret('payment-provider-api-key', { expiresIn: 90, age: 30, older: 1 })
  shop.secret('shipping-webhook-signing-key', { expiresIn: 75, age: 10 })
  shop.secret('search-index-admin-key', { expiresIn: 160, age: 45 })
  shop.key('orders-encryption', { kty: 'RSA-HSM', bits: 3072 }, { expiresIn: 300, age: 40, rotates: true })
  shop.key(
    'receipt-signing',
    { kty: 'EC-HSM', curve: 'P-256' },
    { expiresIn: 250, age: 30, rotates: true, older: 1 },
  )
  shop.certificate('shop-northwind', { expiresIn: 140, age: 60, dnsNames: ['shop.northwind.example'] })

  // Open to the office range alone.
  const identity = build.vault('kv-northwind-identity', {
    subscription,
    resourceGroup: 'rg-identity',
    tags: { env: 'prod', owner: 'identity-team' },
  })
  identity.secret('graph-sync-client-credential', { expiresIn: 100, age: 25 })
  identity.secret('scim-bearer-token', { expiresIn: 80, age: 15, older: 1 })
  identity.key('token-signing', { kty: 'EC-HSM', curve: 'P-384' }, { expiresIn: 330, age: 30, rotates: true })
  identity.certificate('sso-northwind', {
    expiresIn: 200,
    age: 30,
    shape: { kty: 'EC', curve: 'P-256' },
    dnsNames: ['sso.northwind.example'],
  })

  const owners = [build.user('Mara Lindqvist'), build.user('Tom Okafor')]
  build.application('northwind-shop', { owners, passwords: [{ startedDaysAgo: 30, endsIn: 120 }] })
  build.application('northwind-reporting', { owners, certificates: [{ startedDaysAgo: 30, endsIn: 200 }] })
  build.application('northwind-deploy', {
    owners,
    federated: [
      { issuer: 'https://token.actions.example', subject: 'repo:northwind/shop:ref:refs/heads/main' },
    ],
  })

  const here = { subscription, resourceGroup: 'rg-shop', tags: team }
  build.site('app-northwind-shop', 'app', here, {
    ORDERS_DB: build.reference(shop.vault, 'orders-db-connection'),
    PAYMENT_KEY: build.reference(shop.vault, 'payment-provider-api-key', 'names'),
    TLS_CERTIFICATE: build.reference(shop.vault, 'shop-northwind'),
    ASPNETCORE_ENVIRONMENT: 'Production',
  })
  build.site('func-northwind-shipping', 'functionapp', here, {
    WEBHOOK_SIGNING_KEY: build.reference(shop.vault, 'shipping-webhook-signing-key'),
    FUNCTIONS_WORKER_RUNTIME: 'node',
  })
  build.containerApp(
    'ca-northwind-search',
    here,
    { 'search-admin-key': { vault: shop.vault, secret: 'search-index-admin-key' } },
    { LOG_LEVEL: 'info' },
  )
  build.site(
    'func-northwind-directory-sync',
    'functionapp',
    { subscription, resourceGroup: 'rg-identity' },
    {
      GRAPH_CREDENTIAL: build.reference(identity.vault, 'graph-sync-client-credential'),
      SCIM_TOKEN: build.reference(identity.vault, 'scim-bearer-token', 'names'),
      SSO_CERTIFICATE: build.reference(identity.vault, 'sso-northwind'),
    },
  )

  const scanner = build.scanner()
  for (const group of ['rg-shop', 'rg-identity']) build.mayScan(scanner, subscription, group)
  elsewhere(build, scanner)
  const rotator = build.application('attestry-rotation', {
    owners,
    passwords: [{ startedDaysAgo: 10, endsIn: 170 }],
    graphRoles: ['Application.Read.All', 'Application.ReadWrite.OwnedBy'],
  })
  build.assign(rotator.principal, roles.secretWriter, `/subscriptions/${subscription}`)
  // The scanner comes first among the managed identities: it is the machine that the product runs on.
  build.estate.servicePrincipals.sort((a, b) => Number(b.id === scanner.id) - Number(a.id === scanner.id))
  return build.estate
}
