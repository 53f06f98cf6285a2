import { SecretClient } from '@azure/keyvault-secrets'
import { SubscriptionClient } from '@azure/arm-resources-subscriptions'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { roles } from '../estate/roles.ts'
import { hostHeader, type RunningCloud, seededEstate, startCloud } from '../index.ts'
import { all, scanner, routedClient } from './routed.ts'

let cloud: RunningCloud
beforeEach(async () => {
  cloud = await startCloud({ estate: seededEstate(Date.now()) })
})
afterEach(() => cloud.stop())

const vault = (name = 'kv-payments-prod', retries = 0) =>
  new SecretClient(`https://${name}.vault.azure.net`, scanner(cloud), {
    httpClient: routedClient(cloud.url),
    retryOptions: { maxRetries: retries, retryDelayInMs: 1 },
  })

describe('throttling', () => {
  test('Key Vault answers 429 without Retry-After, and the SDK throws at once', async () => {
    cloud.clock.freeze()
    cloud.throttle.set('keyvault.operation', { capacity: 2, perSecond: 1 })
    const client = vault('kv-payments-prod', 3)
    await all(client.listPropertiesOfSecrets())
    await all(client.listPropertiesOfSecrets())
    await expect(all(client.listPropertiesOfSecrets())).rejects.toMatchObject({
      statusCode: 429,
      code: 'Throttled',
    })
    expect(cloud.calls.get('keyvault.secrets.list')).toBe(4) // one challenge, two good, one refused: no retry
    cloud.clock.advance(1_000)
    await expect(all(client.listPropertiesOfSecrets())).resolves.toHaveLength(11)
  })

  test('with Retry-After, when set, the SDK waits and goes on', async () => {
    cloud.faults.add({
      operation: 'keyvault.secrets.list',
      times: 1,
      trouble: { kind: 'throttled', retryAfterSeconds: 1 },
    })
    await expect(all(vault('kv-payments-prod', 3).listPropertiesOfSecrets())).resolves.toHaveLength(11)
  })

  test('the real limits stand: 4,000 secret operations and 300 creations a vault, 15 Resource Graph queries', async () => {
    cloud.clock.freeze()
    const take = (name: Parameters<typeof cloud.throttle.take>[0]) => {
      for (let taken = 0; taken < 10_000; taken += 1)
        if (cloud.throttle.take(name, 'x') !== undefined) return taken
      return Number.POSITIVE_INFINITY
    }
    expect([
      take('keyvault.operation'),
      take('keyvault.secret-create'),
      take('keyvault.key-create'),
      take('arm.read'),
      take('resourcegraph.query'),
    ]).toEqual([4_000, 300, 20, 250, 15])
    cloud.clock.advance(-60_000)
    expect(take('resourcegraph.query')).toBe(0)
    cloud.clock.advance(5_000 + 60_000)
    expect(take('resourcegraph.query')).toBe(15)
  })

  test('Resource Manager says when to come back', async () => {
    cloud.clock.freeze()
    cloud.throttle.set('arm.read', { capacity: 0, perSecond: 0.5 })
    const { token } = await scanner(cloud).getToken('https://management.azure.com/.default')
    const answer = await fetch(`${cloud.url}/subscriptions?api-version=2022-12-01`, {
      headers: { [hostHeader]: 'management.azure.com', authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(5_000),
    })
    expect(answer.status).toBe(429)
    expect(answer.headers.get('retry-after')).toBe('2')
  })
})

describe('injected faults', () => {
  test('a 503, a reset and latency pass by the number of times asked for', async () => {
    cloud.faults.add({ operation: 'keyvault.secrets', times: 1, trouble: { kind: 'error', status: 503 } })
    cloud.faults.add({ operation: 'keyvault.secrets', times: 1, trouble: { kind: 'latency', ms: 5 } })
    await expect(all(vault().listPropertiesOfSecrets())).rejects.toMatchObject({ statusCode: 503 })
    await expect(all(vault().listPropertiesOfSecrets())).resolves.toHaveLength(11)
    const remove = cloud.faults.add({ host: 'kv-payments-prod.vault.azure.net', trouble: { kind: 'reset' } })
    await expect(all(vault().listPropertiesOfSecrets())).rejects.toThrow(/socket hang up|ECONNRESET/)
    await expect(all(vault('kv-checkout-prod').listPropertiesOfSecrets())).resolves.not.toHaveLength(0)
    remove()
    await expect(all(vault().listPropertiesOfSecrets())).resolves.toHaveLength(11)
  })

  test.each(['partial-page', 'malformed-page'] as const)(
    'a %s is an error for the reader, never a shorter list',
    async (kind) => {
      const client = vault('kv-data-lake')
      await all(client.listPropertiesOfSecrets())
      cloud.faults.add({ operation: 'keyvault.secrets.list', times: 1, trouble: { kind } })
      await expect(all(client.listPropertiesOfSecrets())).rejects.toThrow(/aborted|JSON|terminated/)
    },
  )

  test('a stale read goes on showing what was there before a write, until it is taken away', async () => {
    const identity = cloud.estate.servicePrincipals[0]
    const target = cloud.estate.vaults.find(({ name }) => name === 'kv-checkout-prod')
    cloud.estate.roleAssignments.push({
      id: 'writer',
      principal: identity?.id ?? '',
      roleDefinition: roles.secretsOfficer.id,
      scope: `/subscriptions/${target?.subscription}`,
    })
    const client = vault('kv-checkout-prod')
    const names = async () => (await all(client.listPropertiesOfSecrets())).map(({ name }) => name)
    await names()
    const remove = cloud.faults.add({ operation: 'keyvault.secrets.list', trouble: { kind: 'stale-read' } })
    const before = await names()
    await client.setSecret('just-written', 'x')
    expect(await names()).toEqual(before)
    remove()
    expect(await names()).toEqual([...before, 'just-written'].toSorted())
  })

  test('an expired token is a 401 with a challenge', async () => {
    cloud.faults.add({ operation: 'arm.subscriptions.list', times: 1, trouble: { kind: 'expired-token' } })
    const client = new SubscriptionClient(scanner(cloud), {
      httpClient: routedClient(cloud.url),
      retryOptions: { maxRetries: 0 },
    })
    await expect(all(client.subscriptions.list())).rejects.toMatchObject({
      statusCode: 401,
      code: 'ExpiredAuthenticationToken',
    })
    expect(await all(client.subscriptions.list())).toHaveLength(4)
  })
})
