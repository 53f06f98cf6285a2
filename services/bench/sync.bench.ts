import { pause } from '../kit/clock.ts'
import { type Synced, synced } from '../sync/for-tests.ts'
import { sendRun } from '../sync/run.ts'
import setUpPostgres from '../twin/postgres/global-setup.ts'
import type { Row } from './row.ts'

const SECRETS = 10_000
const CHANGES = 20
/** A page of Key Vault, and of AWS Secrets Manager. */
const PAGES = { source: 25, target: 100 } as const
const tenant = 'acme'

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`

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
  const { body } = await s.call('POST', `/routes/${route}/runs`, {})
  let row: Record<string, unknown> = {}
  const ended = async () => {
    row = (await s.call('GET', `/runs/${String(body['run'])}`)).body
    return row['endedAt'] != null
  }
  await until('the run', ended, 1_800_000)
  return row
}

/** One vault to AWS Secrets Manager: what an unchanged run costs, and how long a change takes. */
async function measure(secrets: number): Promise<Row[]> {
  await using s = await synced({ secrets, vaults: 2, demonstration: true })
  await s.scan()
  const { items = [] } = (await s.call('GET', '/connectors')).body
  const connector = String(items.find((one) => one['cloud'] === 'aws')?.['connector'])
  const opened = await s.open({ kind: 'aws-secrets-manager', onChange: true }, connector)
  await s.call('PUT', '/writes', { allowed: true })
  await s.settle()
  await s.call('POST', `/runs/${opened.run}/decision`, { decision: 'accept', plan: opened.plan })
  const held = s.twin.estate.aws[0]?.secrets ?? []
  await until('the first copies', () => held.length === secrets, 1_800_000)
  await s.settle()

  s.twin.resetCalls()
  const began = performance.now()
  const unchanged = await runOnce(s, opened.route)
  const unchangedMs = performance.now() - began
  const calls = (name: string) => s.twin.calls.get(name) ?? 0
  const [vault, aws] = [calls('keyvault.secrets.list'), calls('aws.secretsmanager.ListSecrets')]
  const lists = vault + aws
  const reads = calls('keyvault.secrets.get') + calls('aws.secretsmanager.GetSecretValue')
  // Besides the pages: a vault challenges a new client once, and a run looks first which account it reaches.
  const floor = Math.ceil(secrets / PAGES.source) + 1 + Math.ceil(secrets / PAGES.target) + 1

  const host = s.test.host('sync')
  const assets = await host.tx(tenant, (tx) =>
    tx.rows<{ asset: string; name: string }>(
      'select asset, name from source_item where tenant = $1 order by name limit $2',
      [tenant, CHANGES],
    ),
  )
  const lags: number[] = []
  for (const [turn, { asset, name }] of assets.entries()) {
    await s.put('from', name, `changed ${turn}`)
    const from = performance.now()
    await host.tx(tenant, (tx) =>
      sendRun(
        host,
        tx,
        { route: opened.route, connector },
        {
          trigger: 'rotation',
          by: { kind: 'service', id: 'bench' },
          secrets: [asset],
          id: `bench ${turn}`,
        },
      ),
    )
    const secret = held.find((one) => one.name === name)
    await until('a changed copy', () => secret?.versions.at(-1)?.text === `changed ${turn}`, 60_000)
    lags.push(performance.now() - from)
  }
  lags.sort((a, b) => a - b)
  const p50 = lags[Math.floor(lags.length / 2)] ?? Number.NaN
  return [
    {
      what: `${secrets} unchanged secrets reconciled with AWS Secrets Manager`,
      measured: `${vault} + ${aws} list calls, ${reads} values read, ${seconds(unchangedMs)}`,
      goal: `≤ ${floor} list calls (one a page of both sides, a challenge, a look at the account), no value read`,
      met: lists <= floor && reads === 0 && unchanged['valuesRead'] === 0,
    },
    {
      what: `A change to its remote write, above the provider’s latency (${lags.length} times)`,
      measured: `p50 ${seconds(p50)}, slowest ${seconds(lags.at(-1) ?? Number.NaN)}`,
      goal: 'p50 ≤ 1 s',
      met: p50 <= 1000,
    },
  ]
}

/** Sync, at full size: the first copies alone take about nine minutes, at the pace that AWS bears. */
export const run = async (): Promise<Row[]> => {
  const stopPostgres = await setUpPostgres()
  try {
    return await measure(SECRETS)
  } finally {
    await stopPostgres()
  }
}
