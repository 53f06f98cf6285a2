import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { EventType } from '@attestry/contracts'
import type { RotationDetail } from '@attestry/contracts/http'
import { Secret } from '@attestry/kit'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { mayWriteSecrets, routeSettings } from '../sync/for-tests.ts'
import { syncService } from '../sync/service.ts'
import { signatureOf } from './notices.ts'
import { addWorkload, type Shop, shop, terms } from './service.fixture.ts'

/* What rotation offers beyond the one rotation of service.test.ts, each from the request to its end, by a clock that moves. */

// Each test is a whole rotation or more, with every service at work.
vi.setConfig({ testTimeout: 120_000 })

const WORKLOADS = ['branch-north', 'branch-south', 'glass', 'staged', 'leaked', 'copied', 'twofold'] as const
type Workload = (typeof WORKLOADS)[number]

interface Notice {
  readonly about: EventType
  readonly says: string
  readonly rotation: string
  readonly policy: string
  readonly credential: string
  readonly link: string
}
let s: Shop
let ear: Server
/** Notices as the owner's receiver got them, with their signatures. */
const heard: { readonly body: string; readonly notice: Notice; readonly signature: string }[] = []

beforeAll(async () => {
  ear = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text
    })
    request.on('end', () => {
      heard.push({
        body,
        // Our own notice, which the tests look at.
        notice: JSON.parse(body) as Notice,
        signature: String(request.headers['x-attestry-signature']),
      })
      response.end()
    })
  })
  ear.listen(0, '127.0.0.1')
  await once(ear, 'listening')
  s = await shop({
    prepare: (estate) => {
      for (const name of WORKLOADS) addWorkload(estate, name)
      // A leaked one has a sibling, and a twofold one two that are used.
      for (const name of ['leaked', 'twofold']) {
        const passwords = estate.applications.find((one) => one.name === name)?.passwords
        if (passwords?.[0])
          passwords.push({
            ...passwords[0],
            keyId: randomUUID(),
            name: `${name}-2`,
            secret: `canary-${randomUUID().replaceAll('-', '')}`,
          })
      }
      mayWriteSecrets(estate)
    },
    more: (twin, guard) => [
      {
        name: 'sync',
        make: (host) =>
          syncService(host, guard, {
            endpoint: twin.url,
            env: {},
            secretKey: new Secret('a secret key of forty characters or more'),
            licensed: () => Promise.resolve(true),
          }),
      },
    ],
  })
}, 90_000)
afterAll(async () => {
  await s[Symbol.asyncDispose]()
  ear.close()
})

const owner = () => ({
  name: 'Payments',
  mail: null,
  // A receiver on this machine is what a demonstration may tell.
  webhook: `http://127.0.0.1:${(ear.address() as AddressInfo).port}/hook`,
})
const app = (name: string) => {
  const found = s.twin.estate.applications.find((one) => one.name === name)
  if (!found) throw new Error(`there is no ${name}`)
  return found
}
const served = (secret: string) => {
  const version = s.twin.estate.vaults
    .find(({ name }) => name === 'kv-workshop')
    ?.secrets[secret]?.versions.at(-1)
  return version?.enabled ? version.value : undefined
}

async function policyOf(name: Workload, settings: object = {}, more: object = {}): Promise<string> {
  const vault = await s.vault('kv-workshop')
  const { policy } = await s.ok<{ policy: string }>(
    'POST',
    '/api/rotation/policies',
    terms(
      [{ vault, secret: `${name}-client`, content: 'value' }],
      { credential: await s.credential(name), ...more },
      { graceHours: 1, dependents: 'checklist', ...settings },
    ),
  )
  await s.until('the policy is listed', async () => (await s.policies()).some((p) => p.policy === policy))
  return policy
}
const plan = (policy: string, mode = 'normal') =>
  s.ok<RotationDetail>('POST', '/api/rotation/plans', { policy, mode })
