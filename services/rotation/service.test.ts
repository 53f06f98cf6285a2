import { randomBytes } from 'node:crypto'
import type { RotationDetail } from '@attestry/contracts/http'
import { cursorText } from '@attestry/kit'
import { openBus } from '@attestry/kit/bus'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import topology from '../../deploy/servicebus/config.json' with { type: 'json' }
import { type Broker, startBroker } from '../twin/servicebus/broker.ts'
import { seeded } from '../twin/servicebus/faults.ts'
import { refusesWhatNeverRuns } from './refusals.fixture.ts'
import { type Shop, shop, terms } from './service.fixture.ts'

/*
 * Discovery, compliance and rotation as in production, on a bus that loses, doubles and swaps many of its messages.
 */

vi.setConfig({ testTimeout: 90_000 })

let s: Shop
/** Rotations by hand that the licence admits a month. */
let manualLimit: number | null = null
let broker: Broker
beforeAll(async () => {
  broker = await startBroker({
    config: topology,
    key: randomBytes(32).toString('base64'),
    faults: { drop: 0.15, duplicate: 0.25, reorder: 0.25, random: seeded(7) },
  })
  s = await shop({
    manualLimit: () => Promise.resolve(manualLimit),
    bus: openBus({ connectionString: broker.connectionString }),
    // So that the directory's own cap on lifetimes can be seen when a policy is saved.
    prepare: ({ servicePrincipals }) => {
      servicePrincipals.find(({ name }) => name === 'attestry-rotation')?.graphRoles.push('Policy.Read.All')
    },
  })
}, 60_000)
afterAll(async () => {
  await s[Symbol.asyncDispose]()
  await broker.stop()
})

const plan = (policy: string, mode = 'normal') =>
  s.ok<RotationDetail>('POST', '/api/rotation/plans', { policy, mode })
const request = (d: RotationDetail, more: object = {}) =>
  s.ok<RotationDetail>('POST', `/api/rotation/rotations/${d.rotation}/request`, {
    planHash: d.planHash,
    ...more,
  })

