import { runInDurableObject } from 'cloudflare:test'
import { FilePayload, SignedLicense } from '@attestry/contracts'
import { type VendorEndpoint, vendorHttp } from '@attestry/contracts/http'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import {
  BY,
  env,
  ForgetfulKv,
  INSTALL,
  issue,
  isSigned,
  LATER,
  readAnswer,
  requestOf,
  validate,
  vendor,
} from './for-tests.ts'
import { decide, type License, type Wish } from './license.ts'
import { digestOf, recordName } from './projection.ts'
import { Registry } from './registry.ts'
import { seenName } from './seen.ts'
import { REGISTRY } from './validate.ts'

const at = (license: string) => `/v1/vendor/licenses/${license}`
const verdictOf = async (key: string) => (await readAnswer(await validate(requestOf(key)))).verdict

describe('decide()', () => {
  const base: License = {
    license: 'lic-00000001',
    tier: 'pro',
    state: 'active',
    expiresAt: '2027-01-01T00:00:00.000Z',
    installs: 3,
    trial: false,
    customer: null,
    contact: null,
    issuedAt: '2026-01-01T00:00:00.000Z',
  }
  const wishes: Record<string, Wish> = {
    extend: { do: 'extend', expiresAt: LATER },
    shorten: { do: 'extend', expiresAt: '2026-06-01T00:00:00.000Z' },
    tier: { do: 'change-tier', tier: 'enterprise' },
    suspend: { do: 'suspend' },
    revoke: { do: 'revoke' },
    reinstate: { do: 'reinstate' },
  }
  test.each([
    ['active', 'extend', { expiresAt: LATER }],
    ['active', 'shorten', 'not-later'],
    ['active', 'tier', { tier: 'enterprise', installs: null }],
    ['active', 'suspend', { state: 'suspended' }],
    ['active', 'revoke', { state: 'revoked' }],
    ['active', 'reinstate', 'already-active'],
    ['suspended', 'extend', { expiresAt: LATER }],
    ['suspended', 'shorten', 'not-later'],
    ['suspended', 'tier', { tier: 'enterprise' }],
    ['suspended', 'suspend', 'already-suspended'],
    ['suspended', 'revoke', { state: 'revoked' }],
    ['suspended', 'reinstate', { state: 'active' }],
    ['revoked', 'extend', 'revoked'],
    ['revoked', 'shorten', 'revoked'],
    ['revoked', 'tier', 'revoked'],
    ['revoked', 'suspend', 'revoked'],
    ['revoked', 'revoke', 'revoked'],
    ['revoked', 'reinstate', { state: 'active' }],
  ] as const)('a licence that is %s and is asked to %s', (state, what, expected) => {
    const wish = wishes[what]
    if (!wish) throw new Error('no such wish')
    expect(decide({ ...base, state }, wish)).toMatchObject(
      typeof expected === 'string' ? { refused: expected } : expected,
    )
  })
})

