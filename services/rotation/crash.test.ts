import { Transient } from '@attestry/kit'
import type { Trouble } from '@attestry/twin'
import { describe, expect, test } from 'vitest'
import type { Stage } from './state.ts'
import {
  type Job,
  type JobName,
  JOBS,
  jobOf,
  Killed,
  Process,
  type Record,
  type Workshop,
  workshop,
} from './workshop.fixture.ts'

/*
 * Whatever befalls a rotation, wherever: the process dies, a call fails, its answer is lost, it hangs, before and after
 * the far side did what it was asked for; and the process dies before and after each record. It goes on in a new process
 * that knows nothing but the record, while workloads sign in all the time with whatever they are served.
 */

/** Short, so that a run takes few looks; the platforms' own caches still make it a day. */
const GRACE_MS = 3_600_000
const TIMEOUT_MS = 600
const MOST_LIVES = 12

interface Run {
  readonly shop: Workshop
  readonly job: Job
  readonly record: Record
  process: Process
}

/** A rotation that is about to begin. */
async function planned(shop: Workshop, name: JobName): Promise<Run> {
  const job = jobOf(shop, name)
  const record: Record = { events: [] }
  const process = new Process(shop, record, TIMEOUT_MS)
  await process.begin(job, { graceMs: GRACE_MS })
  return { shop, job, record, process }
}

/** Goes on, in new processes where one dies, until it is over or waits for a person. */
async function live(run: Run, reborn: (process: Process) => void = () => undefined): Promise<string> {
  for (let lives = 0; lives < MOST_LIVES; lives++) {
    try {
      return await run.process.run()
    } catch (error) {
      if (!(error instanceof Killed)) throw error
      run.process = new Process(run.shop, run.record, TIMEOUT_MS)
      reborn(run.process)
    }
  }
  return 'died too often'
}

/** What the estate looks like where it matters, without ids that differ between runs. */
function outcome({ shop, job, process, record }: Run) {
  const { estate } = shop.cloud
  const { state } = process
  const marked = (name: string | null) => name?.startsWith('attestry ') === true
  const holder = [...estate.applications, ...estate.servicePrincipals].find(({ id }) => id === job.subject.at)
  const item = (collection: 'keys' | 'certificates') =>
    estate.vaults.find(({ name }) => name === 'kv-workshop')?.[collection][job.subject.part ?? '']?.versions
  const serves = job.targets.map(({ uri, secret }) => {
    const vault = estate.vaults.find(({ name }) => uri.includes(`//${name}.`))
    const versions = vault?.secrets[secret]?.versions ?? []
    return {
      ours: versions.at(-1)?.tags?.['attestry-rotation']?.includes(record.events[0]?.stream ?? '?') === true,
      enabled: versions.filter(({ enabled }) => enabled).length,
    }
  })
  return {
    stage: state?.stage,
    // One credential is left: ours after a rotation, the one before after a rollback.
    credentials: holder?.passwords.map(({ name, keyId }) => [
      marked(name),
      keyId === state?.issued?.keyId && state.stage === 'complete',
    ]),
    serves,
    newest:
      job.kind === 'certificate'
        ? item('certificates')?.map(({ enabled }) => enabled)
        : job.kind === 'key'
          ? (item('keys')?.length ?? 0) > 1
          : null,
  }
}

/** The end that a rotation of each kind has when nothing befalls it, and has all the same when something does. */
const COMPLETE: Readonly<{ [K in JobName]: object }> = {
  'app-secret': {
    stage: 'complete',
    credentials: [[true, true]],
    serves: [
      { ours: true, enabled: 1 },
      { ours: true, enabled: 1 },
    ],
  },
  'sp-secret': { stage: 'complete', credentials: [[true, true]], serves: [{ ours: true, enabled: 1 }] },
  'storage-key': { stage: 'complete', serves: [{ ours: true, enabled: 1 }] },
  'servicebus-key': { stage: 'complete', serves: [{ ours: true, enabled: 1 }] },
  key: { stage: 'complete', newest: true },
  'certificate-self': { stage: 'complete', newest: [false, true] },
  'certificate-authority': { stage: 'complete', newest: [false, true] },
  'certificate-merge': { stage: 'complete', newest: [false, true] },
}

