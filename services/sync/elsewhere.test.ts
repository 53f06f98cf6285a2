import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Synced, synced } from './for-tests.ts'
import { awsPerson } from './targets/aws.fixture.ts'

/* Routes from a vault to AWS and to Google Cloud, through the connectors of a demonstration. One story, told in order. */

let s: Synced
let names: string[]
let values: string[]
const connectors = new Map<string, string>()

beforeAll(async () => {
  s = await synced({ secrets: 4, demonstration: true })
  names = Object.values(s.from.secrets).map((secret) => secret.name)
  values = Object.values(s.from.secrets).flatMap(({ versions }) => versions.map(({ value }) => value))
  await s.scan()
}, 60_000)
afterAll(() => s[Symbol.asyncDispose]())

const aws = () => s.twin.estate.aws[0]?.secrets ?? []
const servedByAws = (name: string) =>
  aws()
    .find((one) => one.name === name && one.deleted === null)
    ?.versions.find(({ stages }) => stages.includes('AWSCURRENT'))?.text
const valueOf = (name: string) => s.from.secrets[name.toLowerCase()]?.versions.at(-1)?.value

test('a demonstration begins connected to the clouds that were started with it, and their sign-in works', async () => {
  const { items = [] } = (await s.call('GET', '/connectors')).body
  for (const one of items) connectors.set(String(one['cloud']), String(one['connector']))
  expect([...connectors.keys()].toSorted()).toEqual(['aws', 'gcp'])
  for (const connector of connectors.values())
    expect((await s.call('POST', `/connectors/${connector}/test`)).body).toEqual({ ok: true, problem: null })
})

describe('a route to AWS Secrets Manager', () => {
  let route: string
  let taken: string

  test('an object of somebody else under one of its names is a conflict, and stays as it is', async () => {
    taken = names[0] ?? ''
    s.twin.estate.aws[0]?.secrets.push({
      region: 'eu-central-1',
      name: `shop/${taken}`,
      suffix: 'abcdef',
      description: null,
      kmsKey: null,
      tags: { 'managed-by': 'terraform' },
      created: 1,
      changed: 1,
      deleted: null,
      versions: [
        {
          id: '00000000-0000-0000-0000-000000000001',
          created: 1,
          stages: ['AWSCURRENT'],
          text: 'canary-of-theirs',
          binary: null,
        },
      ],
    })
    const opened = await s.open(
      { kind: 'aws-secrets-manager', template: 'shop/{name}' },
      connectors.get('aws'),
    )
    ;({ route } = opened)
    const { body } = await s.call('GET', `/runs/${opened.run}`)
    expect(body).toMatchObject({ outcome: 'planned', planned: { create: 3, conflict: 1 }, valuesRead: 0 })
    await s.accept(opened)
    for (const name of names.slice(1)) expect(servedByAws(`shop/${name}`)).toBe(valueOf(name))
    expect(servedByAws(`shop/${taken}`)).toBe('canary-of-theirs')
  })

  test('the version at AWS is the source’s own, and the ledger says so', async () => {
    const copied = await s.events('sync.copied')
    expect(copied).toHaveLength(3)
    for (const { data } of copied)
      expect(data).toMatchObject({ targetVersion: data.sourceVersion, sourceMac: data.targetMac })
  })

  test('unchanged, nothing is written and no value is read, at either side', async () => {
    s.twin.resetCalls()
    const run = await s.run(route)
    expect(run).toMatchObject({ valuesRead: 0 })
    const calls = [...s.twin.calls.keys()].filter((call) =>
      /Put|Create|Tag|secrets\.get$|GetSecretValue/.test(call),
    )
    expect(calls).toEqual([])
  })

  test('a new version at the source arrives as one new version', async () => {
    const name = names[1] ?? ''
    await s.put('from', name, 'canary-of-a-new-version')
    await s.run(route)
    expect(servedByAws(`shop/${name}`)).toBe('canary-of-a-new-version')
    expect(aws().find((one) => one.name === `shop/${name}`)?.versions).toHaveLength(2)
  })

  test('a change by somebody else is told as drift, without its value being read', async () => {
    const name = names[2] ?? ''
    const { secrets } = awsPerson(s.twin)
    await secrets.send(
      new PutSecretValueCommand({ SecretId: `shop/${name}`, SecretString: 'canary-of-somebody-else' }),
    )
    await s.run(route)
    expect(await s.events('sync.drifted')).toMatchObject([{ data: { drift: 'changed' } }])
    expect(servedByAws(`shop/${name}`)).toBe('canary-of-somebody-else')
    expect(s.twin.calls.has('aws.secretsmanager.GetSecretValue')).toBe(false)
  })
})

test('a route to Google Secret Manager writes versions that are checked by their checksum', async () => {
  const opened = await s.open(
    { name: 'to google', kind: 'gcp-secret-manager', template: 'shop-{name}' },
    connectors.get('gcp'),
  )
  await s.accept(opened)
  const held = s.twin.estate.gcp[0]?.secrets ?? []
  expect(held.map(({ id }) => id).toSorted()).toEqual(names.map((name) => `shop-${name}`).toSorted())
  for (const { id, versions } of held) {
    expect(versions).toMatchObject([{ number: 1, state: 'ENABLED', checksummed: true }])
    expect(Buffer.from(versions[0]?.data ?? '', 'base64').toString()).toBe(valueOf(id.slice('shop-'.length)))
  }
  expect(s.twin.calls.has('gcp.secretmanager.versions.access')).toBe(false)
  expect(await s.run(opened.route)).toMatchObject({ valuesRead: 0, done: { create: 0, update: 0 } })
})

test('no value stands in the database or in a log', async () => {
  const text = (await s.everything()) + JSON.stringify(s.lines)
  for (const value of [...values, 'canary-of-a-new-version', 'canary-of-somebody-else', 'canary-of-theirs'])
    expect(text).not.toContain(value)
})
