import { randomBytes } from 'node:crypto'
import { COUNTERS, type Fact, fact, type Feature, INSTALL, newLicenseKey, TIERS } from '@attestry/contracts'
import { LicenseStatus, type LicenseView } from '@attestry/contracts/http'
import { Secret } from '@attestry/kit'
import { connect } from '@attestry/kit/postgres'
import { guardOf, movableClock, type TestHost, testHost } from '@attestry/kit/testing'
import { describe, expect, test, vi } from 'vitest'
import * as z from 'zod'
import { begin, type Entitlement, EVALUATION, featuresOf, LICENSE, limitOf, statusOf } from './entitlement.ts'
import { licenseOf, type LicensingOptions, licensingService } from './service.ts'
import { answerTo, fileFor, KEYS, signed, startVendor, type TestVendor } from './vendor.fixture.ts'

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

const random = (bytes: number) => new Uint8Array(randomBytes(bytes))

interface Setting {
  readonly vendor: TestVendor
  readonly clock: ReturnType<typeof movableClock>
  readonly host: TestHost
  /** Asks the licence's endpoints as an administrator. */
  readonly call: (
    method: string,
    path: string,
    body?: object,
  ) => Promise<{ status: number; body: LicenseView & { code?: string } }>
  /** One check, as the schedule asks for it. */
  readonly check: () => Promise<LicenseView>
  readonly events: () => Promise<string[]>
  readonly sql: (text: string) => Promise<void>
}

/** An install that has a key, on a real database, with a vendor that can be bent and a clock that can be moved. */
async function withLicense(
  more: Partial<LicensingOptions> & { readonly sweepMs?: number },
  work: (setting: Setting) => Promise<void>,
): Promise<void> {
  const clock = movableClock('2026-11-22T12:00:00Z')
  await using vendor = await startVendor(() => clock.now())
  const { sweepMs = null, ...given } = more
  const options: LicensingOptions = {
    service: vendor.url,
    keys: KEYS,
    key: null,
    fleetVisibility: true,
    secretKey: new Secret('s'.repeat(32)),
    random,
    ...given,
  }
  await using host = await testHost({
    clock,
    origin: 'real',
    // Without the sweep no check comes but those that the test asks for.
    sweepMs,
    services: [
      { name: 'licensing', make: (h) => licensingService(h, guardOf(['tenant-admin'], {}, clock), options) },
    ],
  })
  const pool = connect({ url: host.url, max: 2 })
  const call: Setting['call'] = async (method, path, body) => {
    const response = await host.service('licensing').fetch(
      new Request(`http://install${path}`, {
        method,
        headers: body ? { 'content-type': 'application/json' } : {},
        ...(body ? { body: JSON.stringify(body) } : {}),
      }),
    )
    return { status: response.status, body: await response.json() }
  }
  try {
    await work({
      vendor,
      clock,
      host,
      call,
      check: async () => {
        const asked = await call('POST', '/api/licensing/check')
        expect(asked.body.code).toBeUndefined()
        return asked.body
      },
      events: async () =>
        (await host.host('licensing').stream(INSTALL, LICENSE)).map((e) => e.type.replace('licensing.', '')),
      sql: async (text) => {
        await pool.query(text)
      },
    })
  } finally {
    await pool.end()
  }
}

const KEY = newLicenseKey(random)

