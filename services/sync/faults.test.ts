import { pause } from '@attestry/kit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Synced, synced } from './for-tests.ts'
import { markReleased, markThrown } from './kill-switch.ts'
import { releaseReaction } from './release.ts'
import { AUDIENCE, AWS, awsPerson, ENTRY_ROLE, SYNC_ROLE } from './targets/aws.fixture.ts'

/* A route from a vault to AWS, and what goes wrong on the way. More than a page of secrets, so that it breaks midway. */

let s: Synced
let route: string
let connector: string
let byKey: string
let names: string[]

const wish = (more: object = {}) => ({
  cloud: 'aws',
  name: 'AWS',
  account: AWS.account,
  region: AWS.region,
  access: {
    how: 'web-identity',
    roleArn: ENTRY_ROLE,
    audience: AUDIENCE,
    thenRoleArn: SYNC_ROLE,
    externalId: AWS.externalId,
  },
  ...more,
})

/** The secret of the twin's account; its versions newest last. */
const at = (name: string) => {
  const secret = s.twin.estate.aws[0]?.secrets.find((one) => one.name === name)
  if (!secret) throw new Error(`${name} is not in the account`)
  return secret
}

beforeAll(async () => {
  s = await synced({ secrets: 28 })
  names = Object.values(s.from.secrets).map((secret) => secret.name)
  await s.scan()
}, 60_000)
afterAll(() => s[Symbol.asyncDispose]())

describe('signing in to AWS', () => {
  test('another external id, or another account than the one declared, is refused before anything is kept', async () => {
    const { access } = wish()
    const wrong = await s.call('POST', '/connectors', wish({ access: { ...access, externalId: 'guessed' } }))
    expect(wrong).toMatchObject({ status: 409, body: { code: 'sign-in-failed' } })
    const other = await s.call('POST', '/connectors', wish({ account: '999999999999' }))
    expect(other.status).toBe(409)
    expect(other.body['code']).toMatch(/^(sign-in-failed|another-account)$/)
    expect((await s.call('GET', '/connectors')).body.items).toEqual([])
  })
})

