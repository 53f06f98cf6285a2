import {
  CreateSecretCommand,
  DeleteSecretCommand,
  PutSecretValueCommand,
} from '@aws-sdk/client-secrets-manager'
import { Denied, Secret, Transient } from '@attestry/kit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RunningCloud } from '../../twin/index.ts'
import type { Access, World } from './access.ts'
import { AWS, AUDIENCE, awsAccount, awsPerson, ENTRY_ROLE, foreignCloud, SYNC_ROLE } from './aws.fixture.ts'
import { AWS_SECRETS_MANAGER, awsSecretsManagerTarget } from './aws-secrets-manager.ts'
import { targetContract } from './target.contract.ts'
import type { Mark, RemoteEntry, Write } from './target.ts'

targetContract('AWS Secrets Manager', AWS_SECRETS_MANAGER, async () => {
  const { twin, world } = await foreignCloud()
  const { account, secrets } = awsPerson(twin)
  let names = 0
  return {
    target: awsSecretsManagerTarget(awsAccount, world),
    plant: async (name, value) =>
      void (await secrets.send(new CreateSecretCommand({ Name: name, SecretString: value }))),
    tamper: async (name, value) =>
      void (await secrets.send(new PutSecretValueCommand({ SecretId: name, SecretString: value }))),
    drop: async (name) => void (await secrets.send(new DeleteSecretCommand({ SecretId: name }))),
    served: async (name) => {
      const secret = account.secrets.find((one) => one.name === name && one.deleted === null)
      const current = secret?.versions.find(({ stages }) => stages.includes('AWSCURRENT'))
      return current?.text ?? current?.binary ?? null
    },
    name: (topic) => `contract/${topic}-${++names}`,
    value: (topic) => `a value of ${topic}`,
    close: () => twin.stop(),
  }
})

const signal = () => AbortSignal.timeout(20_000)
const mark = (version: string): Mark => ({
  route: 'route-1',
  secret: 'secret-1',
  vault: 'vault-1',
  sourceVersion: version.repeat(32),
  mac: 'a'.repeat(64),
})
const write = (value: string, version: string, form: 'text' | 'binary' = 'text'): Write => ({
  value: { bytes: new Secret(value), form },
  mark: mark(version),
  metadata: { tags: [], contentType: null, expires: null, notBefore: null },
})