describe('an install', () => {
  test('without a key is an evaluation: it asks nobody, and a second start records nothing more', () =>
    withLicense({}, async ({ host, vendor, call, events }) => {
      await host.service('licensing').start?.()
      expect(await events()).toEqual(['entitled'])
      const license = licenseOf(host.host('licensing'))
      const asked: [Feature, boolean][] = [
        ['rotation', true],
        ['cloud-writes', false],
      ]
      for (const [feature, expected] of asked) expect(await license.entitled(feature)).toBe(expected)
      expect(await license.limit('vaults')).toBe(10)
      expect(LicenseStatus.parse(await license.status())).toMatchObject({
        tier: 'evaluation',
        state: 'valid',
      })
      expect((await call('GET', '/api/licensing')).body).toMatchObject({ source: 'none', keyPrefix: null })
      expect((await call('GET', '/api/licensing/preview')).body).toMatchObject({ body: null })
      expect((await call('POST', '/api/licensing/check')).body.code).toBe('no-key')
      expect(vendor.asked).toEqual([])
    }))

  test('with a key of the configuration asks at its start, and again after about an hour', () =>
    withLicense({ key: new Secret(KEY), sweepMs: 50 }, async ({ host, vendor, clock, call }) => {
      clock.advance({ seconds: 1 })
      await vi.waitFor(
        async () => expect((await call('GET', '/api/licensing')).body.tier).toBe('pro'),
        20_000,
      )
      expect(vendor.asked).toHaveLength(1)
      const { body } = await call('GET', '/api/licensing')
      const wait = clock
        .now()
        .until(body.nextAttemptAt ?? '')
        .total('minutes')
      expect(wait).toBeGreaterThanOrEqual(55)
      expect(wait).toBeLessThanOrEqual(65)
      const [schedule] = host.service('licensing').schedules
      const due = () =>
        host.host('licensing').tx(INSTALL, (tx) => schedule?.due(clock.now(), tx) ?? Promise.resolve([]))
      expect(await due()).toEqual([])
      clock.advance({ minutes: 66 })
      // Two replicas find the same check due: one id, so one of them does it.
      const [first, second] = [await due(), await due()]
      expect(first).toHaveLength(1)
      expect(second).toEqual(first)
      expect((await call('PUT', '/api/licensing/key', { key: KEY })).body.code).toBe('key-configured')
    }))

  test('that is given a key in the console checks it at once, keeps it sealed, and sends what it shows', () =>
    withLicense({}, async ({ vendor, call, events, host, sql }) => {
      expect((await call('PUT', '/api/licensing/key', { key: `${KEY}0` })).body.code).toBe('not-a-key')
      const typed = KEY.toLowerCase().replaceAll('-', ' ')
      const { body } = await call('PUT', '/api/licensing/key', { key: typed })
      expect(body).toMatchObject({
        tier: 'pro',
        state: 'valid',
        source: 'key',
        keyPrefix: KEY.slice(0, 8),
        problem: null,
      })
      const preview = (await call('GET', '/api/licensing/preview')) as unknown as {
        body: { body: string; stats: string }
      }
      const sent = vendor.asked.at(-1)
      expect(sent?.request.key).toBe(KEY)
      expect(preview.body.stats).toBe(sent?.request.stats)
      const shown = sent?.text.replace(KEY, `${KEY.slice(0, 8)}…`).replace(sent.request.nonce, '0'.repeat(32))
      expect(preview.body.body).toBe(shown)
      expect(await events()).toEqual(['entitled', 'key-entered', 'entitled', 'stats-sent'])
      // The key itself is nowhere but sealed.
      const rows = await host.host('licensing').tx(INSTALL, (tx) => tx.rows('select * from install'))
      const facts = await host.host('licensing').stream(INSTALL, LICENSE)
      for (const secret of [KEY, KEY.slice(9)]) expect(JSON.stringify([rows, facts])).not.toContain(secret)
      await sql(`update licensing.install set key_sealed = 'AAAA'`)
      expect((await call('GET', '/api/licensing')).body.problem).toContain('SECRET_KEY')
      expect((await call('DELETE', '/api/licensing/key')).body).toMatchObject({
        tier: 'evaluation',
        source: 'none',
      })
    }))

  test('sends no counts once they are switched off, from the next check on, and never where they are forced off', async () => {
    await withLicense({ key: new Secret(KEY) }, async ({ vendor, clock, call, check }) => {
      await check()
      expect(vendor.asked[0]?.request.stats).toMatch(/^\{"environments":0,/)
      clock.advance({ minutes: 1 })
      await call('PUT', '/api/licensing/preferences', { fleetVisibility: false })
      expect(await check()).toMatchObject({ fleetVisibility: { on: false }, state: 'valid', tier: 'pro' })
      expect(vendor.asked.at(-1)?.request).not.toHaveProperty('stats')
    })
    await withLicense({ key: new Secret(KEY), fleetVisibility: false }, async ({ vendor, call, check }) => {
      await check()
      expect(vendor.asked[0]?.request).not.toHaveProperty('stats')
      expect((await call('PUT', '/api/licensing/preferences', { fleetVisibility: true })).body.code).toBe(
        'forced-off',
      )
    })
  })

  test('goes on for seven days without an answer, then starts nothing new, and works again with the next answer', () =>
    withLicense({ key: new Secret(KEY) }, async ({ vendor, clock, check, events, host }) => {
      expect((await check()).tier).toBe('pro')
      const license = licenseOf(host.host('licensing'))
      const good = vendor.answer
      vendor.answer = () => null
      clock.advance({ hours: 3 })
      expect(await check()).toMatchObject({
        state: 'grace',
        daysLeft: 6,
        problem: expect.stringContaining('cannot be reached'),
      })
      expect(await license.entitled('rotation')).toBe(true)
      clock.advance({ hours: 7 * 24 })
      expect(await check()).toMatchObject({ state: 'expired', refused: 'unreachable', features: [] })
      expect(await license.entitled('rotation')).toBe(false)
      vendor.answer = good
      clock.advance({ minutes: 1 })
      expect(await check()).toMatchObject({ state: 'valid', refused: null, problem: null })
      clock.advance({ seconds: 10 })
      expect(await license.entitled('rotation')).toBe(true)
      expect((await events()).filter((e) => e !== 'stats-sent')).toEqual([
        'entitled',
        'entitled',
        'entitled',
        'grace-entered',
        'grace-ended',
        'refused',
        'entitled',
      ])
    }))

  test('whose licence is revoked during grace is refused as soon as it hears so', () =>
    withLicense({ key: new Secret(KEY) }, async ({ vendor, clock, check }) => {
      expect((await check()).tier).toBe('pro')
      vendor.answer = () => null
      clock.advance({ hours: 3 })
      expect((await check()).state).toBe('grace')
      vendor.answer = (request) =>
        signed(answerTo(request, clock.now(), { verdict: 'INVALID', tier: null, features: [], limits: null }))
      clock.advance({ hours: 1 })
      expect(await check()).toMatchObject({
        state: 'expired',
        refused: 'invalid',
        graceUntil: null,
        features: [],
      })
    }))

  test.each([
    ['an old answer, played back', (first: string) => first, 'played back'],
    ['an answer of nobody’s', () => '{"payload":"{}","sig":"","alg":"none","kid":"x"}', 'no signature'],
    ['a page', () => '<html>', 'no signature'],
  ])('takes %s for no answer at all', (_what, answer, problem) =>
    withLicense({ key: new Secret(KEY) }, async ({ vendor, clock, check }) => {
      let first = ''
      const good = vendor.answer
      vendor.answer = (request) => (first = good(request) ?? '')
      expect((await check()).tier).toBe('pro')
      vendor.answer = () => answer(first)
      clock.advance({ hours: 3 })
      expect(await check()).toMatchObject({ state: 'grace', problem: expect.stringContaining(problem) })
    }),
  )

  test('notices an answer that somebody edited in the database, and a clock that was set back', () =>
    withLicense({ key: new Secret(KEY) }, async ({ vendor, clock, check, sql }) => {
      expect((await check()).tier).toBe('pro')
      const good = vendor.answer
      vendor.answer = () => null
      await sql(`update licensing.install set answer = replace(answer, '2099', '2199')`)
      clock.advance({ hours: 1 })
      expect(await check()).toMatchObject({ state: 'expired', refused: 'answer-altered' })
      vendor.answer = good
      clock.advance({ minutes: 1 })
      expect(await check()).toMatchObject({ state: 'valid', refused: null })
      vendor.answer = () => null
      clock.advance({ hours: -30 })
      expect(await check()).toMatchObject({ state: 'expired', refused: 'clock-set-back' })
      // The vendor's own time is an hour and more ahead of this clock: its answer does not heal it.
      vendor.answer = (request) => signed(answerTo(request, clock.now().add({ hours: 30 })))
      clock.advance({ minutes: 1 })
      expect(await check()).toMatchObject({
        refused: 'clock-set-back',
        problem: expect.stringContaining('clock'),
      })
      vendor.answer = good
      clock.advance({ hours: 31 })
      expect(await check()).toMatchObject({ state: 'valid', refused: null })
    }))
})

describe('a licence file', () => {
  test('entitles an install that reaches nobody, and only the install it was made for', () =>
    withLicense({ service: null }, async ({ call, clock, check, sql, vendor }) => {
      const { install } = (await call('GET', '/api/licensing')).body
      const load = async (file: string) => (await call('PUT', '/api/licensing/file', { file })).body
      expect((await load('a letter')).code).toBe('not-a-license-file')
      const good = fileFor(install)
      expect((await load(good.replace('2099', '2199'))).code).toBe('wrong-signature')
      expect((await load(fileFor('01890a5d-ac96-774b-bcce-b302099a8057'))).code).toBe('other-install')
      expect((await load(fileFor(install, { expiresAt: '2026-11-01T00:00:00.000Z' }))).code).toBe('file-over')
      expect((await load(fileFor(install, { iat: '2026-12-24T00:00:00.000Z' }))).code).toBe('clock-set-back')
      expect(await load(good)).toMatchObject({ tier: 'pro', source: 'file', state: 'valid', relyUntil: null })
      clock.advance({ hours: 400 * 24 })
      expect(await check()).toMatchObject({ state: 'valid', graceUntil: null })
      await sql(`update licensing.install set file = replace(file, '2099', '2199')`)
      clock.advance({ minutes: 1 })
      expect(await check()).toMatchObject({ state: 'expired', refused: 'answer-altered' })
      expect(await load(good)).toMatchObject({ state: 'valid', refused: null })
      clock.advance({ hours: -24 })
      expect(await check()).toMatchObject({ refused: 'clock-set-back' })
      clock.advance({ hours: 25 })
      expect(await check()).toMatchObject({ state: 'valid' })
      expect(vendor.asked).toEqual([])
    }))
})

test('counts come from events alone: of each tenant, what is there and how much was done', async () => {
  const clock = movableClock('2026-11-22T12:00:00Z')
  const nothing: LicensingOptions = {
    service: null,
    keys: KEYS,
    key: null,
    fleetVisibility: true,
    secretKey: new Secret('s'.repeat(32)),
    random,
  }
  const quiet = (name: string) => ({
    name,
    make: () => ({
      name,
      schema: new URL('../kit/schema-for-tests/', import.meta.url),
      fetch: () => new Response(),
      commands: [],
      reactions: [],
      views: [],
      schedules: [],
    }),
  })
  await using host = await testHost({
    clock,
    services: [
      { name: 'licensing', make: (h) => licensingService(h, guardOf(['tenant-admin'], {}, clock), nothing) },
      quiet('discovery'),
      quiet('rotation'),
    ],
  })
  const append = (service: string, stream: string, facts: readonly Fact[]) =>
    host.host(service).append('acme', {
      stream,
      expected: 'any',
      facts,
      by: { kind: 'operator', id: 'operator-00000001' },
      cause: { correlation: 'test', causation: 'test' },
    })
  const counts = {
    subscriptions: 2,
    vaults: 3,
    secrets: 40,
    keys: 5,
    certificates: 6,
    applications: 7,
    credentials: 8,
    resources: 9,
    edges: 10,
  }
  const scan = (n: number, vaults: number) =>
    fact('discovery.scan-completed', {
      scan: `scan-0000000${n}`,
      environment: 'environment-00000001',
      counts: { ...counts, vaults },
      unreachable: [],
      refused: [],
      calls: 1,
      inventoryDigest: '0'.repeat(64),
      durationMs: 1,
    })
  await append('discovery', 'scan-00000001', [scan(1, 3)])
  await append('discovery', 'scan-00000002', [scan(2, 4)])
  await append('rotation', 'policy-00000001', [
    fact('rotation.policy-disabled', { policy: 'policy-00000001' }),
  ])
  await host.settle()
  const { stats } = z
    .object({ stats: z.string() })
    .parse(
      await (
        await host.service('licensing').fetch(new Request('http://install/api/licensing/preview'))
      ).json(),
    )
  expect(JSON.parse(stats)).toMatchObject({ subscriptions: 2, vaults: 4, secrets: 40, scans: 2, policies: 0 })
  expect(Object.keys(JSON.parse(stats) as object)).toEqual([...COUNTERS])
})