describe('a route to AWS Secrets Manager', () => {
  test('writes each source version under its own id, so that listings show it without a value', {
    timeout: 60_000,
  }, async () => {
    const { body } = await s.call('POST', '/connectors', wish())
    connector = String(body['connector'])
    await s.settle()
    const opened = await s.open(
      { kind: 'aws-secrets-manager', template: 'prod/{name}', deletePolicy: 'prune' },
      connector,
    )
    ;({ route } = opened)
    await s.accept(opened)
    const copied = await s.events('sync.copied')
    expect(copied).toHaveLength(28)
    for (const { data } of copied) expect(data.targetVersion.replaceAll('-', '')).toBe(data.sourceVersion)
  })

  test('28 unchanged secrets cost one call a page and no value', async () => {
    await s.run(route)
    s.twin.resetCalls()
    expect(await s.run(route)).toMatchObject({ done: { noop: 28 }, valuesRead: 0, listCalls: 3 })
    const asked = [...s.twin.calls.keys()].filter((operation) => /get-secret|secrets\.get$/.test(operation))
    expect(asked).toEqual([])
  })

  test('another route to the same names is refused when it is saved', { timeout: 60_000 }, async () => {
    const { items: sources = [] } = (await s.call('GET', '/sources')).body
    const source = sources.find((v) => v['name'] === s.from.name)?.['vault']
    const { settings } = (await s.call('GET', `/routes/${route}`)).body
    const again = { ...(settings as object), name: 'a second one' }
    const answer = await s.call('POST', '/routes', { source, connector, settings: again })
    expect(answer).toMatchObject({ status: 409, body: { code: 'names-taken' } })
    const apart = await s.call('POST', '/routes', {
      source,
      connector,
      settings: { ...again, template: 'test/{name}' },
    })
    expect(apart.status).toBe(200)
    await s.settle()
    await s.call('POST', `/routes/${String(apart.body['route'])}/state`, { wish: 'close' })
  })

  test('a write that breaks off before its mark is marked the next time: no second version, and a true record', async () => {
    const [name = ''] = names
    s.twin.clock.advance(5000)
    await s.put('from', name, 'interrupted')
    const undo = s.twin.faults.add({
      operation: 'aws.secretsmanager.TagResource',
      trouble: { kind: 'reset' },
    })
    expect(await s.run(route)).toMatchObject({ outcome: 'partial', failed: 1 })
    undo()
    const before = at(`prod/${name}`).versions.length
    const [copy] = (await s.call('GET', `/copies?route=${route}&state=retrying`)).body.items ?? []
    expect(copy).toMatchObject({ attempt: 1 })
    // A minute or so later it would come by itself; a source that moves is not waited for.
    await s.retryNow(String(copy?.['copy']))
    expect(at(`prod/${name}`).versions).toHaveLength(before)
    const last = (await s.events('sync.copied')).at(-1)
    expect(last?.data).toMatchObject({ sourceName: name, recovered: true })
    expect(last?.data.sourceVersion).toBe(s.from.secrets[name.toLowerCase()]?.versions.at(-1)?.version)
  })

  test('a refusal in the middle of the source’s listing writes what was seen and deletes nothing', async () => {
    const grants = s.twin.estate.roleAssignments
    const kept = [...grants]
    const undo = s.twin.faults.add({
      operation: 'keyvault.secrets.list',
      // The client's first request is answered by a challenge, the second is the first page.
      skip: 2,
      times: 1,
      trouble: { kind: 'meanwhile', happen: () => void grants.splice(0) },
    })
    const end = await s.run(route)
    undo()
    grants.splice(0, grants.length, ...kept)
    expect(end).toMatchObject({ outcome: 'partial', done: { prune: 0, noop: 25, skip: 3 } })
    expect(String(end['problem'])).toContain('Forbidden')
  })

  test('a kill switch keeps what is due, and its release runs it', async () => {
    const [, name = ''] = names
    s.twin.clock.advance(5000)
    await s.put('from', name, 'held back')
    const thrown = { connector, thrown: true, reason: 'an incident' }
    expect((await s.call('POST', '/switches', thrown)).status).toBe(204)
    await s.call('POST', `/routes/${route}/runs`, {})
    await s.settle()
    expect((await s.call('GET', '/status')).body).toMatchObject({ held: 1 })
    expect(at(`prod/${name}`).versions).toHaveLength(1)
    await s.call('POST', '/switches', { ...thrown, thrown: false })
    await s.settle()
    expect(at(`prod/${name}`).versions).toHaveLength(2)
    expect((await s.call('GET', '/status')).body).toMatchObject({ held: 0 })
  })

  test.each([
    ['is gone runs what was kept', -1, 0],
    ['was written anew by another throw leaves that alone', 1, 1],
  ])('a release that is heard before the switch’s row %s', async (_, thrownAfterMs, stillHeld) => {
    const host = s.test.host('sync')
    const [event] = await s.events('sync.switch-released')
    if (!event) throw new Error('a switch was released before')
    const thrownAt = Temporal.Instant.from(event.at).add({ milliseconds: thrownAfterMs })
    let held: unknown[] = []
    const undone = host.tx('acme', async (tx) => {
      await markThrown(tx, connector, thrownAt.toString(), 'an incident')
      await tx.rows(
        'insert into held (tenant, route, connector, secret, held_at) values ($1, $2, $3, $4, $5)',
        [tx.tenant, route, connector, 'all', event.at],
      )
      await releaseReaction(host).react({ ...event, seq: 1e9 }, tx)
      held = await tx.rows('select from held where tenant = $1', [tx.tenant])
      throw new Error('undone')
    })
    await expect(undone).rejects.toThrow('undone')
    expect(held).toHaveLength(stillHeld)
  })

  test('the folds of a throw and its release that come late do not lift a switch that was thrown again', async () => {
    const at = (minute: number) => `2026-03-01T12:0${minute}:00.000Z`
    const undone = s.test.host('sync').tx('acme', async (tx) => {
      await markThrown(tx, connector, at(3), 'the second incident')
      await markThrown(tx, connector, at(1), 'the first incident')
      await markReleased(tx, connector, at(2))
      const rows = await tx.rows('select reason from kill_switch where tenant = $1', [tx.tenant])
      expect(rows).toEqual([{ reason: 'the second incident' }])
      await markReleased(tx, connector, at(4))
      expect(await tx.rows('select from kill_switch where tenant = $1', [tx.tenant])).toEqual([])
      throw new Error('undone')
    })
    await expect(undone).rejects.toThrow('undone')
  })

  test('a kill switch in the middle of a run keeps what is left of it, and its release writes that', {
    timeout: 60_000,
  }, async () => {
    const some = names.slice(10, 22)
    s.twin.clock.advance(5000)
    await Promise.all(some.map((name) => s.put('from', name, 'one of twelve')))
    const thrown = { connector: null, thrown: true, reason: 'an incident' }
    const written = () =>
      some.filter((name) => at(`prod/${name}`).versions.some(({ text }) => text === 'one of twelve'))
    // Eight are under way at once; they are held up until the switch is thrown.
    const slow = { operation: 'aws.secretsmanager.TagResource', times: 8 } as const
    s.twin.faults.add({ ...slow, trouble: { kind: 'latency', ms: 1200 } })
    s.twin.resetCalls()
    await s.call('POST', `/routes/${route}/runs`, {})
    while (written().length === 0) await pause(20, AbortSignal.timeout(20_000))
    expect((await s.call('POST', '/switches', thrown)).status).toBe(204)
    await s.settle()
    expect(written()).toHaveLength(8)
    const [run] = (await s.call('GET', `/runs?route=${route}`)).body.items ?? []
    expect(run).toMatchObject({ outcome: 'held', done: { update: 8 } })
    await s.call('POST', '/switches', { ...thrown, thrown: false })
    await s.settle()
    expect(written()).toHaveLength(12)
    expect((await s.call('GET', '/status')).body).toMatchObject({ held: 0 })
  })

  test('a run that is cut off between the mark and the ledger leaves no second version, and a true record', {
    timeout: 60_000,
  }, async () => {
    const [, , , , , name = ''] = names
    s.twin.clock.advance(5000)
    await s.put('from', name, 'cut off')
    // Looked at before it is written, before it is marked, and once more before it is recorded.
    const undo = s.twin.faults.add({
      operation: 'aws.secretsmanager.DescribeSecret',
      skip: 2,
      trouble: { kind: 'hang' },
    })
    s.twin.resetCalls()
    const { body } = await s.call('POST', `/routes/${route}/runs`, {})
    const marked = () => (s.twin.calls.get('aws.secretsmanager.DescribeSecret') ?? 0) > 2
    while (!marked()) await pause(20, AbortSignal.timeout(20_000))
    const host = s.test.host('sync')
    await host.tx('acme', (tx) => host.cancel(tx, String(body['run'])))
    await s.settle()
    undo()
    const last = async () => (await s.events('sync.copied')).at(-1)?.data
    expect((await last())?.sourceName).not.toBe(name)
    const versions = at(`prod/${name}`).versions.length
    await s.run(route)
    expect(at(`prod/${name}`).versions).toHaveLength(versions)
    const source = s.from.secrets[name.toLowerCase()]?.versions.at(-1)
    expect(await last()).toMatchObject({ sourceName: name, recovered: true, sourceVersion: source?.version })
  })

  test('a copy is not tried again before the provider says', async () => {
    const [, , , , , , name = ''] = names
    s.twin.clock.advance(5000)
    await s.put('from', name, 'throttled')
    const throttled = { operation: 'aws.secretsmanager.PutSecretValue' } as const
    // The client's own tries come first; only the last of them is told when to come back.
    const undo = [
      s.twin.faults.add({ ...throttled, times: 2, trouble: { kind: 'throttled' } }),
      s.twin.faults.add({ ...throttled, skip: 2, trouble: { kind: 'throttled', retryAfterSeconds: 600 } }),
    ]
    const before = Date.now()
    expect(await s.run(route)).toMatchObject({ outcome: 'partial', failed: 1 })
    for (const one of undo) one()
    const last = (await s.events('sync.copy-failed')).at(-1)
    expect(Date.parse(last?.data.retryAt ?? '')).toBeGreaterThanOrEqual(before + 600_000)
    await s.retryNow(last?.data.copy ?? '')
    expect(at(`prod/${name}`).versions.at(-1)?.text).toBe('throttled')
  })

  test('a fourth version of one secret within ten minutes waits for its time', {
    timeout: 90_000,
  }, async () => {
    const [, , name = ''] = names
    for (const value of ['second', 'third', 'fourth']) {
      s.twin.clock.advance(5000)
      await s.put('from', name, value)
      await s.run(route)
    }
    expect(at(`prod/${name}`).versions).toHaveLength(3)
    expect((await s.waiting()).some((due) => due > Date.now() + 60_000)).toBe(true)
  })

  test('what the target cannot take is set aside at once, with one fact, and can be replayed', async () => {
    const [, , , name = ''] = names
    await s.put('from', name, 'x'.repeat(20_000))
    const opened = await s.open(
      {
        name: 'to parameters',
        kind: 'aws-parameter-store',
        template: '/prod/{name}',
        selector: { names: [name], tags: [], contentTypes: [] },
      },
      connector,
    )
    await s.accept(opened)
    const failed = await s.events('sync.copy-failed')
    const mine = failed.filter((e) => e.data.route === opened.route)
    expect(mine).toHaveLength(1)
    expect(mine[0]?.data).toMatchObject({ retryAt: null })
    expect(mine[0]?.data.reason).toContain('too-large')
    expect(await s.run(opened.route)).toMatchObject({ done: { skip: 1 } })
    const [copy] = (await s.call('GET', `/copies?route=${opened.route}`)).body.items ?? []
    s.twin.clock.advance(5000)
    await s.put('from', name, 'small now')
    expect((await s.call('POST', `/copies/${String(copy?.['copy'])}/retry`)).status).toBe(204)
    await s.settle()
    expect((await s.call('GET', `/copies/${String(copy?.['copy'])}`)).body).toMatchObject({
      copy: { state: 'in-sync' },
    })
  })

  test('a stored key is tried before it is kept, sealed anew with the ring, and never shown', {
    timeout: 60_000,
  }, async () => {
    awsPerson(s.twin)
    const [, person] = s.twin.estate.aws[0]?.users ?? []
    const [key] = person?.accessKeys ?? []
    const secret = key?.secret ?? ''
    const access = { how: 'access-key', accessKeyId: key?.id, secret }
    const guessed = { ...access, secret: `${secret}x` }
    expect(
      (await s.call('POST', '/connectors', wish({ name: 'by key', access: guessed }))).body,
    ).toMatchObject({
      code: 'sign-in-failed',
    })
    const { body } = await s.call('POST', '/connectors', wish({ name: 'by key', access }))
    byKey = String(body['connector'])
    await s.settle()
    const sealed = async () => {
      const host = s.test.host('sync')
      const rows = await host.tx('acme', (tx) =>
        tx.rows<{ key: string; hex: string }>(
          `select key, encode(ciphertext, 'hex') as hex from sealed where tenant = $1 and name like 'credential %'`,
          [tx.tenant],
        ),
      )
      expect(rows).toHaveLength(1)
      return rows[0]
    }
    const before = await sealed()
    // The key of the digests, and this credential.
    expect(await s.call('POST', '/ring/rotate')).toMatchObject({ status: 200, body: { reencrypted: 2 } })
    const after = await sealed()
    expect(after?.key).not.toBe(before?.key)
    expect(after?.hex).not.toBe(before?.hex)
    // One that does not work takes no place; the one that is there goes on working.
    expect((await s.call('PUT', `/connectors/${byKey}/access`, guessed)).status).toBe(409)
    expect((await s.call('POST', `/connectors/${byKey}/test`)).body).toEqual({ ok: true, problem: null })
    const shown = JSON.stringify([(await s.call('GET', '/connectors')).body, s.lines])
    expect(shown).not.toContain(secret)
    expect(await s.everything()).not.toContain(secret)
  })

  test('with it a route writes, under digests that the rotation left as they were; of another account nothing', {
    timeout: 60_000,
  }, async () => {
    const [, , , , name = ''] = names
    const opened = await s.open(
      {
        name: 'by key',
        kind: 'aws-parameter-store',
        template: '/by-key/{name}',
        selector: { names: [name], tags: [], contentTypes: [] },
      },
      byKey,
    )
    await s.accept(opened)
    const copied = (await s.events('sync.copied')).filter((e) => e.data.sourceName === name)
    expect(copied.map((e) => e.data.route)).toEqual([route, opened.route])
    // The same value, written by one route before the rotation and by another after it.
    expect(copied[1]?.data.sourceMac).toBe(copied[0]?.data.sourceMac)
    const [account] = s.twin.estate.aws
    const person = account?.users.pop()
    if (!account || !person) throw new Error('the account has its person')
    s.twin.estate.aws.push({ ...account, id: '999988887777', users: [person], secrets: [], parameters: [] })
    s.twin.clock.advance(5000)
    await s.put('from', name, 'meant for the account that was declared')
    expect(await s.run(opened.route)).toMatchObject({
      outcome: 'failed',
      problem: expect.stringContaining('another AWS account') as string,
    })
    expect(s.twin.estate.aws[1]?.parameters).toEqual([])
  })

  test('a worker says that it runs', async () => {
    expect((await s.call('GET', '/status')).body).toMatchObject({ worker: { running: true } })
    expect(await s.events('sync.worker-started')).toHaveLength(1)
  })
})
