import { newLicenseKey, TIERS } from '@attestry/contracts'
import { describe, expect, test, vi } from 'vitest'
import {
  env,
  ForgetfulKv,
  INSTALL,
  issue,
  isSigned,
  LATER,
  readAnswer,
  requestOf,
  send,
  someAddress,
  validate,
  vendor,
} from './for-tests.ts'
import { digestOf, recordName, seatOf } from './projection.ts'
import { nextWrite } from './seen.ts'

const unknownKey = () => newLicenseKey((n) => crypto.getRandomValues(new Uint8Array(n)))
const installs = (n: number) =>
  Array.from({ length: n }, (_, i) => `01890a5d-ac96-774b-bcce-${i.toString(16).padStart(12, '0')}`)

describe('POST /v1/validate', () => {
  test('signs what an active licence allows, and echoes the nonce and the install', async () => {
    const { key } = await issue()
    const payload = await readAnswer(await validate(requestOf(key)))
    expect(payload).toMatchObject({
      kind: 'answer',
      verdict: 'VALID',
      tier: 'pro',
      features: ['rotation', 'custom-rules', 'cloud-writes'],
      limits: TIERS.pro.limits,
      expiresAt: LATER,
      nonce: 'ab'.repeat(16),
      install: INSTALL,
      stats: 'none',
    })
    expect(Date.parse(payload.exp) - Date.parse(payload.iat)).toBe(7 * 86_400_000)
  })

  test('says SUSPENDED and EXPIRED with no features, and what is the newest version', async () => {
    const { license, key } = await issue()
    await vendor('support', 'POST', `/v1/vendor/licenses/${license}/suspend`, { reason: 'unpaid' })
    const latest = { LATEST_VERSION: '0.2.0', LATEST_NOTICE: 'Mends a fault.' }
    expect(await readAnswer(await validate(requestOf(key), latest))).toMatchObject({
      verdict: 'SUSPENDED',
      features: [],
      limits: null,
      latest: { version: '0.2.0', notice: 'Mends a fault.' },
    })
    const other = unknownKey()
    const stored = {
      license: 'lic-00000001',
      tier: 'pro',
      suspended: false,
      expiresAt: '2020-01-01T00:00:00Z',
      installs: 1,
      seats: [],
    }
    await env.LICENSES.put(recordName(await digestOf(other)), JSON.stringify(stored))
    expect(await readAnswer(await validate(requestOf(other)))).toMatchObject({
      verdict: 'EXPIRED',
      features: [],
    })
  })

  test('answers unknown and revoked keys alike, after the same steps, and leaves no trace of either', async () => {
    const { license, key } = await issue()
    await readAnswer(await validate(requestOf(key)))
    await vendor('manager', 'POST', `/v1/vendor/licenses/${license}/revoke`, { reason: 'returned' })
    const before = await env.LICENSES.list({ prefix: '' })
    const steps: string[][] = []
    const answers = []
    for (const asked of [key, unknownKey()]) {
      const taken: string[] = []
      /** Notes each step on a binding, and leaves out the digest of the key. */
      const watched = <T extends object>(what: string, binding: T): T =>
        new Proxy(binding, {
          get: (target, method) => {
            // Every member of a binding is a function.
            const call = Reflect.get(target, method) as (...args: unknown[]) => unknown
            return (...args: unknown[]) => {
              taken.push(
                `${what}.${String(method)} ${JSON.stringify(args).replaceAll(/[0-9a-f]{64}/g, '<digest>')}`,
              )
              return call.apply(target, args)
            }
          },
        })
      const response = await validate(
        requestOf(asked, { stats: '{"vaults":1}' }),
        {
          LICENSES: watched('kv', env.LICENSES),
          REGISTRY: watched('registry', env.REGISTRY),
          BY_ADDRESS: watched('address', env.BY_ADDRESS),
          BY_KEY: watched('key', env.BY_KEY),
        },
        '192.0.2.1',
      )
      steps.push(taken)
      const { iat: _iat, exp: _exp, ...said } = await readAnswer(response)
      answers.push([said, [...response.headers]])
    }
    expect(answers[0]).toEqual(answers[1])
    expect(answers[0]?.[0]).toMatchObject({
      verdict: 'INVALID',
      tier: null,
      expiresAt: null,
      stats: 'none',
      latest: null,
    })
    expect(steps[0]).toEqual(steps[1])
    expect(steps[0]).toEqual([
      'address.limit [{"key":"192.0.2.1"}]',
      'key.limit [{"key":"<digest>"}]',
      'kv.get ["lic:<digest>","text"]',
    ])
    expect(await env.LICENSES.list({ prefix: '' })).toEqual(before)
  })

  test('refuses wrong counts and answers the check all the same', async () => {
    const { key } = await issue()
    const ask = async (stats: unknown) => {
      const payload = await readAnswer(await validate(requestOf(key, { stats })))
      return [payload.verdict, payload.stats]
    }
    expect(await ask('{"vaults":3}')).toEqual(['VALID', 'accepted'])
    expect(await ask({ vaults: 3 })).toEqual(['VALID', 'not-text'])
    expect(await ask('{"__proto__":3}')).toEqual(['VALID', 'unknown-counter'])
    expect(await ask('é'.repeat(2100))).toEqual(['VALID', 'too-large'])
    expect(await ask('{"vaults":1e309}')).toEqual(['VALID', 'not-an-object-of-counts'])
  })

  test.each([
    [
      'above 16,384 bytes',
      (key: string) => JSON.stringify({ ...requestOf(key), stats: 'é'.repeat(8200) }),
      413,
    ],
    ['not JSON', () => '{', 400],
    ['an unknown field', (key: string) => JSON.stringify({ ...requestOf(key), secrets: 3 }), 400],
    ['a nonce of the wrong form', (key: string) => JSON.stringify(requestOf(key, { nonce: 'x' })), 400],
    [
      'a key with a wrong character',
      (key: string) => JSON.stringify(requestOf(key.replace(/.$/, (c) => (c === '0' ? '1' : '0')))),
      400,
    ],
    ['a list', () => '[]', 400],
  ])('refuses a body that is %s, and quotes nothing of it', async (_what, bodyOf, status) => {
    const key = unknownKey()
    const response = await validate(bodyOf(key))
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await response.text()).not.toContain(key.slice(0, -1))
  })

  test('counts the bytes of a body that does not say how long it is', async () => {
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(4096).fill(32)),
    })
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: endless }
    expect((await send('/v1/validate', init)).status).toBe(413)
  })

  test('stops at so many requests a minute from one address, and with one key', async () => {
    const from = someAddress()
    const one = async (key: string, address: string) => (await validate(requestOf(key), {}, address)).status
    const byAddress = await Promise.all(Array.from({ length: 130 }, () => one('ATT', from)))
    expect(byAddress.filter((s) => s === 429).length).toBeGreaterThanOrEqual(5)
    const key = unknownKey()
    const byKey = await Promise.all(Array.from({ length: 40 }, () => one(key, someAddress())))
    expect(byKey.filter((s) => s === 429).length).toBeGreaterThanOrEqual(5)
  })
})

