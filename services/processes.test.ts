import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ReportType } from '@attestry/contracts'
import {
  complianceHttp,
  discoveryHttp,
  type Endpoint,
  evidenceHttp,
  gatewayHttp,
  rotationHttp,
  syncHttp,
} from '@attestry/contracts/http'
import { sha256, verifyLedger } from '@attestry/kit/ledger'
import { connect } from '@attestry/kit/postgres'
import type { Pool } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Client, createClient, RequestRefused } from './cli/client.ts'
import { verifyBundle } from './evidence/verify.ts'
import { SERVICES, type ServiceName } from './process.ts'
import { freePort, type Program, startProgram, until } from './program.fixture.ts'
import { type RunningCloud, seededEstate, startCloud } from './twin/index.ts'
import { testDatabase, type TestDatabase } from './twin/postgres/for-tests.ts'
import { createTsa, type Tsa } from './twin/tsa/index.ts'

/*
 * Every service as an operating-system process of its own, on one Postgres and a broker that is a process too. Each
 * is killed without warning where it hurts most, and started again. The tests go on from one another: what is
 * verified at the end is one ledger that lived through all of it.
 */

const PASSWORD = 'a password of the tests'
const BUS_CONFIG = fileURLToPath(new URL('../deploy/servicebus/config.json', import.meta.url))

let cloud: RunningCloud
let tsa: Tsa
let database: TestDatabase
let pool: Pool
let state: string
let broker: Program
let busPort = 0
let api: Client
const busKey = randomBytes(32).toString('base64')
const running = new Map<ServiceName, Program>()
const variables = new Map<ServiceName, Record<string, string>>()

/** While it is closed, the time-stamp authority keeps its callers waiting. */
let stamping = Promise.withResolvers<void>()
stamping.resolve()
const stamps = { asked: 0 }

async function startBroker(): Promise<string> {
  broker = startProgram('./twin/servicebus/main.ts', ['--config', BUS_CONFIG, '--port', String(busPort)], {
    SERVICE_BUS_KEY: busKey,
  })
  const [, line = ''] = await broker.says(/^(\{.*\})$/m)
  const said = JSON.parse(line) as { connectionString: string; port: number }
  busPort = said.port
  return said.connectionString
}

async function start(name: ServiceName): Promise<void> {
  const program = startProgram('./main.ts', [name], variables.get(name) ?? {})
  running.set(name, program)
  await program.says(/^Attestry \S+ (is ready at|runs) /m)
}

const kill = async (name: ServiceName): Promise<void> => {
  await running.get(name)?.kill()
  running.delete(name)
}

beforeAll(async () => {
  tsa = await createTsa({ clock: () => new Date(), random: (n) => new Uint8Array(randomBytes(n)) })
  cloud = await startCloud({
    estate: seededEstate(Date.now()),
    tsa: {
      fetch: async (request) => {
        stamps.asked++
        await stamping.promise
        return tsa.fetch(request)
      },
    },
  })
  state = await mkdtemp(join(tmpdir(), 'attestry-processes-'))
  database = await testDatabase()
  pool = connect({ url: database.url, max: 2 })
  const connectionString = await startBroker()
  await writeFile(join(state, 'roots.pem'), tsa.rootPem)
  const secretKey = randomBytes(32).toString('base64url')
  const ports = new Map<ServiceName, number>()
  for (const name of SERVICES) ports.set(name, await freePort())
  const at = (name: ServiceName) => `http://127.0.0.1:${ports.get(name)}`
  for (const name of SERVICES)
    variables.set(name, {
      DATABASE_URL: database.url,
      SERVICE_BUS_CONNECTION: connectionString,
      SECRET_KEY: secretKey,
      ATTESTRY_STATE_DIR: state,
      ATTESTRY_PORT: String(ports.get(name)),
      ATTESTRY_METRICS_PORT: '0',
      ATTESTRY_SWEEP_SECONDS: '1',
      ATTESTRY_AZURE_ENDPOINT: cloud.url,
      IDENTITY_ENDPOINT: cloud.identityEndpoint,
      IDENTITY_HEADER: cloud.identityHeader,
      ATTESTRY_TSA: `Local_authority=${cloud.tsaUrl}`,
      ATTESTRY_TSA_ROOTS: join(state, 'roots.pem'),
      ATTESTRY_END_WITH_STDIN: 'true',
      ATTESTRY_LOG_LEVEL: 'warn',
      ATTESTRY_DISCOVERY_URL: at('discovery'),
      ATTESTRY_COMPLIANCE_URL: at('compliance'),
      ATTESTRY_ROTATION_URL: at('rotation'),
      ATTESTRY_SYNC_URL: at('sync'),
      ATTESTRY_EVIDENCE_URL: at('evidence'),
    })
  await Promise.all(SERVICES.map(start))
  api = createClient(at('gateway'), new AbortController().signal)
}, 120_000)

