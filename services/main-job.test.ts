import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ReportType } from '@attestry/contracts'
import { complianceHttp, discoveryHttp, evidenceHttp, gatewayHttp } from '@attestry/contracts/http'
import { sha256, verifyLedger } from '@attestry/kit/ledger'
import { connect, rows, transaction } from '@attestry/kit/postgres'
import { losingBus } from '@attestry/kit/testing'
import { unzipSync } from 'fflate'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from './cli/client.ts'
import { textOfPdf } from './evidence/pdf-text.fixture.ts'
import { verifyBundle } from './evidence/verify.ts'
import { unprotectedTables } from './kit/migrate.ts'
import { SERVICES } from './process.ts'
import { bringUp, judged, PASSWORD, readUp, scanned, type Stage, until } from './stage.ts'
import { type RunningCloud, seededEstate, startCloud } from './twin/index.ts'
import { seeded } from './twin/servicebus/faults.ts'
import { createTsa, type Tsa } from './twin/tsa/index.ts'

/*
 * The main job with everything real but the clouds: all services on Postgres, the bus through the unmodified SDK,
 * Azure through its unmodified SDKs, an RFC 3161 authority. The identity library keeps one managed-identity
 * endpoint a process, so one twin serves every test of this file.
 */

let cloud: RunningCloud
let tsa: Tsa
beforeAll(async () => {
  tsa = await createTsa({ clock: () => new Date(), random: (n) => new Uint8Array(randomBytes(n)) })
  cloud = await startCloud({ estate: seededEstate(Date.now()), tsa })
  process.env['IDENTITY_ENDPOINT'] = cloud.identityEndpoint
  process.env['IDENTITY_HEADER'] = cloud.identityHeader
})
afterAll(() => cloud.stop())

const lossy = (drop: number, duplicate: number, reorder: number) => ({
  drop,
  duplicate,
  reorder,
  random: seeded(7),
})

let stage: Stage | null = null
afterEach(async () => {
  await stage?.[Symbol.asyncDispose]()
  stage = null
})

/** The findings of the undisturbed job, once it was done: a disturbed one must end with the same. */
let undisturbed: readonly { severity: string }[] | null = null

async function evidenceOf(
  api: Client,
  reports: readonly ReportType[],
  vaults: readonly string[] = [],
): Promise<{ bundle: string; zip: Uint8Array }> {
  const { token } = await api.call(gatewayHttp.reauthenticate, { body: { password: PASSWORD } })
  if (token) api.token = token
  const to = new Date()
  const { bundle } = await api.call(evidenceHttp.requestBundle, {
    body: {
      reports: [...reports],
      from: new Date(to.getTime() - 3_600_000).toISOString(),
      to: to.toISOString(),
      ...(vaults.length > 0 ? { scope: { subscriptions: [], vaults: [...vaults], tags: [] } } : {}),
    },
  })
  await until(async () => {
    const row = await api.call(evidenceHttp.readBundle, { params: { bundle } })
    if (row.state === 'failed') throw new Error(row.problem ?? 'the bundle failed')
    return row.state === 'sealed' ? row : null
  })
  const response = await api.call(evidenceHttp.downloadBundle, { params: { bundle } })
  return { bundle, zip: new Uint8Array(await response.arrayBuffer()) }
}

/** The whole job, from an empty install to a bundle that verifies. */
async function wholeJob(s: Stage, reports: readonly ReportType[] = ['operator-audit-log']) {
  const scan = await scanned(s.api)
  await judged(s.api)
  await readUp(s.api)
  const { current, open } = await judged(s.api)
  const { zip } = await evidenceOf(s.api, reports)
  const keys = await s.api.call(evidenceHttp.readKeys)
  const verdict = await verifyBundle(zip, {
    signerPublicKeyPem: keys.signer.pem,
    tsaRootsPem: tsa.rootPem,
    now: new Date(),
    sha256,
  })
  expect(verdict.checks.filter((c) => c.ok === false)).toEqual([])
  expect(verdict.ok && verdict.timestamped).toBe(true)
  return { scan, current, open, zip }
}