describe('signing keys', () => {
  test('overlap: an install is answered with the newest key that it trusts', async () => {
    const { key } = await issue()
    const kid = async (kids?: string[]) =>
      (await readAnswer(await validate(requestOf(key, kids ? { kids } : {})))).kid
    expect(await kid()).toBe('2026-02')
    expect(await kid(['2026-01'])).toBe('2026-01')
    expect(await kid(['2026-01', '2026-02'])).toBe('2026-02')
    expect(await kid(['2019-01'])).toBe('2026-02')
  })

  test('are bound to the exact text: a changed answer is not signed', async () => {
    const { key } = await issue()
    const answer = (await (await validate(requestOf(key))).json()) as {
      payload: string
      sig: string
      alg: 'Ed25519'
      kid: string
    }
    expect(await isSigned(answer)).toBe(true)
    expect(await isSigned({ ...answer, payload: answer.payload.replace('"pro"', '"enterprise"') })).toBe(
      false,
    )
    expect(await isSigned({ ...answer, kid: '2026-01' })).toBe(false)
  })
})

describe('places', () => {
  test('are for as many installs as the licence says, and the first keep theirs', async () => {
    const { license, key } = await issue({ installs: 2 })
    const verdicts = async () => {
      const all = []
      for (const install of installs(3))
        all.push((await readAnswer(await validate(requestOf(key, { install })))).verdict)
      return all
    }
    expect(await verdicts()).toEqual(['VALID', 'VALID', 'TOO_MANY_INSTALLS'])
    expect(await verdicts()).toEqual(['VALID', 'VALID', 'TOO_MANY_INSTALLS'])
    const [first = ''] = installs(1)
    expect(
      (await vendor('support', 'DELETE', `/v1/vendor/licenses/${license}/installs/${first}`)).status,
    ).toBe(204)
    const { body } = await vendor('reader', 'GET', `/v1/vendor/licenses/${license}`)
    expect((body['seats'] as unknown[]).length).toBe(1)
    expect((body['seen'] as { install: string }[]).map((s) => s.install)).not.toContain(first)
  })

  test('are not given twice when many ask at the same moment', async () => {
    const { key } = await issue({ installs: 3 })
    const verdicts = await Promise.all(
      installs(12).map(
        async (install) => (await readAnswer(await validate(requestOf(key, { install })))).verdict,
      ),
    )
    expect(verdicts.filter((v) => v === 'VALID')).toHaveLength(3)
    expect(verdicts.filter((v) => v === 'TOO_MANY_INSTALLS')).toHaveLength(9)
  })
})

