import { describe, expect, test } from 'vitest'
import { parseReference } from '../arm/key-vault-reference.ts'
import { inRange } from '../keyvault/access.ts'
import type { CertificateVersion, Estate, KeyShape, Vault, Version } from './estate.ts'
import { secretCanaries } from './estate.ts'
import { generatedEstate } from './generated.ts'
import { seededEstate } from './seeded.ts'

const now = Date.parse('2026-11-22T12:00:00Z')
const day = 86_400
const contoso = seededEstate(now, 'contoso')
const clean = seededEstate(now, 'clean')

const reachable = (estate: Estate) =>
  estate.vaults.filter(
    (vault) =>
      vault.resourceGroup !== 'rg-hr-restricted' &&
      (vault.privateLink ||
        vault.network?.defaultAction !== 'Deny' ||
        vault.network.ipRules.some((range) => inRange(estate.callerAddress, range))),
  )
const newestOf = <V extends Version>(
  vaults: readonly Vault[],
  items: (vault: Vault) => Record<string, { versions: V[] }>,
) => vaults.flatMap((vault) => Object.values(items(vault)).flatMap(({ versions }) => versions.at(-1) ?? []))
const secretsOf = (estate: Estate) => newestOf(reachable(estate), ({ secrets }) => secrets)
const keysOf = (estate: Estate) => newestOf(reachable(estate), ({ keys }) => keys)
const certificatesOf = (estate: Estate) =>
  newestOf<CertificateVersion>(reachable(estate), ({ certificates }) => certificates)

/** Violations as `compliance.md` words them, over one family of items. */
const violations = {
  'no expiry': (item: Version) => item.enabled && item.expires === null,
  'within 7 days': (item: Version) =>
    item.enabled && item.expires !== null && item.expires > now / 1000 && item.expires - now / 1000 < 7 * day,
  'within 30 days': (item: Version) =>
    item.enabled &&
    item.expires !== null &&
    item.expires > now / 1000 &&
    item.expires - now / 1000 < 30 * day,
  disabled: (item: Version) => !item.enabled,
  expired: (item: Version) => item.enabled && item.expires !== null && item.expires <= now / 1000,
}
const weak = (shape: KeyShape) => 'bits' in shape && shape.bits < 2048
const references = (estate: Estate) =>
  new Set([
    ...estate.sites.flatMap(({ settings }) =>
      settings.flatMap(({ value }) => parseReference(value)?.secret ?? []),
    ),
    ...estate.containerApps.flatMap(({ secrets }) =>
      secrets.flatMap(({ keyVaultUrl }) => keyVaultUrl?.split('/').at(-1) ?? []),
    ),
  ])
const literals = (estate: Estate) =>
  [
    ...estate.sites.flatMap(({ settings }) => settings),
    ...estate.containerApps.flatMap(({ secrets, env }) => [...secrets, ...env]),
  ].filter(({ value }) => value?.includes('canary-'))

/** Names of vaults and secrets in plain settings: the app's own code fetches the value. */
const guessed = (estate: Estate) =>
  estate.sites.filter(({ settings }) =>
    settings.some(
      ({ value }) => !value.startsWith('@') && estate.vaults.some(({ name }) => value.includes(name)),
    ),
  )

const rules: Record<string, (estate: Estate) => number> = {
  P001: (estate) => secretsOf(estate).filter(violations['no expiry']).length,
  P002: (estate) => secretsOf(estate).filter(violations['within 7 days']).length,
  P003: (estate) => secretsOf(estate).filter(violations['within 30 days']).length,
  P004: (estate) => secretsOf(estate).filter(violations.disabled).length,
  P005: (estate) => estate.vaults.length - reachable(estate).length,
  P006: (estate) => secretsOf(estate).filter(({ tags }) => tags === null).length,
  P007: (estate) => secretsOf(estate).filter(violations.expired).length,
  P008: (estate) => secretsOf(estate).filter(({ created }) => now / 1000 - created > 365 * day).length,
  P015: (estate) =>
    reachable(estate)
      .flatMap(({ secrets }) => Object.keys(secrets))
      .filter((name) => /^(password|secret|test|key)\d*$/.test(name)).length,
  C002: (estate) => certificatesOf(estate).filter(violations['within 7 days']).length,
  C003: (estate) => certificatesOf(estate).filter(violations['within 30 days']).length,
  C004: (estate) => certificatesOf(estate).filter(violations.disabled).length,
  C005: (estate) => certificatesOf(estate).filter(violations.expired).length,
  C006: (estate) => certificatesOf(estate).filter(({ shape }) => weak(shape)).length,
  K001: (estate) => keysOf(estate).filter(violations['no expiry']).length,
  K002: (estate) => keysOf(estate).filter(violations['within 7 days']).length,
  K003: (estate) => keysOf(estate).filter(violations['within 30 days']).length,
  K004: (estate) => keysOf(estate).filter(violations.disabled).length,
  K005: (estate) => keysOf(estate).filter(violations.expired).length,
  K006: (estate) => keysOf(estate).filter(({ shape }) => weak(shape)).length,
  'CIS-8.5': (estate) => estate.vaults.filter(({ softDelete }) => softDelete === false).length,
  'CIS-8.6': (estate) => estate.vaults.filter(({ purgeProtection }) => purgeProtection !== true).length,
  'CIS-8.7': (estate) =>
    estate.vaults.filter(
      ({ publicNetworkAccess, network }) =>
        publicNetworkAccess !== 'Disabled' &&
        (network?.defaultAction !== 'Deny' || network.ipRules.includes('0.0.0.0/0')),
    ).length,
  'CIS-RBAC': (estate) => estate.vaults.filter(({ rbac }) => rbac !== true).length,
  'KMS-HSM': (estate) => estate.vaults.filter(({ sku }) => sku !== 'premium').length,
  VM002: (estate) => literals(estate).length,
  VM003: (estate) =>
    secretsOf(estate).length -
    reachable(estate)
      .flatMap(({ secrets }) => Object.keys(secrets))
      .filter((name) => references(estate).has(name)).length,
  VM005: (estate) => guessed(estate).length,
}

