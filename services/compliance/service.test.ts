import type { EventOf, EventType, Fact } from '@attestry/contracts'
import type { Finding } from '@attestry/contracts/http'
import type { Host, Service } from '@attestry/kit'
import { guardOf, runningClock, testHost, type TestHost } from '@attestry/kit/testing'
import { afterEach, describe, expect, test } from 'vitest'
import {
  application,
  apps,
  credential,
  ENVIRONMENT,
  happened,
  id,
  inDays,
  NOW,
  policy,
  scanEnded,
  scanned,
  secret,
  unreachable,
  uses,
  VAULT,
} from './for-tests.ts'
import { complianceService } from './service.ts'

/** Stands for the services whose facts are judged: it only appends. */
const producer = (name: string) => ({
  name,
  make: (): Service => ({
    name,
    schema: new URL('../kit/schema-for-tests/', import.meta.url),
    fetch: () => new Response(null, { status: 404 }),
    commands: [],
    reactions: [],
    views: [],
    schedules: [],
  }),
})

const guard = guardOf(['viewer'])
let open: TestHost | null = null
afterEach(async () => {
  await open?.[Symbol.asyncDispose]()
  open = null
})

const beginning = () => runningClock(Temporal.Instant.fromEpochMilliseconds(NOW))
let clock = beginning()

async function hosting() {
  clock = beginning()
  open = await testHost({
    services: [
      producer('discovery'),
      producer('rotation'),
      { name: 'compliance', make: (host: Host) => complianceService(host, guard) },
    ],
    clock,
    sweepMs: 30,
  })
  const t = open
  let scans = 0
  const append = async (...events: EventOf[]) => {
    for (const { type, data } of events) {
      const fact = { type, data, env: ENVIRONMENT } as unknown as Fact // an event's type and data are a fact's
      const [context = ''] = type.split('.')
      const appended = await t.host(context).append('acme', {
        stream: 'test-0001',
        expected: 'any',
        facts: [fact],
        by: { kind: 'service', id: 'test' },
        cause: { correlation: 'c', causation: 'c' },
      })
      expect(appended.ok).toBe(true)
    }
  }
  return {
    t,
    append,
    /** A scan that sees these things and ends, and everything that follows from it. */
    scan: async (...events: EventOf[]) => {
      scans += 1
      const end = scanEnded()
      await append(...events, { ...end, data: { ...end.data, scan: id('scan', `n${scans}`) } })
      await t.settle()
    },
    get: async <T>(path: string): Promise<T> => {
      const response = await t.service('compliance').fetch(new Request(`http://local/api/compliance/${path}`))
      expect(response.status).toBe(200)
      return (await response.json()) as T // the shape is checked by the contract on the way out
    },
    events: async (type: EventType) => {
      const rows = await t
        .host('compliance')
        .tx('acme', (tx) => tx.rows<{ evaluation: string }>('select evaluation from evaluation order by seq'))
      const streams = await Promise.all(rows.map((r) => t.host('compliance').stream('acme', r.evaluation)))
      return streams.flat().filter((e) => e.type === type)
    },
  }
}

interface Page {
  readonly items: readonly Finding[]
  readonly next: string | null
  readonly total: number
}
interface Score {
  readonly current: { score: number | null; coverage: number; rating: string; scan: string | null } | null
  readonly trend: readonly unknown[]
  readonly moved: { opened: number; resolved: number; reopened: number; rulesChanged: boolean }
  readonly open: readonly { severity: string; count: number }[]
  readonly pending: boolean
}

const having = (more: Parameters<typeof secret>[1] = {}) => scanned([secret('billing-db-password', more)])

