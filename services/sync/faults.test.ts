import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Synced, synced } from './for-tests.ts'
import { AUDIENCE, AWS, ENTRY_ROLE, SYNC_ROLE } from './targets/aws.fixture.ts'

/* A route from a vault to AWS, and what goes wrong on the way. More than a page of secrets, so that it breaks midway. */

let s: Synced
let route: string
let connector: string
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

  test('a stored key is sealed, and stays readable through a rotation of the ring', async () => {
    const rotated = await s.call('POST', '/ring/rotate')
    expect(rotated).toMatchObject({ status: 200, body: { reencrypted: 1 } })
    // The same value, written by one route before and by another after it: the key of the digests is the same.
    await s.run(route)
    const [, , , name = ''] = names
    const copied = (await s.events('sync.copied')).filter((e) => e.data.sourceName === name).slice(-2)
    const [before, after] = copied.map((e) => e.data)
    expect(before?.route).not.toBe(after?.route)
    expect(after?.sourceMac).toBe(before?.sourceMac)
  })

  test('a worker says that it runs', async () => {
    expect((await s.call('GET', '/status')).body).toMatchObject({ worker: { running: true } })
    expect(await s.events('sync.worker-started')).toHaveLength(1)
  })
})