describe('what a heartbeat writes', () => {
  const heard = (at: number, vaults: number | null = 5, version = '0.1.0') => ({
    at,
    version,
    counts: vaults === null ? null : [vaults],
  })

  test('is at most four writes a day while nothing changes', () => {
    let before: Parameters<typeof nextWrite>[0] = null
    let writes = 0
    // Ten days of hourly heartbeats, each up to five minutes late.
    for (let hour = 0; hour < 240; hour++) {
      const next = nextWrite(before, heard(hour * 3600 + ((hour * 7919) % 300)))
      if (!next) continue
      writes += next.log ? 2 : 1
      before = next.seen
    }
    expect(writes / 10).toBeLessThanOrEqual(4)
    expect(writes / 10).toBeGreaterThan(3)
  })

  test('is written at once when counts, their absence or the version change', () => {
    const first = nextWrite(null, heard(0))
    expect(first).toMatchObject({ log: true })
    const seen = first?.seen ?? null
    expect(nextWrite(seen, heard(3600))).toBeNull()
    expect(nextWrite(seen, heard(3600, 6))).toMatchObject({ log: false })
    expect(nextWrite(seen, heard(3600, null))).toMatchObject({ seen: { counts: null } })
    expect(nextWrite(seen, heard(3600, 5, '0.2.0'))).toMatchObject({ log: true })
  })

  test('asks KV nothing of an install that the isolate knows, and is noted anew when its place was given up', async () => {
    const { license, key } = await issue()
    let reads = 0
    const kv: KVNamespace = {
      get: (name, type) => env.LICENSES.get(name, type),
      getWithMetadata: (name) => {
        reads += 1
        return env.LICENSES.getWithMetadata(name)
      },
      put: (name, value, options) => env.LICENSES.put(name, value, options),
      delete: (name) => env.LICENSES.delete(name),
      list: (options) => env.LICENSES.list(options),
    }
    const ask = (vaults: number) =>
      validate(requestOf(key, { stats: JSON.stringify({ vaults }) }), { LICENSES: kv })
    const entries = async () => (await env.LICENSES.list({ prefix: `fs:${license}:` })).keys.length
    const record = recordName(await digestOf(key))
    /** Places stand in KV within a second or so. */
    const placed = (seats: string[]) =>
      vi.waitFor(
        async () =>
          expect(JSON.parse((await env.LICENSES.get(record, 'text')) ?? '')).toMatchObject({ seats }),
        { timeout: 10_000 },
      )
    await ask(5)
    await placed([seatOf(INSTALL)])
    await ask(5)
    await ask(5)
    expect(reads).toBe(1)
    await ask(6)
    expect(reads).toBe(2)
    await vendor('support', 'DELETE', `/v1/vendor/licenses/${license}/installs/${INSTALL}`)
    await placed([])
    expect(await entries()).toBe(0)
    await ask(6)
    expect([reads, await entries()]).toEqual([3, 1])
  })

  test('of two replicas in one second is one write, and both are answered', async () => {
    const { key } = await issue()
    // The simulator forgives what KV does not.
    let now = 1_000_000
    const kv = new ForgetfulKv(() => now)
    const name = recordName(await digestOf(key))
    await kv.put(name, (await env.LICENSES.get(name, 'text')) ?? '')
    const ask = () => validate(requestOf(key, { stats: '{"vaults":5}' }), { LICENSES: kv })
    const answers = await Promise.all([ask(), ask()])
    for (const answer of answers) expect((await readAnswer(answer)).verdict).toBe('VALID')
    expect(kv.writes.filter((w) => w.startsWith('fs:'))).toHaveLength(1)
    now += 120_000
    await ask()
    expect(kv.writes.filter((w) => w.startsWith('fs:'))).toHaveLength(1)
  })
})

