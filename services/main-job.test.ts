import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { complianceHttp, discoveryHttp, evidenceHttp, gatewayHttp } from '@attestry/contracts/http'
import { type Bus, createLog, readConfiguration } from '@attestry/kit'
import { openBus } from '@attestry/kit/bus'
import { sha256, verifyLedger } from '@attestry/kit/ledger'
import { connect } from '@attestry/kit/postgres'
import { losingBus } from '@attestry/kit/testing'
import { unzipSync } from 'fflate'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import topology from '../deploy/servicebus/config.json' with { type: 'json' }
import { type Client, createClient } from './cli/client.ts'
import { verifyBundle } from './evidence/verify.ts'
import { type ProcessOptions, type RunningProcess, startProcess } from './process.ts'
import { type RunningCloud, seededEstate, startCloud } from './twin/index.ts'
import { testDatabase } from './twin/postgres/for-tests.ts'
import { type Broker, startBroker } from './twin/servicebus/broker.ts'
import { seeded } from './twin/servicebus/faults.ts'
import { createTsa, type Tsa } from './twin/tsa/index.ts'

/*
 * The main job with everything real but the clouds: all services on Postgres, the bus through the unmodified SDK,
 * Azure through its unmodified SDKs, an RFC 3161 authority. The identity library keeps one managed-identity
 * endpoint a process, so one twin serves every test of this file.
 */

const PASSWORD = 'a password of the tests'
const NAME = 'Local_authority'

let cloud: RunningCloud
let tsa: Tsa
beforeAll(async () => {
  tsa = await createTsa({ clock: () => new Date(), random: (n) => new Uint8Array(randomBytes(n)) })
  cloud = await startCloud({ estate: seededEstate(Date.now()), tsa })
  process.env['IDENTITY_ENDPOINT'] = cloud.identityEndpoint
  process.env['IDENTITY_HEADER'] = cloud.identityHeader
})
afterAll(() => cloud.stop())

interface Stage extends AsyncDisposable {
  readonly api: Client
  readonly url: string
  readonly state: string
  readonly databaseUrl: string
  readonly process: RunningProcess
  readonly broker: Broker
  /** Everything that was logged, as the lines went out. */
  logged(): string
  /** Every message body that was handed to the bus. */
  readonly sent: string[]
}

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

/** Brings a fresh install up, signed in as its first administrator. */
async function bringUp(
  options: { delivery?: ProcessOptions['delivery']; faults?: ReturnType<typeof lossy> } = {},
): Promise<Stage> {
  const state = await mkdtemp(join(tmpdir(), 'attestry-main-'))
  const database = await testDatabase()
  const broker = await startBroker({
    config: topology,
    key: randomBytes(32).toString('base64'),
    ...(options.faults ? { faults: options.faults } : {}),
  })
  await writeFile(join(state, 'roots.pem'), tsa.rootPem)
  const logs = new PassThrough()
  let logged = ''
  logs.setEncoding('utf8').on('data', (text: string) => {
    logged += text
  })
  const sent: string[] = []
  const inner = options.delivery?.bus ?? openBus({ connectionString: broker.connectionString })
  const keep = (messages: readonly { body: string | Uint8Array }[]) =>
    sent.push(
      ...messages.map((m) => (typeof m.body === 'string' ? m.body : new TextDecoder().decode(m.body))),
    )
  const bus: Bus = {
    ...inner,
    publish: (topic, messages, signal) => {
      keep(messages)
      return inner.publish(topic, messages, signal)
    },
    send: (queue, messages, signal) => {
      keep(messages)
      return inner.send(queue, messages, signal)
    },
  }
  let announced = ''
  const environment = {
    DATABASE_URL: database.url,
    SERVICE_BUS_CONNECTION: broker.connectionString,
    SECRET_KEY: randomBytes(32).toString('base64url'),
    ATTESTRY_STATE_DIR: state,
    ATTESTRY_PORT: '0',
    ATTESTRY_METRICS_PORT: '0',
    ATTESTRY_AZURE_ENDPOINT: cloud.url,
    ATTESTRY_TSA: `${NAME}=${cloud.tsaUrl}`,
    ATTESTRY_TSA_ROOTS: join(state, 'roots.pem'),
  }
  const running = await startProcess({
    configuration: readConfiguration(environment),
    environment,
    services: [],
    log: createLog({ level: 'debug', pretty: false, destination: logs }),
    productVersion: '0.0.0',
    staticDir: null,
    announce: (text) => {
      announced += text
    },
    signal: new AbortController().signal,
    delivery: { sweepMs: 30_000, ...options.delivery, bus },
  })
  const url = running.url ?? ''
  const api = createClient(url, new AbortController().signal)
  const signIn = async (password: string) => {
    const { token } = await api.call(gatewayHttp.login, { body: { name: 'admin', password, as: 'bearer' } })
    api.token = token
  }
  const oneTime = /one-time password (\S+)/.exec(announced)?.[1] ?? ''
  await signIn(oneTime)
  await api.call(gatewayHttp.changePassword, { body: { current: oneTime, next: PASSWORD } })
  await signIn(PASSWORD)
  return {
    api,
    url,
    state,
    databaseUrl: database.url,
    process: running,
    broker,
    sent,
    logged: () => logged,
    [Symbol.asyncDispose]: async () => {
      await running.stop()
      if (options.delivery?.bus) await inner.close()
      await broker.stop()
      await database.drop()
      await rm(state, { recursive: true, force: true })
    },
  }
}

