import { readFile } from 'node:fs/promises'
import { Denied, Secret } from '@attestry/kit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RunningCloud } from '../../twin/index.ts'
import type { World } from './access.ts'
import { awsAcmTarget } from './aws-acm.ts'
import { AUDIENCE, AWS, awsAccount, foreignCloud } from './aws.fixture.ts'
import { awsParameterStoreTarget } from './aws-parameter-store.ts'
import { awsSecretsManagerTarget } from './aws-secrets-manager.ts'
import { issue } from './certificate.fixture.ts'
import { gcpCertificateManagerTarget } from './gcp-certificate-manager.ts'
import { gcpAccount, gcpProject } from './gcp.fixture.ts'
import { gcpSecretManagerTarget } from './gcp-secret-manager.ts'
import type { RemoteEntry, Target, Write, Written } from './target.ts'

/*
 * The set-up pages are held to their word: their documents are what the twin evaluates here. With exactly these the
 * whole job of a target works; with one action less it is refused, and the message names the action.
 */
const page = async (name: string) => readFile(new URL(`../../../docs/${name}`, import.meta.url), 'utf8')
const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    ([, block]) => block ?? '',
  )

const signal = () => AbortSignal.timeout(20_000)
const pems = ['one', 'two'].map((host) => issue(`${host}.example`).pem)
let names = 0

/** Everything that a route may ever ask of a target, in the order in which it would. */
async function wholeJob(target: Target): Promise<void> {
  const at = `job-${++names}`
  const write = (value: 0 | 1): Write => ({
    value: {
      bytes: new Secret(target.can.takes === 'secrets' ? `value ${value}` : (pems[value] ?? '')),
      form: 'text',
    },
    mark: {
      route: 'route-1',
      secret: 'secret-1',
      vault: 'vault-1',
      sourceVersion: String(value).repeat(32),
      mac: String(value).repeat(64),
    },
    metadata: { tags: [], contentType: null, expires: null, notBefore: null },
  })
  const good = (answer: object | null) => {
    if (answer && 'refused' in answer) throw new Error(`refused: ${JSON.stringify(answer)}`)
  }
  const described = async (): Promise<RemoteEntry> => {
    const entry = await target.describe(at, signal())
    if (!entry) throw new Error('it is there')
    return entry
  }
  const put = async (one: Write) => {
    const answer = await target.put(await described(), one, signal())
    good(answer)
    if (!(answer as Written).marked)
      good(await target.mark(await described(), one.mark, one.metadata, signal()))
  }
  await target.test(signal())
  for await (const entries of target.list(signal())) expect(entries).toBeDefined()
  good(await target.create(at, write(0), signal()))
  await put(write(1))
  // What was there before is served again.
  await put(write(0))
  good(await target.mark(await described(), write(0).mark, write(0).metadata, signal()))
  await target.trim(await described(), 1, signal())
  if (target.can.disables) good(await target.disable(await described(), signal()))
  good(await target.remove(await described(), signal()))
  if (!target.can.restores) return
  good(await target.restore(await described(), signal()))
  good(await target.remove(await described(), signal()))
}

const outcome = async (targets: readonly Target[]): Promise<unknown> => {
  try {
    for (const target of targets) await wholeJob(target)
    return 'done'
  } catch (error) {
    return error
  }
}

