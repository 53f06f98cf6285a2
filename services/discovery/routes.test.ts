import { AssetDetail, discoveryHttp, EnvironmentRow, ScanRow } from '@attestry/contracts/http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { generatedEstate } from '@attestry/twin'
import { type Discovered, discovered, of } from './for-tests.ts'

const Assets = discoveryHttp.listAssets.reply
const Vaults = discoveryHttp.listVaults.reply
const Summary = discoveryHttp.summariseAssets.reply

type Row = { readonly expires: string | null; readonly enabled: boolean }

/** Whether something is still good and ends within so many days. */
const within = ({ expires }: Row, days: number): boolean => {
  const left = expires === null ? -1 : Date.parse(expires) - Date.now()
  return left > 0 && left < days * 86_400_000
}

describe('the first run', () => {
  test('connects a demonstration and scans it, once, however often the product starts', async () => {
    await using d = await discovered({ autoConnect: true })
    await d.test.settle()
    const { body } = await d.call('GET', '/environments')
    const { items } = z.object({ items: z.array(EnvironmentRow) }).parse(body)
    expect(items).toMatchObject([
      { name: 'contoso demonstration', lastScan: { state: 'completed', trigger: 'first-run' } },
    ])
    await d.test.running.services.get('discovery')?.start?.()
    await d.test.settle()
    expect(of(await d.events(), 'discovery.scan-started')).toHaveLength(1)
  })
})

describe('scans page by page', () => {
  test('shows each once, newest first', async () => {
    await using d = await discovered({
      estate: generatedEstate({ vaults: 1, secrets: 1, keys: 0, certificates: 0, now: Date.now() }),
    })
    const environment = await d.connect()
    const scans: string[] = []
    for (let n = 0; n < 3; n++) scans.unshift(await d.scan(environment))
    const page = async (query: string) =>
      discoveryHttp.listScans.reply.parse((await d.call('GET', `/scans?${query}`)).body)
    const first = await page('limit=2')
    const second = await page(`limit=2&after=${first.next}`)
    expect(first.total).toBe(3)
    expect([...first.items, ...second.items].map(({ scan }) => scan)).toEqual(scans)
    expect(second.next).toBeNull()
  })
})

test('an environment has a name: blanks are refused by the field', async () => {
  await using d = await discovered()
  expect(await d.call('POST', '/environments', { name: '   ' })).toMatchObject({
    status: 400,
    body: { code: 'bad-body', errors: [{ field: 'body.name' }] },
  })
})

describe('a licence that admits two subscriptions', () => {
  test('refuses a wider scope and a scan beyond it, and touches nothing that is there', async () => {
    // Contoso has four.
    let most: number | null = null
    await using d = await discovered({ subscriptionLimit: () => Promise.resolve(most) })
    const environment = await d.connect()
    await d.scan(environment)
    most = 2
    expect(await d.call('POST', '/scans', { environment })).toMatchObject({
      status: 403,
      body: { code: 'too-many-subscriptions', detail: expect.stringContaining('cover 4') },
    })
    expect(await d.call('GET', '/vaults')).toMatchObject({ status: 200 })
    const subscriptions = d.twin.estate.subscriptions.map(({ id }) => id)
    const revise = (count: number) =>
      d.call('PUT', `/environments/${environment}`, {
        subscriptions: subscriptions.slice(0, count),
        settingsScan: false,
        everyHours: null,
      })
    expect(await revise(3)).toMatchObject({ status: 403, body: { code: 'too-many-subscriptions' } })
    expect((await revise(2)).status).toBe(204)
    await d.test.settle()
    const wish = { name: 'another', subscriptions: subscriptions.slice(2, 3) }
    expect(await d.call('POST', '/environments', wish)).toMatchObject({
      status: 403,
      body: { errors: [{ field: 'body.subscriptions', message: 'at most 0 here' }] },
    })
    await d.scan(environment)
  })
})

