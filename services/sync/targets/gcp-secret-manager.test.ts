import { generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { Secret, Transient } from '@attestry/kit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RunningCloud } from '../../twin/index.ts'
import type { Access, World } from './access.ts'
import { AUDIENCE, foreignCloud } from './aws.fixture.ts'
import { crc32c } from './crc32c.ts'
import { GCP, gcpAccount, gcpProject } from './gcp.fixture.ts'
import { GCP_SECRET_MANAGER, gcpSecretManagerTarget } from './gcp-secret-manager.ts'
import { targetContract } from './target.contract.ts'
import type { Mark, RemoteEntry, Write } from './target.ts'

/** What a person does at Google's console, in the twin's own state. */
function person(twin: RunningCloud) {
  const { secrets } = gcpProject(twin)
  const find = (id: string) => secrets.find((one) => one.id === id)
  const now = () => twin.clock.now()
  const version = (number: number, value: string) => ({
    number,
    created: now(),
    state: 'ENABLED' as const,
    data: Buffer.from(value).toString('base64'),
    checksummed: false,
    destroyed: null,
    scheduledDestroy: null,
    generation: 1,
  })
  return {
    find,
    plant(id: string, value: string) {
      secrets.push({
        id,
        created: now(),
        labels: {},
        annotations: {},
        versionDestroyTtl: null,
        generation: 1,
        policy: [],
        versions: [version(1, value)],
      })
    },
    tamper(id: string, value: string) {
      const versions = find(id)?.versions
      versions?.push(version((versions.at(-1)?.number ?? 0) + 1, value))
    },
    drop(id: string) {
      const secret = find(id)
      if (secret) secrets.splice(secrets.indexOf(secret), 1)
    },
    served(id: string): string | null {
      const latest = find(id)?.versions.at(-1)
      return latest?.state === 'ENABLED' && latest.data !== null
        ? Buffer.from(latest.data, 'base64').toString()
        : null
    },
  }
}

targetContract('Google Secret Manager', GCP_SECRET_MANAGER, async () => {
  const { twin, world } = await foreignCloud()
  const { plant, tamper, drop, served } = person(twin)
  let names = 0
  return {
    target: gcpSecretManagerTarget(gcpAccount, world),
    plant: async (name, value) => plant(name, value),
    tamper: async (name, value) => tamper(name, value),
    drop: async (name) => drop(name),
    served: async (name) => served(name),
    name: (topic) => `contract-${topic}-${++names}`,
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
const write = (value: string, version: string): Write => ({
  value: { bytes: new Secret(value), form: 'text' },
  mark: mark(version),
  metadata: { tags: [['Owner', 'Payments Team']], contentType: null, expires: null, notBefore: null },
})

describe('Google Secret Manager, when things go wrong', () => {
  let twin: RunningCloud
  let world: World
  beforeAll(async () => {
    const cloud = await foreignCloud()
    ;({ twin, world } = cloud)
  })
  afterAll(() => twin.stop())
  const open = (access: Access = gcpAccount.access) =>
    gcpSecretManagerTarget({ ...gcpAccount, access }, world)
  const denied = (of: Promise<unknown>) =>
    of.then(
      () => undefined,
      (error: unknown) => error,
    )
  const described = async (name: string): Promise<RemoteEntry> => {
    const entry = await open().describe(name, signal())
    if (!entry) throw new Error(`${name} is described`)
    return entry
  }

  test('the checksum is Castagnoli’s: the check value of RFC 3720', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
  })

  test('a project without secrets is an empty listing, not a failure', async () => {
    const pages: (readonly RemoteEntry[])[] = []
    for await (const page of open().list(signal())) pages.push(page)
    expect(pages.flat()).toEqual([])
  })

  test('a label that Google would not take goes along as an annotation', async () => {
    await open().create('labelled', write('one', '1'), signal())
    expect(person(twin).find('labelled')).toMatchObject({
      labels: { 'managed-by': 'attestry' },
      annotations: { Owner: 'Payments Team', 'attestry-mac': 'a'.repeat(64) },
    })
  })

  test('bytes that are no text arrive as they are', async () => {
    const bytes = Uint8Array.of(0, 255, 10, 128)
    const one: Write = { ...write('', '1'), value: { bytes: new Secret(bytes), form: 'binary' } }
    await open().create('bytes', one, signal())
    expect(person(twin).find('bytes')?.versions[0]?.data).toBe(Buffer.from(bytes).toString('base64'))
  })

  test('a crash between the value and the mark makes no second version when it is done again', async () => {
    const target = open()
    await target.create('torn', write('one', '1'), signal())
    // Written; the mark never came.
    await target.put(await described('torn'), write('two', '2'), signal())
    const torn = await described('torn')
    expect(torn).toMatchObject({ version: '2', servedSource: '2'.repeat(32), mark: mark('1') })
    const again = await target.put(torn, write('two', '2'), signal())
    expect(again).toMatchObject({ version: '2' })
    expect(person(twin).find('torn')?.versions).toHaveLength(2)
  })

  test('a crash before the value is not taken for the value', async () => {
    const target = open()
    await target.create('early', write('one', '1'), signal())
    const stop = twin.faults.add({
      operation: 'gcp.secretmanager.versions.add',
      trouble: { kind: 'error', status: 500 },
    })
    expect(await denied(target.put(await described('early'), write('two', '2'), signal()))).toBeInstanceOf(
      Transient,
    )
    stop()
    expect((await described('early')).servedSource).toBeNull()
    await target.put(await described('early'), write('two', '2'), signal())
    expect(person(twin).served('early')).toBe('two')
  })

  test('versions beyond those kept are destroyed after a delay, and none twice', async () => {
    const target = open()
    await target.create('kept', write('one', '1'), signal())
    for (const version of ['2', '3', '4'])
      await target.put(await described('kept'), write(`value ${version}`, version), signal())
    await target.trim(await described('kept'), 2, signal())
    const states = () =>
      person(twin)
        .find('kept')
        ?.versions.map(({ state, scheduledDestroy }) => [state, scheduledDestroy !== null])
    expect(states()).toEqual([
      ['DISABLED', true],
      ['DISABLED', true],
      ['ENABLED', false],
      ['ENABLED', false],
    ])
    const calls = twin.calls.get('gcp.secretmanager.versions.destroy')
    await target.trim(await described('kept'), 2, signal())
    expect(twin.calls.get('gcp.secretmanager.versions.destroy')).toBe(calls)
    expect(person(twin).served('kept')).toBe('value 4')
  })

  test('a permission less is a refusal that names it; what was written stays whole', async () => {
    const role = gcpProject(twin).roles[0]
    const permissions = role?.permissions ?? []
    const before = await described('kept')
    if (role) role.permissions = permissions.filter((one) => one !== 'secretmanager.versions.add')
    const error = await denied(open().put(before, write('five', '5'), signal()))
    if (role) role.permissions = permissions
    expect(error).toMatchObject({
      name: 'Denied',
      code: 'PERMISSION_DENIED',
      message: expect.stringContaining('secretmanager.versions.add'),
    })
    expect(person(twin).served('kept')).toBe('value 4')
  })

  test('a quota that is used up is weather, and no value is told with it', async () => {
    twin.throttle.set('gcp.secretmanager.write', { capacity: 1, perSecond: 0.001 })
    const error = await denied(open().create('beyond', write('canary-in-a-request', '1'), signal()))
    twin.throttle.set('gcp.secretmanager.write', { capacity: 600, perSecond: 10 })
    expect(error).toBeInstanceOf(Transient)
    const shown = inspect(error, { depth: 12 })
    expect(shown).not.toContain('canary-in-a-request')
    expect(shown).not.toContain(Buffer.from('canary-in-a-request').toString('base64'))
  })

  test.each<[string, Access, string]>([
    [
      'an audience that the pool does not take',
      {
        how: 'federation',
        audience: GCP.provider,
        tokenAudience: 'https://vault.azure.net',
        serviceAccount: GCP.serviceAccount,
      },
      'invalid_grant',
    ],
    [
      'a pool that is not there',
      {
        how: 'federation',
        audience: GCP.provider.replace('entra', 'other'),
        tokenAudience: AUDIENCE,
        serviceAccount: GCP.serviceAccount,
      },
      'invalid_target',
    ],
    [
      'a service account that nobody may act as',
      {
        how: 'federation',
        audience: GCP.provider,
        tokenAudience: AUDIENCE,
        serviceAccount: 'other@contoso-payments-prod.iam.gserviceaccount.com',
      },
      'PERMISSION_DENIED',
    ],
    [
      'a key file that is none',
      { how: 'service-account-key', key: () => Promise.resolve(new Secret('{}')) },
      'BadKey',
    ],
  ])('%s is refused by its code', async (_, access, code) => {
    expect(await denied(open(access).test(signal()))).toMatchObject({ name: 'Denied', code })
  })

  test('another project is refused, whatever the credentials', async () => {
    const other = gcpSecretManagerTarget({ ...gcpAccount, account: 'somebody-elses' }, world)
    expect(await denied(other.test(signal()))).toMatchObject({ code: 'PERMISSION_DENIED' })
  })

  test('a stored key works as the last resort', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    gcpProject(twin).serviceAccounts[0]?.keys.push({
      id: 'key-1',
      publicKey: publicKey.export({ type: 'spki', format: 'pem' }),
    })
    const file = {
      type: 'service_account',
      client_email: GCP.serviceAccount,
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      private_key_id: 'key-1',
    }
    const key = () => Promise.resolve(new Secret(JSON.stringify(file)))
    expect(await open({ how: 'service-account-key', key }).test(signal())).toEqual({ account: GCP.project })
  })

  test('no value was read in all of this', () => {
    expect(twin.calls.has('gcp.secretmanager.versions.access')).toBe(false)
  })
})