describe('docs/aws-setup.md', async () => {
  const text = await page('aws-setup.md')
  const [, , , policyText = '{}'] = blocks(text, 'json')
  interface Policy {
    Version: '2012-10-17'
    Statement: { Sid: string; Effect: 'Allow' | 'Deny'; Action: string | string[] }[]
  }
  // The fourth document of the page; the test before all others looks at what it is.
  const written = JSON.parse(policyText) as Policy
  const actions = written.Statement.flatMap(({ Sid, Effect, Action }) =>
    Effect === 'Allow' ? [Action].flat().map((action) => [Sid, action] as const) : [],
  )

  let twin: RunningCloud
  let world: World
  let filled: (document: string) => string
  beforeAll(async () => {
    const cloud = await foreignCloud()
    ;({ twin, world } = cloud)
    for (const limit of [
      'ssm.get',
      'ssm.put',
      'ssm.tag',
      'acm.import',
      'acm.read',
      'acm.list',
      'acm.tag',
    ] as const)
      twin.throttle.set(limit, { capacity: 10_000, perSecond: 10_000 })
    const product = twin.estate.servicePrincipals.find(({ name }) => name === 'attestry')
    filled = (document) =>
      document
        .replaceAll('ACCOUNT', AWS.account)
        .replaceAll('REGION', AWS.region)
        .replaceAll('DIRECTORY', twin.estate.directory)
        .replaceAll('OBJECT_ID', product?.id ?? '')
        .replaceAll('EXTERNAL_ID', AWS.externalId)
  })
  afterAll(() => twin.stop())

  /** Puts the page's documents in place of the twin's own. */
  function install(policy: string): void {
    const [entryTrust = '', entryPolicy = '', syncTrust = ''] = blocks(text, 'json').map(filled)
    const account = twin.estate.aws[0]
    const entry = account?.roles.find(({ name }) => name === 'attestry-entry')
    const sync = account?.roles.find(({ name }) => name === 'attestry-sync')
    if (!entry || !sync) throw new Error('the estate has both roles')
    entry.trust = JSON.parse(entryTrust)
    entry.policies = [JSON.parse(entryPolicy)]
    sync.trust = JSON.parse(syncTrust)
    sync.policies = [JSON.parse(filled(policy))]
  }
  const targets = () => [
    awsSecretsManagerTarget(awsAccount, world),
    awsParameterStoreTarget(awsAccount, world),
    awsAcmTarget(awsAccount, world),
  ]

  test('its policy is the one that the demonstration’s account has', () => {
    const sync = twin.estate.aws[0]?.roles.find(({ name }) => name === 'attestry-sync')
    expect(sync?.policies).toEqual([JSON.parse(filled(policyText))])
    expect(text).toContain(AUDIENCE)
  })

  test('with exactly these documents the whole job works on all three targets, and no value is read', async () => {
    install(policyText)
    expect(await outcome(targets())).toBe('done')
    for (const call of ['secretsmanager.GetSecretValue', 'ssm.GetParameter', 'ssm.GetParameters'])
      expect(twin.calls.has(`aws.${call}`)).toBe(false)
  })

  test.each(actions)('%s without %s is a refusal that names it', async (sid, action) => {
    const less: Policy = {
      ...written,
      Statement: written.Statement.map((one) =>
        one.Sid === sid ? { ...one, Action: [one.Action].flat().filter((other) => other !== action) } : one,
      ),
    }
    install(JSON.stringify(less))
    const [service = ''] = action.split(':')
    const kind = { secretsmanager: 0, ssm: 1, acm: 2 }[service] ?? 0
    const target = targets()[kind]
    const error = await outcome(target ? [target] : [])
    expect(error).toBeInstanceOf(Denied)
    expect(error).toMatchObject({ code: 'AccessDeniedException', message: expect.stringContaining(action) })
  })
})

describe('docs/gcp-setup.md', async () => {
  const [role = ''] = blocks(await page('gcp-setup.md'), 'yaml')
  const permissions = [...role.matchAll(/^ {2}- (\S+)$/gm)].map(([, permission]) => permission ?? '')

  let twin: RunningCloud
  let world: World
  beforeAll(async () => {
    const cloud = await foreignCloud()
    ;({ twin, world } = cloud)
    for (const limit of ['read', 'write', 'modify'] as const)
      twin.throttle.set(`gcp.secretmanager.${limit}`, { capacity: 10_000, perSecond: 10_000 })
    twin.throttle.set('gcp.certificatemanager.request', { capacity: 10_000, perSecond: 10_000 })
  })
  afterAll(() => twin.stop())
  const install = (granted: readonly string[]) => {
    const [custom] = gcpProject(twin).roles
    if (custom) custom.permissions = [...granted]
  }
  const targets = () => [
    gcpSecretManagerTarget(gcpAccount, world),
    gcpCertificateManagerTarget(gcpAccount, world),
  ]

  test('its role is the one that the demonstration’s project has, and cannot read a value', () => {
    expect(gcpProject(twin).roles[0]?.permissions).toEqual(permissions)
    expect(permissions).not.toContain('secretmanager.versions.access')
  })

  test('with exactly this role the whole job works on both targets, and no value is read', async () => {
    install(permissions)
    expect(await outcome(targets())).toBe('done')
    expect(twin.calls.has('gcp.secretmanager.versions.access')).toBe(false)
  })

  test.each(permissions.map((one) => [one]))(
    'without %s it is a refusal that names it',
    async (permission) => {
      install(permissions.filter((one) => one !== permission))
      const [secrets, certificates] = targets()
      const target = permission.startsWith('secretmanager') ? secrets : certificates
      const error = await outcome(target ? [target] : [])
      expect(error).toMatchObject({
        name: 'Denied',
        code: 'PERMISSION_DENIED',
        message: expect.stringContaining(permission),
      })
    },
  )
})
