import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RotationDetail } from '@attestry/contracts/http'
import { pause } from '@attestry/kit'
import { connect } from '@attestry/kit/postgres'
import { guardOf, testHost, type TestHost } from '@attestry/kit/testing'
import type { Consumer, RunningCloud } from '@attestry/twin'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as z from 'zod'
import { discoveryService } from '../discovery/service.ts'
import { Dead, ServiceProcess } from './process.fixture.ts'
import { terms, workshopCloud } from './service.fixture.ts'
import { type Job, jobOf, type JobName, resourcesOf } from './workshop.fixture.ts'

/*
 * The service as a process of the operating system, on a real Postgres, against the cloud in this process: killed without
 * warning right after the cloud did what it was asked for and before it could be answered, and started again, while
 * workloads sign in all the time. And its memory, when it is at rest.
 */

const NAMES = [
  'app-secret',
  'sp-secret',
  'storage-key',
  'servicebus-key',
  'key',
  'certificate-self',
] as const satisfies readonly JobName[]
type Name = (typeof NAMES)[number]

/** What the process does not live to see the answer of, while it rotates each. */
const DEATHS: { readonly [K in Name]: readonly string[] } = {
  'app-secret': ['graph.applications.add-password', 'keyvault.secrets.set'],
  'sp-secret': ['graph.service-principals.add-password'],
  'storage-key': ['arm.storage-accounts.regenerate-key'],
  'servicebus-key': ['arm.service-bus.regenerate-keys'],
  key: ['keyvault.keys.rotate'],
  'certificate-self': ['keyvault.certificates.create'],
}

let twin: RunningCloud
let env: Record<string, string>
let seen: TestHost
let life: ServiceProcess
const jobs = new Map<Name, Job>()
const consumers: Consumer[] = []
const rotations = new Map<Name, string>()
const died: string[] = []

const aheadMs = () => twin.clock.now() - Date.now()
const begin = async () => {
  life = await ServiceProcess.start({ database: seen.url, cloud: twin.url, env, aheadMs: aheadMs() })
}
const move = async (duration: Temporal.DurationLike) => {
  twin.clock.advance(Temporal.Duration.from(duration).total('milliseconds'))
  await life.ask({ do: 'move', aheadMs: aheadMs() })
}
const Reply = z.object({ status: z.number(), body: z.unknown() })

async function ok<T>(method: string, path: string, body?: object): Promise<T> {
  const reply = Reply.parse(await life.ask({ do: 'request', method, path, body, who: 'operator-0001' }))
  if (reply.status >= 300)
    throw new Error(`${method} ${path} answered ${reply.status}: ${JSON.stringify(reply.body)}`)
  // The caller names the shape that the contract gives this endpoint's reply.
  return reply.body as T
}

/** What was seen last, for whoever reads a failure. */
let last: unknown = null

async function until<T>(what: string, look: () => Promise<T | null | undefined | false>): Promise<T> {
  const deadline = AbortSignal.timeout(240_000)
  for (;;) {
    const found = await look()
    if (found) return found
    if (deadline.aborted) throw new Error(`never: ${what}; ${JSON.stringify({ died, last })}`)
    await pause(60, deadline)
  }
}

const read = (name: Name) => ok<RotationDetail>('GET', `/api/rotation/rotations/${rotations.get(name) ?? ''}`)

/** The process dies right after the cloud did this, and another one takes over. The lease of the dead one has ended. */
function dies(operation: string): void {
  twin.faults.add({
    operation,
    mutating: true,
    times: 1,
    trouble: {
      kind: 'meanwhile',
      after: true,
      happen: () => {
        died.push(operation)
        life.kill()
      },
    },
  })
}

/** Starts it again whenever it is dead, until something is so. */
async function livesUntil(what: string, look: () => Promise<boolean>): Promise<void> {
  await until(what, async () => {
    try {
      return await look()
    } catch (error) {
      if (!(error instanceof Dead)) throw error
      await life.ended
      // Twenty seconds pass: what the dead one held is free.
      await pool.query('update rotation.pending_command set lease_until = now() where lease_until > now()')
      await begin()
      return false
    }
  })
}

