import { fact } from '@attestry/contracts'
import { pause } from '@attestry/kit'
import { runningClock } from '@attestry/kit/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { servedBy, type Synced, synced } from './for-tests.ts'
import { lookForLost, scheduledRuns } from './triggers.ts'
import { createWorker } from './worker.ts'

/*
 * What happens without a person: runs on change and by time, tries again, and what compliance makes of it all. Between
 * vaults, under a clock that can be put forward. One story, told in order.
 */

const clock = runningClock()
let s: Synced
let route: string
let connector: string
let names: string[]

/** Assets by the names of the source's secrets, as discovery knows them. */
const assets = new Map<string, string>()
let vault: string

beforeAll(async () => {
  s = await synced({ secrets: 4, vaults: 3, clock, neighbours: true, beatMs: 3_600_000 })
  names = Object.values(s.from.secrets).map((secret) => secret.name)
  await s.scan()
  connector = await s.connect()
  const opened = await s.open({ onChange: true, deletePolicy: 'prune', onDrift: 'reassert' })
  ;({ route } = opened)
  await s.accept(opened)
  const { items = [] } = (await s.call('GET', '/sources')).body
  vault = String(items.find((one) => one['name'] === s.from.name)?.['vault'])
  const rows = await s.test
    .host('sync')
    .tx('acme', (tx) =>
      tx.rows<{ asset: string; name: string }>(
        'select asset, name from source_item where tenant = $1 and vault = $2',
        [tx.tenant, vault],
      ),
    )
  for (const { asset, name } of rows) assets.set(name, asset)
}, 180_000)
afterAll(() => s[Symbol.asyncDispose]())

const nameAt = (index: number): string => names[index] ?? ''
const runs = async () => (await s.call('GET', '/runs')).body.items ?? []

/** What rotation says once a vault serves a new value. */
async function rotated(name: string): Promise<void> {
  await s.test.host('rotation').append('acme', {
    stream: 'rotation-of-the-test',
    expected: 'any',
    facts: [
      fact('rotation.credential-stored', {
        rotation: 'rotation-of-the-test',
        target: 0,
        vault,
        version: s.from.secrets[name.toLowerCase()]?.versions.at(-1)?.version ?? '',
        secret: assets.get(name) ?? '',
        keyId: 'key',
        mac: null,
      }),
    ],
    by: { kind: 'service', id: 'rotation' },
    cause: { correlation: 'rotation-of-the-test', causation: 'stored' },
  })
  await s.settle()
}