describe('the vendor’s API', () => {
  test('asks for a token and a role at every endpoint but the sign-up', async () => {
    const pathOf = (e: VendorEndpoint) =>
      e.path.replaceAll('{license}', 'lic-00000000').replaceAll('{install}', INSTALL)
    const lines = Object.values<VendorEndpoint>(vendorHttp).filter((e) => e.roles !== 'open')
    for (const e of lines) expect((await vendor(null, e.method, pathOf(e))).status).toBe(401)
    for (const e of lines.filter((l) => l.roles !== 'reader'))
      expect((await vendor('reader', e.method, pathOf(e), {})).status).toBe(403)
    for (const e of lines.filter((l) => l.roles === 'manager'))
      expect((await vendor('support', e.method, pathOf(e), {})).status).toBe(403)
    expect((await vendor('reader', 'GET', '/v1/vendor/session')).body).toEqual({
      name: 'reader',
      role: 'reader',
    })
  })

  test('suspends, reinstates, extends, changes tier and revokes, and installs are told', async () => {
    const { license, key } = await issue()
    expect(await verdictOf(key)).toBe('VALID')
    const reason = { reason: 'unpaid since June' }
    expect((await vendor('support', 'POST', `${at(license)}/suspend`, reason)).body).toMatchObject({
      state: 'suspended',
    })
    expect(await verdictOf(key)).toBe('SUSPENDED')
    expect((await vendor('support', 'POST', `${at(license)}/suspend`, reason)).status).toBe(409)
    await vendor('manager', 'POST', `${at(license)}/reinstate`, reason)
    await vendor('manager', 'POST', `${at(license)}/tier`, { tier: 'enterprise' })
    expect(await readAnswer(await validate(requestOf(key)))).toMatchObject({
      verdict: 'VALID',
      tier: 'enterprise',
    })
    const sooner = await vendor('support', 'POST', `${at(license)}/extend`, {
      expiresAt: '2026-12-01T00:00:00Z',
    })
    expect(sooner).toMatchObject({ status: 400, body: { code: 'not-later' } })
    await vendor('manager', 'POST', `${at(license)}/revoke`, reason)
    expect(await verdictOf(key)).toBe('INVALID')
    const { body } = await vendor('reader', 'GET', `/v1/vendor/audit?license=${license}`)
    expect(body.items?.map((line) => line['action'])).toEqual([
      'revoke',
      'change-tier',
      'reinstate',
      'suspend',
      'issue',
    ])
    expect(body.items?.[0]).toMatchObject({
      by: 'anna',
      role: 'manager',
      detail: 'state active → revoked (unpaid since June)',
    })
  })

  test('gives a licence a new key, and the old one works until the overlap ends', async () => {
    const { license, key } = await issue()
    const { body } = await vendor('support', 'POST', `${at(license)}/rotate-key`, { overlapDays: 14 })
    expect(await verdictOf(String(body['key']))).toBe('VALID')
    expect(await verdictOf(key)).toBe('VALID')
    const again = await vendor('support', 'POST', `${at(license)}/rotate-key`, { overlapDays: 0 })
    expect(await verdictOf(String(again.body['key']))).toBe('VALID')
    expect(await verdictOf(String(body['key']))).toBe('INVALID')
    expect(await verdictOf(key)).toBe('INVALID')
  })

  test('makes a licence file for one install, signed as answers are, and takes a place for it', async () => {
    const { license } = await issue({ installs: 1 })
    const { status, body } = await vendor('support', 'POST', `${at(license)}/file`, { install: INSTALL })
    expect(status).toBe(200)
    const signed = SignedLicense.parse(body)
    expect(await isSigned(signed)).toBe(true)
    expect(FilePayload.parse(JSON.parse(signed.payload))).toMatchObject({
      license,
      install: INSTALL,
      tier: 'pro',
    })
    const other = await vendor('support', 'POST', `${at(license)}/file`, {
      install: INSTALL.replace(/7$/, '8'),
    })
    expect(other).toMatchObject({ status: 409, body: { code: 'no-install-left' } })
  })

  test('finds licences by customer, address, id and beginning of the key, page by page', async () => {
    const customer = `Søk %_${crypto.randomUUID().slice(0, 8)}`
    const made = []
    for (let i = 0; i < 5; i++)
      made.push(await issue({ customer: `${customer} ${i}`, contact: `p${i}@${customer.slice(-8)}.example` }))
    const search = async (text: string) =>
      (await vendor('reader', 'GET', `/v1/vendor/licenses?search=${encodeURIComponent(text)}`)).body
    expect((await search(customer))['total']).toBe(5)
    expect((await search(`p3@${customer.slice(-8)}`))['total']).toBe(1)
    expect((await search(made[2]?.license ?? ''))['total']).toBe(1)
    expect((await search(made[1]?.key.slice(0, 8) ?? ''))['total']).toBe(1)
    const seen: unknown[] = []
    let next: string | null = ''
    for (let page = 0; page < 5; page++) {
      const { body } = await vendor(
        'reader',
        'GET',
        `/v1/vendor/licenses?limit=2&search=${encodeURIComponent(customer)}${next === '' ? '' : `&after=${encodeURIComponent(next)}`}`,
      )
      seen.push(...(body.items ?? []).map((l) => l['license']))
      next = z.string().nullable().parse(body['next'])
      if (next === null) break
    }
    expect(seen).toEqual(made.map((m) => m.license).toReversed())
    expect((await vendor('reader', 'GET', '/v1/vendor/licenses?tier=gold')).body['code']).toBe('bad-query')
  })

  test('carries out a marked request once, however often it comes, and tells the same key again', async () => {
    const wish = { tier: 'pro', expiresAt: LATER, customer: `Once ${crypto.randomUUID()}` }
    const mark: string = crypto.randomUUID()
    const issueIt = (body: object, as: 'manager' | 'support' = 'manager', by = mark) =>
      vendor(as, 'POST', '/v1/vendor/licenses', body, by)
    const [first, second] = await Promise.all([issueIt(wish), issueIt(wish)])
    expect(first.status).toBe(200)
    expect(second.body).toEqual(first.body)
    expect((await issueIt(wish, 'manager', crypto.randomUUID())).body['key']).not.toBe(first.body['key'])
    // The same mark on another wish is a mistake, and no wish is carried out by it.
    expect(await issueIt({ ...wish, tier: 'starter' })).toMatchObject({
      status: 409,
      body: { code: 'mark-reused' },
    })
    expect((await issueIt(wish, 'manager', 'again')).body['code']).toBe('bad-header')
    const license = String(first.body['license'])
    expect(await verdictOf(String(first.body['key']))).toBe('VALID')

    const rotate = crypto.randomUUID()
    const rotateIt = () => vendor('support', 'POST', `${at(license)}/rotate-key`, { overlapDays: 14 }, rotate)
    const rotated = await rotateIt()
    expect(await rotateIt()).toEqual(rotated)
    expect(rotated.body['key']).not.toBe(first.body['key'])

    const suspend = crypto.randomUUID()
    const suspendIt = (by?: string) =>
      vendor('support', 'POST', `${at(license)}/suspend`, { reason: 'unpaid' }, by)
    expect((await suspendIt(suspend)).status).toBe(200)
    expect(await suspendIt(suspend)).toMatchObject({ status: 200, body: { state: 'suspended' } })
    expect((await suspendIt()).body['code']).toBe('already-suspended')
    const { body } = await vendor('reader', 'GET', `/v1/vendor/audit?license=${license}`)
    expect(body.items?.map((line) => line['action'])).toEqual(['suspend', 'rotate-key', 'issue'])
    // Neither the mark nor the key that came of it is stored.
    const stored = await runInDurableObject(env.REGISTRY.getByName(REGISTRY), (_, state) =>
      JSON.stringify(state.storage.sql.exec('select * from done').toArray()),
    )
    for (const text of [mark, rotate, String(first.body['key']).slice(9)]) expect(stored).not.toContain(text)
  })

  test('lists licences as they stand, those that end first before the others', async () => {
    const customer = `Standing ${crypto.randomUUID()}`
    const inDays = (n: number) => new Date(Date.now() + n * 86_400_000).toISOString()
    const made = []
    for (const days of [20, 400, 10]) made.push(await issue({ customer, expiresAt: inDays(days) }))
    await vendor('manager', 'POST', `${at(made[1]?.license ?? '')}/revoke`, { reason: 'returned' })
    const list = async (query: string) =>
      (await vendor('reader', 'GET', `/v1/vendor/licenses?search=${encodeURIComponent(customer)}&${query}`))
        .body
    const [first = '', , third = ''] = made.map((m) => m.license)
    const ids = (body: { items?: Record<string, unknown>[] }) => body.items?.map((l) => l['license'])
    const expiring = await list('standing=expiring&order=ends-first&limit=1')
    expect([ids(expiring), expiring['total']]).toEqual([[third], 2])
    const rest = await list(
      `standing=expiring&order=ends-first&limit=1&after=${encodeURIComponent(String(expiring['next']))}`,
    )
    expect(ids(rest)).toEqual([first])
    expect(ids(await list('standing=revoked'))).toEqual([made[1]?.license])
    expect(ids(await list('standing=active'))).toEqual([])
    expect((await list('after=nowhere')).items).toBeUndefined()
  })

  test('lists installs with whose they are, page by page, the silent and the outdated alone where asked', async () => {
    const { license } = await issue({ customer: 'Tailspin', installs: 9 })
    const install = (n: number) => `01890a5d-ac96-774b-bcce-0000000000${n.toString(16).padStart(2, '0')}`
    const hours = [0, 1, 60, 90, 2]
    for (const [n, ago] of hours.entries())
      await env.LICENSES.put(seenName(license, install(n)), '', {
        metadata: {
          a: Math.floor(Date.now() / 1000) - ago * 3600,
          v: n === 1 ? '0.1.0' : '0.2.0',
          c: null,
          l: 0,
        },
      })
    const list = async (query: string) =>
      (await vendor('reader', 'GET', `/v1/vendor/installs?license=${license}&${query}`)).body
    const ids = (body: { items?: Record<string, unknown>[] }) => body.items?.map((i) => i['install'])
    expect(ids(await list('silent=true'))).toEqual([install(2), install(3)])
    expect(ids(await list('version=0.1.0'))).toEqual([install(1)])
    const seen: unknown[] = []
    let after = ''
    for (let page = 0; page < 4; page++) {
      const body = await list(`silent=false&limit=2${after}`)
      seen.push(...(ids(body) ?? []))
      if (body['next'] === null) break
      after = `&after=${encodeURIComponent(z.string().parse(body['next']))}`
    }
    expect(seen).toEqual([install(0), install(1), install(4)])
    expect((await list('limit=1')).items).toMatchObject([{ customer: 'Tailspin', tier: 'pro' }])
    expect((await list('after=nowhere'))['code']).toBe('bad-place')
  })

  test('refuses what is wrong, and names the field', async () => {
    const issueWith = (body: object) => vendor('manager', 'POST', '/v1/vendor/licenses', body)
    expect((await issueWith({ tier: 'gold', expiresAt: LATER, customer: 'C' })).body['errors']).toMatchObject(
      [{ field: 'body.tier' }],
    )
    expect(
      (await issueWith({ tier: 'pro', expiresAt: '2020-01-01T00:00:00Z', customer: 'C' })).body['code'],
    ).toBe('already-over')
    expect((await vendor('reader', 'GET', at('lic-ffffffff'))).status).toBe(404)
  })
})