describe('AWS Secrets Manager, when things go wrong', () => {
  let twin: RunningCloud
  let world: World
  beforeAll(async () => {
    const cloud = await foreignCloud()
    ;({ twin, world } = cloud)
  })
  afterAll(() => twin.stop())
  const open = (access: Access = awsAccount.access, account: string = AWS.account) =>
    awsSecretsManagerTarget({ account, region: AWS.region, access }, world)
  const stored = () => twin.estate.aws[0]?.secrets ?? []
  const denied = (of: Promise<unknown>) =>
    of.then(
      () => undefined,
      (error: unknown) => error,
    )

  test('what it keeps in a log or an event of a refusal holds no value', async () => {
    const stop = twin.faults.add({ operation: 'aws.secretsmanager.CreateSecret', trouble: { kind: 'reset' } })
    const error = await denied(open().create('lost', write('canary-in-a-request', '1'), signal()))
    stop()
    expect(error).toBeInstanceOf(Transient)
    const { inspect } = await import('node:util')
    expect(inspect(error, { depth: 12 })).not.toContain('canary-in-a-request')
  })

  test('bytes that are no text arrive as they are', async () => {
    const bytes = Uint8Array.of(0, 255, 10, 128)
    await open().create(
      'bytes',
      { ...write('', '2', 'binary'), value: { bytes: new Secret(bytes), form: 'binary' } },
      signal(),
    )
    expect(stored().find(({ name }) => name === 'bytes')?.versions[0]).toMatchObject({
      text: null,
      binary: Buffer.from(bytes).toString('base64'),
    })
  })

  test('an empty account is an empty listing, not a failure', async () => {
    const empty = awsSecretsManagerTarget({ ...awsAccount, region: 'eu-west-1' }, world)
    const entries: RemoteEntry[] = []
    for await (const page of empty.list(signal())) entries.push(...page)
    expect(entries).toEqual([])
  })

  test('a 403 in the middle of a listing is thrown, so that nobody takes the rest for gone', async () => {
    const account = twin.estate.aws[0]
    const [one] = account?.secrets ?? []
    if (!account || !one) throw new Error('the tests before made a secret')
    // A region of its own with two pages.
    for (let index = 0; index < 150; index++)
      account.secrets.push({ ...one, region: 'us-east-1', name: `many/${index}` })
    const target = awsSecretsManagerTarget({ ...awsAccount, region: 'us-east-1' }, world)
    const listing = target.list(signal())[Symbol.asyncIterator]()
    expect((await listing.next()).value).toHaveLength(100)
    const role = account.roles.find(({ name }) => name === 'attestry-sync')
    const policies = role?.policies ?? []
    if (role) role.policies = []
    expect(await denied(listing.next())).toMatchObject({
      name: 'Denied',
      code: 'AccessDeniedException',
      message: expect.stringContaining('secretsmanager:ListSecrets'),
    })
    if (role) role.policies = policies
  })

  test('what somebody deleted is listed as pending, restored with a bound and written again; nothing is purged', async () => {
    const target = open()
    await target.create('wanted-back', write('one', '4'), signal())
    const { secrets } = awsPerson(twin)
    await secrets.send(new DeleteSecretCommand({ SecretId: 'wanted-back' }))
    const entry = await target.describe('wanted-back', signal())
    expect(entry).toMatchObject({ state: 'pending-deletion', mark: mark('4') })
    if (!entry) throw new Error('it is described')
    expect(await target.put(entry, write('two', '5'), signal())).toMatchObject({
      refused: 'pending-deletion',
    })
    expect(await target.restore(entry, signal())).toBeNull()
    expect(await target.put(entry, write('two', '5'), signal())).toMatchObject({ version: '5'.repeat(32) })
    expect(twin.calls.get('aws.secretsmanager.DeleteSecret')).toBe(1)
  })

  test('credentials of another account write nothing and say so', async () => {
    const target = open(awsAccount.access, '999988887777')
    const before = stored().length
    expect(await denied(target.create('misled', write('x', '6'), signal()))).toMatchObject({
      code: 'WrongAccount',
    })
    expect(stored().length).toBe(before)
  })

  test.each<[string, Access, string]>([
    [
      'another external id',
      {
        how: 'web-identity',
        roleArn: ENTRY_ROLE,
        audience: AUDIENCE,
        onward: { roleArn: SYNC_ROLE, externalId: 'guessed' },
      },
      'AccessDenied',
    ],
    [
      'an audience that the account does not trust',
      { how: 'web-identity', roleArn: ENTRY_ROLE, audience: 'https://vault.azure.net', onward: null },
      'InvalidIdentityToken',
    ],
    [
      'a key that is not',
      {
        how: 'access-key',
        accessKeyId: 'AKIANOBODY',
        secretAccessKey: () => Promise.resolve(new Secret('x')),
        onward: null,
      },
      'InvalidClientTokenId',
    ],
  ])('%s is refused by its code', async (_, access, code) => {
    expect(await denied(open(access).test(signal()))).toMatchObject({
      name: 'Denied',
      code: expect.stringContaining(code),
    })
  })

  test('a stored key works as the last resort, through the same role', async () => {
    const [key] = twin.estate.aws[0]?.users[0]?.accessKeys ?? []
    const target = open({
      how: 'access-key',
      accessKeyId: key?.id ?? '',
      secretAccessKey: () => Promise.resolve(new Secret(key?.secret ?? '')),
      onward: { roleArn: SYNC_ROLE, externalId: AWS.externalId },
    })
    expect(await target.test(signal())).toEqual({ account: AWS.account })
  })

  test('ten thousand secrets are a hundred listing requests, with what is served in them', async () => {
    const account = twin.estate.aws[0]
    const [one] = account?.secrets ?? []
    if (!account || !one) throw new Error('the tests before made a secret')
    for (let index = 0; index < 10_000; index++)
      account.secrets.push({ ...one, region: 'ap-south-1', name: `unchanged/${index}` })
    const target = awsSecretsManagerTarget({ ...awsAccount, region: 'ap-south-1' }, world)
    twin.resetCalls()
    const served = new Set<string>()
    for await (const page of target.list(signal()))
      for (const { name, servedSource, stamp } of page) if (servedSource && stamp) served.add(name)
    expect(served.size).toBe(10_000)
    const calls = [...twin.calls].filter(([name]) => name.startsWith('aws.secretsmanager'))
    expect(calls).toEqual([['aws.secretsmanager.ListSecrets', 100]])
  })

  test('a clock that is ten minutes off is set by AWS’s answer, and a session that ended is replaced', async () => {
    const target = open()
    await target.test(signal())
    twin.clock.advance(10 * 60_000)
    await target.test(signal())
    twin.clock.advance(70 * 60_000)
    expect(await target.test(signal())).toEqual({ account: AWS.account })
  })

  test('throttles are weather: tried again by the worker when AWS says so', async () => {
    const put = { operation: 'aws.secretsmanager.PutSecretValue' } as const
    // The last of the client's own tries is told when to come back.
    const stops = [
      twin.faults.add({ ...put, times: 2, trouble: { kind: 'throttled' } }),
      twin.faults.add({ ...put, skip: 2, trouble: { kind: 'throttled', retryAfterSeconds: 90 } }),
    ]
    const target = open()
    await target.create('slow', write('one', '7'), signal())
    const entry = await target.describe('slow', signal())
    if (!entry) throw new Error('it is described')
    const error = await denied(target.put(entry, write('two', '8'), signal()))
    for (const stop of stops) stop()
    expect(error).toMatchObject({ name: 'Transient', retryAfterMs: 90_000 })
  })

  test('a listing that lags behind does not hide an object from describe() and create()', async () => {
    twin.settings.listLagMs = 60_000
    const target = open()
    await target.create('just-made', write('one', '9'), signal())
    const names: string[] = []
    for await (const page of target.list(signal())) names.push(...page.map(({ name }) => name))
    twin.settings.listLagMs = 0
    expect(names).not.toContain('just-made')
    expect(await target.describe('just-made', signal())).toMatchObject({ state: 'live' })
    expect(await target.create('just-made', write('other', 'a'), signal())).toMatchObject({
      refused: 'exists',
    })
  })

  test('no value was read in all of this', () => {
    expect(twin.calls.has('aws.secretsmanager.GetSecretValue')).toBe(false)
  })

  test('only a loopback address may stand in for AWS', () => {
    expect(() => awsSecretsManagerTarget(awsAccount, { ...world, endpoint: 'https://aws.example' })).toThrow(
      /loopback/,
    )
    expect(Denied.name).toBe('Denied')
  })
})
