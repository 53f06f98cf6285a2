import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ReportFormat, ReportType } from '@attestry/contracts'
import { BundleRow, Problem } from '@attestry/contracts/http'
import { Secret } from '@attestry/kit'
import { guardOf, type TestHost, testHost } from '@attestry/kit/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createTsa, type Tsa } from '../twin/tsa/index.ts'
import { sha256 } from './bundle.fixture.ts'
import { rederive } from './rederive.ts'
import { evidenceService } from './service.ts'
import { verifyBundle } from './verify.ts'
import type { Files } from './zip.ts'
import { readZip } from './zip-source.ts'

const DAY = { from: '2026-01-01T00:00:00Z', to: '2099-01-01T00:00:00Z' }
const REPORTS = ReportType.options

let state: string
let tsa: Tsa
let host: TestHost
let tsaAnswers = true
/** How far the clock was moved on, in milliseconds. */
let later = 0
const clock = { now: () => Temporal.Now.instant().add({ milliseconds: later }) }

beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'attestry-evidence-'))
  tsaAnswers = true
  later = 0
  tsa = await createTsa({
    clock: () => new Date(clock.now().epochMilliseconds),
    random: (n) => crypto.getRandomValues(new Uint8Array(n)),
  })
  await writeFile(join(state, 'roots.pem'), tsa.rootPem)
  host = await testHost({
    clock,
    services: [
      {
        name: 'evidence',
        make: (h) =>
          evidenceService(h, guardOf(['auditor']), {
            stateDir: state,
            secretKey: new Secret('a secret key of at least 32 characters'),
            tsa: 'Local_authority=http://127.0.0.1:1/tsa',
            tsaRootsFile: join(state, 'roots.pem'),
            fetch: (url, init) =>
              tsaAnswers
                ? tsa.fetch(new Request(url, init))
                : Promise.reject(new Error('the authority is away')),
          }),
      },
    ],
  })
})
afterEach(async () => {
  await host[Symbol.asyncDispose]()
  await rm(state, { recursive: true, force: true })
})

