import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { servedBy, type Synced, synced } from './for-tests.ts'

/* A route from one vault to another, from its opening to what becomes of its copies. One story, told in order. */

let s: Synced
let route: string
let names: string[]

beforeAll(async () => {
  s = await synced({ secrets: 4 })
  names = Object.values(s.from.secrets).map((secret) => secret.name)
  await s.scan()
}, 60_000)
afterAll(() => s[Symbol.asyncDispose]())

const valueAt = (vault: 'from' | 'to', name: string) => servedBy(s[vault], name)

describe('a route between two vaults', () => {
  let opened: { route: string; run: string; plan: string }

  test('an account that cannot be signed in to is not connected', async () => {
    const account = 'https://kv-of-nobody.vault.azure.net'
    const answer = await s.call('POST', '/connectors', {
      cloud: 'azure',
      name: 'nobody',
      account,
      access: { how: 'own-identity' },
    })
    expect(answer).toMatchObject({ status: 409, body: { code: 'sign-in-failed' } })
    expect((await s.call('GET', '/connectors')).body.items).toEqual([])
  })

  test('a sign-in that does not fit its cloud is refused by field', async () => {
    const answer = await s.call('POST', '/connectors', {
      cloud: 'aws',
      name: 'aws',
      account: '12',
      access: { how: 'assume-role', secret: 'x' },
    })
    expect(answer.status).toBe(400)
    expect(answer.body['errors']).toEqual(
      [
        'body.account',
        'body.region',
        'body.access.roleArn',
        'body.access.externalId',
        'body.access.secret',
      ].map(
        // The sentence is for a person.
        (field) => ({ field, message: expect.any(String) as string }),
      ),
    )
  })

  test('its first run is a plan, and nothing is written before somebody accepts it', async () => {
    await s.connect()
    opened = await s.open()
    ;({ route } = opened)
    const { body } = await s.call('GET', `/runs/${opened.run}`)
    expect(body).toMatchObject({ outcome: 'planned', needs: 'first-run', planned: { create: 4, update: 0 } })
    expect(await s.run(route)).toMatchObject({ outcome: 'planned', needs: 'first-run', valuesRead: 0 })
    expect(Object.keys(s.to.secrets)).toEqual([])
    expect(await s.events('sync.copied')).toEqual([])
  })

  test('accepting needs the setting that is off at first, and the very plan that was shown', async () => {
    const off = await s.call('POST', `/runs/${opened.run}/decision`, {
      decision: 'accept',
      plan: opened.plan,
    })
    expect(off).toMatchObject({ status: 409, body: { code: 'writes-off' } })
    const other = { decision: 'accept', plan: 'f'.repeat(64) }
    const wrong = await s.call('POST', `/runs/${opened.run}/decision`, other)
    expect(wrong).toMatchObject({ status: 409, body: { code: 'another-plan' } })
  })

  test('once accepted, every secret is at the target with its mark, and the ledger proves which version', async () => {
    await s.accept(opened)
    for (const name of names) expect(valueAt('to', name)).toBe(valueAt('from', name))
    const copied = await s.events('sync.copied')
    expect(copied).toHaveLength(4)
    for (const { data } of copied) {
      const source = s.from.secrets[(data.sourceName ?? '').toLowerCase()]?.versions.at(-1)
      const target = s.to.secrets[(data.targetName ?? '').toLowerCase()]?.versions.at(-1)
      expect(data).toMatchObject({
        sourceVersion: source?.version,
        targetVersion: target?.version,
        plan: opened.plan,
        what: 'create',
        recovered: false,
      })
      expect(data.sourceMac).toMatch(/^[0-9a-f]{64}$/)
      expect(data.targetMac).toBe(data.sourceMac)
      expect(target?.tags).toMatchObject({
        'managed-by': 'attestry',
        'attestry-route': route,
        'attestry-source-version': source?.version,
        'attestry-mac': data.targetMac,
      })
    }
    const { items = [] } = (await s.call('GET', '/copies')).body
    expect(items.map(({ state, line }) => ({ state, line }))).toEqual(
      items.map(() => ({ state: 'in-sync', line: null })),
    )
    const again = await s.call('POST', `/runs/${opened.run}/decision`, {
      decision: 'accept',
      plan: opened.plan,
    })
    expect(again).toMatchObject({ status: 409, body: { code: 'nothing-waits' } })
  })

  test('an unchanged run reads no value and writes nothing', async () => {
    // The first run looks once more at what had just changed, by metadata, and remembers that it settled.
    await s.run(route)
    s.twin.resetCalls()
    const end = await s.run(route)
    expect(end).toMatchObject({ outcome: 'succeeded', done: { noop: 4 }, valuesRead: 0 })
    const calls = [...s.twin.calls.keys()].filter((operation) => operation.startsWith('keyvault.'))
    expect(calls.filter((c) => /secrets\.(get|set|update)$/.test(c))).toEqual([])
  })

  test('a source that moved is copied, and only that one is read', async () => {
    const [name = ''] = names
    s.twin.clock.advance(5000)
    await s.put('from', name, 'a new value')
    expect(await s.run(route)).toMatchObject({
      outcome: 'succeeded',
      done: { update: 1, noop: 3 },
      valuesRead: 1,
    })
    expect(valueAt('to', name)).toBe('a new value')
  })

  test('a copy that somebody wrote over is told and left alone; adopted by its version it is written again', async () => {
    const [name = ''] = names
    s.twin.clock.advance(5000)
    await s.put('to', name, 'by hand')
    expect(await s.run(route)).toMatchObject({ done: { conflict: 1, noop: 3 }, valuesRead: 0 })
    expect(valueAt('to', name)).toBe('by hand')
    await s.run(route)
    expect((await s.events('sync.drifted')).map((e) => e.data.drift)).toEqual(['changed'])
    const { items = [] } = (await s.call('GET', `/copies?route=${route}&conflicts=true`)).body
    expect(items).toHaveLength(1)
    const copy = String(items[0]?.['copy'])
    const there = s.to.secrets[name.toLowerCase()]?.versions.at(-1)?.version
    const wrong = await s.call('POST', `/copies/${copy}/adopt`, { targetVersion: 'another' })
    expect(wrong).toMatchObject({ status: 409, body: { code: 'changed-since' } })
    expect((await s.call('POST', `/copies/${copy}/adopt`, { targetVersion: there })).status).toBe(204)
    await s.settle()
    expect(valueAt('to', name)).toBe('a new value')
    const { body } = await s.call('GET', `/copies/${copy}`)
    expect((body['provenance'] as { what: string }[]).map((p) => p.what)).toEqual([
      'copied',
      'adopted',
      'drifted',
      'copied',
      'copied',
    ])
  })

  test('a copy that was deleted waits for its end: it is restored, then written, never purged', async () => {
    const [, name = ''] = names
    await s.remove('to', name)
    expect(valueAt('to', name)).toBeNull()
    expect(await s.run(route)).toMatchObject({ outcome: 'succeeded', done: { update: 1 } })
    expect(valueAt('to', name)).toBe(valueAt('from', name))
    expect(s.to.secrets[name.toLowerCase()]?.versions.length).toBeGreaterThan(0)
  })

  test('a source that is gone keeps its copy; a route that prunes deletes it, within its limit or with a person', async () => {
    const [, , name = ''] = names
    await s.remove('from', name)
    expect(await s.run(route)).toMatchObject({ done: { skip: 1, prune: 0 } })
    expect(valueAt('to', name)).not.toBeNull()
    const settings = (await s.call('GET', `/routes/${route}`)).body['settings']
    const revised = { ...(settings as object), deletePolicy: 'prune' }
    expect((await s.call('PUT', `/routes/${route}`, revised)).status).toBe(204)
    await s.settle()
    // What is written differs now, so the route waits for a person anew.
    const waits = await s.run(route)
    expect(waits).toMatchObject({ outcome: 'planned', needs: 'first-run', planned: { prune: 1 } })
    await s.accept({ run: String(waits['run']), plan: String(waits['plan']) })
    expect(valueAt('to', name)).toBeNull()
    // Deleted so that it can be had back.
    expect(s.to.secrets[name.toLowerCase()]?.deleted).not.toBeNull()
    expect(await s.events('sync.pruned')).toHaveLength(1)
  })

  test('an empty listing deletes nothing', async () => {
    const kept = { ...s.from.secrets }
    for (const name of Object.keys(s.from.secrets)) delete s.from.secrets[name]
    expect(await s.run(route)).toMatchObject({ done: { prune: 0, skip: 3 } })
    Object.assign(s.from.secrets, kept)
  })

  test('no value is in the database, in what was logged, or in what was answered', async () => {
    const canaries = [...s.twin.secretCanaries(), 'a new value', 'by hand']
    const said = JSON.stringify([
      s.lines,
      (await s.call('GET', '/copies')).body,
      (await s.call('GET', `/runs/${opened.run}/plan`)).body,
    ])
    const rows = await s.everything()
    for (const canary of canaries) {
      expect(said).not.toContain(canary)
      expect(rows).not.toContain(canary)
    }
    expect(rows.length).toBeGreaterThan(10_000)
  })
})