describe('a run that nobody asked for', () => {
  test('a version that rotation stored is copied at once, and that one alone is read', async () => {
    await s.put('from', nameAt(0), 'rotated')
    await rotated(nameAt(0))
    expect(servedBy(s.to, nameAt(0))).toBe('rotated')
    const [run] = await runs()
    expect(run).toMatchObject({ trigger: 'rotation', outcome: 'succeeded', valuesRead: 1, listCalls: 0 })
    const last = (await s.events('sync.copied')).at(-1)
    expect(last?.by).toEqual({ kind: 'service', id: 'sync-changes' })
  })

  test('so is a change that discovery saw, and a secret that is new', async () => {
    await s.put('from', nameAt(1), 'seen by a scan')
    await s.put('from', 'brand-new', 'first seen by a scan')
    await s.rescan()
    expect(servedBy(s.to, nameAt(1))).toBe('seen by a scan')
    expect(servedBy(s.to, 'brand-new')).toBe('first seen by a scan')
    expect((await runs()).filter((run) => run['trigger'] === 'discovery')).toHaveLength(1)
  })

  test('by time it runs once, however many times were missed, and a paused route does not', async () => {
    const host = s.test.host('sync')
    const settings = (await s.call('GET', `/routes/${route}`)).body['settings'] as object
    const every = { ...settings, everyMinutes: 60 }
    expect((await s.call('PUT', `/routes/${route}`, every)).status).toBe(204)
    await s.settle()
    const asked = async (hours: number): Promise<number> =>
      host.tx('acme', async (tx) => {
        const schedule = scheduledRuns(host)
        const now = clock.now().add({ minutes: hours * 60 - 1 })
        for (let turn = 0; turn < 2; turn++) await schedule.due(now, tx)
        const rows = await tx.rows(
          `select 1 from pending_command where tenant = $1 and body ->> 'trigger' = 'schedule'`,
          [tx.tenant],
        )
        return rows.length
      })
    expect(await asked(1)).toBe(0)
    expect(await asked(5)).toBe(1)
    await s.settle()
    expect((await runs())[0]).toMatchObject({ trigger: 'schedule', outcome: 'succeeded' })
    await s.call('POST', `/routes/${route}/state`, { wish: 'pause' })
    await s.settle()
    expect(await asked(10)).toBe(1)
    // From here on the clock is put forward: nothing is to run by time any more.
    expect((await s.call('PUT', `/routes/${route}`, settings)).status).toBe(204)
    await s.settle()
  })

  test('what changed while a route was paused is copied when it is resumed', async () => {
    await s.put('from', nameAt(0), 'while it was paused')
    await rotated(nameAt(0))
    expect(servedBy(s.to, nameAt(0))).toBe('rotated')
    expect(await s.judged()).toMatchObject({ SYN001: 'fail' })
    await s.call('POST', `/routes/${route}/state`, { wish: 'resume' })
    await s.settle()
    expect(servedBy(s.to, nameAt(0))).toBe('while it was paused')
    expect(await s.judged()).toEqual({ SYN001: 'pass', SYN002: 'pass', SYN003: 'pass', SYN004: 'pass' })
  })

  test('what somebody wrote over a copy is told, and written again where the route says so', async () => {
    await s.put('to', nameAt(2), 'by hand')
    await s.run(route)
    expect((await s.events('sync.drifted')).map((e) => e.data.drift)).toEqual(['changed'])
    expect(servedBy(s.to, nameAt(2))).toBe(servedBy(s.from, nameAt(2)))
  })
})

test('two runs that meet at one copy end in the newest version, whichever writes last', async () => {
  const name = nameAt(2)
  await s.put('from', name, 'older')
  // The run of the whole route is held up between reading the older version and writing it.
  s.twin.resetCalls()
  s.twin.faults.add({
    operation: 'keyvault.secrets.set',
    host: `${s.to.name}.vault.azure.net`,
    times: 1,
    trouble: { kind: 'latency', ms: 2500 },
  })
  await s.call('POST', `/routes/${route}/runs`, {})
  while (!s.twin.calls.has('keyvault.secrets.set')) await pause(20, AbortSignal.timeout(20_000))
  await s.put('from', name, 'newer')
  await rotated(name)
  expect(servedBy(s.to, name)).toBe('newer')
  const newest = s.from.secrets[name.toLowerCase()]?.versions.at(-1)?.version
  expect((await s.events('sync.copied')).at(-1)?.data.sourceVersion).toBe(newest)
})

