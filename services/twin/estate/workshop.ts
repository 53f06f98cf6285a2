import { estateBuilder } from './builder.ts'
import type { Estate } from './estate.ts'

/**
 * A small company in which every kind of credential can be rotated: an application's secret in two vaults and in a
 * plain setting, a service principal's, storage and Service Bus keys as connection strings, keys, and certificates of
 * three kinds of issuer, each with a workload that uses it. `attestry-rotation` owns what it may rotate and has no
 * role yet; whoever uses this estate grants some.
 */
export function workshopEstate(nowMs: number): Estate {
  const build = estateBuilder('workshop', nowMs)
  const { id: subscription } = build.subscription('workshop-production', ['rg-shop', 'rg-observability'])
  const { id: elsewhere } = build.subscription('workshop-recovery', ['rg-recovery', 'rg-observability'])
  const here = { subscription, resourceGroup: 'rg-shop' }
  const reachable = { publicNetworkAccess: null, network: null } as const

  const rotator = build.application('attestry-rotation', {
    passwords: [{ startedDaysAgo: 10, endsIn: 170 }],
    graphRoles: ['Application.ReadWrite.OwnedBy'],
  })
  const owners = [
    build.user('Nadia Costa'),
    {
      id: rotator.principal.id,
      kind: 'servicePrincipal',
      name: 'attestry-rotation',
      userPrincipalName: null,
    },
  ] as const

  const main = build.vault('kv-workshop', { ...here, ...reachable })
  const spare = build.vault('kv-workshop-spare', {
    subscription: elsewhere,
    resourceGroup: 'rg-recovery',
    ...reachable,
  })
  const shop = build.canary('password workshop-shop')
  const reporting = build.canary('password workshop-reporting')
  build.application('workshop-shop', {
    owners,
    passwords: [{ startedDaysAgo: 150, endsIn: 30, secret: shop, name: 'shop-2026' }],
  })
  const reports = build.application('workshop-reporting', { owners })
  reports.principal.passwords.push({
    keyId: '5a3fd2b1-8c47-4c0e-9d52-0b7a1f6e4c33',
    name: 'reporting-2026',
    secret: reporting,
    startsAt: Math.floor(nowMs / 1000) - 150 * 86_400,
    endsAt: Math.floor(nowMs / 1000) + 30 * 86_400,
    usableFrom: Math.floor(nowMs / 1000) - 150 * 86_400,
  })
  build.application('workshop-foreign', {
    owners: [build.user('Oskar Lind')],
    passwords: [{ startedDaysAgo: 90, endsIn: 90 }],
  })

  const account = build.storageAccount('stworkshop', here)
  const bus = build.serviceBusNamespace('sb-workshop', here, 'orders')
  const accountKey = account.keys[0]?.value ?? ''
  const busKey = bus.rules.find(({ name }) => name === 'orders')?.primaryKey ?? ''
  const connections = {
    'orders-storage': `DefaultEndpointsProtocol=https;AccountName=stworkshop;AccountKey=${accountKey};EndpointSuffix=core.windows.net`,
    'orders-bus': `Endpoint=sb://sb-workshop.servicebus.windows.net/;SharedAccessKeyName=orders;SharedAccessKey=${busKey}`,
    'shop-client': shop,
    'reporting-client': reporting,
  }
  for (const [name, value] of Object.entries(connections))
    main.secret(name, { expiresIn: 30, age: 150, contentType: 'text/plain', value })
  spare.secret('shop-client-copy', { expiresIn: 30, age: 150, value: shop })
  main.key('receipt-signing', { kty: 'EC', curve: 'P-256' }, { expiresIn: 40, age: 325, rotates: true })
  main.key('orders-wrap', { kty: 'RSA', bits: 3072 }, { expiresIn: 20, age: 345 })
  const ec = { kty: 'EC', curve: 'P-256' } as const
  main.certificate('shop-internal', { expiresIn: 25, age: 340, issuer: 'Self', shape: ec })
  main.certificate('shop-public', { expiresIn: 25, age: 340, issuer: 'DigiCert' })
  main.certificate('shop-partner', {
    expiresIn: 25,
    age: 340,
    issuer: 'Unknown',
    shape: ec,
    action: 'EmailContacts',
  })

  build.site('app-shop', 'app', here, {
    SHOP_CLIENT: build.reference(main.vault, 'shop-client'),
    TLS_INTERNAL: build.reference(main.vault, 'shop-internal'),
    TLS_PUBLIC: build.reference(main.vault, 'shop-public'),
    TLS_PARTNER: build.reference(main.vault, 'shop-partner'),
    LOG_LEVEL: 'info',
  })
  build.site('app-shop-canary', 'app', here, {
    SHOP_CLIENT: build.reference(main.vault, 'shop-client', 'names'),
  })
  build.site('func-orders', 'functionapp', here, {
    ORDERS_STORAGE: build.reference(main.vault, 'orders-storage'),
    ORDERS_BUS: build.reference(main.vault, 'orders-bus', 'names'),
  })
  // Carries the credential itself.
  build.site('app-shop-legacy', 'app', here, { SHOP_CLIENT: shop, REGION: 'eu' })
  build.containerApp('ca-reports', here, {
    'reporting-client': { vault: main.vault, secret: 'reporting-client' },
    'shop-client': { vault: main.vault, secret: 'shop-client' },
  })

  const scanner = build.scanner()
  build.mayScan(scanner, subscription, 'rg-shop')
  build.mayScan(scanner, elsewhere, 'rg-recovery')
  // The scanner comes first among the managed identities: it is the machine that the product runs on.
  build.estate.servicePrincipals.sort((a, b) => Number(b.id === scanner.id) - Number(a.id === scanner.id))
  return build.estate
}
