import { createPrivateKey, type X509Certificate } from 'node:crypto'
import type { TargetKind } from '@attestry/contracts'
import { DeleteSecretCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { certificatesOf } from '../twin/pem.ts'
import { type Synced, synced } from './for-tests.ts'
import { awsPerson } from './targets/aws.fixture.ts'
import { GCP_SECRET_MANAGER } from './targets/gcp-secret-manager.ts'

/* Routes from a vault to AWS and to Google Cloud, through the connectors of a demonstration. One story, told in order. */

let s: Synced
let names: string[]
let values: string[]
const connectors = new Map<string, string>()

beforeAll(async () => {
  s = await synced({ secrets: 4, certificates: 2, demonstration: true })
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

describe('a route to Google Secret Manager', () => {
  let route: string
  const held = () => s.twin.estate.gcp[0]?.secrets ?? []
  const heldAs = (name: string) => {
    const secret = held().find(({ id }) => id === `shop-${name}`)
    if (!secret) throw new Error(`${name} is not in the project`)
    return secret
  }
  const writes = () =>
    [...s.twin.calls].reduce(
      (sum, [call, times]) =>
        /^gcp\.secretmanager\..*(create|update|add|disable|destroy|delete)/i.test(call) ? sum + times : sum,
      0,
    )

  test('writes versions that are checked by their checksum, within the minute’s quota', async () => {
    s.twin.resetCalls()
    const opened = await s.open(
      {
        name: 'to google',
        kind: 'gcp-secret-manager',
        template: 'shop-{name}',
        keepVersions: 2,
        onDrift: 'reassert',
      },
      connectors.get('gcp'),
    )
    ;({ route } = opened)
    await s.accept(opened)
    expect(
      held()
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(names.map((name) => `shop-${name}`).toSorted())
    for (const { id, versions } of held()) {
      expect(versions).toMatchObject([{ number: 1, state: 'ENABLED', checksummed: true }])
      expect(Buffer.from(versions[0]?.data ?? '', 'base64').toString()).toBe(
        valueOf(id.slice('shop-'.length)),
      )
    }
    expect((writes() / names.length) * GCP_SECRET_MANAGER.writesPerMinute).toBeLessThanOrEqual(600)
    expect(s.twin.calls.has('gcp.secretmanager.versions.access')).toBe(false)
    expect(await s.run(route)).toMatchObject({ valuesRead: 0, done: { create: 0, update: 0 } })
  })

  test('keeps as many versions as it says; a new one stays within the quota too', async () => {
    const [name = ''] = names
    for (const value of ['canary-second', 'canary-third']) {
      s.twin.clock.advance(5000)
      await s.put('from', name, value)
      s.twin.resetCalls()
      await s.run(route)
      expect(writes() * GCP_SECRET_MANAGER.writesPerMinute).toBeLessThanOrEqual(600)
    }
    const [first, ...kept] = heldAs(name).versions
    expect(first?.scheduledDestroy ?? first?.state).not.toBe('ENABLED')
    expect(kept).toMatchObject([{ state: 'ENABLED' }, { state: 'ENABLED' }])
  })

  test('writes the source’s value again over what somebody else wrote, and tells', async () => {
    const [, name = ''] = names
    const { versions } = heldAs(name)
    const [ours] = versions
    if (!ours) throw new Error('it was written')
    versions.push({ ...ours, number: 2, data: Buffer.from('canary-by-hand').toString('base64') })
    expect(await s.run(route)).toMatchObject({ done: { update: 1 }, valuesRead: 1 })
    const last = (await s.events('sync.drifted')).at(-1)
    expect(last?.data).toMatchObject({ route, drift: 'changed', expected: '1', found: '2' })
    expect(Buffer.from(versions.at(-1)?.data ?? '', 'base64').toString()).toBe(valueOf(name))
  })
})

test('a route to AWS Parameter Store writes secure strings, and does nothing while nothing changes', async () => {
  const opened = await s.open(
    { name: 'to parameters', kind: 'aws-parameter-store', template: '/shop/{name}' },
    connectors.get('aws'),
  )
  await s.accept(opened)
  const held = () => s.twin.estate.aws[0]?.parameters.filter(({ name }) => name.startsWith('/shop/')) ?? []
  expect(held()).toHaveLength(4)
  for (const { name, versions } of held()) {
    expect(versions).toMatchObject([{ type: 'SecureString' }])
    expect(versions[0]?.value).toBe(valueOf(name.slice('/shop/'.length)))
  }
  expect(await s.run(opened.route)).toMatchObject({ done: { noop: 4 }, valuesRead: 0 })
})

describe('certificates of the vault, one as PKCS #12 and one as PEM', () => {
  interface Store {
    readonly kind: TargetKind
    readonly cloud: string
    readonly template: string
    /** What the store holds: the leaf first, its issuer after it. */
    readonly held: () => { id: string; name: string; certificates: string; privateKey: string }[]
  }
  const stores: Store[] = [
    {
      kind: 'aws-acm',
      cloud: 'aws',
      template: 'shop/{name}',
      held: () =>
        (s.twin.estate.aws[0]?.certificates ?? []).map(({ id, tags, body, chain, privateKey }) => ({
          id,
          name: tags['Name'] ?? '',
          certificates: body + (chain ?? ''),
          privateKey,
        })),
    },
    {
      kind: 'gcp-certificate-manager',
      cloud: 'gcp',
      template: 'shop-{name}',
      held: () =>
        (s.twin.estate.gcp[0]?.certificates ?? []).map(({ id, certificate, privateKey }) => ({
          id,
          name: id,
          certificates: certificate,
          privateKey,
        })),
    },
  ]

  test.each(stores)(
    '$kind: planned, written with chain and key, then left alone until one is renewed',
    {
      timeout: 90_000,
    },
    async ({ kind, cloud, template, held }) => {
      const opened = await s.open({ name: kind, kind, template }, connectors.get(cloud))
      const { body } = await s.call('GET', `/runs/${opened.run}`)
      expect(body).toMatchObject({ planned: { create: 2, skip: 4 }, valuesRead: 0 })
      await s.accept(opened)
      const chains = () =>
        held().map(({ id, certificates, privateKey }) => {
          const [leaf, issuer] = (certificatesOf(certificates) ?? []) as [X509Certificate?, X509Certificate?]
          const whole =
            leaf?.checkPrivateKey(createPrivateKey(privateKey)) && issuer && leaf.checkIssued(issuer)
          return { id, serial: leaf?.serialNumber.toLowerCase(), whole }
        })
      const before = chains()
      expect(before).toMatchObject([{ whole: true }, { whole: true }])
      const versions = Object.values(s.from.certificates).map((item) => item.versions.at(-1)?.version)
      const copied = (await s.events('sync.copied')).filter((e) => e.data.route === opened.route)
      expect(new Set(copied.map((e) => e.data.sourceVersion))).toEqual(new Set(versions))
      expect(new Set(copied.map((e) => e.data.targetVersion))).toEqual(new Set(before.map((c) => c.serial)))
      expect(await s.run(opened.route)).toMatchObject({ done: { noop: 2 }, valuesRead: 0 })

      const [item] = Object.values(s.from.certificates)
      const newest = item?.versions.at(-1)
      if (!item || !newest) throw new Error('the vault has a certificate')
      s.twin.clock.advance(61_000)
      const created = Math.floor(s.twin.clock.now() / 1000)
      const serial = `2${newest.serial.slice(1, -1)}${stores.findIndex((one) => one.kind === kind)}`
      const version = serial.replace(/^./, 'c')
      item.versions.push({ ...newest, version, serial, seed: serial, created, updated: created })
      expect(await s.run(opened.route)).toMatchObject({ outcome: 'succeeded', done: { update: 1, noop: 1 } })
      // The same object, so that what uses it goes on.
      expect(chains().map(({ id }) => id)).toEqual(before.map(({ id }) => id))
      expect(chains()).toContainEqual({ id: expect.any(String) as string, serial, whole: true })
    },
  )
})

test('what somebody deleted at AWS is restored and written; nothing is purged', async () => {
  const name = names[3] ?? ''
  const { secrets } = awsPerson(s.twin)
  await secrets.send(new DeleteSecretCommand({ SecretId: `shop/${name}` }))
  expect(servedByAws(`shop/${name}`)).toBeUndefined()
  const { items = [] } = (await s.call('GET', '/routes')).body
  const route = items.find((one) => (one['settings'] as { kind: string }).kind === 'aws-secrets-manager')
  await s.run(String(route?.['route']))
  expect(servedByAws(`shop/${name}`)).toBe(valueOf(name))
  expect((await s.events('sync.drifted')).at(-1)?.data).toMatchObject({ drift: 'pending-deletion' })
})

test('no value stands in the database or in a log', async () => {
  const text = (await s.everything()) + JSON.stringify(s.lines)
  const keys = Object.values(s.from.certificates).flatMap((item) => item.versions.map(({ value }) => value))
  // Of a bundle's text a line is enough to be seen.
  const bundles = s.twin
    .secretCanaries()
    .flatMap((value) => value.split('\n').filter((line) => line.length > 60))
  for (const value of [...values, ...keys, ...bundles]) expect(text).not.toContain(value)
  expect(text).not.toContain('canary-')
})