describe('the seeded estates', () => {
  test.each(Object.keys(rules))('%s is violated in contoso and by nothing in clean', (rule) => {
    expect(rules[rule]?.(contoso)).toBeGreaterThan(0)
    expect(rules[rule]?.(clean)).toBe(0)
  })

  test('clean has members for every rule, so that they pass rather than do not apply', () => {
    expect([secretsOf(clean), keysOf(clean), certificatesOf(clean)].map(({ length }) => length)).toEqual([
      6, 3, 2,
    ])
    expect(clean.applications.some(({ passwords }) => passwords.length > 0)).toBe(true)
  })

  test('are of realistic size: 14 vaults, about 150 items, 26 applications, 15 workloads', () => {
    const items = contoso.vaults.reduce(
      (sum, { secrets, keys, certificates }) =>
        sum + Object.keys(secrets).length + Object.keys(keys).length + Object.keys(certificates).length,
      0,
    )
    expect(contoso.vaults).toHaveLength(14)
    expect(items).toBeGreaterThan(130)
    expect(contoso.applications).toHaveLength(26)
    expect(contoso.sites.length + contoso.containerApps.length).toBe(15)
  })

  test.each(['contoso', 'clean'] as const)('%s is the same every time, and moves with the date', (name) => {
    expect(seededEstate(now, name)).toEqual(seededEstate(now, name))
    const later = seededEstate(now + 7 * day * 1000, name)
    const dates = (estate: Estate) => secretsOf(estate).map(({ expires }) => expires)
    expect(dates(later)).toEqual(
      dates(seededEstate(now, name)).map((expires) => (expires === null ? null : expires + 7 * day)),
    )
  })

  test('every secret value is a canary of its own', () => {
    const stored = [contoso, clean].flatMap(({ vaults }) =>
      vaults.flatMap(({ secrets }) =>
        Object.values(secrets).flatMap(({ versions }) => versions.map(({ value }) => value)),
      ),
    )
    expect(new Set(stored).size).toBe(stored.length)
    const canaries = [...secretCanaries(contoso), ...secretCanaries(clean)]
    expect(new Set(canaries).size).toBe(canaries.length)
    // Where a certificate's key is whole, its bundle is the secret.
    const bundles = canaries.filter((canary) => canary.length > 1000)
    expect(bundles.every((bundle) => Buffer.from(bundle, 'base64').toString('base64') === bundle)).toBe(true)
    const others = canaries.filter((canary) => !bundles.includes(canary))
    expect(others.every((canary) => /^canary-[0-9a-f]{32}$/.test(canary))).toBe(true)
    expect(canaries.length).toBeGreaterThan(150)
  })

  test('survive being written as JSON', () => {
    expect(JSON.parse(JSON.stringify(contoso))).toEqual(contoso)
  })
})

describe('a generated estate', () => {
  test('has the size asked for and unique names, ids and canaries', () => {
    const estate = generatedEstate({ vaults: 120, secrets: 5, keys: 2, certificates: 1, now })
    expect(estate.vaults).toHaveLength(120)
    expect(estate.subscriptions).toHaveLength(2)
    expect(new Set(estate.vaults.map(({ name }) => name)).size).toBe(120)
    const canaries = secretCanaries(estate)
    // Each vault's, and the one of the AWS account that sync copies to.
    expect(canaries).toHaveLength(120 * 6 + 1)
    expect(new Set(canaries).size).toBe(canaries.length)
  })
})
