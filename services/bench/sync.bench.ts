import { randomBytes } from 'node:crypto'
import { subscribe } from 'node:diagnostics_channel'
import topology from '../../deploy/servicebus/config.json' with { type: 'json' }
import { openBus } from '../kit/bus/servicebus.ts'
import { pause } from '../kit/clock.ts'
import { type Synced, synced } from '../sync/for-tests.ts'
import type { Bus } from '../kit/bus/bus.ts'
import { sendRun } from '../sync/send-run.ts'
import setUpPostgres from '../twin/postgres/global-setup.ts'
import { startBroker } from '../twin/servicebus/broker.ts'
import type { Row } from './row.ts'

const SECRETS = 10_000
const CHANGES = 20
/** A page of Key Vault, and of AWS Secrets Manager. */
const PAGES = { source: 25, target: 100 } as const
const tenant = 'acme'

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`

/** How long at least one request to a cloud was under way, in milliseconds since the process began. */
function waitingForClouds(): () => number {
  let open = 0
  let since = 0
  let total = 0
  subscribe('http.client.request.start', () => {
    if (open++ === 0) since = performance.now()
  })
  for (const end of ['http.client.response.finish', 'http.client.request.error'])
    subscribe(end, () => {
      if (--open === 0) total += performance.now() - since
    })
  return () => total + (open > 0 ? performance.now() - since : 0)
}

/** Waits until it is so; AWS is written to at its own pace, so ten thousand first copies take minutes. */
async function until(
  what: string,
  holds: () => Promise<boolean> | boolean,
  patienceMs: number,
): Promise<void> {
  const deadline = AbortSignal.timeout(patienceMs)
  while (!(await holds())) {
    if (deadline.aborted) throw new Error(`${what} did not happen within ${patienceMs / 1000} s`)
    await pause(5, deadline)
  }
}

async function runOnce(s: Synced, route: string): Promise<Record<string, unknown>> {
  await s.settle()
  const { status, body } = await s.call('POST', `/routes/${route}/runs`, {})
  if (status !== 200) throw new Error(`the run was not started: ${status}`)
  let row: Record<string, unknown> = {}
  const ended = async () => {
    row = (await s.call('GET', `/runs/${String(body['run'])}`)).body
    return row['endedAt'] != null
  }
  await until('the run', ended, 1_800_000)
  return row
}

/** One vault to AWS Secrets Manager: what an unchanged run costs, and how long a change takes. */
async function measure(secrets: number, bus: Bus): Promise<Row[]> {
  // As many connections as a process of the product has.
  await using s = await synced({ secrets, vaults: 2, demonstration: true, bus, connections: 20 })
  await s.scan()
  const { items = [] } = (await s.call('GET', '/connectors')).body
  const connector = String(items.find((one) => one['cloud'] === 'aws')?.['connector'])
  const opened = await s.open({ kind: 'aws-secrets-manager', onChange: true }, connector)
  await s.call('PUT', '/writes', { allowed: true })
  const decision = { decision: 'accept', plan: opened.plan }
  const { status } = await s.call('POST', `/runs/${opened.run}/decision`, decision)
  if (status !== 200) throw new Error(`the plan was not accepted: ${status}`)
  const held = s.twin.estate.aws[0]?.secrets ?? []
  await until('the first copies', () => held.length === secrets, 1_800_000)
  // Looks once more, by metadata, at what was copied within a minute of its last change, and remembers it.
  await runOnce(s, opened.route)

  s.twin.resetCalls()
  const began = performance.now()
  const unchanged = await runOnce(s, opened.route)
  const unchangedMs = performance.now() - began
  const calls = (name: string) => s.twin.calls.get(name) ?? 0
  // A vault challenges a new client once, before the first page.
  const [vault, aws] = [calls('keyvault.secrets.list') - 1, calls('aws.secretsmanager.ListSecrets')]
  const reads = calls('keyvault.secrets.get') + calls('aws.secretsmanager.GetSecretValue')
  const pages = Math.ceil(secrets / PAGES.source) + Math.ceil(secrets / PAGES.target)

  const host = s.test.host('sync')
  const assets = await host.tx(tenant, (tx) =>
    tx.rows<{ asset: string; name: string }>(
      'select asset, name from source_item where tenant = $1 order by name limit $2',
      [tenant, 2 * CHANGES],
    ),
  )
  const far = waitingForClouds()
  /** Changes one secret and says so, as rotation does; answers how long its copy took, and how much of it was far. */
  const change = async ({ asset, name }: { asset: string; name: string }, value: string) => {
    await s.put('from', name, value)
    const [from, farFrom] = [performance.now(), far()]
    const wish = { trigger: 'rotation', secrets: [asset], id: `bench ${name}` } as const
    await host.tx(tenant, (tx) =>
      sendRun(
        host,
        tx,
        { route: opened.route, connector },
        { ...wish, by: { kind: 'service', id: 'bench' } },
      ),
    )
    const secret = held.find((one) => one.name === name)
    await until('a changed copy', () => secret?.versions.at(-1)?.text === value, 60_000)
    return { all: performance.now() - from, far: far() - farFrom }
  }
  const alone: { all: number; far: number }[] = []
  for (const [turn, one] of assets.slice(0, CHANGES).entries()) {
    alone.push(await change(one, `changed ${turn}`))
    await s.settle()
  }
  const together = await Promise.all(assets.slice(CHANGES).map((one) => change(one, 'at once')))
  const told = (lags: number[]) => {
    const sorted = lags.toSorted((a, b) => a - b)
    const p50 = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
    return { p50, text: `p50 ${seconds(p50)}, slowest ${seconds(sorted.at(-1) ?? Number.NaN)}` }
  }
  const ours = told(alone.map((one) => one.all - one.far))
  return [
    {
      what: `${secrets} unchanged secrets reconciled with AWS Secrets Manager`,
      measured: `${vault} + ${aws} list calls, ${reads} values read, ${seconds(unchangedMs)}`,
      goal: `≤ ${pages} list calls (one a page of both sides), no value read`,
      met: vault + aws <= pages && reads === 0 && unchanged['valuesRead'] === 0,
    },
    {
      what: `A change to its remote write, above the clouds’ own latency (${CHANGES} one by one)`,
      measured: `${ours.text}; with it ${told(alone.map((one) => one.all)).text}`,
      goal: 'p50 ≤ 1 s',
      met: ours.p50 <= 1000,
    },
    {
      what: `The same with their latency, ${CHANGES} changes at one moment`,
      measured: told(together.map((one) => one.all)).text,
      goal: '',
      met: null,
    },
  ]
}

/** Sync, at full size: the first copies alone take about nine minutes, at the pace that AWS bears. */
export const run = async (): Promise<Row[]> => {
  const stopPostgres = await setUpPostgres()
  const broker = await startBroker({ config: topology, key: randomBytes(32).toString('base64') })
  const bus = openBus({ connectionString: broker.connectionString })
  try {
    return await measure(SECRETS, bus)
  } finally {
    await bus.close()
    await broker.stop()
    await stopPostgres()
  }
}