afterAll(async () => {
  stamping.resolve()
  await Promise.all([...running.values()].map((program) => program.end()))
  await broker?.end()
  await pool?.end()
  await database?.drop()
  await cloud?.stop()
  if (state) await rm(state, { recursive: true, force: true })
})

// What went wrong in another process is in its log, not in this one's.
afterEach(({ task }) => {
  if (task.result?.state !== 'fail') return
  for (const [name, program] of running)
    console.error(`${name}: ${program.said().slice(-2000)}\n${program.complained().slice(-2000)}`)
})

const completed = (scan: string) =>
  until(`scan ${scan} completes`, async () => {
    const row = await api.call(discoveryHttp.readScan, { params: { scan } })
    if (row.state === 'failed') throw new Error(row.problem ?? 'the scan failed')
    return row.state === 'completed' ? row : null
  })

const judged = (scan: string) =>
  until(`scan ${scan} is judged`, async () => {
    const { current, pending, open } = await api.call(complianceHttp.readScore)
    return current?.scan === scan && !pending ? { current, open } : null
  })

async function startScan(): Promise<string> {
  const [environment] = (await api.call(discoveryHttp.listEnvironments)).items
  const body = { environment: environment?.environment ?? '' }
  // The end of a scan is recorded a moment before its work counts as over.
  return until('the scan before is over', async () => {
    try {
      return (await api.call(discoveryHttp.startScan, { body })).scan
    } catch (error) {
      if (error instanceof RequestRefused && error.problem?.code === 'already-running') return null
      throw error
    }
  })
}

/** A scan that takes seconds, because every answer of a vault does; resolves when it is well under way. */
async function slowScan(): Promise<{ scan: string; hurry(): void }> {
  const hurry = cloud.faults.add({ operation: 'keyvault', trouble: { kind: 'latency', ms: 1500 } })
  const scan = await startScan()
  await until('the scan is under way', async () => {
    const { state: now, progress } = await api.call(discoveryHttp.readScan, { params: { scan } })
    return now === 'running' && progress.vaultsTotal > 0 ? true : null
  })
  return { scan, hurry }
}

async function requestBundle(reports: readonly ReportType[]): Promise<string> {
  const { token } = await api.call(gatewayHttp.reauthenticate, { body: { password: PASSWORD } })
  if (token) api.token = token
  const to = new Date()
  const { bundle } = await api.call(evidenceHttp.requestBundle, {
    body: {
      reports: [...reports],
      from: new Date(to.getTime() - 3_600_000).toISOString(),
      to: to.toISOString(),
    },
  })
  return bundle
}

/** Waits for the seal, fetches the bundle, and verifies it as an auditor would. */
async function sealedAndSound(bundle: string): Promise<void> {
  await until(`bundle ${bundle} is sealed`, async () => {
    const row = await api.call(evidenceHttp.readBundle, { params: { bundle } })
    if (row.state === 'failed') throw new Error(row.problem ?? 'the bundle failed')
    return row.state === 'sealed' ? row : null
  })
  const response = await api.call(evidenceHttp.downloadBundle, { params: { bundle } })
  const verdict = await verifyBundle(new Uint8Array(await response.arrayBuffer()), {
    signerPublicKeyPem: (await api.call(evidenceHttp.readKeys)).signer.pem,
    tsaRootsPem: tsa.rootPem,
    now: new Date(),
    sha256,
  })
  expect(verdict.checks.filter((c) => c.ok === false)).toEqual([])
  expect(verdict.ok && verdict.timestamped).toBe(true)
}

/** What a call answers: `ok`, or the code of its problem. */
const answerOf = async (endpoint: Endpoint): Promise<string> => {
  try {
    await api.call(endpoint)
    return 'ok'
  } catch (error) {
    if (error instanceof RequestRefused) return error.problem?.code ?? 'no problem told'
    throw error
  }
}

/** What each service's endpoints answer at this moment. */
const answers = async () => ({
  gateway: await answerOf(gatewayHttp.session),
  license: await answerOf(gatewayHttp.licenseStatus),
  discovery: await answerOf(discoveryHttp.listScans),
  compliance: await answerOf(complianceHttp.readScore),
  rotation: await answerOf(rotationHttp.listRotations),
  sync: await answerOf(syncHttp.listRoutes),
  evidence: await answerOf(evidenceHttp.listBundles),
})
const ALL_WELL = {
  gateway: 'ok',
  license: 'ok',
  discovery: 'ok',
  compliance: 'ok',
  rotation: 'ok',
  sync: 'ok',
  evidence: 'ok',
}