/** Forced row-level security on every table there is, and no service sees a row of a tenant that has none. */
async function keepsTenantsApart(s: Stage): Promise<void> {
  const pool = connect({ url: s.databaseUrl, max: 2 })
  try {
    expect(await unprotectedTables(pool)).toEqual([])
    const { rows: tables } = await pool.query<{ schema: string; name: string }>(
      'select schemaname as schema, tablename as name from pg_tables where schemaname = any ($1)',
      [['ledger', ...SERVICES]],
    )
    const seen = []
    // Who migrated what is read by the owner alone, and leases and cursors of the relay by the kit.
    for (const { schema, name } of tables)
      for (const role of schema !== 'ledger' ? [schema] : /^(event|head|tenant)$/.test(name) ? SERVICES : [])
        for (const [tenant, finds] of [
          ['nobody', 0],
          ['default', 1],
        ] as const) {
          const found = await transaction(pool, { role: `attestry_${role}`, tenant }, (client) =>
            rows(client, `select from ${schema}.${name} limit 1`),
          )
          // Of a service's own tables some are empty still.
          if (schema === 'ledger' ? found.length !== finds : found.length > finds)
            seen.push(`${role} as ${tenant}: ${found.length} of ${schema}.${name}`)
        }
    expect(tables.length).toBeGreaterThan(30)
    expect(seen).toEqual([])
  } finally {
    await pool.end()
  }
}

/** The chain verifies; then a superuser changes one event, and the walk names it. */
async function tamperedIsFound(s: Stage): Promise<void> {
  const pool = connect({ url: s.databaseUrl, max: 2 })
  try {
    expect(await verifyLedger(pool, { tenant: 'default' })).toMatchObject({ ok: true })
    const { rows } = await pool.query<{ seq: number }>(
      `select seq from ledger.event where type = 'discovery.scan-completed'`,
    )
    await pool.query('alter table ledger.event disable trigger all')
    await pool.query(
      `update ledger.event set envelope = replace(envelope, '"forbidden"', '"throttled"') where seq = $1`,
      [rows[0]?.seq],
    )
    expect(await verifyLedger(pool, { tenant: 'default' })).toMatchObject({ ok: false, seq: rows[0]?.seq })
  } finally {
    await pool.end()
  }
}

/** A sealed bundle of one vault: in none of its files, nor inside a PDF, stands the name of another. */
async function narrowedNamesNoOther(s: Stage): Promise<void> {
  const { items } = await s.api.call(discoveryHttp.listVaults, { query: { limit: '200' } })
  const names = items.map(({ facts }) => facts.name)
  // A name that is part of another one could not be told from it.
  const apart = items.filter(({ facts }) => names.filter((name) => name.includes(facts.name)).length === 1)
  const [only, ...others] = apart
  if (!only) throw new Error('the estate has no vaults')
  const { zip } = await evidenceOf(
    s.api,
    ['vault-posture', 'asset-inventory', 'rule-violations'],
    [only.vault],
  )
  const texts = Object.entries(unzipSync(zip)).map(([path, bytes]) => ({
    path,
    text: path.endsWith('.pdf') ? textOfPdf(bytes) : new TextDecoder().decode(bytes),
  }))
  expect(texts.filter(({ text }) => text.includes(only.facts.name)).map(({ path }) => path)).not.toEqual([])
  expect(others.length).toBeGreaterThan(8)
  const leaks = others.flatMap(({ facts: { name } }) =>
    texts.filter(({ text }) => text.includes(name)).map(({ path }) => `${name} in ${path}`),
  )
  expect(leaks).toEqual([])
}

/** By the product's own rules the estate fails all whose facts a scan brings, and the clean one passes them. */
async function failsNearlyEveryRule(s: Stage): Promise<void> {
  const { items } = await s.api.call(complianceHttp.listRules)
  const others = items.filter(
    ({ rule, family, result }) =>
      result?.verdict !== 'fail' && family !== 'rotation' && family !== 'sync' && rule !== 'VM004',
  )
  // X.509 has no certificate without an end. All references lead to vaults that are known: what else fails in the
  // demonstration is all the rest, and a score of nought would look like none. Both fail from given facts.
  expect(others.map(({ rule, result }) => `${rule} ${result?.verdict}`)).toEqual([
    'C001 unknown',
    'VM001 pass',
  ])
}

/** A framework's results as OSCAL, by the export that needs no bundle. */
async function exportsOscal(s: Stage): Promise<void> {
  const to = new Date()
  const response = await s.api.call(evidenceHttp.exportReport, {
    params: { report: 'rule-violations' },
    query: {
      from: new Date(to.getTime() - 3_600_000).toISOString(),
      to: to.toISOString(),
      format: 'oscal',
      framework: 'soc2-2017',
    },
  })
  const { 'assessment-results': results } = await response.json()
  expect(results.metadata['oscal-version']).toBe('1.2.1')
  const states = results.results[0].findings.map(
    (f: { target: { status: { state: string } } }) => f.target.status.state,
  )
  // The estate trips every rule: no objective of the framework is met.
  expect(states.length).toBeGreaterThan(3)
  expect(new Set(states)).toEqual(new Set(['not-satisfied']))
}