describe('the compliance service', () => {
  test('judges what a scan found, and shows the score, the finding and why', async () => {
    const { scan, get, events } = await hosting()
    const nothing = await get<Score>('score')
    expect(nothing).toMatchObject({ current: null, trend: [], open: [] })

    await scan(having({ expires: inDays(3, 3_600_000) }), uses())

    const score = await get<Score>('score')
    expect(score.current).toMatchObject({ scan: id('scan', 'n1') })
    expect(score.current?.score).toBeGreaterThan(0)
    expect(score.current?.score).toBeLessThan(100)
    expect(score.pending).toBe(false)
    expect(score.open).toEqual([
      { severity: 'critical', count: 1 },
      { severity: 'high', count: 1 },
      { severity: 'medium', count: 1 },
    ])
    // The findings are told once, by the scan's evaluation or by one that a change caused just before.
    const told = await events('compliance.findings-changed')
    expect(told).toMatchObject([{ data: { opened: [{}, {}, {}], reopened: [], resolved: [] } }])
    expect(score.moved).toMatchObject({ resolved: 0, reopened: 0, rulesChanged: false })

    const { items, total } = await get<Page>('findings')
    expect(total).toBe(3)
    expect(items.map((f) => f.rule)).toEqual(['P002', 'P003', 'VM003'])
    expect(items[0]).toMatchObject({
      severity: 'critical',
      subjectKind: 'secret',
      subjectName: 'billing-db-password',
      holderName: 'payments',
      reason: 'It expires on 2026-06-04 13:00 UTC, in 3 days.',
      state: 'open',
      stale: false,
      reopened: 0,
    })
    // A place that the list never gave begins at its start.
    const never = [
      [99_999, '2026-01-01T00:00:00Z', 'finding-0001'],
      [1, '-000001-01-01T00:00:00Z', 'finding-0001'],
      [1, '2026-01-01T00:00:00Z', 'finding\0'],
    ]
    for (const place of never)
      expect(
        (await get<Page>(`findings?after=${Buffer.from(JSON.stringify(place)).toString('base64url')}`)).items,
      ).toHaveLength(3)
  })

  test('resolves and reopens findings, and keeps the one that cannot be read as stale', async () => {
    const { scan, get } = await hosting()
    const expiring = having({ expires: null })
    await scan(expiring)
    await scan(having())
    const resolved = await get<Page>('findings?state=resolved&rule=P001')
    expect(resolved.items).toMatchObject([{ state: 'resolved', because: 'passed' }])
    expect(resolved.items[0]?.reason).toMatch(/^It passed on /)

    await scan(expiring)
    expect((await get<Page>('findings?rule=P001')).items).toMatchObject([{ state: 'open', reopened: 1 }])

    await scan(unreachable('firewall'))
    expect((await get<Page>('findings?rule=P001')).items).toMatchObject([
      {
        state: 'open',
        stale: true,
        reason: 'Vault payments cannot be read: its firewall turns the scanner away.',
      },
    ])
    expect((await get<Page>('findings?rule=P005')).items).toMatchObject([{ subjectName: 'payments' }])

    const lost = { vault: VAULT, facts: null, found: [], changed: [], lost: [secret().asset] }
    await scan(happened('discovery.vault-scanned', lost))
    expect((await get<Page>('findings?rule=P001&state=all')).items).toMatchObject([
      { state: 'resolved', because: 'asset-removed', subjectName: 'billing-db-password' },
    ])
  })

  test('an unchanged estate adds one evaluation a scan and no findings', async () => {
    const { scan, events } = await hosting()
    await scan(having({ expires: null }))
    const before = (await events('compliance.evaluation-completed')).length
    await scan()
    expect(await events('compliance.evaluation-completed')).toHaveLength(before + 1)
    expect(await events('compliance.findings-changed')).toHaveLength(1)
    expect(await events('compliance.ruleset-adopted')).toHaveLength(1)
    expect(await events('compliance.frameworks-adopted')).toHaveLength(1)
  })

  test('a change between scans is judged soon, facts of rotation too', async () => {
    const { t, append, scan, get } = await hosting()
    await scan(apps(application('shop', [credential('shop')])))
    expect((await get<Page>('findings?rule=P009')).items).toMatchObject([
      { subjectName: 'shop', holderName: 'shop', subjectKind: 'app-secret' },
    ])
    await append(policy(id('app-secret', 'shop'), { targetVault: null }))
    // Changes are gathered for a moment before they are judged.
    const openOfP009 = async () => {
      await t.settle()
      return (await get<Page>('findings?rule=P009')).total
    }
    await expect.poll(openOfP009).toBe(0)
    expect((await get<Page>('findings?rule=P013')).items).toMatchObject([
      { reason: 'It names no target vault.', subjectName: 'shop', holderName: 'shop' },
    ])
    expect((await get<Score>('score')).current?.scan).toBeNull()
  })

  test('time alone opens a finding within the hour, and an hour without news adds nothing', async () => {
    const { t, scan, get, events } = await hosting()
    await scan(having({ expires: new Date(clock.now().epochMilliseconds + 8 * 86_400_000).toISOString() }))
    expect((await get<Page>('findings?rule=P002')).total).toBe(0)
    const hourly = t.service('compliance').schedules[0]
    const ring = async () => {
      const host = t.host('compliance')
      await host.tx('acme', async (tx) => host.send(tx, (await hourly?.due(clock.now(), tx)) ?? []))
      await t.settle()
    }
    const before = (await events('compliance.evaluation-completed')).length
    clock.advance({ hours: 1 })
    await ring()
    expect(await events('compliance.evaluation-completed')).toHaveLength(before)
    clock.advance({ hours: 25 })
    await ring()
    expect((await get<Page>('findings?rule=P002')).total).toBe(1)
    expect(await events('compliance.evaluation-completed')).toHaveLength(before + 1)
  })

  test('pages findings worst first without losing or doubling one', async () => {
    const { scan, get } = await hosting()
    const many = Array.from({ length: 90 }, (_, i) =>
      secret(`billing-${i}-pw`, { expires: i % 2 ? null : inDays(-1) }),
    )
    await scan(scanned(many))
    const seen: Finding[] = []
    let after = ''
    for (let page = 0; page < 20; page++) {
      const { items, next, total } = await get<Page>(`findings?limit=17${after}`)
      expect(total).toBe(180)
      seen.push(...items)
      if (next === null) break
      after = `&after=${next}`
    }
    expect(new Set(seen.map((f) => f.finding)).size).toBe(180)
    const ranks = seen.map((f) => ['critical', 'high', 'medium', 'low'].indexOf(f.severity))
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b))
    expect((await get<Page>('findings?search=billing-7-')).items.map((f) => f.rule)).toEqual([
      'P001',
      'VM003',
    ])
    expect((await get<Page>('findings?severity=critical')).total).toBe(45)
    expect((await get<Page>('findings?search=%25')).total).toBe(0)
  })

  test('shows rules with controls and results, and frameworks with verdicts and what the customer owes', async () => {
    const { scan, get } = await hosting()
    await scan(having({ expires: null }))
    const { items: rules } = await get<{
      items: { rule: string; class: string; controls: unknown[]; result: object }[]
    }>('rules')
    expect(rules).toHaveLength(40)
    expect(rules.find((r) => r.rule === 'P001')).toMatchObject({
      class: 'framework',
      controls: expect.arrayContaining([
        {
          framework: 'cis-azure-2.0.0',
          control: '8.1',
          published: ['8.3 (RBAC vaults)', '8.4 (non-RBAC vaults)'],
        },
      ]),
      result: { verdict: 'fail', population: 1, failed: 1 },
    })
    const { items: frameworks } = await get<{
      items: { framework: string; controls: { control: string }[] }[]
    }>('frameworks')
    expect(frameworks).toHaveLength(7)
    const controls = frameworks.flatMap((f) => f.controls)
    expect(controls).toHaveLength(46)
    expect(controls.find((c) => c.control === '8.1')).toMatchObject({ verdict: 'fail', failed: 1 })
    expect(controls.find((c) => c.control === 'LT-3')).toMatchObject({
      verdict: 'not-applicable',
      coverage: 'customer',
      customerAction: expect.stringContaining('diagnostic settings'),
    })
  })

  test('keeps names and reasons out of the ledger’s envelopes', async () => {
    const { t, scan } = await hosting()
    await scan(having({ expires: null }))
    const rows = await t
      .host('compliance')
      .tx('acme', (tx) =>
        tx.rows<{ envelope: string; private: string | null }>(
          `select envelope::text as envelope, private::text as private from ledger.event where envelope::text like '%"compliance.%'`,
        ),
      )
    expect(rows.length).toBeGreaterThan(0)
    for (const row of rows) {
      expect(row.envelope).not.toContain('billing-db-password')
      expect(row.private).toBeNull()
    }
  })
})
