import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { federationAudience, gcpProjectId, gcpProjectNumber, gcpServiceAccount } from '../estate/elsewhere.ts'
import { crc32c } from '../gcp/crc32c.ts'
import { type RunningCloud, seededEstate, startCloud } from '../index.ts'
import { federated, gcpClients } from './routed-gcp.ts'

let cloud: RunningCloud
beforeEach(async () => {
  cloud = await startCloud({ estate: seededEstate(Date.now()) })
})
afterEach(() => cloud.stop())

const parent = `projects/${gcpProjectId}`
const numbered = `projects/${gcpProjectNumber}`
const project = () => {
  const [one] = cloud.estate.gcp
  if (one === undefined) throw new Error('The estate has a project.')
  return one
}
/** Whoever syncs may do anything here, reading values included. */
const administrator = () => {
  project().policy.push({
    role: 'roles/secretmanager.admin',
    members: [`serviceAccount:${gcpServiceAccount}`],
  })
  return gcpClients(federated(cloud)).secrets
}
const payload = (text: string) => ({ data: Buffer.from(text), dataCrc32c: String(crc32c(Buffer.from(text))) })

describe('who may come in', () => {
  test('Entra’s token is exchanged, then the service account is acted as', async () => {
    const client = federated(cloud)
    const { token } = await client.getAccessToken()
    expect(token).toMatch(/^ya29\./)
    expect(cloud.calls.get('gcp.sts.token')).toBe(1)
    expect(cloud.calls.get('gcp.iamcredentials.generate-access-token')).toBe(1)
  })

  test.each([
    ['another audience', () => cloud.token('attestry', 'https://vault.azure.net'), /audience/],
    ['another identity', () => cloud.token('contoso-terraform', federationAudience), /attribute condition/],
    ['another issuer', () => cloud.workloadToken('x', 'https://evil.example', federationAudience), /issuer/],
    ['a forged token', () => Promise.resolve('a.b.c'), /not valid/],
  ])('a token with %s is refused', async (_, token, says) => {
    await expect(federated(cloud, { token }).getAccessToken()).rejects.toThrow(says)
  })

  test('a principal that may not act as the service account is told so', async () => {
    const [account] = project().serviceAccounts
    if (account !== undefined) account.policy = []
    await expect(federated(cloud).getAccessToken()).rejects.toThrow(/iam\.serviceAccounts\.getAccessToken/)
  })

  test('the pool’s principal alone has no rights: a 403 that names the permission', async () => {
    const { secrets } = gcpClients(federated(cloud, { serviceAccount: null }))
    await expect(secrets.listSecrets({ parent }, { autoPaginate: false })).rejects.toMatchObject({
      code: 7,
      message: expect.stringContaining(
        `Permission 'secretmanager.secrets.list' denied for resource '${parent}'`,
      ),
      reason: 'IAM_PERMISSION_DENIED',
    })
  })
})