describe('the HTTP face of discovery', () => {
  let d: Discovered
  let environment: string
  const assets = async (query = '') => Assets.parse((await d.call('GET', `/assets${query}`)).body)

  beforeAll(async () => {
    d = await discovered()
    environment = await d.connect({ settingsScan: true, everyHours: 6 })
    await d.scan(environment)
  })
  afterAll(() => d[Symbol.asyncDispose]())

  test('connects a name once, tests the connection, and revises it', async () => {
    expect(await d.call('POST', '/environments', { name: 'CONTOSO' })).toMatchObject({
      status: 409,
      body: { code: 'name-taken', errors: [{ field: 'body.name' }] },
    })
    expect(await d.call('POST', `/environments/${environment}/test`)).toMatchObject({
      status: 200,
      body: { ok: true, subscriptions: 4, problem: null },
    })
    const wish = { subscriptions: [], settingsScan: true, everyHours: 12 }
    expect((await d.call('PUT', `/environments/${environment}`, wish)).status).toBe(204)
    expect((await d.call('PUT', '/environments/environment-none0000', wish)).status).toBe(404)
    await d.test.settle()
    expect(await d.call('GET', '/environments')).toMatchObject({
      body: { items: [{ environment, everyHours: 12, lastScan: { state: 'completed' } }] },
    })
  })

  test('says where a scan is, and streams it to its end', async () => {
    const { items } = discoveryHttp.listScans.reply.parse((await d.call('GET', '/scans')).body)
    const [row] = items
    expect(row?.progress).toMatchObject({ phase: 'done', vaultsDone: 14, vaultsTotal: 14 })
    expect(row?.unreachable.map(({ name, why }) => `${name} ${why}`).toSorted()).toEqual([
      'kv-data-ingest firewall',
      'kv-hr-restricted forbidden',
    ])
    const response = await d.test
      .service('discovery')
      .fetch(new Request(`http://localhost/api/discovery/scans/${row?.scan}/progress`))
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const data = (await response.text()).split('\n').find((line) => line.startsWith('data: '))
    expect(ScanRow.parse(JSON.parse(data?.slice(6) ?? '')).state).toBe('completed')
    expect((await d.call('GET', '/scans/scan-none0000')).status).toBe(404)
  })

  test.each(['name', 'expires', 'updated', 'holder'] as const)(
    'pages by %s both ways and shows each once',
    async (sort) => {
      const all = await assets(`?limit=1000&sort=${sort}`)
      expect(all.items).toHaveLength(all.total)
      for (const order of ['asc', 'desc']) {
        const seen: string[] = []
        let after = ''
        for (let turn = 0; turn < 30; turn++) {
          const page = await assets(`?limit=23&sort=${sort}&order=${order}${after}`)
          seen.push(...page.items.map(({ asset }) => asset))
          if (page.next === null) break
          after = `&after=${encodeURIComponent(page.next)}`
        }
        const expected = all.items.map(({ asset }) => asset)
        expect(seen).toEqual(order === 'asc' ? expected : expected.toReversed())
      }
    },
  )

  test('begins at the start with a cursor that is none of ours, or of another sort', async () => {
    const first = await assets('?limit=3&sort=expires')
    const { next } = await assets('?limit=3&sort=name')
    for (const after of ['rubbish', Buffer.from('["x\'; drop","y"]').toString('base64url'), next ?? ''])
      expect((await assets(`?limit=3&sort=expires&after=${after}`)).items).toEqual(first.items)
    expect((await d.call('GET', `/scans?after=${next}`)).status).toBe(200)
  })

  test('filters by kind, vault, state and part of a name', async () => {
    const keys = await assets('?kind=key&limit=1000')
    expect(keys.items.every(({ kind }) => kind === 'key')).toBe(true)
    const holder = keys.items[0]?.holder ?? ''
    const held = await assets(`?holder=${holder}&limit=1000`)
    expect(new Set(held.items.map((row) => row.holder))).toEqual(new Set([holder]))
    const found = await assets('?search=GATEWAY-API')
    expect(found.items.map(({ name }) => name)).toContain('acquirer-gateway-api-key')
    expect((await assets('?search=%25')).total).toBe(0)
    const expired = await assets('?state=expired&limit=1000')
    expect(expired.items.map(({ name }) => name)).toContain('fraud-score-token')
    expect(expired.items.every(({ expires }) => expires !== null && Date.parse(expires) <= Date.now())).toBe(
      true,
    )
    const apps = await assets('?kind=app-secret&limit=1000')
    expect(apps.items.map(({ holderName }) => holderName)).toContain('contoso-terraform')
    expect((await d.call('GET', '/assets?limit=5000')).status).toBe(400)
  })

  test('shows an asset with who uses it and its history', async () => {
    const { items } = await assets('?search=card-vault-hmac')
    const row = items.find(({ dependents }) => dependents > 0)
    const { body } = await d.call('GET', `/assets/${row?.asset}`)
    const detail = AssetDetail.parse(body)
    expect(detail.history.map(({ what }) => what)).toEqual(['found'])
    expect(detail.item?.name).toBe('card-vault-hmac')
    expect(detail.usedBy.map(({ facts, edge }) => `${facts.name} ${edge.setting}`)).toEqual([
      'app-payments-api CARD_VAULT_HMAC',
    ])
    expect((await d.call('GET', '/assets/secret-none0000')).status).toBe(404)
  })

  test('takes the word of a person on a dependency, once', async () => {
    const guess = of(await d.events(), 'discovery.resource-scanned')
      .flatMap(({ data }) => data.found)
      .find(({ via }) => via === 'name')
    const path = `/edges/${guess?.edge}/verdict`
    expect((await d.call('POST', path, { verdict: 'confirmed', reason: 'asked the team' })).status).toBe(204)
    expect(await d.call('POST', path, { verdict: 'confirmed' })).toMatchObject({
      status: 409,
      body: { code: 'already-judged' },
    })
    expect((await d.call('POST', path, { verdict: 'rejected' })).status).toBe(204)
    expect((await d.call('POST', '/edges/edge-none0000/verdict', { verdict: 'rejected' })).status).toBe(404)
    await d.test.settle()
    const verdicts = of(await d.events(), 'discovery.edge-confirmed')
    expect(verdicts).toMatchObject([{ by: { reason: 'asked the team' } }])
    // A verdict moves the resource's stream; the next scan knows that and writes nothing about it.
    const before = (await d.events()).at(-1)?.seq ?? 0
    await d.scan(environment)
    expect((await d.events()).filter(({ seq }) => seq > before)).toHaveLength(2)
  })

  test('lists vaults with what they hold, and settings in plain sight by name only', async () => {
    const vaults = Vaults.parse((await d.call('GET', '/vaults?limit=5')).body)
    expect(vaults).toMatchObject({ total: 14 })
    expect(vaults.items.map(({ facts }) => facts.name)).toEqual(
      d.twin.estate.vaults
        .map(({ name }) => name)
        .toSorted()
        .slice(0, 5),
    )
    expect(vaults.items.find(({ facts }) => facts.name === 'kv-data-ingest')?.unreachable).toBe('firewall')
    const plain = discoveryHttp.listHardCoded.reply.parse((await d.call('GET', '/hard-coded')).body)
    expect(plain.items.map(({ name }) => name)).toContain('STRIPE_SECRET_KEY')
    expect(plain.items.find(({ name }) => name === 'STRIPE_SECRET_KEY')?.resourceName).toBe(
      'app-checkout-legacy',
    )
  })

  test.each([
    ['expired', (row: Row) => row.expires !== null && Date.parse(row.expires) <= Date.now()],
    ['expires-7d', (row: Row) => within(row, 7)],
    ['expires-30d', (row: Row) => within(row, 30)],
    ['no-expiry', (row: Row) => row.expires === null],
    ['disabled', (row: Row) => !row.enabled],
  ])('lists what is %s, alone and beside other filters', async (state, holds) => {
    const { items, total } = await assets(`?state=${state}&limit=1000`)
    expect(total).toBeGreaterThan(0)
    expect(items.filter((row) => !holds(row))).toEqual([])
    const [one] = items
    const narrowed = await assets(
      `?state=${state}&kind=${one?.kind}&holder=${one?.holder}&search=${one?.name}`,
    )
    expect(narrowed.items.map(({ asset }) => asset)).toContain(one?.asset)
  })

  test('summarises by kind, state and day', async () => {
    const summary = Summary.parse((await d.call('GET', '/summary')).body)
    expect(summary).toMatchObject({ vaults: 14, unreachable: 2, applications: 26, resources: 15 })
    expect(summary.kinds.map(({ kind }) => kind)).toEqual([
      'app-certificate',
      'app-secret',
      'certificate',
      'key',
      'secret',
    ])
    const count = (state: string) => summary.states.find((one) => one.state === state)?.count ?? 0
    expect(count('expires-30d')).toBeGreaterThanOrEqual(count('expires-7d'))
    expect(count('expired')).toBeGreaterThan(0)
    expect(summary.expiries.every(({ day }) => /^\d{4}-\d\d-\d\d$/.test(day))).toBe(true)
  })

  test('scans on schedule: a missed one runs once', async () => {
    const host = d.test.host('discovery')
    const schedule = d.test.service('discovery').schedules.find(({ name }) => name === 'scans')
    const due = (at: Temporal.Instant) =>
      host.tx('acme', async (tx) => {
        const sends = (await schedule?.due(at, tx)) ?? []
        await host.send(tx, sends)
        return sends.length
      })
    const now = Temporal.Now.instant()
    expect(await due(now)).toBe(0)
    // Two days were missed, and one scan makes up for them.
    const later = now.add({ hours: 48 })
    expect(await due(later)).toBe(1)
    expect(await due(later)).toBe(0)
    await d.test.settle()
    // The clock had jumped, and is set right: what it did then counts as done at its time, and the next one comes.
    await due(now.add({ hours: 13 }))
    expect(await due(now.add({ hours: 13 }))).toBe(0)
    const before = of(await d.events(), 'discovery.scan-started').length
    expect(await due(now.add({ hours: 26 }))).toBe(1)
    await d.test.settle()
    const started = of(await d.events(), 'discovery.scan-started')
    expect(started).toHaveLength(before + 1)
    expect(started.at(-1)?.data.trigger).toBe('schedule')
  })

  test('disconnects, and scans no more', async () => {
    expect((await d.call('DELETE', `/environments/${environment}`)).status).toBe(204)
    expect((await d.call('DELETE', `/environments/${environment}`)).status).toBe(404)
    expect((await d.call('POST', '/scans', { environment })).status).toBe(404)
    await d.test.settle()
    expect(await d.call('GET', '/environments')).toMatchObject({ body: { items: [] } })
  })
})
