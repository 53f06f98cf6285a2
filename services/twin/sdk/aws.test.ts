import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  TagResourceCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import {
  AssumeRoleCommand,
  AssumeRoleWithWebIdentityCommand,
  GetCallerIdentityCommand,
} from '@aws-sdk/client-sts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { roleArn } from '../aws/account.ts'
import { awsAccountId, awsExternalId, awsRegion, federationAudience } from '../estate/elsewhere.ts'
import { type RunningCloud, seededEstate, startCloud } from '../index.ts'
import { awsAdministrator, awsClients, awsSync } from './routed-aws.ts'

let cloud: RunningCloud
beforeEach(async () => {
  cloud = await startCloud({ estate: seededEstate(Date.now()) })
})
afterEach(() => cloud.stop())

const version = (digit: string) => digit.repeat(32)
const minute = 60_000
const account = () => {
  const [one] = cloud.estate.aws
  if (one === undefined) throw new Error('The estate has an AWS account.')
  return one
}

describe('who may come in', () => {
  test('a token of Entra opens the first role, the external id the second', async () => {
    const { sts } = await awsSync(cloud)
    expect(await sts.send(new GetCallerIdentityCommand({}))).toMatchObject({
      Account: awsAccountId,
      Arn: `arn:aws:sts::${awsAccountId}:assumed-role/attestry-sync/attestry`,
    })
  })

  test.each([
    ['another audience', () => cloud.token('attestry', 'https://vault.azure.net'), 'InvalidIdentityToken'],
    ['another identity', () => cloud.token('contoso-terraform', federationAudience), 'AccessDenied'],
    [
      'another issuer',
      () => cloud.workloadToken('x', 'https://evil.example', federationAudience),
      'InvalidIdentityToken',
    ],
    ['no token', () => Promise.resolve('not.a.token'), 'InvalidIdentityToken'],
  ])('a web identity with %s is refused', async (_, token, code) => {
    const { sts } = awsClients(cloud, { accessKeyId: 'x', secretAccessKey: 'x' })
    await expect(
      sts.send(
        new AssumeRoleWithWebIdentityCommand({
          RoleArn: roleArn(awsAccountId, 'attestry-entry'),
          RoleSessionName: 'attestry',
          WebIdentityToken: await token(),
        }),
      ),
    ).rejects.toMatchObject({ name: expect.stringContaining(code) })
  })

  test('without the external id, or with another, the second role stays closed', async () => {
    const [user] = account().users
    const [key] = user?.accessKeys ?? []
    const { sts } = awsClients(cloud, { accessKeyId: key?.id ?? '', secretAccessKey: key?.secret ?? '' })
    const assume = (ExternalId?: string) =>
      sts.send(
        new AssumeRoleCommand({
          RoleArn: roleArn(awsAccountId, 'attestry-sync'),
          RoleSessionName: 'attestry',
          ...(ExternalId === undefined ? {} : { ExternalId }),
        }),
      )
    await expect(assume()).rejects.toMatchObject({ name: 'AccessDenied' })
    await expect(assume('attestry-guessed')).rejects.toMatchObject({ name: 'AccessDenied' })
    expect((await assume(awsExternalId)).AssumedRoleUser?.Arn).toContain('assumed-role/attestry-sync')
  })

  test('a wrong secret, an unknown key, an old session are each told apart', async () => {
    const [key] = account().users[0]?.accessKeys ?? []
    const list = (keys: Parameters<typeof awsClients>[1]) =>
      awsClients(cloud, keys).secrets.send(new ListSecretsCommand({}))
    await expect(list({ accessKeyId: key?.id ?? '', secretAccessKey: 'wrong' })).rejects.toMatchObject({
      name: 'InvalidSignatureException',
    })
    await expect(list({ accessKeyId: 'AKIANOBODY', secretAccessKey: 'x' })).rejects.toMatchObject({
      name: 'UnrecognizedClientException',
    })
    const { secrets } = await awsSync(cloud)
    cloud.clock.advance(61 * minute)
    await expect(secrets.send(new ListSecretsCommand({}))).rejects.toMatchObject({
      name: expect.stringMatching(/ExpiredToken/),
    })
    const { sts } = awsClients(cloud, { accessKeyId: key?.id ?? '', secretAccessKey: 'wrong' })
    await expect(sts.send(new GetCallerIdentityCommand({}))).rejects.toMatchObject({
      name: 'SignatureDoesNotMatch',
    })
  })

  test('a signature older than five minutes is refused; the SDK sets its clock by the answer and comes back', async () => {
    const { secrets } = awsAdministrator(cloud)
    cloud.clock.advance(10 * minute)
    cloud.resetCalls()
    expect((await secrets.send(new ListSecretsCommand({}))).SecretList?.length).toBeGreaterThan(0)
    expect(cloud.calls.get('aws.secretsmanager.ListSecrets')).toBe(2)
  })

  test('what was changed after signing is refused', async () => {
    const { secrets } = awsAdministrator(cloud)
    secrets.middlewareStack.add(
      (next) => (args) => {
        // After signing: an HTTP request.
        const request = args.request as { headers: Record<string, string> }
        const headers = { ...request.headers, 'x-amz-target': 'secretsmanager.GetSecretValue' }
        return next({ ...args, request: { ...request, headers } })
      },
      { step: 'deserialize', name: 'tamper' },
    )
    await expect(secrets.send(new ListSecretsCommand({}))).rejects.toMatchObject({
      name: 'InvalidSignatureException',
    })
  })
})

