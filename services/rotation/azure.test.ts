import { describe, expect, test } from 'vitest'
import {
  documentedRoles,
  grants,
  type JobName,
  JOBS,
  jobOf,
  Process,
  type Workshop,
  workshop,
} from './workshop.fixture.ts'

/** The newest enabled value of a secret, as the vault serves it. */
const served = ({ cloud }: Workshop, vault: string, secret: string) => {
  const newest = cloud.estate.vaults.find(({ name }) => name === vault)?.secrets[secret]?.versions.at(-1)
  return newest?.enabled ? newest : undefined
}
const application = ({ cloud }: Workshop, name: string) => {
  const found = cloud.estate.applications.find((one) => one.name === name)
  if (!found) throw new Error(`there is no ${name}`)
  return found
}

async function rotated(shop: Workshop, name: JobName) {
  const job = jobOf(shop, name)
  const consumers = job.consumers(shop.cloud)
  const process = new Process(shop, { events: [] })
  await process.begin(job)
  const ended = await process.run()
  return { job, consumers, process, ended }
}

describe('a rotation in Azure', () => {
  test.each(JOBS)('%s is complete with the documented roles, and no sign-in failed', async (name) => {
    await using shop = await workshop()
    const canaries = new Set(shop.cloud.secretCanaries())
    const { consumers, process, ended } = await rotated(shop, name)
    expect([
      ended,
      process.state?.stage,
      process.state?.checks.filter(({ state }) => state === 'failed'),
    ]).toEqual(['over', 'complete', []])
    for (const consumer of consumers) {
      expect(consumer.failures).toEqual([])
      expect(consumer.attempts).toBeGreaterThan(20)
    }
    // No value, old or new, is in the record.
    const record = JSON.stringify(process.record.events)
    for (const canary of [...canaries, ...shop.cloud.secretCanaries()]) expect(record).not.toContain(canary)
  })

  test('an application’s secret: one credential is left, every vault serves it, and the old versions are disabled', async () => {
    await using shop = await workshop()
    const before = application(shop, 'workshop-shop').passwords[0]
    await rotated(shop, 'app-secret')
    const { passwords } = application(shop, 'workshop-shop')
    expect(passwords).toHaveLength(1)
    expect(passwords[0]?.keyId).not.toBe(before?.keyId)
    expect(passwords[0]?.name).toBe('attestry rotation-0123456789abcdef 1')
    for (const [vault, secret] of [
      ['kv-workshop', 'shop-client'],
      ['kv-workshop-spare', 'shop-client-copy'],
    ] as const) {
      expect(served(shop, vault, secret)).toMatchObject({
        value: passwords[0]?.secret,
        tags: { 'attestry-key-id': passwords[0]?.keyId, env: 'prod' },
      })
      const all = shop.cloud.estate.vaults.find(({ name }) => name === vault)?.secrets[secret]?.versions
      expect(all?.map(({ enabled }) => enabled)).toEqual([false, true])
    }
    const legacy = shop.cloud.estate.sites.find(({ name }) => name === 'app-shop-legacy')?.settings
    expect(legacy).toEqual([
      { name: 'SHOP_CLIENT', value: passwords[0]?.secret },
      { name: 'REGION', value: 'eu' },
    ])
  })

  test('a storage key: both keys are new at the end, and the connection string keeps its form', async () => {
    await using shop = await workshop()
    const [account] = shop.cloud.estate.storageAccounts
    const before = account?.keys.map(({ value }) => value) ?? []
    await rotated(shop, 'storage-key')
    const after = account?.keys.map(({ value }) => value) ?? []
    expect(after.filter((value) => before.includes(value))).toEqual([])
    expect(served(shop, 'kv-workshop', 'orders-storage')).toMatchObject({
      value: `DefaultEndpointsProtocol=https;AccountName=stworkshop;AccountKey=${after[1]};EndpointSuffix=core.windows.net`,
      tags: { 'attestry-key-id': 'key2' },
    })
  })

  test('a vault never serves what the directory does not know everywhere yet', async () => {
    await using shop = await workshop()
    shop.cloud.settings.credentialReplicationMs = 90_000
    const { consumers, process } = await rotated(shop, 'app-secret')
    expect(process.state?.stage).toBe('complete')
    for (const consumer of consumers) expect(consumer.failures).toEqual([])
  })

  test('the directory’s cap on lifetimes is found before anything is made', async () => {
    await using shop = await workshop()
    shop.cloud.estate.appManagementPolicy.enabled = true
    shop.cloud.estate.appManagementPolicy.maxPasswordDays = 90
    shop.cloud.estate.servicePrincipals
      .find(({ name }) => name === 'attestry-rotation')
      ?.graphRoles.push('Policy.Read.All')
    const { process } = await rotated(shop, 'app-secret')
    expect(process.state?.stage).toBe('blocked')
    expect(process.state?.checks).toContainEqual({
      check: 'lifetime-policy',
      state: 'failed',
      says: 'The directory’s policy allows 90 days, and the new secret would live 105: shorten the cadence or the grace.',
    })
    expect(shop.cloud.calls.get('graph.applications.add-password')).toBeUndefined()
  })

  test.each<[string, (shop: Workshop) => void, string, RegExp]>([
    [
      'what code manages',
      (shop) => {
        const version = served(shop, 'kv-workshop', 'shop-client')
        if (version) version.tags = { 'managed-by': 'terraform' }
      },
      'managed-elsewhere',
      /managed-by=terraform/,
    ],
    [
      'a vault behind a firewall',
      ({ cloud }) => {
        const vault = cloud.estate.vaults.find(({ name }) => name === 'kv-workshop-spare')
        if (vault) vault.network = { bypass: 'None', defaultAction: 'Deny', ipRules: [], virtualNetworks: [] }
      },
      'permission',
      /network|Firewall/i,
    ],
    [
      'an application that is not ours',
      (shop) => void application(shop, 'workshop-shop').owners.splice(0, 9),
      'permission',
      /not an owner/,
    ],
  ])('is blocked by %s, and nothing is changed', async (_, spoil, check, says) => {
    await using shop = await workshop()
    const job = jobOf(shop, 'app-secret')
    const process = new Process(shop, { events: [] })
    await process.begin(job)
    spoil(shop)
    expect(await process.run()).toBe('over')
    expect(process.state?.stage).toBe('blocked')
    const failed = process.state?.checks.filter(({ state }) => state === 'failed') ?? []
    expect(failed.map((one) => one.check)).toContain(check)
    expect(failed.map((one) => one.says).join(' ')).toMatch(says)
    for (const operation of ['graph.applications.add-password', 'keyvault.secrets.set'])
      expect(shop.cloud.calls.get(operation)).toBeUndefined()
  })
})