const request = (d: RotationDetail, more: object = {}) =>
  s.ok<RotationDetail>('POST', `/api/rotation/rotations/${d.rotation}/request`, {
    planHash: d.planHash,
    ...more,
  })
const approve = (d: RotationDetail, who: string) =>
  s.ok<RotationDetail>('POST', `/api/rotation/rotations/${d.rotation}/approve`, { planHash: d.planHash }, who)
/** To its end: twice the grace, what is disabled left so for a while, and a little. */
async function complete(rotation: string): Promise<RotationDetail> {
  const began = async () => ['grace', 'retiring', 'complete'].includes((await s.read(rotation)).stage)
  // While a new secret is proved, time is not moved.
  await s.until(`${rotation} is proved and served`, began)
  await s.until(`${rotation} is complete`, async () => {
    s.advance({ minutes: 20 })
    const now = await s.read(rotation)
    if (now.endedAt !== null && now.stage !== 'complete') throw new Error(`${now.stage}: ${now.reason}`)
    return now.stage === 'complete'
  })
  return s.read(rotation)
}
const told = (rotation: string) =>
  heard.filter(({ notice }) => notice.rotation === rotation).map(({ notice }) => notice.about)

/** What the schedule finds due now, done as the host would. */
async function lookForDue(): Promise<number> {
  const host = s.test.host('rotation')
  const schedule = s.test.service('rotation').schedules.find(({ name }) => name === 'due rotations')
  return host.tx('acme', async (tx) => {
    const sends = (await schedule?.due(host.clock.now(), tx)) ?? []
    await host.send(tx, sends)
    return sends.length
  })
}
const runsOf = async (policy: string) =>
  (await s.ok<{ items: RotationDetail[] }>('GET', `/api/rotation/rotations?policy=${policy}`)).items

// First, while the tokens that sync holds are good: the clock is moved by days later on.
test('a copy elsewhere depends on its route: the copy follows by itself, and sync’s own record confirms it', async () => {
  const { sources } = {
    sources: await s.until('sync knows the vaults', async () => {
      const { items } = await s.ok<{ items: { vault: string; name: string }[] }>('GET', '/api/sync/sources')
      return items.length > 1 ? items : null
    }),
  }
  const source = sources.find(({ name }) => name === 'kv-workshop')?.vault
  await s.ok('PUT', '/api/sync/writes', { allowed: true })
  const { connector } = await s.ok<{ connector: string }>('POST', '/api/sync/connectors', {
    cloud: 'azure',
    name: 'recovery',
    account: 'https://kv-workshop-spare.vault.azure.net',
    access: { how: 'own-identity' },
  })
  const { route } = await s.until('the connector is listed', async () => {
    const { items } = await s.ok<{ items: unknown[] }>('GET', '/api/sync/connectors')
    return items.length > 0
      ? s.ok<{ route: string }>('POST', '/api/sync/routes', {
          source,
          connector,
          settings: routeSettings({
            selector: { names: ['copied-client'], tags: [], contentTypes: [] },
            onChange: true,
          }),
        })
      : null
  })
  type Run = { run: string; plan: string | null; endedAt: string | null }
  const first = await s.until('the first plan is there', async () => {
    const { items } = await s.ok<{ items: Run[] }>('GET', `/api/sync/runs?route=${route}`)
    return items.find((one) => one.plan !== null)
  })
  await s.ok('POST', `/api/sync/runs/${first.run}/decision`, { decision: 'accept', plan: first.plan })
  const copy = () =>
    s.twin.estate.vaults
      .find(({ name }) => name === 'kv-workshop-spare')
      ?.secrets['copied-client']?.versions.at(-1)?.value
  await s.until('the first copy is there', () => Promise.resolve(copy() === served('copied-client')))
  const policy = await policyOf('copied', { dependents: 'switch' })
  const planned = await s.until('the copy is known', async () => {
    const now = await plan(policy)
    return now.dependents.length > 0 ? now : null
  })
  expect(planned.dependents.map(({ plan: p }) => [p.kind, p.at])).toEqual([['sync-route', route]])
  const before = served('copied-client')
  await request(planned)
  const inGrace = await s.until('the copy is confirmed', async () => {
    const now = await s.read(planned.rotation)
    // Sync needs a moment, and is asked again each minute.
    if (now.stage === 'cutover') s.advance({ minutes: 1 })
    return now.stage === 'grace' ? now : null
  })
  expect(inGrace.dependents.map(({ state }) => state)).toEqual(['confirmed'])
  expect(served('copied-client')).not.toBe(before)
  expect(copy()).toBe(served('copied-client'))
  s.advance({ hours: 2 })
  await complete(planned.rotation)
})

