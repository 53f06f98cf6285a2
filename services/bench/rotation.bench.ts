import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import * as z from 'zod'
import topology from '../../deploy/servicebus/config.json' with { type: 'json' }
import { discoveryService } from '../discovery/service.ts'
import { openBus } from '../kit/bus/servicebus.ts'
import { pause } from '../kit/clock.ts'
import { guardOf, testHost } from '../kit/for-tests.ts'
import { createLog } from '../kit/log.ts'
import { Secret } from '../kit/secret.ts'
import { azureRotation, rotationService } from '../rotation/service.ts'
import { generatedEstate, startCloud } from '../twin/index.ts'
import setUpPostgres from '../twin/postgres/global-setup.ts'
import { startBroker } from '../twin/servicebus/broker.ts'
import type { Row } from './row.ts'

/*
 * The real service on the real SDKs and the real bus: the schedule finds what is due and plans it; then as many as may
 * run at once are approved and run to their end, each proving its new secret for a minute as in production. The cloud
 * and the bus are a process of their own, so that neither side pays for the other. What is only waited for (grace, and the time that a
 * version stays disabled) is jumped over by both clocks.
 */

const LATENCY_MS = 50
const DUE = 1000
/** As many as the service begins at once in a tenant. */
const AT_ONCE = 100
/** The proof of a new secret: three tokens in a row over a minute. */
const PROOF_MS = 60_000
const GRACE_MS = 3_600_000
const WAIT_MS = 10 * 60_000
/** Key Vault Secrets Officer and Reader, by their published ids. */
const SECRETS_OFFICER = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'

const Where = z.object({
  url: z.string(),
  identityEndpoint: z.string(),
  identityHeader: z.string(),
  /** Connection string of the bus. */
  bus: z.string(),
})
type Where = z.infer<typeof Where>
const Advance = z.object({ advanceMs: z.int() })

const Outcome = z.object({
  planMs: z.number(),
  /** From the approvals to the last in grace; from the end of the grace to the last disabled; from there to the last complete. */
  runMs: z.tuple([z.number(), z.number(), z.number()]),
  /** Of the service's process, while they were planned and while they ran. */
  planCpuMs: z.number(),
  runCpuMs: z.number(),
})
type Outcome = z.infer<typeof Outcome>

async function serveCloud(): Promise<void> {
  const estate = generatedEstate({
    vaults: 10,
    secrets: 0,
    keys: 0,
    certificates: 0,
    applications: DUE,
    now: Date.now(),
  })
  const product = estate.servicePrincipals.find(({ name }) => name === 'attestry')
  if (!product) throw new Error('the estate has no identity of the product')
  product.graphRoles.push('Application.ReadWrite.OwnedBy')
  for (const { id } of estate.subscriptions)
    estate.roleAssignments.push({
      id: `rotation-${id}`,
      roleDefinition: SECRETS_OFFICER,
      principal: product.id,
      scope: `/subscriptions/${id}`,
    })
  const cloud = await startCloud({
    estate,
    faults: [{ trouble: { kind: 'latency', ms: LATENCY_MS } }],
    // The clock is moved by hours, and how tokens are renewed is not what is measured.
    settings: { tokenLifetimeSeconds: 10 * 86_400 },
  })
  process.on('message', (message) => cloud.clock.advance(Advance.parse(message).advanceMs))
  const broker = await startBroker({ config: topology, key: randomBytes(32).toString('base64') })
  const { url, identityEndpoint, identityHeader } = cloud
  process.send?.({ url, identityEndpoint, identityHeader, bus: broker.connectionString } satisfies Where)
  process.once('disconnect', () => void Promise.all([cloud.stop(), broker.stop()]))
}