describe('an application’s secret', () => {
  let policy: string
  let done: RotationDetail

  test('gets a policy, and rules P009, P010, P012, P013 and P014 speak of it', async () => {
    const credential = await s.credential('workshop-shop')
    const main = await s.vault('kv-workshop')
    await s.until('secrets without a policy are judged', async () => (await s.verdict('P009')) === 'fail')
    const made = await s.ok<{ policy: string }>(
      'POST',
      '/api/rotation/policies',
      terms([{ vault: main, secret: 'shop-client', content: 'value' }], { credential }),
    )
    policy = made.policy
    await s.until('the policy is listed', async () => (await s.policies()).some((p) => p.policy === policy))
    await s.until('its target is judged', async () => (await s.verdict('P013')) === 'pass')
    // Selectors cover what is left: now enough secrets have a policy, and theirs name no vault.
    for (const namePart of ['foreign', 'attestry'])
      await s.ok('POST', '/api/rotation/selectors', { ...terms([]), namePart })
    await s.until('P009 passes', async () => (await s.verdict('P009')) === 'pass')
    await s.until('P013 fails', async () => (await s.verdict('P013')) === 'fail')
    const theirs = await s.until('their policies are listed', async () => {
      const found = (await s.policies()).filter(({ selector }) => selector !== null)
      return found.length === 2 ? found : null
    })
    for (const { policy: one } of theirs) await s.ok('POST', `/api/rotation/policies/${one}/disable`)
    await s.until('P009 fails again', async () => (await s.verdict('P009')) === 'fail')
    await s.until('P013 passes again', async () => (await s.verdict('P013')) === 'pass')
    // Nobody verified which secret holds it yet.
    expect(await s.verdict('P014')).toBe('fail')
    expect(await s.verdict('P010')).toBe('fail')
  })

  test('is matched with the vault secret that seems to hold it, which a person verifies', async () => {
    const match = await s.until('a match is proposed', async () => {
      const { items } = await s.ok<{ items: { match: string; secretName: string; confidence: number }[] }>(
        'GET',
        `/api/rotation/matches?policy=${policy}`,
      )
      return items.find((m) => m.secretName === 'shop-client')
    })
    expect(match.confidence).toBeGreaterThanOrEqual(45)
    await s.until('the open match is judged', async () => (await s.verdict('P012')) === 'fail')
    // The bus loses messages: what is proposed together need not be shown together, nor what was judged at once.
    const judged = new Set<string>()
    await s.until('every proposed match is decided on', async () => {
      const { items } = await s.ok<{ items: { match: string; secretName: string; state: string }[] }>(
        'GET',
        `/api/rotation/matches?policy=${policy}`,
      )
      const events = await s.events(policy)
      const proposed = events.filter(({ type }) => type === 'rotation.match-proposed')
      for (const { match: id, secretName } of items) {
        if (judged.has(id)) continue
        judged.add(id)
        await s.ok('POST', `/api/rotation/matches/${id}`, {
          verdict: secretName.startsWith('shop-client') ? 'verified' : 'excluded',
        })
      }
      return items.length === proposed.length && items.every(({ state }) => state !== 'proposed')
    })
    for (const key of ['x', '1e400', '99999999999'])
      await s.ok('GET', `/api/rotation/matches?after=${cursorText({ key, id: 'match-0001' })}`)
    for (const rule of ['P010', 'P012', 'P014'])
      await s.until(`${rule} passes`, async () => (await s.verdict(rule)) === 'pass')
  })

  test('is planned without a change: a diff, who depends on it, what could fail, how to undo', async () => {
    s.twin.resetCalls()
    const planned = await plan(policy)
    expect([...s.twin.calls.keys()].filter((c) => /add|set|update|refresh|write|remove/i.test(c))).toEqual([])
    expect(planned.stage).toBe('planned')
    expect(planned.diff.map((l) => l.what)).toEqual(
      expect.arrayContaining(['a new credential', 'serves the new value', 'is switched and confirmed']),
    )
    expect(planned.dependents.map((d) => d.plan.name)).toEqual(
      expect.arrayContaining(['app-shop', 'app-shop-canary', 'ca-reports']),
    )
    expect(planned.dependents[0]?.plan).toMatchObject({ name: 'app-shop-canary', canary: true })
    expect(planned.undo.length).toBeGreaterThan(1)
    const text = JSON.stringify(planned)
    for (const canary of s.twin.secretCanaries()) expect(text).not.toContain(canary)
  })

  test('is rotated to its end: nobody is locked out, and the rules tell of it', async () => {
    const consumer = s.twin.consume(
      { vault: 'kv-workshop', secret: 'shop-client' },
      { application: 'workshop-shop' },
    )
    const planned = await plan(policy)
    await request(planned, { ticket: 'CHG-1' })
    const inGrace = await s.stage(planned.rotation, 'grace')
    expect(inGrace.dependents.filter((d) => d.state !== 'confirmed').map((d) => d.plan.kind)).toEqual(
      inGrace.dependents.filter((d) => d.plan.kind === 'manual').map(() => 'manual'),
    )
    for (const d of inGrace.dependents.filter((one) => one.state !== 'confirmed'))
      await s.ok('POST', `/api/rotation/rotations/${planned.rotation}/dependents/${d.plan.dependent}`, {
        verdict: 'confirmed',
      })
    // Twice the grace, and what is disabled is left so for a while.
    for (let day = 0; day < 6; day++) s.advance({ hours: 12 })
    await s.until('it is complete', async () => {
      s.advance({ minutes: 20 })
      return (await s.read(planned.rotation)).stage === 'complete'
    })
    done = await s.read(planned.rotation)
    expect(consumer.failures).toEqual([])
    expect(consumer.attempts).toBeGreaterThan(5)
    const app = s.twin.estate.applications.find(({ name }) => name === 'workshop-shop')
    expect(app?.passwords).toHaveLength(1)
    expect(app?.passwords[0]?.secret).toBe(
      s.twin.estate.vaults.find((v) => v.name === 'kv-workshop')?.secrets['shop-client']?.versions.at(-1)
        ?.value,
    )
    // Every dependent was confirmed: a rotation of the whole stack.
    await s.until('VM004 passes', async () => (await s.verdict('VM004')) === 'pass')
  })

  test('is followed by its policy, and found in the history of the old and the new credential', async () => {
    await s.until('the policy follows', async () => {
      const found = (await s.policies()).find((p) => p.policy === policy)
      // No scan saw the new credential yet; it is due all the same.
      return found?.credential === done.replacedBy && found.running === null && found.dueAt !== null
    })
    for (const credential of [done.credential, done.replacedBy])
      expect(
        (
          await s.ok<{ items: { rotation: string }[] }>(
            'GET',
            `/api/rotation/rotations?credential=${credential}&state=ended`,
          )
        ).items.map((r) => r.rotation),
      ).toContain(done.rotation)
  })

  test('leaves no value in the database, the log or an answer', async () => {
    const canaries = s.twin.secretCanaries()
    const dump = await s.test.host('rotation').tx('acme', (tx) =>
      tx.rows<{ text: string }>(
        `select event::text as text from run_events where tenant = $1
         union all select body::text || coalesce(progress::text, '') || coalesce(problem, '') from pending_command where tenant = $1
         union all select envelope || coalesce(private::text, '') from ledger.event where tenant = $1`,
        ['acme'],
      ),
    )
    const all = `${dump.map((r) => r.text).join('\n')}\n${JSON.stringify(s.lines)}\n${JSON.stringify(done)}`
    expect(dump.length).toBeGreaterThan(60)
    for (const canary of canaries) expect(all).not.toContain(canary)
  })
})

