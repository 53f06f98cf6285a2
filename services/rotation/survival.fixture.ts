import { expect } from 'vitest'
import { atOnce } from './at-once.ts'
import type { Stage } from './state.ts'
import {
  type Job,
  type JobName,
  jobOf,
  Killed,
  Process,
  type Record,
  type Workshop,
  workshop,
} from './workshop.fixture.ts'

/* A rotation in the workshop that something befalls, and what must hold of it all the same. */

/** Short, so that a run takes few looks; the platforms' own caches still make it a day. */
const GRACE_MS = 3_600_000
/** Where answers never come, they are not waited for long; else only a machine under load is slow. */
export const SHORT_TIMEOUT_MS = 600
const TIMEOUT_MS = 20_000
const MOST_LIVES = 12

export interface Run {
  readonly shop: Workshop
  readonly job: Job
  readonly record: Record
  readonly timeoutMs: number
  process: Process
}

/** A rotation that is about to begin. */
export async function planned(shop: Workshop, name: JobName, timeoutMs = TIMEOUT_MS): Promise<Run> {
  const job = jobOf(shop, name)
  const record: Record = { events: [] }
  await new Process(shop, record, TIMEOUT_MS).begin(job, { graceMs: GRACE_MS })
  return { shop, job, record, timeoutMs, process: new Process(shop, record, timeoutMs) }
}

/** Goes on, in new processes where one dies, until it is over or waits for a person. */
export async function live(run: Run, reborn: (process: Process) => void = () => undefined): Promise<string> {
  for (let lives = 0; lives < MOST_LIVES; lives++) {
    try {
      return await run.process.run()
    } catch (error) {
      if (!(error instanceof Killed)) throw error
      run.process = new Process(run.shop, run.record, run.timeoutMs)
      reborn(run.process)
    }
  }
  return 'died too often'
}

/** What the estate looks like where it matters, without ids that differ between runs. */
export function outcome({ shop, job, process, record }: Run) {
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

/** Which of so many: 0, 1, 2 … Runs wait for answers most of the time, so several go on at once. */
export const each = (count: number, work: (nth: number) => Promise<unknown>): Promise<void> =>
  atOnce(6, [...Array.from({ length: count }).keys()], async (nth) => void (await work(nth)))

/** Runs under a trouble to the end, and looks at everything. */
export async function survives(
  name: JobName,
  befall: (run: Run) => (process: Process) => void,
  timeoutMs = TIMEOUT_MS,
): Promise<Stage | undefined> {
  await using shop = await workshop()
  const run = await planned(shop, name, timeoutMs)
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

/** How many calls that change something a rotation makes when nothing befalls it, how many that read, and how many records. */
export function measure(name: JobName): Promise<Measured> {
  const known = measured.get(name)
  if (known) return known
  const fresh = count(name)
  measured.set(name, fresh)
  return fresh
}
const measured = new Map<JobName, Promise<Measured>>()

interface Measured {
  readonly calls: number
  readonly reads: number
  readonly records: number
}

async function count(name: JobName): Promise<Measured> {
  await using shop = await workshop()
  const run = await planned(shop, name)
  let calls = 0
  let reads = 0
  let records = 0
  shop.cloud.faults.add({
    reading: true,
    trouble: {
      kind: 'meanwhile',
      happen: () => {
        reads += 1
      },
    },
  })
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
  return { calls, reads, records }
}