describe('secrets', () => {
  test('a version is written under the caller’s token: again is nothing, with another value it is refused', async () => {
    const { secrets } = awsAdministrator(cloud)
    const create = new CreateSecretCommand({
      Name: 'shop/db',
      SecretString: 'one',
      ClientRequestToken: version('a'),
      Tags: [{ Key: 'team', Value: 'shop' }],
    })
    const made = await secrets.send(create)
    expect(made).toMatchObject({ Name: 'shop/db', VersionId: version('a') })
    expect(made.ARN).toMatch(/^arn:aws:secretsmanager:eu-central-1:\d{12}:secret:shop\/db-[0-9a-f]{6}$/)
    expect(await secrets.send(create)).toMatchObject({ VersionId: version('a') })
    const put = (token: string, value: string) =>
      secrets.send(
        new PutSecretValueCommand({ SecretId: 'shop/db', ClientRequestToken: token, SecretString: value }),
      )
    await put(version('b'), 'two')
    await put(version('b'), 'two')
    await expect(put(version('b'), 'three')).rejects.toMatchObject({ name: 'ResourceExistsException' })
    await expect(
      secrets.send(
        new CreateSecretCommand({ Name: 'shop/db', SecretString: 'x', ClientRequestToken: version('c') }),
      ),
    ).rejects.toMatchObject({ name: 'ResourceExistsException' })
    expect(await secrets.send(new DescribeSecretCommand({ SecretId: made.ARN }))).toMatchObject({
      VersionIdsToStages: { [version('a')]: ['AWSPREVIOUS'], [version('b')]: ['AWSCURRENT'] },
      Tags: [{ Key: 'team', Value: 'shop' }],
    })
    // Replayed, an old version does not become the current one by itself.
    await put(version('a'), 'one')
    expect((await secrets.send(new GetSecretValueCommand({ SecretId: 'shop/db' }))).SecretString).toBe('two')
    await secrets.send(
      new UpdateSecretVersionStageCommand({
        SecretId: 'shop/db',
        VersionStage: 'AWSCURRENT',
        MoveToVersionId: version('a'),
        RemoveFromVersionId: version('b'),
      }),
    )
    expect(await secrets.send(new GetSecretValueCommand({ SecretId: 'shop/db' }))).toMatchObject({
      SecretString: 'one',
      VersionStages: ['AWSCURRENT'],
    })
  })

  test('a list is paged, shows labels and no value, and leaves out what is to be deleted unless asked', async () => {
    const { secrets } = awsAdministrator(cloud)
    for (let index = 0; index < 12; index += 1)
      await secrets.send(
        new CreateSecretCommand({
          Name: `page/${index}`,
          SecretString: `canary-${'0'.repeat(31)}${index % 10}`,
          ClientRequestToken: version(String(index % 10)),
        }),
      )
    const names: string[] = []
    let token: string | undefined
    let pages = 0
    do {
      const page = await secrets.send(
        new ListSecretsCommand({
          MaxResults: 5,
          IncludePlannedDeletion: true,
          ...(token ? { NextToken: token } : {}),
        }),
      )
      expect(JSON.stringify(page)).not.toContain('canary-')
      names.push(...(page.SecretList ?? []).map(({ Name }) => Name ?? ''))
      token = page.NextToken
      pages += 1
    } while (token !== undefined)
    expect(pages).toBe(4)
    expect(new Set(names).size).toBe(16)
    const live = await secrets.send(new ListSecretsCommand({}))
    expect(live.SecretList?.map(({ Name }) => Name)).not.toContain('card-vault-hmac')
    expect(live.SecretList?.find(({ Name }) => Name === 'page/3')?.SecretVersionsToStages).toEqual({
      [version('3')]: ['AWSCURRENT'],
    })
    await expect(secrets.send(new ListSecretsCommand({ NextToken: 'made-up' }))).rejects.toMatchObject({
      name: 'InvalidNextTokenException',
    })
  })

  test('a deleted secret keeps its name until its window ends, can be restored, and then takes values again', async () => {
    const { secrets } = awsAdministrator(cloud)
    const SecretId = 'loyalty-points-client-secret'
    await secrets.send(new DeleteSecretCommand({ SecretId, RecoveryWindowInDays: 7 }))
    const put = new PutSecretValueCommand({
      SecretId,
      ClientRequestToken: version('d'),
      SecretString: 'next',
    })
    await expect(secrets.send(put)).rejects.toMatchObject({ name: 'InvalidRequestException' })
    await expect(
      secrets.send(
        new CreateSecretCommand({ Name: SecretId, SecretString: 'x', ClientRequestToken: version('e') }),
      ),
    ).rejects.toThrow(/already scheduled for deletion/)
    await secrets.send(new RestoreSecretCommand({ SecretId }))
    await secrets.send(put)
    await secrets.send(new DeleteSecretCommand({ SecretId, RecoveryWindowInDays: 7 }))
    cloud.clock.advance(8 * 24 * 60 * minute)
    await expect(secrets.send(new DescribeSecretCommand({ SecretId }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    })
  })

  test.each([
    ['a value above 64 KB', { Name: 'big', SecretString: 'x'.repeat(65_537) }, 'InvalidParameterException'],
    ['a name with a space', { Name: 'not a name', SecretString: 'x' }, 'ValidationException'],
    ['a short token', { Name: 'short', SecretString: 'x', ClientRequestToken: 'abc' }, 'ValidationException'],
    [
      'a tag of AWS’s own',
      { Name: 'tag', SecretString: 'x', Tags: [{ Key: 'aws:x', Value: 'y' }] },
      'InvalidParameterException',
    ],
  ])('%s is refused', async (_, input, name) => {
    const { secrets } = awsAdministrator(cloud)
    await expect(secrets.send(new CreateSecretCommand(input))).rejects.toMatchObject({ name })
  })

  test('more than a hundred versions within a day are refused; a day later old ones make room', async () => {
    const { secrets } = awsAdministrator(cloud)
    cloud.throttle.set('secretsmanager.put', { capacity: 1000, perSecond: 1000 })
    const put = (index: number) =>
      secrets.send(
        new PutSecretValueCommand({
          SecretId: 'loyalty-points-client-secret',
          ClientRequestToken: index.toString(16).padStart(32, '0'),
          SecretString: `value ${index}`,
        }),
      )
    // The seeded version is old enough to be dropped, so a hundred more fit.
    for (let index = 1; index <= 100; index += 1) await put(index)
    await expect(put(101)).rejects.toMatchObject({ name: 'LimitExceededException' })
    cloud.clock.advance(25 * 60 * minute)
    expect(await put(101)).toMatchObject({ VersionStages: ['AWSCURRENT'] })
  })

  test('puts beyond the rate are throttled', async () => {
    const { secrets } = awsAdministrator(cloud)
    cloud.throttle.set('secretsmanager.tag', { capacity: 1, perSecond: 0.01 })
    const tag = () =>
      secrets.send(
        new TagResourceCommand({
          SecretId: 'loyalty-points-client-secret',
          Tags: [{ Key: 'a', Value: 'b' }],
        }),
      )
    await tag()
    await expect(tag()).rejects.toMatchObject({ name: 'ThrottlingException' })
  })

  test('a list may lag behind what was written; describing does not', async () => {
    const { secrets } = awsAdministrator(cloud)
    cloud.settings.listLagMs = minute
    await secrets.send(
      new CreateSecretCommand({ Name: 'fresh', SecretString: 'x', ClientRequestToken: version('f') }),
    )
    const names = async () =>
      (await secrets.send(new ListSecretsCommand({}))).SecretList?.map(({ Name }) => Name)
    expect(await names()).not.toContain('fresh')
    expect((await secrets.send(new DescribeSecretCommand({ SecretId: 'fresh' }))).Name).toBe('fresh')
    cloud.clock.advance(2 * minute)
    expect(await names()).toContain('fresh')
  })
})

describe('what the sync role may do', () => {
  test('it writes what it marks, and nothing that bears no mark; it reads no value at all', async () => {
    const { secrets } = await awsSync(cloud)
    const mark = [{ Key: 'managed-by', Value: 'attestry' }]
    await secrets.send(
      new CreateSecretCommand({
        Name: 'mine',
        SecretString: 'x',
        ClientRequestToken: version('1'),
        Tags: mark,
      }),
    )
    await secrets.send(
      new PutSecretValueCommand({ SecretId: 'mine', ClientRequestToken: version('2'), SecretString: 'y' }),
    )
    const denied = { name: 'AccessDeniedException' }
    await expect(secrets.send(new GetSecretValueCommand({ SecretId: 'mine' }))).rejects.toMatchObject(denied)
    await expect(
      secrets.send(
        new PutSecretValueCommand({
          SecretId: 'loyalty-points-client-secret',
          ClientRequestToken: version('3'),
          SecretString: 'z',
        }),
      ),
    ).rejects.toThrow(
      /not authorized to perform: secretsmanager:PutSecretValue on resource: arn:aws:secretsmanager/,
    )
    await expect(
      secrets.send(
        new CreateSecretCommand({ Name: 'bare', SecretString: 'x', ClientRequestToken: version('4') }),
      ),
    ).rejects.toMatchObject(denied)
    await expect(
      secrets.send(new DeleteSecretCommand({ SecretId: 'mine', ForceDeleteWithoutRecovery: true })),
    ).rejects.toThrow(/explicit deny/)
    await secrets.send(new DeleteSecretCommand({ SecretId: 'mine', RecoveryWindowInDays: 7 }))
  })

  test('what is not known here is an error in the service’s shape', async () => {
    const answer = await fetch(cloud.url, {
      method: 'POST',
      headers: {
        'x-attestry-host': 'secretsmanager.eu-central-1.amazonaws.com',
        'x-amz-target': 'secretsmanager.RotateSecret',
      },
      signal: AbortSignal.timeout(5_000),
    })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ __type: 'UnknownOperationException' })
  })
})