test('break-glass passes over approval and window, is recorded by name and reason, and told at once; the owner hears of all that follows', async () => {
  const month = Temporal.Now.plainDateISO().add({ months: 5 }).month
  const policy = await policyOf('glass', {
    approvals: 2,
    owner: owner(),
    window: { cron: `0 3 1 ${month} *`, zone: 'UTC', minutes: 60 },
  })
  const planned = await plan(policy)
  const reason = 'The vault was found on a public share.'
  const begun = await request(planned, { breakGlass: reason, ticket: 'INC-7' })
  expect(begun.breakGlass).toBe(true)
  await s.stage(planned.rotation, 'grace')
  const [glass] = (await s.events(planned.rotation)).filter((e) => e.type === 'rotation.break-glass-used')
  expect(glass?.data).toMatchObject({ operator: 'operator-0001', reason })
  expect(glass?.by).toMatchObject({ kind: 'operator', id: 'operator-0001', reason })
  s.advance({ hours: 2 })
  await complete(planned.rotation)
  const all: EventType[] = [
    'rotation.break-glass-used',
    'rotation.scheduled',
    'rotation.grace-entered',
    'rotation.completed',
  ]
  await s.until('the owner heard of before, during and after', () =>
    Promise.resolve(all.every((about) => told(planned.rotation).includes(about))),
  )
  expect(new Set(told(planned.rotation)).size).toBe(told(planned.rotation).length)
  const [first] = heard
  const stamp = /^t=(\d+),v1=[0-9a-f]{64}$/.exec(first?.signature ?? '')?.[1]
  // What an operator is shown is what a receiver needs.
  const { key } = await s.ok<{ key: string }>('POST', `/api/rotation/policies/${policy}/webhook-key`)
  expect(first?.signature).toBe(signatureOf(Uint8Array.fromHex(key), Number(stamp), first?.body ?? ''))
  expect(first?.notice.link).toBe(`https://attestry.example/rotation/${planned.rotation}`)
  for (const canary of s.twin.secretCanaries())
    expect(heard.map(({ body }) => body).join('\n')).not.toContain(canary)
})

test('a pre-staged secret is made and proved days before, and served only when its time has come', async () => {
  const consumer = s.twin.consume(
    { vault: 'kv-workshop', secret: 'staged-client' },
    { application: 'staged' },
  )
  const before = served('staged-client')
  const planned = await plan(await policyOf('staged', { prestageDays: 3 }))
  await request(planned)
  const staged = await s.stage(planned.rotation, 'staged')
  expect(served('staged-client')).toBe(before)
  const next = served('staged-client-next')
  expect(app('staged').passwords.map(({ secret }) => secret)).toEqual([before, next])
  expect(staged.now.until).not.toBeNull()
  s.advance({ hours: 70 })
  expect((await s.read(planned.rotation)).stage).toBe('staged')
  s.advance({ hours: 3 })
  await s.stage(planned.rotation, 'grace')
  expect(served('staged-client')).toBe(next)
  expect(served('staged-client-next')).toBeUndefined()
  s.advance({ hours: 2 })
  await complete(planned.rotation)
  expect(consumer.failures).toEqual([])
})