/** Runs under a trouble to the end, and looks at everything. */
async function survives(
  name: JobName,
  befall: (run: Run) => (process: Process) => void,
): Promise<Stage | undefined> {
  await using shop = await workshop()
  const run = await planned(shop, name)
  const consumers = run.job.consumers(shop.cloud)
  const before = run.process.state?.plan.snapshot ?? []
  const reborn = befall(run)
  const ended = await live(run, reborn)
  const failures = consumers.flatMap((consumer) => consumer.failures)
  // The names of what was recorded only tell a reader of a failure how it came to it.
  expect({ failures, ended, names: run.process.names(), ...outcome(run) }).toMatchObject({
    failures: [],
    ended: 'over',
    ...COMPLETE[name],
  })
  recorded(run, before.length)
  return run.process.state?.stage
}

/** R3 and R5 as the record shows them. */
function recorded({ process }: Run, snapshot: number): void {
  const names = process.names()
  expect(snapshot).toBeGreaterThan(0)
  const first = (name: string) => names.indexOf(name)
  for (const [outcomeOf, intent] of [
    ['credential-issued', 'issue-intended'],
    ['dependent-switched', 'switch-intended'],
    ['version-disabled', 'disable-intended'],
  ] as const) {
    if (first(outcomeOf) < 0) continue
    expect(first(intent), 'R5').toBeGreaterThanOrEqual(0)
    expect(first(outcomeOf), 'R5').toBeGreaterThan(first(intent))
    expect(first(intent), 'R3').toBeGreaterThan(first('preflight-passed'))
  }
}

/** How many calls that change something a rotation makes when nothing befalls it, and how many records. */
function measure(name: JobName): Promise<{ calls: number; records: number }> {
  const known = measured.get(name)
  if (known) return known
  const fresh = count(name)
  measured.set(name, fresh)
  return fresh
}
const measured = new Map<JobName, Promise<{ calls: number; records: number }>>()

async function count(name: JobName): Promise<{ calls: number; records: number }> {
  await using shop = await workshop()
  const run = await planned(shop, name)
  let calls = 0
  let records = 0
  shop.cloud.faults.add({
    mutating: true,
    trouble: {
      kind: 'meanwhile',
      happen: () => {
        calls += 1
      },
    },
  })
  run.process.around = (when) => {
    if (when === 'before') records += 1
  }
  expect(await live(run)).toBe('over')
  return { calls, records }
}

const TROUBLES: Readonly<{ [name: string]: Trouble | 'dies before' | 'dies after' }> = {
  'the process dies before': 'dies before',
  'the process dies after': 'dies after',
  'fails before': { kind: 'error', status: 503 },
  'fails after': { kind: 'error', status: 503, after: true },
  'is not done and its answer is lost': { kind: 'reset' },
  'is done and its answer is lost': { kind: 'reset', after: true },
  'is not done and hangs': { kind: 'hang' },
  'is done and hangs': { kind: 'hang', after: true },
}

describe.each(JOBS)('%s', (name) => {
  test.each(Object.entries(TROUBLES))('whichever call it is, %s it', async (_, trouble) => {
    const { calls } = await measure(name)
    expect(calls).toBeGreaterThan(0)
    for (let nth = 0; nth < calls; nth++)
      await survives(name, (run) => {
        const { faults } = run.shop.cloud
        const at = { mutating: true, skip: nth, times: 1 } as const
        if (typeof trouble === 'object') faults.add({ ...at, trouble })
        else {
          const after = trouble === 'dies after' ? ({ after: true } as const) : {}
          faults.add({ ...at, trouble: { kind: 'meanwhile', happen: () => run.process.kill(), ...after } })
          // Who is dead gets no answer, and what was not sent is not done.
          faults.add({ ...at, trouble: { kind: 'reset', ...after } })
        }
        return () => undefined
      })
  })

  test.each(['before', 'after'] as const)('the process dies %s each record', async (moment) => {
    const { records } = await measure(name)
    expect(records).toBeGreaterThan(0)
    for (let nth = 0; nth < records; nth++)
      await survives(name, (run) => {
        let seen = 0
        const watch = (process: Process) => {
          process.around = (when) => {
            if (when !== moment) return
            seen += 1
            if (seen === nth + 1) process.kill()
          }
        }
        watch(run.process)
        return watch
      })
  })
})