const aws = spawnSync('aws', ['--version'], { timeout: 20_000 }).status === 0
if (!aws) console.log('The AWS command line is not on this machine: the twin is not compared with it here.')
describe.runIf(aws)('the AWS command line', () => {
  test('reads what it wrote, by its own signatures and parsers', { timeout: 120_000 }, async () => {
    awsAdministrator(cloud)
    const run = async (...args: string[]) => {
      const { stdout } = await promisify(execFile)('aws', ['--endpoint-url', cloud.url, ...args], {
        timeout: 60_000,
        env: {
          PATH: process.env.PATH,
          HOME: '/nonexistent',
          AWS_ACCESS_KEY_ID: 'AKIATWINADMIN0000001',
          AWS_SECRET_ACCESS_KEY: 'admin-secret-of-the-test',
          AWS_DEFAULT_REGION: awsRegion,
          AWS_EC2_METADATA_DISABLED: 'true',
          PYENV_VERSION: process.env.PYENV_VERSION,
        },
      })
      return JSON.parse(stdout) as Record<string, unknown> // what --output json prints
    }
    expect(await run('sts', 'get-caller-identity')).toMatchObject({
      Account: awsAccountId,
      Arn: `arn:aws:iam::${awsAccountId}:user/admin`,
    })
    const value = ['--secret-string', 'from the shell']
    const made = await run('secretsmanager', 'create-secret', '--name', 'cli/one', ...value)
    expect(made).toMatchObject({
      Name: 'cli/one',
      ARN: expect.stringContaining(`:${awsAccountId}:secret:cli/one-`),
    })
    expect(await run('secretsmanager', 'get-secret-value', '--secret-id', 'cli/one')).toMatchObject({
      SecretString: 'from the shell',
      VersionStages: ['AWSCURRENT'],
    })
  })
})