// Each test brings a whole install up and builds PDFs: seconds on a free machine, more on a busy one.
describe('the main job', { timeout: 180_000 }, () => {
  test('goes from an empty install to a verified bundle, leaks no secret value, and leaves a chain that tells', async () => {
    stage = await bringUp(cloud, tsa.rootPem)
    const { scan, current, open, zip } = await wholeJob(stage, [
      'operator-audit-log',
      'rule-violations',
      'asset-inventory',
    ])
    undisturbed = open
    expect(scan.unreachable.map((u) => u.why).sort()).toEqual(['firewall', 'forbidden'])
    expect(scan.counts?.vaults).toBeGreaterThan(10)
    expect(current.score).toBeGreaterThan(0)
    expect(current.score).toBeLessThan(100)
    expect(open.map((o) => o.severity)).toContain('critical')

    // The canary sweep: every secret value of the twin is unique, so finding one anywhere is a leak.
    const places: [string, string][] = [
      ['logs', stage.logged()],
      ['bus', stage.sent.join('\n')],
      ...Object.entries(unzipSync(zip)).map(([name, bytes]): [string, string] => [
        `bundle ${name}`,
        name.endsWith('.pdf') ? textOfPdf(bytes) : Buffer.from(bytes).toString('latin1'),
      ]),
    ]
    // The sweep goes through every form of the reports.
    for (const form of ['.csv', '.json', '.pdf', '.oscal.json'])
      expect(places.map(([name]) => name).filter((name) => name.endsWith(form))).not.toEqual([])
    const pool = connect({ url: stage.databaseUrl, max: 2 })
    try {
      const tables = await pool.query<{ name: string }>(
        `select format('%I.%I', schemaname, tablename) as name from pg_tables
         where schemaname not in ('pg_catalog', 'information_schema')`,
      )
      for (const { name } of tables.rows) {
        const { rows } = await pool.query<{ row: string }>(`select t::text as row from ${name} t`)
        places.push([`table ${name}`, rows.map((r) => r.row).join('\n')])
      }
    } finally {
      await pool.end()
    }
    for (const name of await readdir(stage.state))
      if (name.endsWith('.pem') || name.endsWith('.txt'))
        places.push([`file ${name}`, await readFile(join(stage.state, name), 'utf8')])
    expect(places.find(([name]) => name === 'table ledger.event')?.[1].length).toBeGreaterThan(10_000)
    const canaries = cloud.secretCanaries()
    expect(canaries.length).toBeGreaterThan(100)
    // A column of bytes is told in hexadecimal.
    const forms = canaries.flatMap((c) => [c, Buffer.from(c).toString('hex')])
    const leaks = places.flatMap(([place, text]) => forms.filter((c) => text.includes(c)).map(() => place))
    expect(leaks).toEqual([])
    // And the sweep can fail: a value that is there is found.
    expect(places.some(([, text]) => text.includes(scan.scan))).toBe(true)

    await failsNearlyEveryRule(stage)
    await keepsTenantsApart(stage)
    await narrowedNamesNoOther(stage)
    await exportsOscal(stage)
    await tamperedIsFound(stage)
  })

  test('completes from messages alone, with the sweep off and gap reads denied', async () => {
    stage = await bringUp(cloud, tsa.rootPem, { delivery: { sweepMs: null, gapReads: false } })
    expect((await wholeJob(stage)).scan.state).toBe('completed')
  })

  test('completes by the sweep when every message is lost', async () => {
    stage = await bringUp(cloud, tsa.rootPem, { delivery: { sweepMs: 250, bus: losingBus } })
    expect((await wholeJob(stage)).scan.state).toBe('completed')
  })

  test('ends with the same findings when messages are lost, doubled and reordered', async () => {
    stage = await bringUp(cloud, tsa.rootPem, { faults: lossy(0.2, 0.2, 0.3), delivery: { sweepMs: 500 } })
    const { open } = await wholeJob(stage)
    if (undisturbed === null) {
      await stage[Symbol.asyncDispose]()
      stage = await bringUp(cloud, tsa.rootPem)
      undisturbed = (await wholeJob(stage)).open
    }
    expect(open).toEqual(undisturbed)
  })
})