async function measure(where: Where, advanceCloud: (ms: number) => void): Promise<Outcome> {
  process.env['IDENTITY_ENDPOINT'] = where.identityEndpoint
  process.env['IDENTITY_HEADER'] = where.identityHeader
  let ahead = 0
  const clock = { now: () => Temporal.Now.instant().add({ milliseconds: ahead }) }
  const advance = (ms: number) => {
    ahead += ms
    advanceCloud(ms)
  }
  let may = false
  let who = 'operator-0001'
  const one = guardOf(['tenant-admin'], {}, clock)
  const guard = {
    ...one,
    identify: async (request: Request) => {
      const known = await one.identify(request)
      return known && { ...known, operator: who }
    },
    // Nothing is due before everything is in place.
    entitled: () => Promise.resolve(may),
  }
  const bus = openBus({ connectionString: where.bus })
  const azure = { endpoint: where.url, env: {} }
  await using test = await testHost({
    // As many as a process of the product has.
    connections: 20,
    bus,
    clock,
    sweepMs: 30_000,
    log: createLog({ level: 'warn', pretty: false, destination: process.stderr }),
    services: [
      { name: 'discovery', make: (host) => discoveryService(host, one, { azure, autoConnect: false }) },
      {
        name: 'rotation',
        make: (host) =>
          rotationService(host, guard, {
            ...azureRotation(azure),
            secretKey: new Secret('an install key of more than thirty-two characters'),
          }),
      },
    ],
  })
  const host = test.host('rotation')
  const deadline = AbortSignal.timeout(WAIT_MS)
  const call = async (method: string, path: string, body?: object): Promise<unknown> => {
    const response = await test.service(path.split('/')[2] ?? '').fetch(
      new Request(`http://localhost${path}`, {
        method,
        ...(body ? { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : {}),
      }),
    )
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`)
    return text === '' ? null : JSON.parse(text)
  }
  const count = async (sql: string, ...values: unknown[]): Promise<number> => {
    const [row] = await host.tx('acme', (tx) => tx.rows<{ n: number }>(sql, ['acme', ...values]))
    return row?.n ?? 0
  }
  const until = async (what: string, holds: () => Promise<boolean>, everyMs: number) => {
    while (!(await holds())) {
      if (deadline.aborted) throw new Error(`never: ${what}`)
      await pause(everyMs, deadline)
    }
  }
  const { environment } = z
    .object({ environment: z.string() })
    .parse(await call('POST', '/api/discovery/environments', { name: 'bench', everyHours: null }))
  await call('POST', '/api/discovery/scans', { environment })
  const known = 'select count(*)::int as n from credentials where tenant = $1'
  await until('the scan is folded', async () => (await count(known)) >= DUE, 200)
  may = true
  await call('POST', '/api/rotation/selectors', {
    namePart: 'workload',
    cadenceDays: 365,
    settings: {
      daysBeforeExpiry: 14,
      targets: [],
      window: null,
      approvals: 1,
      dependents: 'switch',
      graceHours: 1,
      prestageDays: null,
      owner: null,
    },
  })
  may = false
  const matched = `select count(*)::int as n from matches where tenant = $1 and state = $2 and signals ? 'tag-key-id'`
  await until('matches are proposed', async () => (await count(matched, 'proposed')) >= DUE, 200)
  const matches = await host.tx('acme', (tx) =>
    // All were made on one day, so that dates alone tie each policy to several.
    tx.rows<{ match: string }>(`select match from matches where tenant = $1 and signals ? 'tag-key-id'`, [
      'acme',
    ]),
  )
  for (let from = 0; from < matches.length; from += AT_ONCE)
    await Promise.all(
      matches
        .slice(from, from + AT_ONCE)
        .map(({ match }) => call('POST', `/api/rotation/matches/${match}`, { verdict: 'verified' })),
    )
  await until('matches are verified', async () => (await count(matched, 'verified')) >= DUE, 200)

  // The schedule looks once a minute.
  may = true
  const asked = `select count(*)::int as n from pending_command where tenant = $1 and command = 'plan-due'`
  await until('the schedule looked', async () => (await count(asked)) > 0, 10)
  const planBegan = performance.now()
  const planCpu = process.cpuUsage()
  await until('all is planned', async () => (await count(`${asked} and outcome = 'done'`)) > 0, 20)
  const planMs = performance.now() - planBegan
  const planCpuMs = cpuMs(planCpu)
  const waiting = `select count(*)::int as n from runs where tenant = $1 and stage = 'awaiting-approval'`
  await until('plans await approval', async () => (await count(waiting)) >= DUE, 100)

  const plans = await host.tx('acme', (tx) =>
    tx.rows<{ rotation: string; hash: string }>(
      `select rotation, event->'data'->>'planHash' as hash from run_events
       where tenant = $1 and event->>'type' = 'rotation.planned' order by rotation limit $2`,
      ['acme', AT_ONCE],
    ),
  )
  const running = plans.map(({ rotation }) => rotation)
  const recorded = async (type: string) =>
    (await count(
      `select count(*)::int as n from run_events where tenant = $1 and event->>'type' = $2 and rotation = any($3)`,
      type,
      running,
    )) >= AT_ONCE
  const timed = async (what: string, type: string): Promise<number> => {
    const began = performance.now()
    await until(what, () => recorded(type), 50)
    return performance.now() - began
  }
  who = 'operator-0002'
  const runCpu = process.cpuUsage()
  const runBegan = performance.now()
  await Promise.all(
    plans.map(({ rotation, hash }) =>
      call('POST', `/api/rotation/rotations/${rotation}/approve`, { planHash: hash }),
    ),
  )
  await until('all are in grace', () => recorded('rotation.grace-entered'), 50)
  const toGraceMs = performance.now() - runBegan
  // Nothing observes sign-ins here, so an old secret goes after twice the grace.
  advance(2 * GRACE_MS + 60_000)
  const toDisabledMs = await timed('all old versions are disabled', 'rotation.version-disabled')
  advance(15 * 60_000 + 1000)
  const toCompleteMs = await timed('all are complete', 'rotation.completed')
  const runCpuMs = cpuMs(runCpu)
  await bus.close()
  return { planMs, planCpuMs, runMs: [toGraceMs, toDisabledMs, toCompleteMs], runCpuMs }
}

function cpuMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

/** The cloud as a process of this file. */
async function cloudApart(): Promise<{ where: Where; child: ChildProcess }> {
  const child = fork(import.meta.filename, ['cloud'])
  const [answer] = await once(child, 'message', { signal: AbortSignal.timeout(60_000) })
  return { where: Where.parse(answer), child }
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** Rotation: planning of what is due, and many rotations at once against what each of them has to wait for. */
export const run = async (): Promise<Row[]> => {
  const stopPostgres = await setUpPostgres()
  const cloud = await cloudApart()
  try {
    const { planMs, planCpuMs, runMs, runCpuMs } = Outcome.parse(
      await measure(cloud.where, (advanceMs) => void cloud.child.send({ advanceMs })),
    )
    const wall = runMs.reduce((a, b) => a + b, 0)
    const [toGrace, toDisabled, toComplete] = runMs
    return [
      {
        what: `${DUE} due rotations planned and asked for, ${LATENCY_MS} ms a call`,
        measured: `${seconds(planMs)}, with ${seconds(planCpuMs)} of CPU`,
        goal: '≤ 5 s',
        met: planMs <= 5000,
      },
      {
        what: `${AT_ONCE} rotations at once, from approval to complete, against the minute in which each proves its secret`,
        measured: `${seconds(wall)} = ${(wall / PROOF_MS).toFixed(2)} × (${seconds(toGrace)} to grace, ${seconds(toDisabled)} to disable, ${seconds(toComplete)} to remove), with ${seconds(runCpuMs)} of CPU`,
        goal: '≤ 1.2 ×',
        met: wall <= 1.2 * PROOF_MS,
      },
    ]
  } finally {
    cloud.child.disconnect()
    await stopPostgres()
  }
}

if (import.meta.main) {
  if (process.argv[2] === 'cloud') await serveCloud()
  else
    for (const { what, measured, goal, met } of await run())
      console.log(`${met ? '✓' : '✗'} ${what}: ${measured}  (goal ${goal})`)
}