describe('an application’s secret', () => {
  const password = (name: string) => ({
    keyId: '99999999-9999-4999-a999-999999999999',
    name,
    secret: 'canary-99999999999999999999999999999999',
    startsAt: 0,
    endsAt: 4_000_000_000,
    usableFrom: 0,
  })

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    'a credential that somebody adds by hand at change %i outlives the rotation',
    async (nth) => {
      await using shop = await workshop()
      const run = await planned(shop, 'app-secret')
      const consumers = run.job.consumers(shop.cloud)
      const holder = shop.cloud.estate.applications.find(({ id }) => id === run.job.subject.at)
      shop.cloud.faults.add({
        mutating: true,
        skip: nth,
        times: 1,
        trouble: { kind: 'meanwhile', happen: () => void holder?.passwords.push(password('by hand')) },
      })
      await live(run)
      expect(holder?.passwords.map(({ name }) => name)).toContain('by hand')
      expect(consumers.flatMap(({ failures }) => failures)).toEqual([])
    },
  )

  test('a vault that somebody writes by hand meanwhile keeps what they wrote, and the old credential stays', async () => {
    await using shop = await workshop()
    const run = await planned(shop, 'app-secret')
    const holder = shop.cloud.estate.applications.find(({ id }) => id === run.job.subject.at)
    const old = holder?.passwords[0]?.keyId
    const main = shop.cloud.estate.vaults.find(({ name }) => name === 'kv-workshop')?.secrets['shop-client']
    const value = main?.versions[0]
    // After the second vault was written and before anything is retired.
    shop.cloud.faults.add({
      operation: 'arm.sites.refresh-references',
      times: 1,
      trouble: {
        kind: 'meanwhile',
        happen: () => {
          if (value) main?.versions.push({ ...value, version: 'f'.repeat(32), tags: null })
        },
      },
    })
    await live(run)
    expect(main?.versions.at(-1)?.version).toBe('f'.repeat(32))
    expect(main?.versions.at(-1)?.enabled).toBe(true)
    expect(holder?.passwords.map(({ keyId }) => keyId)).toContain(old)
  })

  test.each([-7_200_000, -60_000, 7_200_000])(
    'a machine’s clock that jumps by %i ms at every change does no harm',
    async (ms) => {
      const stage = await survives('app-secret', ({ shop, record }) => {
        shop.cloud.faults.add({
          mutating: true,
          trouble: {
            kind: 'meanwhile',
            happen: () => {
              record.skewMs = (record.skewMs ?? 0) + ms
            },
          },
        })
        return () => undefined
      })
      expect(stage).toBe('complete')
    },
  )

  test('replication that takes three minutes, and a process that dies while it lasts, leave no orphan', async () => {
    const stage = await survives('app-secret', ({ shop, process }) => {
      shop.cloud.settings.credentialReplicationMs = 180_000
      shop.cloud.faults.add({
        operation: 'entra.token',
        skip: 6,
        times: 1,
        trouble: { kind: 'meanwhile', happen: () => process.kill() },
      })
      return () => undefined
    })
    expect(stage).toBe('complete')
  })

  test('a secret that never comes to work is taken back, and the vaults never served it', async () => {
    await using shop = await workshop()
    shop.cloud.settings.credentialReplicationMs = 3_600_000
    const run = await planned(shop, 'app-secret')
    const consumers = run.job.consumers(shop.cloud)
    expect(await live(run)).toBe('over')
    expect(outcome(run)).toMatchObject({
      stage: 'rolled-back',
      credentials: [[false, false]],
      serves: [
        { ours: false, enabled: 1 },
        { ours: false, enabled: 1 },
      ],
    })
    expect(consumers.flatMap(({ failures }) => failures)).toEqual([])
  })

  test('a second vault that refuses makes the first one serve the old value again', async () => {
    await using shop = await workshop()
    const run = await planned(shop, 'app-secret')
    const consumers = run.job.consumers(shop.cloud)
    const spare = shop.cloud.estate.vaults.find(({ name }) => name === 'kv-workshop-spare')
    shop.cloud.faults.add({
      operation: 'graph.applications.add-password',
      times: 1,
      trouble: {
        kind: 'meanwhile',
        after: true,
        happen: () => {
          if (spare)
            spare.network = { bypass: 'None', defaultAction: 'Deny', ipRules: [], virtualNetworks: [] }
          // Its firewall opens again later: what is to be taken back there can be looked at.
        },
      },
    })
    const ended = await run.process.run(12).catch((error: unknown) => {
      if (error instanceof Transient) return 'again'
      throw error
    })
    expect(ended).not.toBe('over')
    if (spare) spare.network = null
    await live(run)
    expect(run.process.state?.stage === 'rolled-back' || run.process.state?.needsOperator !== null).toBe(true)
    expect(consumers.flatMap(({ failures }) => failures)).toEqual([])
    const holder = shop.cloud.estate.applications.find(({ id }) => id === run.job.subject.at)
    expect(holder?.passwords.some(({ name }) => name === 'shop-2026')).toBe(true)
  })
})
