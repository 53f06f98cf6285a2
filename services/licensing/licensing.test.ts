import { type Feature, INSTALL, TIERS } from '@attestry/contracts'
import { LicenseStatus } from '@attestry/contracts/http'
import { testHost } from '@attestry/kit/testing'
import { describe, expect, test } from 'vitest'
import { begin, type Entitlement, EVALUATION, featuresOf, LICENSE, limitOf, statusOf } from './entitlement.ts'
import { licenseOf, licensingService } from './service.ts'

const now = Temporal.Instant.from('2026-11-22T12:00:00Z')

describe('an evaluation', () => {
  test('has every feature but writing to clouds, and ten vaults', () => {
    expect(featuresOf(EVALUATION, 'real', now)).toEqual(['rotation', 'custom-rules', 'sync', 'sso'])
    expect(limitOf(EVALUATION, 'vaults', 'real')).toBe(10)
  })

  test('of a demonstration may write to its own twin, and has no limit of vaults', () => {
    expect(featuresOf(EVALUATION, 'demo', now)).toContain('cloud-writes')
    expect(limitOf(EVALUATION, 'vaults', 'demo')).toBeNull()
  })

  test('is recorded once and never over what is there', () => {
    expect(begin(null)).toHaveLength(1)
    expect(begin(EVALUATION)).toEqual([])
  })
})

test('a licence that is over allows nothing that needs one, and says so', () => {
  const pro: Entitlement = {
    ...EVALUATION,
    tier: 'pro',
    features: ['rotation'],
    limits: TIERS.pro.limits,
    expiresAt: '2026-11-22T12:00:00Z',
  }
  expect(featuresOf(pro, 'real', now.subtract({ seconds: 1 }))).toEqual(['rotation'])
  expect(featuresOf(pro, 'real', now)).toEqual([])
  expect(statusOf(pro, 'real', now).state).toBe('expired')
  expect(limitOf(pro, 'vaults', 'real')).toBeNull()
})

test('a start records the evaluation in the install’s chain, a second start records nothing more', async () => {
  await using host = await testHost({
    services: [{ name: 'licensing', make: (h) => licensingService(h) }],
    origin: 'real',
  })
  await host.service('licensing').start?.()
  const events = await host.host('licensing').stream(INSTALL, LICENSE)
  expect(events.map((e) => [e.type, e.data])).toEqual([
    [
      'licensing.entitled',
      {
        tier: 'evaluation',
        features: ['rotation', 'custom-rules', 'sync', 'sso'],
        expiresAt: null,
        limits: TIERS.evaluation.limits,
        source: 'none',
        relyUntil: null,
      },
    ],
  ])
  const license = licenseOf(host.host('licensing'))
  const asked: [Feature, boolean][] = [
    ['rotation', true],
    ['cloud-writes', false],
  ]
  for (const [feature, expected] of asked) expect(await license.entitled(feature)).toBe(expected)
  expect(await license.limit('vaults')).toBe(10)
  expect(LicenseStatus.parse(await license.status())).toMatchObject({ tier: 'evaluation', state: 'valid' })
})