describe('secrets', () => {
  test('versions are numbered, checked on arrival, disabled and destroyed', async () => {
    const secrets = administrator()
    const [made] = await secrets.createSecret({
      parent,
      secretId: 'shop-db',
      secret: {
        replication: { automatic: {} },
        labels: { team: 'shop' },
        annotations: { 'attestry.x': 'y' },
      },
    })
    expect(made).toMatchObject({ name: `${numbered}/secrets/shop-db`, labels: { team: 'shop' } })
    const name = made.name ?? ''
    const [first] = await secrets.addSecretVersion({ parent: name, payload: payload('one') })
    expect(first).toMatchObject({ name: `${name}/versions/1`, clientSpecifiedPayloadChecksum: true })
    await expect(
      secrets.addSecretVersion({
        parent: name,
        payload: { data: Buffer.from('two'), dataCrc32c: '1' },
      }),
    ).rejects.toMatchObject({ code: 3, message: expect.stringMatching(/checksum/) })
    await secrets.addSecretVersion({ parent: name, payload: payload('two') })
    const [latest] = await secrets.accessSecretVersion({ name: `${name}/versions/latest` })
    expect(Buffer.from(latest.payload?.data ?? '').toString()).toBe('two')
    await secrets.disableSecretVersion({ name: `${name}/versions/2` })
    await expect(secrets.accessSecretVersion({ name: `${name}/versions/latest` })).rejects.toMatchObject({
      code: 9,
    })
    await secrets.destroySecretVersion({ name: `${name}/versions/1` })
    const [versions] = await secrets.listSecretVersions({ parent: name })
    expect(versions.map(({ state }) => state)).toEqual(['DISABLED', 'DESTROYED'])
    await expect(secrets.enableSecretVersion({ name: `${name}/versions/1` })).rejects.toMatchObject({
      code: 9,
    })
  })

  test('a destroyed version can be taken back until its delay is over', async () => {
    const secrets = administrator()
    const [made] = await secrets.createSecret({
      parent,
      secretId: 'slow',
      secret: { replication: { automatic: {} }, versionDestroyTtl: { seconds: 86_400 } },
    })
    await secrets.addSecretVersion({ parent: made.name ?? '', payload: payload('one') })
    const name = `${made.name}/versions/1`
    const [scheduled] = await secrets.destroySecretVersion({ name })
    expect(scheduled).toMatchObject({ state: 'DISABLED' })
    expect(scheduled.scheduledDestroyTime).toBeTruthy()
    await secrets.enableSecretVersion({ name })
    await secrets.destroySecretVersion({ name })
    cloud.clock.advance(25 * 3_600_000)
    const [gone] = await gcpClients(federated(cloud)).secrets.getSecretVersion({ name })
    expect(gone.state).toBe('DESTROYED')
  })

  test('an update with an old etag is refused, and one without a mask too', async () => {
    const secrets = administrator()
    const name = `${parent}/secrets/bigquery-export-key`
    const [before] = await secrets.getSecret({ name })
    const update = (etag: string | null | undefined) =>
      secrets.updateSecret({
        secret: { name, labels: { team: 'new' }, ...(etag ? { etag } : {}) },
        updateMask: { paths: ['labels'] },
      })
    const [after] = await update(before.etag)
    expect(after).toMatchObject({ labels: { team: 'new' } })
    await expect(update(before.etag)).rejects.toMatchObject({ code: 9 })
    await expect(secrets.updateSecret({ secret: { name } })).rejects.toMatchObject({ code: 3 })
  })

  test('lists are paged and hold no value', async () => {
    const secrets = administrator()
    for (let index = 0; index < 5; index += 1)
      await secrets.createSecret({
        parent,
        secretId: `page-${index}`,
        secret: { replication: { automatic: {} } },
      })
    const names: string[] = []
    let pageToken: string | undefined
    let pages = 0
    do {
      const [page, , answer] = await secrets.listSecrets(
        { parent, pageSize: 3, ...(pageToken ? { pageToken } : {}) },
        { autoPaginate: false },
      )
      expect(JSON.stringify(page)).not.toContain('canary-')
      names.push(...page.map(({ name }) => name ?? ''))
      pageToken = answer?.nextPageToken || undefined
      pages += 1
    } while (pageToken !== undefined)
    expect(pages).toBe(3)
    expect(new Set(names).size).toBe(7)
  })

  test.each([
    ['a name with a slash', { secretId: 'a/b' }, {}, 3],
    ['a name that is taken', { secretId: 'bigquery-export-key' }, {}, 6],
    ['a label in capitals', { secretId: 'x' }, { labels: { Team: 'Shop' } }, 3],
    ['annotations above 16 KiB', { secretId: 'x' }, { annotations: { a: 'x'.repeat(17_000) } }, 3],
  ])('%s is refused', async (_, { secretId }, secret, code) => {
    await expect(
      administrator().createSecret({
        parent,
        secretId,
        secret: { replication: { automatic: {} }, ...secret },
      }),
    ).rejects.toMatchObject({ code })
  })

  test('a payload above 64 KiB is refused, and so is another project', async () => {
    const secrets = administrator()
    await expect(
      secrets.addSecretVersion({
        parent: `${parent}/secrets/bigquery-export-key`,
        payload: { data: Buffer.alloc(65_537) },
      }),
    ).rejects.toMatchObject({ code: 3 })
    await expect(
      secrets.listSecrets({ parent: 'projects/somebody-elses' }, { autoPaginate: false }),
    ).rejects.toMatchObject({ code: 7 })
  })

  test('writes beyond the quota are told with its code', async () => {
    const secrets = administrator()
    cloud.throttle.set('gcp.secretmanager.write', { capacity: 1, perSecond: 0.01 })
    const create = (secretId: string) =>
      secrets.createSecret({ parent, secretId, secret: { replication: { automatic: {} } } })
    await create('one')
    await expect(create('two')).rejects.toMatchObject({
      code: 8,
      message: expect.stringContaining('Quota exceeded'),
    })
  })
})

test('the sync role writes and reads no value', async () => {
  const { secrets } = gcpClients(federated(cloud))
  const [made] = await secrets.createSecret({
    parent,
    secretId: 'mine',
    secret: { replication: { automatic: {} } },
  })
  await secrets.addSecretVersion({ parent: made.name ?? '', payload: payload('one') })
  await expect(secrets.accessSecretVersion({ name: `${made.name}/versions/latest` })).rejects.toMatchObject({
    code: 7,
    message: expect.stringContaining('secretmanager.versions.access'),
  })
})

const gcloud = spawnSync('gcloud', ['--version'], { timeout: 60_000 }).status === 0
if (!gcloud) console.log('gcloud is not on this machine: the twin is not compared with it here.')
describe.runIf(gcloud)('the command line of Google Cloud', () => {
  test('reads what the SDK wrote, by its own parsers', { timeout: 120_000 }, async () => {
    const secrets = administrator()
    const [made] = await secrets.createSecret({
      parent,
      secretId: 'from-the-sdk',
      secret: { replication: { automatic: {} }, labels: { team: 'shop' } },
    })
    await secrets.addSecretVersion({ parent: made.name ?? '', payload: payload('from the sdk') })
    const folder = await mkdtemp(join(tmpdir(), 'twin-gcloud-'))
    try {
      const { token } = await federated(cloud).getAccessToken()
      await writeFile(join(folder, 'token'), token ?? '', { mode: 0o600 })
      const run = async (...args: string[]) =>
        (
          await promisify(execFile)('gcloud', [...args, '--project', gcpProjectId, '--quiet'], {
            timeout: 60_000,
            env: {
              PATH: process.env.PATH,
              HOME: folder,
              CLOUDSDK_CONFIG: folder,
              CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
              CLOUDSDK_AUTH_ACCESS_TOKEN_FILE: join(folder, 'token'),
              CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER: `${cloud.url}/`,
            },
          })
        ).stdout
      const listed: unknown = JSON.parse(await run('secrets', 'list', '--format', 'json'))
      expect(listed).toContainEqual(
        expect.objectContaining({ name: `${numbered}/secrets/from-the-sdk`, labels: { team: 'shop' } }),
      )
      expect(await run('secrets', 'versions', 'access', 'latest', '--secret', 'from-the-sdk')).toBe(
        'from the sdk',
      )
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
