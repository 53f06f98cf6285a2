import { SecretClient } from '@azure/keyvault-secrets'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { roles } from './estate/roles.ts'
import { type RunningCloud, seededEstate, startCloud, type Trouble } from './index.ts'
import { routedClient, scanner } from './sdk/routed.ts'

let cloud: RunningCloud
beforeEach(async () => {
  cloud = await startCloud({ estate: seededEstate(Date.now(), 'workshop') })
  cloud.estate.roleAssignments.push({
    id: 'writer',
    principal: cloud.estate.servicePrincipals[0]?.id ?? '',
    roleDefinition: roles.secretsOfficer.id,
    scope: `/subscriptions/${cloud.estate.subscriptions[0]?.id}`,
  })
})
afterEach(() => cloud.stop())

const client = () =>
  new SecretClient('https://kv-workshop.vault.azure.net', scanner(cloud), {
    httpClient: routedClient(cloud.url),
    retryOptions: { maxRetries: 0 },
  })
const shop = () => {
  const found = cloud.estate.applications.find(({ name }) => name === 'workshop-shop')
  if (found === undefined) throw new Error('no workshop-shop')
  return found
}

describe('a consumer', () => {
  test('signs in after whatever happens with what its platform holds, and counts what fails', async () => {
    const site = cloud.consume({ site: 'app-shop', setting: 'SHOP_CLIENT' }, { application: 'workshop-shop' })
    const direct = cloud.consume(
      { vault: 'kv-workshop', secret: 'shop-client' },
      { application: 'workshop-shop' },
    )
    cloud.clock.advance(1_000)
    expect([site.attempts, site.failures, direct.failures]).toEqual([2, [], []])
    await client().setSecret('shop-client', 'nobody knows this one')
    // Its own code asks the vault each time; App Service still holds what it fetched, for a day.
    expect(direct.failures).toMatchObject([{ why: 'AADSTS7000215' }])
    expect(site.failures).toEqual([])
    cloud.clock.advance(86_401_000)
    expect(site.failures).toMatchObject([{ why: 'AADSTS7000215' }])
    site.stop()
    const { attempts } = site
    cloud.clock.advance(1_000)
    expect(site.attempts).toBe(attempts)
  })

  test('fails with a newest version that is disabled, though older ones are good', async () => {
    const direct = cloud.consume(
      { vault: 'kv-workshop', secret: 'shop-client' },
      { application: 'workshop-shop' },
    )
    const written = await client().setSecret('shop-client', shop().passwords[0]?.secret ?? '')
    expect(direct.failures).toEqual([])
    await client().updateSecretProperties('shop-client', written.properties.version ?? '', { enabled: false })
    expect(direct.failures).toMatchObject([{ why: 'it holds no value' }])
  })

  test('is served by keys in connection strings, and notes what it used for the report', () => {
    const storage = cloud.consume(
      { site: 'func-orders', setting: 'ORDERS_STORAGE' },
      { storageAccount: 'stworkshop' },
    )
    const bus = cloud.consume(
      { site: 'func-orders', setting: 'ORDERS_BUS' },
      { serviceBus: 'sb-workshop', rule: 'orders' },
    )
    cloud.consume({ site: 'app-shop-legacy', setting: 'SHOP_CLIENT' }, { application: 'workshop-shop' })
    expect(cloud.estate.signIns[shop().passwords[0]?.keyId ?? '']).toHaveLength(1)
    for (const key of cloud.estate.storageAccounts[0]?.keys ?? []) key.value = 'changed'
    for (const rule of cloud.estate.serviceBusNamespaces[0]?.rules ?? []) rule.primaryKey = 'changed'
    cloud.clock.advance(1)
    expect([storage.failures[0]?.why, bus.failures[0]?.why]).toEqual([
      'AuthenticationFailed',
      'InvalidSignature',
    ])
  })
})

describe('trouble around a call that changes something', () => {
  const versions = () => cloud.estate.vaults[0]?.secrets['shop-client']?.versions.length
  /** A client that has met its challenge, so that what follows is one call. */
  async function writer() {
    const one = client()
    await one.getSecret('shop-client')
    return () => one.setSecret('shop-client', 'x', { abortSignal: AbortSignal.timeout(800) })
  }

  test.each<[string, Trouble, number]>([
    ['fails before it is done', { kind: 'error', status: 503 }, 1],
    ['is done, and fails', { kind: 'error', status: 503, after: true }, 2],
    ['is not done, and there is no answer', { kind: 'reset' }, 1],
    ['is done, and the answer is lost', { kind: 'reset', after: true }, 2],
    ['is not done, and times out', { kind: 'hang' }, 1],
    ['is done, and times out', { kind: 'hang', after: true }, 2],
  ])('it %s', async (_says, trouble, expected) => {
    const set = await writer()
    cloud.faults.add({ operation: 'keyvault.secrets.set', mutating: true, times: 1, trouble })
    await expect(set()).rejects.toThrow(/unexpected error|socket hang up|aborted/i)
    expect(versions()).toBe(expected)
  })

  test('the n-th call can be chosen, and something else can happen in the middle of it', async () => {
    const set = await writer()
    const seen: number[] = []
    cloud.faults.add({
      operation: 'keyvault.secrets.set',
      mutating: true,
      skip: 1,
      times: 1,
      trouble: { kind: 'meanwhile', happen: () => seen.push(versions() ?? 0), after: true },
    })
    await set()
    await set()
    await set()
    expect(seen).toEqual([3])
  })
})