/** Which rotation needs a role, and where the role is given. */
const NEEDS: Readonly<Record<string, readonly [JobName, string]>> = {
  Secrets: ['app-secret', 'kv-workshop'],
  'Read Back': ['app-secret', 'shop-client'],
  Keys: ['key', 'kv-workshop'],
  Certificates: ['certificate-self', 'kv-workshop'],
  'Storage Keys': ['storage-key', 'stworkshop'],
  'Service Bus Keys': ['servicebus-key', 'sb-workshop'],
  'App References': ['app-secret', 'app-shop'],
  'App Settings': ['app-secret', 'app-shop-legacy'],
  'Container Apps': ['app-secret', 'ca-reports'],
}
const actions = Object.entries(NEEDS).flatMap(([role]) => {
  const { Actions = [], DataActions = [] } = documentedRoles.get(role) ?? {}
  return [...Actions, ...DataActions].map((action) => [role, action] as const)
})
/** A convenience: without it preflight warns, and says what it could not look at. */
const OPTIONAL = ['Microsoft.KeyVault/vaults/keyrotationpolicies/read', 'Microsoft.KeyVault/vaults/read']
const VAULT_ITEMS = ['Keys', 'Certificates']
const CHANGES = /add-password|secrets\.set|\.update|rotate|create|regenerate|refresh/

/** Plans while all is well, takes one action out of one role, and goes on. */
async function without(shop: Workshop, role: string, action: string) {
  const [name, where] = NEEDS[role] ?? ['key', '']
  // Roles add up, so only those that this rotation needs are given at all.
  const vaultItem = name === 'key' || name === 'certificate-self'
  const needed = grants(shop).filter((one) =>
    vaultItem ? one.role === role : !VAULT_ITEMS.includes(one.role),
  )
  for (const one of needed) shop.grant(one.role, one.at)
  const process = new Process(shop, { events: [] })
  await process.begin(jobOf(shop, name))
  const { roleAssignments } = shop.cloud.estate
  const others = roleAssignments.filter(({ id }) => !id.startsWith('assignment-'))
  roleAssignments.splice(0, roleAssignments.length, ...others)
  for (const one of needed)
    shop.grant(one.role, one.at, one.role === role && one.at.endsWith(where) ? action : undefined)
  await process.run()
  const says = (process.state?.checks ?? []).filter(({ state }) => state !== 'passed').map((one) => one.says)
  return { process, says: says.join('\n').toLowerCase() }
}

describe('the roles of docs/azure-setup.md', () => {
  test('are all tried here', () => {
    expect([...documentedRoles.keys()].toSorted()).toEqual(Object.keys(NEEDS).toSorted())
  })

  test.each(actions.filter(([, action]) => !OPTIONAL.includes(action)))(
    '%s without %s: nothing is changed, and the message names what is missing',
    async (role, action) => {
      await using shop = await workshop({ roles: false })
      const { process, says } = await without(shop, role, action)
      expect(says).toContain(action.toLowerCase())
      expect(process.state?.stage).toBe('blocked')
      expect([...shop.cloud.calls.keys()].filter((call) => CHANGES.test(call))).toEqual([])
    },
  )

  test.each(actions.filter(([, action]) => OPTIONAL.includes(action)))(
    '%s without %s: it goes on, and says what could not be looked at',
    async (role, action) => {
      await using shop = await workshop({ roles: false })
      const { process, says } = await without(shop, role, action)
      expect(says).toContain(action.toLowerCase().replace('microsoft.keyvault/vaults/keyrot', 'keyrot'))
      expect(process.state?.stage).toBe('complete')
    },
  )
})