/** Asks until there is an answer, for at most 90 s. */
async function until<T>(ask: () => Promise<T | null>): Promise<T> {
  const deadline = AbortSignal.timeout(90_000)
  for (;;) {
    const answer = await ask()
    if (answer !== null) return answer
    if (deadline.aborted) throw new Error('it did not happen within 90 s')
    await new Promise((done) => {
      setTimeout(done, 100)
    })
  }
}

const scanned = (api: Client) =>
  until(async () => {
    const [scan] = (await api.call(discoveryHttp.listScans, { query: { limit: '1' } })).items
    return scan?.state === 'completed' ? scan : null
  })

const judged = (api: Client) =>
  until(async () => {
    const { current, open, pending } = await api.call(complianceHttp.readScore)
    return current && !pending && current.scan !== null ? { current, open } : null
  })

async function evidenceOf(api: Client): Promise<{ bundle: string; zip: Uint8Array }> {
  const { token } = await api.call(gatewayHttp.reauthenticate, { body: { password: PASSWORD } })
  if (token) api.token = token
  const to = new Date()
  const { bundle } = await api.call(evidenceHttp.requestBundle, {
    body: {
      reports: ['operator-audit-log', 'rule-violations', 'asset-inventory'],
      from: new Date(to.getTime() - 3_600_000).toISOString(),
      to: to.toISOString(),
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
async function wholeJob(s: Stage) {
  const scan = await scanned(s.api)
  const { current, open } = await judged(s.api)
  const { zip } = await evidenceOf(s.api)
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

// Each test brings a whole install up and builds PDFs: seconds on a free machine, more on a busy one.
describe('the main job', { timeout: 180_000 }, () => {
  test('goes from an empty install to a verified bundle, and no secret value is found anywhere', async () => {
    stage = await bringUp()
    const { scan, current, open, zip } = await wholeJob(stage)
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
        Buffer.from(bytes).toString('latin1'),
      ]),
    ]
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
    const leaks = places.flatMap(([place, text]) => canaries.filter((c) => text.includes(c)).map(() => place))
    expect(leaks).toEqual([])
    // And the sweep can fail: a value that is there is found.
    expect(places.some(([, text]) => text.includes(scan.scan))).toBe(true)
  })

  test('completes from messages alone, with the sweep off and gap reads denied', async () => {
    stage = await bringUp({ delivery: { sweepMs: null, gapReads: false } })
    expect((await wholeJob(stage)).scan.state).toBe('completed')
  })

  test('completes by the sweep when every message is lost', async () => {
    stage = await bringUp({ delivery: { sweepMs: 250, bus: losingBus } })
    expect((await wholeJob(stage)).scan.state).toBe('completed')
  })

  test('ends with the same findings when messages are lost, doubled and reordered', async () => {
    stage = await bringUp({ faults: lossy(0.2, 0.2, 0.3), delivery: { sweepMs: 500 } })
    const { open } = await wholeJob(stage)
    await stage[Symbol.asyncDispose]()
    stage = await bringUp()
    expect((await wholeJob(stage)).open).toEqual(open)
  })

  test('leaves a chain that verifies, and names the event that a superuser changed', async () => {
    stage = await bringUp()
    await wholeJob(stage)
    const pool = connect({ url: stage.databaseUrl, max: 2 })
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
  })
})