test('after a compromise an incident is named, two others approve, there is no grace, and every sibling goes', async () => {
  const policy = await policyOf('leaked', { graceHours: 100, owner: owner() })
  const planned = await plan(policy, 'compromise')
  expect(planned.retires).toHaveLength(2)
  const { status, body } = await s.call('POST', `/api/rotation/rotations/${planned.rotation}/request`, {
    planHash: planned.planHash,
  })
  expect({ status, body }).toMatchObject({
    status: 400,
    body: { code: 'incident-missing', errors: [{ field: 'body.incident' }] },
  })
  expect((await request(planned, { incident: 'SEC-42' })).stage).toBe('awaiting-approval')
  expect((await approve(planned, 'operator-0002')).stage).toBe('awaiting-approval')
  await approve(planned, 'operator-0003')
  const done = await complete(planned.rotation)
  expect(done).toMatchObject({ incident: 'SEC-42', graceHours: 0 })
  expect(app('leaked').passwords.map(({ secret }) => secret)).toEqual([served('leaked-client')])
})

test('two rotations of one principal never run at once, and the second finds that what it was planned for has changed', async () => {
  const [first, second] = app('twofold').passwords.map(({ keyId }) => keyId)
  const assets = await s.test.host('rotation').tx('acme', (tx) =>
    tx.rows<{ asset: string }>(
      // The first is what the vault keeps.
      'select asset from credentials where tenant = $1 and key_id = any($2) order by key_id = $3 desc',
      ['acme', [first, second], first],
    ),
  )
  const consumer = s.twin.consume(
    { vault: 'kv-workshop', secret: 'twofold-client' },
    { application: 'twofold' },
  )
  const vault = await s.vault('kv-workshop')
  const plans: RotationDetail[] = []
  for (const [n, { asset }] of assets.entries()) {
    const { policy } = await s.ok<{ policy: string }>(
      'POST',
      '/api/rotation/policies',
      terms(
        [{ vault, secret: n === 0 ? 'twofold-client' : 'twofold-other', content: 'value' }],
        { credential: asset },
        { graceHours: 1, dependents: 'checklist' },
      ),
    )
    await s.until('the policy is listed', async () => (await s.policies()).some((p) => p.policy === policy))
    plans.push(await plan(policy))
  }
  await Promise.all(plans.map((one) => request(one)))
  const inGrace = await s.until('one is in grace', async () => {
    const now = await Promise.all(plans.map(({ rotation }) => s.read(rotation)))
    return now.find(({ stage }) => stage === 'grace')
  })
  const other = plans.find(({ rotation }) => rotation !== inGrace.rotation)?.rotation ?? ''
  // However often it looks, it waits; nothing of it was begun.
  s.advance({ minutes: 30 })
  expect(await s.read(other)).toMatchObject({ stage: 'scheduled' })
  expect(app('twofold').passwords).toHaveLength(3)
  s.advance({ hours: 2 })
  await complete(inGrace.rotation)
  const late = await s.until('the other looks again', async () => {
    s.advance({ minutes: 5 })
    const now = await s.read(other)
    return now.endedAt === null ? null : now
  })
  expect(late).toMatchObject({ stage: 'blocked', retired: [] })
  expect(late.reason).toContain('was added since the plan')
  expect(app('twofold').passwords).toHaveLength(2)
  expect(consumer.failures).toEqual([])
})