test('edits that race lose nothing, and KV ends at the last of them', async () => {
  let now = Date.now()
  const kv = new ForgetfulKv(() => now)
  const digest = await digestOf('a key of this test')
  await runInDurableObject(env.REGISTRY.getByName('racing'), async (_, state) => {
    // Its alarm would wake the object that runs here, with the real KV; it is rung by hand below.
    Object.assign(state.storage, { setAlarm: () => Promise.resolve() })
    const registry = new Registry(state, { ...env, LICENSES: kv })
    const license: License = {
      license: 'lic-0000race',
      tier: 'starter',
      state: 'active',
      expiresAt: '2027-01-01T00:00:00.000Z',
      installs: 1,
      trial: false,
      customer: null,
      contact: null,
      issuedAt: BY.at,
    }
    await registry.issue(BY, license, { digest, prefix: 'ATT-0000' })
    // KV keeps refusing for a second of its own clock, which stands still: what is pending stays pending.
    const years = Array.from({ length: 3 }, (_, i) => `20${30 + i}-01-01T00:00:00.000Z`)
    await Promise.all(
      years.map((expiresAt) => registry.change(BY, license.license, { do: 'extend', expiresAt }, null)),
    )
    expect(kv.fresh(recordName(digest))).toMatchObject({ expiresAt: '2027-01-01T00:00:00.000Z' })
    expect(registry.read(license.license)?.row.expiresAt).toBe(years.at(-1))
    expect(registry.audit({ license: license.license, limit: 100 })).toHaveLength(4)
    now += 5000
    await registry.alarm()
    expect(kv.fresh(recordName(digest))).toMatchObject({ expiresAt: years.at(-1) })
  })
})