test('a revocation is known everywhere within a minute of KV', async () => {
  const { key, license } = await issue()
  let now = 1_000_000
  const kv = new ForgetfulKv(() => now)
  const name = recordName(await digestOf(key))
  await kv.put(name, (await env.LICENSES.get(name, 'text')) ?? '')
  const verdict = async () => (await readAnswer(await validate(requestOf(key), { LICENSES: kv }))).verdict
  expect(await verdict()).toBe('VALID')
  await vendor('manager', 'POST', `/v1/vendor/licenses/${license}/revoke`, { reason: 'returned' })
  now += 2000
  await kv.delete(name)
  expect(await verdict()).toBe('VALID')
  now += 60_000
  expect(await verdict()).toBe('INVALID')
})

test('whatever KV says counts from the next check on, however often the isolate said something else before', async () => {
  const key = unknownKey()
  const record = {
    license: 'lic-00000002',
    tier: 'pro',
    suspended: false,
    expiresAt: LATER,
    installs: 3,
    seats: [seatOf(INSTALL)],
  }
  let text: string | null = null
  const kv: KVNamespace = {
    get: async () => text,
    getWithMetadata: (name) => env.LICENSES.getWithMetadata(name),
    put: (name, value, options) => env.LICENSES.put(name, value, options),
    delete: (name) => env.LICENSES.delete(name),
    list: (options) => env.LICENSES.list(options),
  }
  /** What three checks in a row are told, which is the same. */
  const told = async (now: object | null, more: Partial<Env> = {}) => {
    text = now && JSON.stringify(now)
    const all = []
    for (const nonce of ['0a', '1b', '2c'].map((two) => two.repeat(16))) {
      const asked = requestOf(key, { nonce, stats: '{"vaults":1}' })
      const {
        iat: _iat,
        exp: _exp,
        ...said
      } = await readAnswer(await validate(asked, { LICENSES: kv, ...more }))
      expect(said.nonce).toBe(nonce)
      all.push({ ...said, nonce: '' })
    }
    expect(all[1]).toEqual(all[0])
    expect(all[2]).toEqual(all[0])
    return all[0]
  }
  const valid = await told(record)
  expect(valid).toMatchObject({ verdict: 'VALID', tier: 'pro', limits: TIERS.pro.limits, stats: 'accepted' })
  expect(await told({ ...record, suspended: true })).toMatchObject({ verdict: 'SUSPENDED', limits: null })
  expect(await told({ ...record, tier: 'enterprise' })).toMatchObject({ features: TIERS.enterprise.features })
  expect(await told({ ...record, expiresAt: '2020-01-01T00:00:00.000Z' })).toMatchObject({
    verdict: 'EXPIRED',
    features: [],
  })
  expect(await told(null)).toMatchObject({ verdict: 'INVALID', tier: null, stats: 'none' })
  const notice = 'Mends "a fault" of C:\\ – now.'
  expect(await told(record, { LATEST_VERSION: '9.0.0', LATEST_NOTICE: notice })).toMatchObject({
    verdict: 'VALID',
    latest: { version: '9.0.0', notice },
  })
  expect(await told(record)).toEqual(valid)
})

test('an answer is JSON that nobody keeps, and says the install as it was sent', async () => {
  const { key } = await issue()
  const install = INSTALL.toUpperCase()
  for (const _again of [1, 2]) {
    const response = await validate(requestOf(key, { install }))
    expect([...response.headers]).toEqual([
      ['cache-control', 'no-store'],
      ['content-type', 'application/json'],
    ])
    expect((await readAnswer(response)).install).toBe(install)
  }
})

test('a path that is not there is a problem, not a page', async () => {
  const response = await send('/v1/keys', { method: 'GET' })
  expect(response.status).toBe(404)
  expect(response.headers.get('content-type')).toBe('application/problem+json')
})