refusesWhatNeverRuns(() => s)

test('approval is another person’s, by the hash, and a rejected plan ends', { timeout: 90_000 }, async () => {
  const main = await s.vault('kv-workshop')
  const subject = {
    kind: 'storage-key',
    at: `/subscriptions/${s.twin.estate.subscriptions[0]?.id}/resourceGroups/rg-shop/providers/Microsoft.Storage/storageAccounts/stworkshop`,
    part: null,
    name: 'stworkshop',
  }
  const { policy } = await s.ok<{ policy: string }>(
    'POST',
    '/api/rotation/policies',
    terms(
      [{ vault: main, secret: 'orders-storage', content: 'connection-string' }],
      { subject },
      { approvals: 1 },
    ),
  )
  await s.until('the policy is listed', async () => (await s.policies()).some((p) => p.policy === policy))
  const planned = await plan(policy)
  expect(planned.diff[0]).toMatchObject({ change: 'change', what: 'key2 is regenerated' })
  expect((await request(planned)).stage).toBe('awaiting-approval')
  const approve = (who: string, planHash = planned.planHash) =>
    s.call('POST', `/api/rotation/rotations/${planned.rotation}/approve`, { planHash }, who)
  expect((await approve('operator-0001')).body).toMatchObject({ code: 'same-person' })
  expect((await approve('operator-0002', 'f'.repeat(64))).body).toMatchObject({ code: 'plan-changed' })
  expect((await approve('operator-0002')).status).toBe(200)
  await s.stage(planned.rotation, 'grace')
  const back = await s.ok<RotationDetail>('POST', `/api/rotation/rotations/${planned.rotation}/roll-back`, {
    reason: 'a partner complains',
  })
  expect(back.stage).toBe('rolling-back')
  await s.until('the vault serves the old value, and whom it was switched is back', async () => {
    const { record, dependents } = await s.read(planned.rotation)
    return record.some((r) => r.type === 'values-restored') && dependents.every((d) => d.state === 'returned')
  })
  // One jump: a token that ends with it is renewed once.
  s.advance({ hours: 25 })
  await s.until('it is rolled back', async () => (await s.read(planned.rotation)).stage === 'rolled-back')
  const again = await plan(policy)
  // A licence that admits no more by hand refuses before anything is recorded; what was rolled back is untouched.
  manualLimit = 0
  expect(
    await s.call('POST', `/api/rotation/rotations/${again.rotation}/request`, { planHash: again.planHash }),
  ).toMatchObject({ status: 403, body: { code: 'too-many-rotations' } })
  manualLimit = null
  await request(again)
  const rejected = await s.ok<RotationDetail>(
    'POST',
    `/api/rotation/rotations/${again.rotation}/reject`,
    { reason: 'not this week' },
    'operator-0002',
  )
  expect(rejected).toMatchObject({ stage: 'rejected', reason: 'not this week' })
  // What was taken back is no success, whatever the one before it was.
  await s.until('VM004 fails', async () => (await s.verdict('VM004')) === 'fail')
})