test('a secret that only workloads in Azure use need not be one: the advice names them', async () => {
  const vault = await s.vault('kv-workshop')
  const { policy } = await s.ok<{ policy: string }>(
    'POST',
    '/api/rotation/policies',
    terms([{ vault, secret: 'shop-client', content: 'value' }], {
      credential: await s.credential('workshop-shop'),
    }),
  )
  const { match } = await s.until('its match is proposed', async () => {
    const { items } = await s.ok<{ items: { match: string; secretName: string }[] }>(
      'GET',
      `/api/rotation/matches?policy=${policy}`,
    )
    return items.find(({ secretName }) => secretName === 'shop-client')
  })
  await s.ok('POST', `/api/rotation/matches/${match}`, { verdict: 'verified' })
  const advice = await s.until('there is advice', async () => {
    const { items } = await s.ok<{
      items: { name: string; advice: string; resources: string[]; says: string }[]
    }>('GET', '/api/rotation/advice')
    return items.find(({ name }) => name === 'workshop-shop')
  })
  expect(advice.advice).toBe('federation')
  expect(advice.resources).toEqual(expect.arrayContaining(['app-shop', 'app-shop-canary']))
  expect(advice.says).toContain('need none')
})

// Last, because it moves the clock by months.
test('a selector gives policies to what it finds; what is due is planned, waits for its window, and says when it missed it', async () => {
  await s.ok('POST', '/api/rotation/selectors', {
    ...terms(
      [],
      { namePart: 'branch' },
      {
        graceHours: 1,
        daysBeforeExpiry: 60,
        dependents: 'checklist',
        owner: owner(),
        // An hour a year, half a year from now.
        window: {
          cron: `0 3 1 ${Temporal.Now.plainDateISO().add({ months: 3 }).month} *`,
          zone: 'UTC',
          minutes: 60,
        },
      },
    ),
  })
  const made = await s.until('both have a policy and a match', async () => {
    const all = (await s.policies()).filter(({ selector }) => selector !== null)
    return all.length === 2 && all.every(({ matches }) => matches.proposed > 0) ? all : null
  })
  expect(made.map(({ subject }) => subject.name).toSorted()).toEqual(['branch-north', 'branch-south'])
  for (const { policy } of made) {
    const { items } = await s.ok<{ items: { match: string; signals: string[] }[] }>(
      'GET',
      `/api/rotation/matches?policy=${policy}&state=proposed`,
    )
    for (const { match, signals } of items)
      await s.ok('POST', `/api/rotation/matches/${match}`, {
        verdict: signals.includes('tag-key-id') ? 'verified' : 'excluded',
      })
  }
  await s.until('the matches are folded', async () =>
    (await s.policies()).every(({ selector, matches }) => selector === null || matches.verified === 1),
  )
  expect(await lookForDue()).toBe(1)
  // A look that comes twice plans nothing twice.
  await lookForDue()
  const [north] = made
  const row = await s.until('it is scheduled', async () => {
    const [first] = await runsOf(north?.policy ?? '')
    return first?.stage === 'scheduled' ? first : null
  })
  expect(await runsOf(north?.policy ?? '')).toHaveLength(1)
  expect(row.trigger).toBe('schedule')
  const opens = Temporal.Instant.from(row.opensAt ?? '')
  expect(opens.toZonedDateTimeISO('UTC').hour).toBe(3)
  await s.until('its owner was told', () =>
    Promise.resolve(told(row.rotation).includes('rotation.scheduled')),
  )
  // Nobody is there during the hour.
  s.advance({ milliseconds: opens.epochMilliseconds - s.twin.clock.now() + 3 * 3_600_000 })
  const late = await s.until('it missed its window', async () => {
    const now = await s.read(row.rotation)
    return now.record.some(({ type }) => type === 'window-missed') ? now : null
  })
  expect(late.stage).toBe('scheduled')
  expect(
    Temporal.Instant.from(late.opensAt ?? '')
      .since(opens)
      .total('hours'),
  ).toBeGreaterThan(24 * 300)
  const [missed] = (await s.events(row.rotation)).filter((e) => e.type === 'rotation.window-missed')
  // The secret ends before the next one: that is what its owner has to know.
  expect(missed?.data).toMatchObject({ expiresFirst: true })
  await s.until('its owner was told', () =>
    Promise.resolve(told(row.rotation).includes('rotation.window-missed')),
  )
  for (const { policy } of made) await s.ok('POST', `/api/rotation/policies/${policy}/disable`)
})