/** How many events of a type name this id. */
const count = async (type: string, of: string): Promise<number> => {
  const { rows } = await pool.query<{ n: number }>(
    `select count(*) as n from ledger.event where type = $1 and position($2 in envelope) > 0`,
    [type, of],
  )
  return rows[0]?.n ?? 0
}

describe('each service in a process of its own', () => {
  test('they do the main job together', async () => {
    const [, file = ''] = (await running.get('gateway')?.says(/first sign-in waits in (\S+)/)) ?? []
    const [, oneTime = ''] = /one-time password (\S+)/.exec(await readFile(file, 'utf8')) ?? []
    const signIn = async (password: string) => {
      const { token } = await api.call(gatewayHttp.login, { body: { name: 'admin', password, as: 'bearer' } })
      api.token = token
    }
    await signIn(oneTime)
    await api.call(gatewayHttp.changePassword, { body: { current: oneTime, next: PASSWORD } })
    await signIn(PASSWORD)
    const scan = await until('the first scan is there', async () => {
      const [first] = (await api.call(discoveryHttp.listScans)).items
      return first?.scan ?? null
    })
    expect((await completed(scan)).counts?.vaults).toBeGreaterThan(10)
    // Operations shows every service, though each runs elsewhere.
    const { services } = await api.call(gatewayHttp.listOperations)
    expect([...new Set(services.map((s) => s.service))]).toEqual(SERVICES.toSorted())
    expect((await judged(scan)).open.map((o) => o.severity)).toContain('critical')
    await sealedAndSound(await requestBundle(['operator-audit-log', 'rule-violations', 'asset-inventory']))
    expect(await answers()).toEqual(ALL_WELL)
  }, 180_000)

  test('discovery killed within a scan: the others answer, and the scan completes once it is back', async () => {
    const { scan, hurry } = await slowScan()
    await kill('discovery')
    hurry()
    expect(await answers()).toEqual({ ...ALL_WELL, discovery: 'service-away' })
    expect(await count('discovery.scan-completed', scan)).toBe(0)
    await start('discovery')
    await completed(scan)
    await judged(scan)
    expect(await count('discovery.scan-started', scan)).toBe(1)
    expect(await count('discovery.scan-completed', scan)).toBe(1)
  }, 180_000)

  test('compliance killed as a scan ends: the change that it missed is a finding once it is back', async () => {
    const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString()
    const { items } = await api.call(discoveryHttp.listAssets, { query: { kind: 'secret', limit: '200' } })
    const asset = items.find(
      ({ enabled, managed, expires }) =>
        enabled && !managed && expires !== null && expires > inDays(60) && expires < inDays(700),
    )
    const vault = cloud.estate.vaults.find((v) => v.name === asset?.holderName)
    const version = vault?.secrets[asset?.name.toLowerCase() ?? '']?.versions.at(-1)
    if (!asset || !version) throw new Error('the estate has no secret that is good for two months')
    // Key Vault's attributes are in seconds.
    const now = Math.floor(Date.now() / 1000)
    version.expires = now - 86_400
    version.updated = now
    const expired = async () =>
      (await api.call(complianceHttp.listFindings, { query: { rule: 'P007', subject: asset.asset } })).items
    expect(await expired()).toEqual([])

    const scan = await startScan()
    await until('the scan ends', async () =>
      (await count('discovery.scan-completed', scan)) > 0 ? true : null,
    )
    await kill('compliance')
    expect(await answers()).toEqual({ ...ALL_WELL, compliance: 'service-away' })
    await start('compliance')
    await judged(scan)
    // Views follow what was recorded, each at its own pace.
    const { expires } = await until('the inventory shows the change', async () => {
      const seen = await api.call(discoveryHttp.readAsset, { params: { asset: asset.asset } })
      return seen.expires !== asset.expires ? seen : null
    })
    expect(Date.parse(expires ?? '')).toBeLessThan(Date.now())
    await until('the finding is listed', async () => ((await expired()).length > 0 ? true : null))
    expect((await expired()).map((f) => f.state)).toEqual(['open'])
    expect(await count('compliance.evaluation-completed', scan)).toBe(1)
  }, 180_000)

  test('evidence killed within a bundle: the others answer, and the bundle is sealed once it is back', async () => {
    stamping = Promise.withResolvers()
    const { asked } = stamps
    const bundle = await requestBundle(['operator-audit-log'])
    await until('a time stamp is asked for', () => Promise.resolve(stamps.asked > asked ? true : null))
    await kill('evidence')
    stamping.resolve()
    expect(await answers()).toEqual({ ...ALL_WELL, evidence: 'service-away' })
    // Twenty seconds pass: what the dead one held is free. Discovery's test waits for them.
    await pool.query('update evidence.pending_command set lease_until = now() where lease_until > now()')
    await start('evidence')
    await sealedAndSound(bundle)
    expect(await count('evidence.bundle-sealed', bundle)).toBe(1)
  }, 180_000)

  test('the gateway killed within a scan: work goes on, and the session is still good once it is back', async () => {
    const { scan, hurry } = await slowScan()
    await kill('gateway')
    hurry()
    await until('the scan ends', async () =>
      (await count('discovery.scan-completed', scan)) > 0 ? true : null,
    )
    await until('compliance judges it', async () =>
      (await count('compliance.evaluation-completed', scan)) > 0 ? true : null,
    )
    await start('gateway')
    expect(await answers()).toEqual(ALL_WELL)
    expect((await completed(scan)).scan).toBe(scan)
  }, 180_000)

  test('rotation and sync killed within a scan: the others answer, and they know what they missed once back', async () => {
    const names = ['rotation', 'sync'] as const
    const { scan, hurry } = await slowScan()
    await Promise.all(names.map(kill))
    hurry()
    expect(await answers()).toEqual({ ...ALL_WELL, rotation: 'service-away', sync: 'service-away' })
    await completed(scan)
    await judged(scan)
    const behind = async () =>
      (await api.call(gatewayHttp.listOperations)).services.filter(
        (s) => names.some((name) => name === s.service) && s.cursor < s.head,
      )
    // Each has something to catch up with.
    const missed = (await behind()).filter((s) => s.context === 'discovery').map((s) => s.service)
    expect(new Set(missed)).toEqual(new Set(names))
    await Promise.all(names.map(start))
    await until('both have read to the end', async () => ((await behind()).length === 0 ? true : null))
    expect(await answers()).toEqual(ALL_WELL)
  }, 180_000)

  test('licensing killed: everybody still knows the licence, and it is not recorded twice', async () => {
    await kill('licensing')
    expect(await answers()).toEqual(ALL_WELL)
    await start('licensing')
    const { rows } = await pool.query<{ n: number }>(
      `select count(*) as n from ledger.event where type = 'licensing.entitled'`,
    )
    expect(rows[0]?.n).toBe(1)
  }, 180_000)

  test('the broker killed within a scan, and all its messages lost: the job completes', async () => {
    const { scan, hurry } = await slowScan()
    await broker.kill()
    hurry()
    await completed(scan)
    await judged(scan)
    await startBroker()
    const next = await startScan()
    await completed(next)
    await judged(next)
    expect(await answers()).toEqual(ALL_WELL)
  }, 180_000)

  test('after all that the ledger verifies, nothing stands twice, and no work is stuck', async () => {
    for (const tenant of ['default', 'install'])
      expect(await verifyLedger(pool, { tenant })).toMatchObject({ ok: true })
    const { rows: doubled } = await pool.query<{ type: string; stream: string }>(
      `select type, stream from ledger.event
       where type in ('discovery.scan-started', 'discovery.scan-completed', 'compliance.evaluation-completed',
         'evidence.bundle-requested', 'evidence.bundle-sealed')
       group by type, stream having count(*) > 1`,
    )
    expect(doubled).toEqual([])
    const { rows: ends } = await pool.query<{ n: number }>(
      `select count(*) as n from ledger.event where type = 'discovery.scan-completed'`,
    )
    expect(ends[0]?.n).toBe(7)
    const { rows: failures } = await pool.query<{ type: string }>(
      `select type from ledger.event where type in ('discovery.scan-failed', 'evidence.bundle-failed')`,
    )
    expect(failures).toEqual([])
    for (const name of SERVICES) {
      const { rows } = await pool.query(`select * from ${name}.stuck`)
      expect(rows).toEqual([])
    }
  })

  test('when their parent goes, each ends by itself and in order', async () => {
    const ended = await Promise.all(
      [...running].map(async ([name, program]) => ({
        name,
        code: await program.end(),
        complained: program.complained().includes('Stopping took too long'),
      })),
    )
    expect(ended).toEqual([...running.keys()].map((name) => ({ name, code: 0, complained: false })))
  }, 60_000)
})