const call = (method: string, path: string, body?: unknown) =>
  host.service('evidence').fetch(
    new Request(`http://attestry.test${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    }),
  )

async function built(
  wish: { reports?: readonly ReportType[]; formats?: readonly ReportFormat[] },
  to = clock.now().toString(),
): Promise<BundleRow> {
  const response = await call('POST', '/api/evidence/bundles', {
    reports: REPORTS,
    ...wish,
    from: DAY.from,
    to,
  })
  const { bundle } = (await response.json()) as { bundle: string }
  await host.settle()
  const row = BundleRow.parse(await (await call('GET', `/api/evidence/bundles/${bundle}`)).json())
  if (row.problem) throw new Error(row.problem)
  return row
}

/** The files of a bundle as it is downloaded. */
async function fileOf(bundle: string): Promise<Files> {
  const response = await call('GET', `/api/evidence/bundles/${bundle}/file`)
  const read = await readZip(new Uint8Array(await response.arrayBuffer()))
  if ('problem' in read) throw new Error(read.problem)
  return read.files
}

/** The verdict of an auditor who was handed the keys. */
async function verdictOf(files: Files) {
  const keys = (await (await call('GET', '/api/evidence/keys')).json()) as { signerPem: string }
  return verifyBundle(files, {
    signerPublicKeyPem: keys.signerPem,
    tsaRootsPem: tsa.rootPem,
    now: new Date(clock.now().epochMilliseconds),
    sha256,
  })
}

/** What the schedule sends for what had to wait. */
async function stampLate(): Promise<void> {
  const schedule = host.service('evidence').schedules.find(({ name }) => name === 'anchors')
  const h = host.host('evidence')
  await h.tx('acme', async (tx) => {
    const sends = (await schedule?.due(clock.now(), tx)) ?? []
    // Due by the database's clock, which nobody moved.
    await h.send(
      tx,
      sends.map((each) => ({ ...each, dueAt: Temporal.Now.instant() })),
    )
  })
  await host.settle()
}

describe('a bundle', () => {
  test('is built, stamped, downloaded, and verifies with the keys handed over beside it', async () => {
    // Of whole seconds is what an authority tells: a period that ended within this one is not surely covered.
    const row = await built({ formats: ['csv', 'json'] }, clock.now().subtract({ seconds: 1 }).toString())
    expect(row).toMatchObject({ state: 'sealed', timestamp: { status: 'stamped', independent: false } })
    const response = await call('GET', `/api/evidence/bundles/${row.bundle}/file`)
    expect(response.headers.get('content-type')).toBe('application/zip')
    const bytes = new Uint8Array(await response.arrayBuffer())
    const keys = (await (await call('GET', '/api/evidence/keys')).json()) as {
      signerPem: string
      checkpointVerifiers: string
    }
    const verdict = await verifyBundle(bytes, {
      signerPublicKeyPem: keys.signerPem,
      checkpointVerifiers: keys.checkpointVerifiers,
      rederive,
      tsaRootsPem: tsa.rootPem,
      now: new Date(),
      sha256,
    })
    expect(verdict.checks.filter((c) => c.ok === false)).toEqual([])
    // The rows follow from the events, the anchors hold, and the period is complete.
    const unasked = verdict.checks.filter((c) => c.ok !== true).map(({ id }) => id)
    expect(unasked).toEqual(['hmac', 'printed', 'known'])
    expect(verdict).toMatchObject({ ok: true, timestamped: true })
    await host.settle()
    const events = await host.host('evidence').stream('acme', row.bundle)
    expect(events.map((e) => e.type)).toEqual([
      'evidence.bundle-requested',
      ...REPORTS.map(() => 'evidence.report-rendered'),
      'evidence.bundle-timestamped',
      'evidence.bundle-sealed',
      'evidence.bundle-downloaded',
    ])
  })

  test('says pending, and still verifies, when no authority answers: a timestamp is never made up', async () => {
    tsaAnswers = false
    const row = await built({ reports: ['asset-inventory'] })
    expect(row).toMatchObject({ state: 'sealed', timestamp: { status: 'pending', tsa: null } })
    const pending = await fileOf(row.bundle)
    expect([...pending.keys()].filter((path) => path.endsWith('.tsr'))).toEqual([])
    expect(await verdictOf(pending)).toMatchObject({ ok: true, timestamped: false })

    // Later, the authority answers: its token is put beside the signature, and nothing else changes.
    tsaAnswers = true
    later = 6 * 60_000
    await stampLate()
    const completed = await fileOf(row.bundle)
    expect([...completed.keys()].filter((path) => !pending.has(path))).toEqual(['sig/SHA256SUMS.es256.tsr'])
    const changed = [...pending].filter(([path, bytes]) => completed.get(path)?.toHex() !== bytes.toHex())
    expect(changed.map(([path]) => path)).toEqual([])
    expect(await verdictOf(completed)).toMatchObject({ ok: true, timestamped: true })
    const folder = join(state, 'bundles', 'acme')
    expect(await readdir(folder), 'only the completed file is left').toHaveLength(1)
  })

  test('whose build was killed in the middle is built from the beginning by whoever comes next', async () => {
    const left = join(state, 'bundles', 'acme')
    // The command waits until the host settles: what a process that was killed left can be laid there before.
    const asked = await call('POST', '/api/evidence/bundles', {
      reports: ['asset-inventory'],
      formats: ['csv'],
      from: DAY.from,
      to: clock.now().toString(),
    })
    const { bundle } = (await asked.json()) as { bundle: string }
    await mkdir(join(left, `${bundle}.building`, 'log'), { recursive: true })
    await writeFile(join(left, `${bundle}.building`, 'log', 'events.jsonl'), 'half a li')
    await writeFile(join(left, `${bundle}.building`, 'stray'), 'of an attempt before')
    await host.settle()
    const files = await fileOf(bundle)
    expect(await verdictOf(files)).toMatchObject({ ok: true, timestamped: true })
    expect([...files.keys()]).not.toContain('stray')
    expect((await readdir(left)).filter((name) => !name.endsWith('.zip'))).toEqual([])
  })

  test('of a period in which nothing happened is complete, and its reports are empty', async () => {
    const row = await built(
      { reports: ['operator-audit-log'], formats: ['csv', 'json'] },
      '2026-01-02T00:00:00Z',
    )
    const files = await fileOf(row.bundle)
    expect(await verdictOf(files)).toMatchObject({ ok: true, manifest: { reports: [{ rows: 0 }] } })
    expect(new TextDecoder().decode(files.get('report/operator-audit-log.csv'))).toMatch(/^[^\n]*\r\n$/)
  })

  test.each([
    ['a period that ends before it begins', { from: DAY.to, to: DAY.from }, 'period-reversed'],
    ['a period that has not begun', { from: '2098-01-01T00:00:00Z', to: DAY.to }, 'period-in-future'],
    ['a period that ends tomorrow', DAY, 'period-in-future'],
    ['an instant without a zone', { from: '2026-01-01T00:00:00', to: DAY.to }, 'bad-body'],
    ['a year that Postgres does not know', { from: '0000-01-01T00:00:00Z', to: DAY.to }, 'bad-body'],
    ['a tenth digit', { from: '2026-01-01T00:00:00.0000000001Z', to: DAY.to }, 'bad-body'],
  ])('is refused for %s, with the field named', async (_what, period, code) => {
    const response = await call('POST', '/api/evidence/bundles', { reports: REPORTS, ...period })
    expect(response.status).toBe(400)
    const problem = Problem.parse(await response.json())
    expect(problem.code).toBe(code)
    expect(problem.errors?.[0]?.field).toMatch(/^body\.(from|to)$/)
  })

  test('that is narrowed to more than one event holds is refused, and nothing of it stands', async () => {
    const many = (name: (n: string) => string) =>
      Array.from({ length: 1000 }, (_, n) => name(String(n).padStart(64, '0')))
    const scopes = [
      { subscriptions: many((n) => `subscription-${n}`), vaults: many((n) => `vault-${n}`), tags: [] },
      // Tags lie beside the envelope, where a bundle would disclose them in a line that no verifier reads.
      { subscriptions: [], vaults: [], tags: Array.from({ length: 100 }, () => ['t', 'x'.repeat(9000)]) },
    ]
    for (const scope of scopes) {
      const response = await call('POST', '/api/evidence/bundles', {
        reports: REPORTS,
        from: DAY.from,
        to: clock.now().toString({ smallestUnit: 'millisecond' }),
        scope,
      })
      expect(response.status).toBe(413)
      expect(Problem.parse(await response.json()).code).toBe('body-too-large')
    }
    const { items } = (await (await call('GET', '/api/evidence/bundles')).json()) as { items: unknown[] }
    expect(items).toEqual([])
  })

  test('that does not exist is a 404, not an empty page', async () => {
    const response = await call('GET', '/api/evidence/bundles/bundle-ffffffff')
    expect(response.status).toBe(404)
    expect(Problem.parse(await response.json()).code).toBe('no-such-bundle')
  })
})

test.each(['bundles', 'checkpoints'])('a list of %s refuses a place that it never gave', async (list) => {
  for (const after of ['', 'x', '-1', '1.5', '1e9', '99999999999999999999']) {
    const response = await call('GET', `/api/evidence/${list}?after=${after}`)
    expect([after, response.status]).toEqual([after, 400])
    expect(Problem.parse(await response.json()).errors).toMatchObject([{ field: 'query.after' }])
  }
  expect((await call('GET', `/api/evidence/${list}?after=1`)).status).toBe(200)
})

describe('a report by itself', () => {
  const ask = (report: string, query: Record<string, string>) =>
    call('GET', `/api/evidence/reports/${report}?${new URLSearchParams(query)}`)
  const period = () => ({ from: DAY.from, to: clock.now().toString() })

  test('has the rows of a bundle, in every form, and each time that it is taken out is an event', async () => {
    const row = await built({ reports: ['operator-audit-log'], formats: ['csv', 'json'] })
    const { from, to } = row.period
    const files = await fileOf(row.bundle)
    const csv = await ask('operator-audit-log', { from, to, format: 'csv' })
    expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8')
    expect(csv.headers.get('content-disposition')).toContain('attestry-operator-audit-log-acme-')
    expect(new Uint8Array(await csv.arrayBuffer())).toEqual(files.get('report/operator-audit-log.csv'))
    const json = await ask('operator-audit-log', { from, to, format: 'json' })
    expect(new Uint8Array(await json.arrayBuffer())).toEqual(files.get('report/operator-audit-log.json'))
    const pdf = Buffer.from(
      await (await ask('asset-inventory', { ...period(), format: 'pdf' })).arrayBuffer(),
    )
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-')
    expect(pdf.toString('latin1')).toContain('timestamp PENDING')
    const events = await host.host('evidence').stream('acme', 'report-exports')
    expect(events.map(({ data }) => data)).toMatchObject([
      { report: 'operator-audit-log', format: 'csv', period: { from, to } },
      { report: 'operator-audit-log', format: 'json' },
      { report: 'asset-inventory', format: 'pdf' },
    ])
    expect(
      (await readdir(join(state, 'bundles', 'acme'))).filter((name) => name.endsWith('.export')),
    ).toEqual([])
  }, 60_000)

  test.each([
    ['a report that there is none of', 'everything', {}, 404, 'no-such-report', undefined],
    [
      'a period that ends before it begins',
      'cryptoperiod',
      { from: '2026-02-01T00:00:00Z', to: '2026-01-01T00:00:00Z' },
      400,
      'period-reversed',
      'query.to',
    ],
    [
      'a period that has not begun',
      'cryptoperiod',
      { from: '2098-01-01T00:00:00Z', to: '2099-01-01T00:00:00Z' },
      400,
      'period-in-future',
      'query.from',
    ],
    [
      'OSCAL for no framework',
      'rule-violations',
      { format: 'oscal' },
      400,
      'not-in-this-form',
      'query.framework',
    ],
    [
      'OSCAL of rows without rules',
      'asset-inventory',
      { format: 'oscal', framework: 'soc2-2017' },
      400,
      'not-in-this-form',
      'query.format',
    ],
    [
      'OSCAL before anything was evaluated',
      'rule-violations',
      { format: 'oscal', framework: 'soc2-2017' },
      400,
      'not-in-this-form',
      'query.framework',
    ],
    ['another form', 'asset-inventory', { format: 'xlsx' }, 400, 'bad-query', 'query.format'],
  ])('is refused for %s, with the field named', async (_what, report, query, status, code, field) => {
    const response = await ask(report, { ...period(), ...query })
    expect(response.status).toBe(status)
    const problem = Problem.parse(await response.json())
    expect(problem.code).toBe(code)
    expect(problem.errors?.[0]?.field).toBe(field)
  })
})