let pool: Pool
beforeAll(async () => {
  const made = await workshopCloud()
  ;({ twin, env } = made)
  const guard = guardOf(['tenant-admin'], {}, made.clock)
  seen = await testHost({
    clock: made.clock,
    sweepMs: 30,
    services: [
      {
        name: 'discovery',
        make: (host) =>
          discoveryService(host, guard, { azure: { endpoint: twin.url, env: {} }, autoConnect: false }),
      },
    ],
  })
  pool = connect({ url: seen.url, max: 1 })
  const discovery = async (path: string, body: object) => {
    const response = await seen.service('discovery').fetch(
      new Request(`http://localhost/api/discovery${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    )
    return z.record(z.string(), z.unknown()).parse(await response.json())
  }
  const { environment } = await discovery('/environments', { name: 'workshop', everyHours: null })
  await discovery('/scans', { environment })
  for (const name of NAMES) jobs.set(name, jobOf({ cloud: twin, resource: resourcesOf(twin) }, name))
  await begin()
}, 90_000)

afterAll(async () => {
  await life.stop()
  await pool.end()
  await seen[Symbol.asyncDispose]()
  await twin.stop()
})

/** What a policy of each kind is made for: what discovery lists by its asset, the others by what they are. */
async function policyFor(name: Name, job: Job): Promise<string> {
  const assets = async (sql: string) => (await pool.query<{ asset: string }>(sql)).rows[0]?.asset
  const listed = await until(`${name} is known`, async () => {
    if (name === 'app-secret')
      return assets(
        `select asset from rotation.credentials where app_name = 'workshop-shop' and kind = 'secret'`,
      )
    if (name === 'key' || name === 'certificate-self')
      return assets(
        `select asset from rotation.items where name = '${job.subject.part ?? ''}' and kind = '${job.kind}'`,
      )
    return 'not listed'
  })
  const vaults = (await pool.query<{ vault: string; uri: string }>('select vault, uri from rotation.vaults'))
    .rows
  const targets = job.targets.map(({ uri, secret, content }) => ({
    vault: vaults.find((one) => one.uri.startsWith(uri))?.vault,
    secret,
    content,
  }))
  const { policy } = await ok<{ policy: string }>(
    'POST',
    '/api/rotation/policies',
    terms(targets, listed === 'not listed' ? { subject: job.subject } : { credential: listed }),
  )
  return policy
}

test('killed after the change of each kind, the service finishes one rotation of each kind, and no sign-in fails', async () => {
  for (const [name, job] of jobs) {
    consumers.push(...job.consumers(twin))
    const policy = await policyFor(name, job)
    const plan = await until(`${name} is planned`, async () => {
      const reply = Reply.parse(
        await life.ask({
          do: 'request',
          method: 'POST',
          path: '/api/rotation/plans',
          body: { policy },
          who: 'operator-0001',
        }),
      )
      // The policy's row may be a moment behind.
      if (reply.status === 404) return null
      if (reply.status >= 300) throw new Error(`${name} cannot be planned: ${JSON.stringify(reply.body)}`)
      return reply.body as RotationDetail
    })
    rotations.set(name, plan.rotation)
  }
  // One after the other: each is cut off where it hurts most, and goes on in the next life.
  for (const name of NAMES) {
    for (const operation of DEATHS[name]) dies(operation)
    await livesUntil(`${name} is in grace`, async () => {
      const { rotation, stage, planHash, now, endedAt } = await read(name)
      last = { name, stage, now }
      if (stage === 'planned') await ok('POST', `/api/rotation/rotations/${rotation}/request`, { planHash })
      // A value that a vault served for a moment may be held by somebody for a day: it is tried again after that.
      if (stage === 'rolling-back' && now.until)
        await move({
          milliseconds: Math.max(0, Date.parse(now.until) - Math.floor(twin.clock.now())) + 1000,
        })
      // A dependent that does not show it yet is looked at again each minute.
      if (stage === 'cutover') await move({ minutes: 1 })
      return stage === 'grace' || stage === 'retiring' || endedAt !== null
    })
  }
  // Its owner brings over the app that carries the credential itself, which nobody sees from outside.
  const legacy = twin.estate.sites.find(({ name }) => name === 'app-shop-legacy')
  const setting = legacy?.settings.find(({ name }) => name === 'SHOP_CLIENT')
  const value = twin.estate.vaults
    .find(({ name }) => name === 'kv-workshop')
    ?.secrets['shop-client']?.versions.at(-1)?.value
  if (setting && value !== undefined) Object.assign(setting, { value })
  for (const name of NAMES)
    for (const { plan, state } of (await read(name)).dependents)
      if (state !== 'confirmed')
        await ok(
          'POST',
          `/api/rotation/rotations/${rotations.get(name) ?? ''}/dependents/${plan.dependent}`,
          {
            verdict: 'waived',
            reason: `${plan.kind} is looked after by its owner`,
          },
        )
  let moves = 0
  await livesUntil('all are complete', async () => {
    const now = await Promise.all(NAMES.map(read))
    last = now.map(({ stage, held }) => [stage, held])
    const ended = now.every(({ endedAt }) => endedAt !== null)
    // Twice the grace, and what is disabled is left so for a while.
    if (!ended) await move(moves++ < 6 ? { hours: 12 } : { minutes: 20 })
    return ended
  })

  expect(died).toEqual(NAMES.flatMap((name) => DEATHS[name]))
  expect(consumers.flatMap(({ failures }) => failures)).toEqual([])
  for (const consumer of consumers) expect(consumer.attempts).toBeGreaterThan(50)
  for (const name of NAMES) {
    const { stage, reason, record } = await read(name)
    expect({ name, stage, reason }).toEqual({ name, stage: 'complete', reason: null })
    expect(record.filter(({ type }) => type === 'completed')).toHaveLength(1)
  }
  for (const { passwords } of [
    twin.estate.applications.find(({ name }) => name === 'workshop-shop'),
    twin.estate.servicePrincipals.find(({ name }) => name === 'workshop-reporting'),
  ].filter((one) => one !== undefined)) {
    expect(passwords).toHaveLength(1)
    expect(passwords[0]?.name).toMatch(/^attestry rotation-/)
  }
}, 500_000)

/** Which of some texts stand in a file. Read in pieces that overlap, because a snapshot is large. */
async function standIn(file: string, texts: readonly string[]): Promise<string[]> {
  const found = new Set<string>()
  const longest = Math.max(...texts.map((text) => text.length))
  let tail = ''
  for await (const piece of createReadStream(file, { encoding: 'latin1', highWaterMark: 4_000_000 })) {
    const text = tail + String(piece)
    for (const one of texts) if (text.includes(one)) found.add(one)
    tail = text.slice(-longest)
  }
  return [...found]
}

test('at rest, the memory of the process holds no value of anything that it rotated', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'attestry-heap-'))
  try {
    const file = join(folder, 'rest.heapsnapshot')
    // Its own secret, which it signs in with, and nothing else may be there.
    const canaries = twin.secretCanaries().filter((value) => value !== env['AZURE_CLIENT_SECRET'])
    expect(canaries.length).toBeGreaterThan(12)
    const before = await life.ask({ do: 'look', file })
    expect(await standIn(file, canaries)).toEqual([])
    // A value that is kept, as text or in a wrapper that nobody wiped, would have been seen.
    const [kept = ''] = canaries
    await life.ask({ do: 'keep', value: kept })
    const after = await life.ask({ do: 'look', file })
    expect(await standIn(file, canaries)).toEqual([kept])
    expect(after).toBe(Number(before) + 1)
    expect(before).toBe(0)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}, 120_000)
