import { mkdtemp, rm, writeFile } from 'node:fs/promises'
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
import { readZip } from './zip-source.ts'

const DAY = { from: '2026-01-01T00:00:00Z', to: '2099-01-01T00:00:00Z' }
const REPORTS = ReportType.options

let state: string
let tsa: Tsa
let host: TestHost
let tsaAnswers = true

beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'attestry-evidence-'))
  tsaAnswers = true
  tsa = await createTsa({
    clock: () => new Date(),
    random: (n) => crypto.getRandomValues(new Uint8Array(n)),
  })
  await writeFile(join(state, 'roots.pem'), tsa.rootPem)
  host = await testHost({
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

async function built(wish: {
  reports?: readonly ReportType[]
  formats?: readonly ReportFormat[]
}): Promise<BundleRow> {
  const response = await call('POST', '/api/evidence/bundles', {
    reports: REPORTS,
    ...wish,
    from: DAY.from,
    to: new Date().toISOString(),
  })
  const { bundle } = (await response.json()) as { bundle: string }
  await host.settle()
  const row = BundleRow.parse(await (await call('GET', `/api/evidence/bundles/${bundle}`)).json())
  if (row.problem) throw new Error(row.problem)
  return row
}

describe('a bundle', () => {
  test('is built, stamped, downloaded, and verifies with the keys handed over beside it', async () => {
    const row = await built({ formats: ['csv', 'json'] })
    expect(row).toMatchObject({ state: 'sealed', timestamp: { status: 'stamped', independent: false } })
    const response = await call('GET', `/api/evidence/bundles/${row.bundle}/file`)
    expect(response.headers.get('content-type')).toBe('application/zip')
    const bytes = new Uint8Array(await response.arrayBuffer())
    const keys = (await (await call('GET', '/api/evidence/keys')).json()) as {
      signerPem: string
      checkpointVerifier: string
    }
    const verdict = await verifyBundle(bytes, {
      signerPublicKeyPem: keys.signerPem,
      checkpointVerifiers: keys.checkpointVerifier,
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
    const bytes = new Uint8Array(
      await (await call('GET', `/api/evidence/bundles/${row.bundle}/file`)).arrayBuffer(),
    )
    const files = await readZip(bytes)
    expect(JSON.stringify([...(files instanceof Map ? files.keys() : [])])).not.toContain('.tsr')
  })

  test.each([
    ['a period that ends before it begins', { from: DAY.to, to: DAY.from }, 'period-reversed'],
    ['a period that has not begun', { from: '2098-01-01T00:00:00Z', to: DAY.to }, 'period-in-future'],
    ['a period that ends tomorrow', DAY, 'period-in-future'],
    ['an instant without a zone', { from: '2026-01-01T00:00:00', to: DAY.to }, 'bad-body'],
  ])('is refused for %s, with the field named', async (_what, period, code) => {
    const response = await call('POST', '/api/evidence/bundles', { reports: REPORTS, ...period })
    expect(response.status).toBe(400)
    const problem = Problem.parse(await response.json())
    expect(problem.code).toBe(code)
    expect(problem.errors?.[0]?.field).toMatch(/^body\.(from|to)$/)
  })

  test('that does not exist is a 404, not an empty page', async () => {
    const response = await call('GET', '/api/evidence/bundles/bundle-ffffffff')
    expect(response.status).toBe(404)
    expect(Problem.parse(await response.json()).code).toBe('no-such-bundle')
  })
})
