import { Denied, Transient } from '@attestry/kit'
import { azureAccess, azureFailure, httpStatusOf } from '@attestry/kit/azure'
import { type RunningCloud, seededEstate, startCloud } from '@attestry/twin'
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline'
import { KeyClient } from '@azure/keyvault-keys'
import { SecretClient } from '@azure/keyvault-secrets'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { secretOf } from './for-tests.ts'

const VAULT = 'https://kv-payments-prod.vault.azure.net/'

describe('access over the wire', () => {
  let twin: RunningCloud
  const env = () => secretOf(twin.estate, 'attestry-rotation')
  const clientOf = () => {
    const access = azureAccess({ endpoint: twin.url, env: env(), random: () => 0 })
    return { access, client: new SecretClient(VAULT, access.credential, access.clientOptions()) }
  }
  const names = async (client: SecretClient) => {
    const all: string[] = []
    for await (const { name } of client.listPropertiesOfSecrets()) all.push(name)
    return all
  }
  beforeAll(async () => {
    twin = await startCloud({ estate: seededEstate(Date.now()) })
    const vault = twin.estate.vaults.find(({ name }) => name === 'kv-payments-prod')
    const reader = twin.estate.roleDefinitions.find(({ name }) => name === 'Key Vault Reader')
    const principal = twin.estate.servicePrincipals.find(({ appId }) => appId === env()['AZURE_CLIENT_ID'])
    if (!vault || !reader || !principal) throw new Error('contoso changed')
    twin.estate.roleAssignments.push({
      id: 'for-this-test',
      roleDefinition: reader.id,
      principal: principal.id,
      scope: `/subscriptions/${vault.subscription}`,
    })
  })
  afterAll(() => twin.stop())

  test('counts every request, the challenge included, and asks for one token for all', async () => {
    const { access, client } = clientOf()
    twin.resetCalls()
    expect(await names(client)).toContain('card-vault-hmac')
    expect(access.calls()).toBe(2)
    const second = new SecretClient(VAULT, access.credential, access.clientOptions())
    await Promise.all([names(client), names(second)])
    expect(access.calls()).toBe(5)
    expect(twin.calls.get('entra.token')).toBe(1)
  })

  test('sends the same headers however many clients were made before', async () => {
    const agents: (string | undefined)[] = []
    const real = createDefaultHttpClient()
    const httpClient: HttpClient = {
      sendRequest: (request) => {
        agents.push(request.headers.get('user-agent'))
        return real.sendRequest(request)
      },
    }
    const access = azureAccess({ endpoint: twin.url, env: env(), httpClient })
    const keyClients = Array.from(
      { length: 3 },
      () => new KeyClient(VAULT, access.credential, access.clientOptions()),
    )
    for (const client of keyClients) await client.listPropertiesOfKeys().next()
    const own = agents.filter((agent) => agent?.includes('azsdk-js-keyvault-keys'))
    expect(own).toHaveLength(6)
    expect(new Set(own).size).toBe(1)
  })

  test('waits and asks again after a 429 that does not say when, and gives up in the end', async () => {
    const { access, client } = clientOf()
    await names(client)
    twin.faults.add({ operation: 'keyvault.secrets.list', times: 2, trouble: { kind: 'throttled' } })
    const before = access.calls()
    expect(await names(client)).toContain('card-vault-hmac')
    expect(access.calls() - before).toBe(3)
    const remove = twin.faults.add({ operation: 'keyvault.secrets.list', trouble: { kind: 'throttled' } })
    const failure = await names(client).catch(azureFailure)
    remove()
    expect(failure).toBeInstanceOf(Transient)
    expect(httpStatusOf(failure)).toBe(429)
  })

  test('asks again where an answer does not come, and gives up in the end', async () => {
    const access = azureAccess({ endpoint: twin.url, env: env(), random: () => 0, answerWithinMs: 400 })
    const client = new SecretClient(VAULT, access.credential, access.clientOptions())
    const listing = { operation: 'keyvault.secrets.list', trouble: { kind: 'hang' } } as const
    twin.faults.add({ ...listing, times: 1 })
    expect(await names(client)).toContain('card-vault-hmac')
    twin.faults.add({ operation: 'entra.token', times: 1, trouble: { kind: 'hang' } })
    expect((await access.credential.getToken('https://graph.microsoft.com/.default'))?.token).toBeTruthy()
    const remove = twin.faults.add(listing)
    const failure = await names(client).catch(azureFailure)
    remove()
    expect(failure).toBeInstanceOf(Transient)
    expect(String(failure)).toContain('ETIMEDOUT')
  })

  test('renews a token that the far side holds for expired, once, for clients that have it too', async () => {
    const { access, client } = clientOf()
    const other = new SecretClient(VAULT, access.credential, access.clientOptions())
    await Promise.all([names(client), names(other)])
    twin.resetCalls()
    twin.clock.advance(2 * 3_600_000)
    const before = access.calls()
    expect(await names(client)).toContain('card-vault-hmac')
    // The refused request and its repetition.
    expect(access.calls() - before).toBe(2)
    expect(await names(other)).toContain('card-vault-hmac')
    expect(access.calls() - before).toBe(3)
    expect(twin.calls.get('entra.token')).toBe(1)
  })

  test('renews the token of the machine’s identity too, though its cache is the whole process’s', async () => {
    process.env['IDENTITY_ENDPOINT'] = twin.identityEndpoint
    process.env['IDENTITY_HEADER'] = twin.identityHeader
    const access = azureAccess({ endpoint: twin.url, env: {}, random: () => 0 })
    const client = new SecretClient(VAULT, access.credential, access.clientOptions())
    expect(await names(client)).toContain('card-vault-hmac')
    twin.resetCalls()
    twin.clock.advance(25 * 3_600_000)
    const before = access.calls()
    expect(await names(client)).toContain('card-vault-hmac')
    expect(access.calls() - before).toBe(2)
    expect(twin.calls.get('entra.managed-identity')).toBe(1)
  })

  test('takes a refusal that a new token does not cure as it is', async () => {
    const { client } = clientOf()
    const remove = twin.faults.add({ operation: 'keyvault.secrets.list', trouble: { kind: 'expired-token' } })
    const failure = await names(client).catch(azureFailure)
    remove()
    expect(failure).toBeInstanceOf(Denied)
    expect(httpStatusOf(failure)).toBe(401)
  })
})
