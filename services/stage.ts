import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { complianceHttp, discoveryHttp, gatewayHttp } from '@attestry/contracts/http'
import { type Bus, createLog, readConfiguration } from '@attestry/kit'
import { openBus } from '@attestry/kit/bus'
import topology from '../deploy/servicebus/config.json' with { type: 'json' }
import { type Client, createClient } from './cli/client.ts'
import { type ProcessOptions, type RunningProcess, startProcess } from './process.ts'
import type { RunningCloud } from './twin/index.ts'
import { testDatabase } from './twin/postgres/for-tests.ts'
import { type Broker, startBroker } from './twin/servicebus/broker.ts'
import type { Faults } from './twin/servicebus/faults.ts'

/* A whole install in one process, for tests and benchmarks: everything is real but the clouds. */

/** The administrator's password on a stage. */
export const PASSWORD = 'a password of the tests'

export interface Stage extends AsyncDisposable {
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

/** Brings a fresh install up, signed in as its first administrator. */
export async function bringUp(
  cloud: Pick<RunningCloud, 'url' | 'tsaUrl'>,
  tsaRootPem: string,
  options: { delivery?: ProcessOptions['delivery']; faults?: Faults; staticDir?: string } = {},
): Promise<Stage> {
  const state = await mkdtemp(join(tmpdir(), 'attestry-main-'))
  const database = await testDatabase()
  const broker = await startBroker({
    config: topology,
    key: randomBytes(32).toString('base64'),
    ...(options.faults ? { faults: options.faults } : {}),
  })
  await writeFile(join(state, 'roots.pem'), tsaRootPem)
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
    ATTESTRY_TSA: `Local_authority=${cloud.tsaUrl}`,
    ATTESTRY_TSA_ROOTS: join(state, 'roots.pem'),
  }
  const running = await startProcess({
    configuration: readConfiguration(environment),
    environment,
    services: [],
    log: createLog({ level: 'debug', pretty: false, destination: logs }),
    productVersion: '0.0.0',
    staticDir: options.staticDir ?? null,
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

/** Asks until there is an answer, for at most `patienceMs`. */
export async function until<T>(ask: () => Promise<T | null>, patienceMs = 90_000): Promise<T> {
  const deadline = AbortSignal.timeout(patienceMs)
  for (;;) {
    const answer = await ask()
    if (answer !== null) return answer
    if (deadline.aborted) throw new Error(`it did not happen within ${patienceMs / 1000} s`)
    await new Promise((done) => {
      setTimeout(done, 100)
    })
  }
}

/** The newest scan, once it completed. */
export const scanned = (api: Client, patienceMs?: number) =>
  until(async () => {
    const [scan] = (await api.call(discoveryHttp.listScans, { query: { limit: '1' } })).items
    return scan?.state === 'completed' ? scan : null
  }, patienceMs)

/** The score, once an evaluation of a scan is behind it. */
export const judged = (api: Client, patienceMs?: number) =>
  until(async () => {
    const { current, open, pending } = await api.call(complianceHttp.readScore)
    return current && !pending && current.scan !== null ? { current, open } : null
  }, patienceMs)

/** Resolves once every consumer has read to its head: what a page shows then is all there is. */
export const readUp = (api: Client, patienceMs?: number) =>
  until(async () => {
    const { services } = await api.call(gatewayHttp.listOperations)
    return services.every((s) => s.cursor >= s.head) ? true : null
  }, patienceMs)