describe('a right that was taken away', () => {
  const grants = () => s.twin.estate.roleAssignments
  let taken: ReturnType<typeof grants> = []

  test('is tried eight times, each later than the one before, then set aside with one fact', {
    timeout: 120_000,
  }, async () => {
    await s.put('from', nameAt(3), 'later')
    taken = grants().filter(({ id }) => id.startsWith('sync-'))
    grants().splice(0, grants().length, ...grants().filter((grant) => !taken.includes(grant)))
    await rotated(nameAt(3))
    const failed = async () => (await s.events('sync.copy-failed')).map((e) => e.data)
    for (let attempt = 1; attempt < 8; attempt++) {
      const last = (await failed()).at(-1)
      expect(last).toMatchObject({ attempt, reason: expect.stringContaining('denied') as string })
      const wait = clock.now().until(Temporal.Instant.from(last?.retryAt ?? ''))
      // 1, 2, 4 … minutes, spread by a quarter, half an hour at most.
      expect(wait.total('minutes')).toBeLessThanOrEqual(Math.min(30, 2 ** (attempt - 1) * 1.25))
      clock.advance({ milliseconds: Math.ceil(wait.total('milliseconds')) + 100 })
      await s.settle()
    }
    expect(await failed()).toHaveLength(8)
    expect((await failed()).filter(({ retryAt }) => retryAt === null)).toHaveLength(1)
    expect((await s.call('GET', '/status')).body).toMatchObject({ failed: 1 })
    // One of the five copies of these 24 hours: below nine in ten, and a failure.
    expect(await s.judged()).toMatchObject({ SYN001: 'pass', SYN002: 'fail', SYN004: 'fail' })
  })

  test('given back, a person has it tried again, and the rules tell the last attempt from all of them', async () => {
    grants().push(...taken)
    const [copy] = (await s.call('GET', '/copies?state=failed')).body.items ?? []
    expect((await s.call('POST', `/copies/${String(copy?.['copy'])}/retry`)).status).toBe(204)
    await s.settle()
    expect(servedBy(s.to, nameAt(3))).toBe('later')
    expect(await s.judged()).toMatchObject({ SYN002: 'pass', SYN004: 'fail' })
  })
})

test('a worker that gives no sign of life is told of, and one that runs on says so', async () => {
  const host = s.test.host('sync')
  const other = createWorker(host)
  // Signs of life come once an hour here: none falls into this test by itself.
  await other.announce('acme')
  clock.advance({ minutes: 2 })
  await host.tx('acme', async (tx) => host.send(tx, await lookForLost.due(clock.now(), tx)))
  await s.settle()
  const lost = (await s.events('sync.worker-lost')).map((e) => e.data.worker)
  expect(new Set(lost).size).toBe(2)
  expect(await s.judged()).toMatchObject({ SYN003: 'fail' })
  expect((await s.call('GET', '/status')).body).toMatchObject({ worker: { running: false } })
  await other.announce('acme')
  expect(await s.judged()).toMatchObject({ SYN003: 'pass' })
  expect((await s.call('GET', '/status')).body).toMatchObject({ worker: { running: true } })
})

test('a way that leads back to where it began is refused, however long it is', async () => {
  const vaults = s.twin.estate.vaults
  const third = vaults[2]
  if (!third) throw new Error('the estate has too few vaults')
  const { items = [] } = (await s.call('GET', '/sources')).body
  const sourceOf = (name: string) => items.find((one) => one['name'] === name)?.['vault']
  const settings = { ...((await s.call('GET', `/routes/${route}`)).body['settings'] as object), name: 'on' }
  const back = await s.connect('back to the first', s.from)
  const onward = await s.connect('the third', third)
  const open = (source: string, target: string) =>
    s.call('POST', '/routes', { source: sourceOf(source), connector: target, settings })
  const loop = { status: 409, body: { code: 'loop' } }
  expect(await open(s.to.name, back)).toMatchObject(loop)
  expect(await open(s.to.name, onward)).toMatchObject({ status: 200 })
  await s.settle()
  expect(await open(third.name, back)).toMatchObject(loop)
  expect(await open(third.name, connector)).toMatchObject(loop)
})

test('two names that the target folds into one are a conflict of both; the others are copied', async () => {
  const third = (await s.call('GET', '/connectors')).body.items?.find((one) => one['name'] === 'the third')
  const opened = await s.open(
    { name: 'folded', template: 'c-{name}', overrides: [[nameAt(0), `C-${nameAt(1).toUpperCase()}`]] },
    String(third?.['connector']),
  )
  const { items = [] } = (await s.call('GET', `/runs/${opened.run}/plan`)).body
  const reasons = Object.fromEntries(items.map((line) => [String(line['sourceName']), line['reason']]))
  expect(reasons).toMatchObject({ [nameAt(0)]: 'collision', [nameAt(1)]: 'collision', [nameAt(2)]: 'new' })
})
