import { SubscriptionClient } from '@azure/arm-resources-subscriptions'
import { ClientAssertionCredential } from '@azure/identity'
import { KeyClient } from '@azure/keyvault-keys'
import { SecretClient } from '@azure/keyvault-secrets'
import { importJWK, jwtVerify, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newSigningKey } from '../entra/tokens.ts'
import { hostHeader, type RunningCloud, seededEstate, startCloud } from '../index.ts'
import { all, clientSecret, managedIdentity, routedClient } from './routed.ts'

let cloud: RunningCloud
beforeAll(async () => {
  cloud = await startCloud({ estate: seededEstate(Date.now()) })
})
afterAll(() => cloud.stop())

const listSecrets = (host: string, token: string) =>
  fetch(`${cloud.url}/secrets?api-version=7.6`, {
    headers: { [hostHeader]: host, authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(5_000),
  })
const vault = 'kv-payments-prod.vault.azure.net'

describe('tokens of the cloud', () => {
  test('the managed identity of the machine gets a token that the published keys verify', async () => {
    const { token } = await managedIdentity(cloud).getToken('https://vault.azure.net/.default')
    const keys = await fetch(`${cloud.url}/${cloud.estate.directory}/discovery/v2.0/keys`, {
      headers: { [hostHeader]: 'login.microsoftonline.com' },
      signal: AbortSignal.timeout(5_000),
    })
    const {
      keys: [jwk],
    } = (await keys.json()) as { keys: [Parameters<typeof importJWK>[0]] } // the JWKS shape of RFC 7517
    const { payload } = await jwtVerify(token, await importJWK(jwk, 'RS256'), {
      audience: 'https://vault.azure.net',
    })
    expect(payload.tid).toBe(cloud.estate.directory)
    expect(payload.oid).toBe(cloud.estate.servicePrincipals[0]?.id)
  })

  test('an application signs in with its secret, and a wrong one is AADSTS7000215', async () => {
    const token = await clientSecret(cloud, 'attestry-rotation').getToken(
      'https://management.azure.com/.default',
    )
    expect(token.token.split('.')).toHaveLength(3)
    await expect(
      clientSecret(cloud, 'attestry-rotation', 'not-it').getToken('https://vault.azure.net/.default'),
    ).rejects.toThrow(/AADSTS7000215/)
  })

  test('an expired secret is AADSTS7000222, told apart from a wrong one', async () => {
    await expect(
      clientSecret(cloud, 'contoso-checkout-mobile').getToken('https://vault.azure.net/.default'),
    ).rejects.toThrow(/AADSTS7000222/)
  })

  test('a workload with a federated credential needs no secret; another subject is refused', async () => {
    const rotation = cloud.estate.applications.find(({ name }) => name === 'attestry-rotation')
    const as = (subject: string) =>
      new ClientAssertionCredential(
        cloud.estate.directory,
        rotation?.appId ?? '',
        () => cloud.workloadToken(subject, 'https://cluster.contoso.example'),
        {
          httpClient: routedClient(cloud.url),
          disableInstanceDiscovery: true,
          authorityHost: 'https://login.microsoftonline.com',
        },
      ).getToken('https://vault.azure.net/.default')
    await expect(as('system:serviceaccount:attestry:attestry')).resolves.toMatchObject({
      token: expect.any(String),
    })
    await expect(as('system:serviceaccount:default:other')).rejects.toThrow(/AADSTS700213/)
  })

  test('a vault refuses a token for another audience, a foreign signature and an expired token', async () => {
    const credential = managedIdentity(cloud)
    const { token: forArm } = await credential.getToken('https://management.azure.com/.default')
    expect((await listSecrets(vault, forArm)).status).toBe(401)

    const { token } = await credential.getToken('https://vault.azure.net/.default')
    expect((await listSecrets(vault, token)).status).toBe(200)
    const forged = await new SignJWT({
      aud: 'https://vault.azure.net',
      oid: 'x',
      appid: 'x',
      tid: cloud.estate.directory,
    })
      .setProtectedHeader({ alg: 'RS256' })
      .setExpirationTime('1h')
      .sign(await importJWK(await newSigningKey(), 'RS256'))
    const answer = await listSecrets(vault, forged)
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toContain(`resource="https://vault.azure.net"`)

    cloud.clock.advance(25 * 3_600_000)
    expect((await listSecrets(vault, token)).status).toBe(401)
    cloud.clock.advance(-25 * 3_600_000)
    expect((await listSecrets(vault, token)).status).toBe(200)
  })

  test('a wrong identity header gets no token', async () => {
    const answer = await fetch(
      `${cloud.identityEndpoint}?api-version=2019-08-01&resource=https://vault.azure.net`,
      {
        headers: { 'x-identity-header': 'guess' },
        signal: AbortSignal.timeout(5_000),
      },
    )
    expect(answer.status).toBe(401)
  })
})

describe('roles', () => {
  test('an application without any role sees no subscription, and its vault calls are ForbiddenByRbac', async () => {
    const stranger = clientSecret(cloud, 'contoso-checkout-web')
    const httpClient = routedClient(cloud.url)
    expect(await all(new SubscriptionClient(stranger, { httpClient }).subscriptions.list())).toEqual([])
    await expect(
      new KeyClient(`https://${vault}`, stranger, { httpClient }).getKey('card-data-encryption'),
    ).rejects.toMatchObject({
      statusCode: 403,
      code: 'Forbidden',
      details: { error: { code: 'Forbidden', innerError: { code: 'ForbiddenByRbac' } } },
    })
  })

  test('Key Vault Reader lists metadata but cannot read one value', async () => {
    const client = new SecretClient(`https://${vault}`, managedIdentity(cloud), {
      httpClient: routedClient(cloud.url),
    })
    expect((await all(client.listPropertiesOfSecrets())).length).toBeGreaterThan(5)
    await expect(client.getSecret('card-vault-hmac')).rejects.toMatchObject({
      statusCode: 403,
      details: { error: { innerError: { code: 'ForbiddenByRbac' } } },
    })
  })

  test('a role on one secret opens that secret alone', async () => {
    const { principal, definition, at } = {
      principal: cloud.estate.servicePrincipals[0]?.id ?? '',
      definition: '4633458b-17de-408a-b874-0445c86b69e6',
      at: cloud.estate.vaults.find(({ name }) => name === 'kv-checkout-prod'),
    }
    cloud.estate.roleAssignments.push({
      id: 'just-one',
      principal,
      roleDefinition: definition,
      scope: `/subscriptions/${at?.subscription}/resourceGroups/${at?.resourceGroup}/providers/Microsoft.KeyVault/vaults/${at?.name}/secrets/sendgrid-api-key`,
    })
    const client = new SecretClient('https://kv-checkout-prod.vault.azure.net', managedIdentity(cloud), {
      httpClient: routedClient(cloud.url),
    })
    expect((await client.getSecret('sendgrid-api-key')).value).toBe(
      at?.secrets['sendgrid-api-key']?.versions.at(-1)?.value,
    )
    await expect(client.getSecret('address-lookup-api-key')).rejects.toMatchObject({ statusCode: 403 })
  })

  test('the firewall answers before the roles are looked at', async () => {
    const stranger = new KeyClient(
      'https://kv-data-ingest.vault.azure.net',
      clientSecret(cloud, 'contoso-checkout-web'),
      { httpClient: routedClient(cloud.url) },
    )
    await expect(stranger.getKey('edi-as2')).rejects.toMatchObject({
      code: 'Forbidden',
      details: { error: { innerError: { code: 'ForbiddenByFirewall' } } },
    })
    cloud.estate.callerAddress = '203.0.113.7'
    await expect(stranger.getKey('edi-as2')).rejects.toMatchObject({
      details: { error: { innerError: { code: 'ForbiddenByRbac' } } },
    })
    cloud.estate.callerAddress = '198.51.100.24'
  })

  test('a vault with public access disabled and no private link is ForbiddenByConnection', async () => {
    const one = cloud.estate.vaults.find(({ name }) => name === 'kv-payments-hsm')
    if (one === undefined) throw new Error('the estate has no kv-payments-hsm')
    one.privateLink = false
    const client = new KeyClient('https://kv-payments-hsm.vault.azure.net', managedIdentity(cloud), {
      httpClient: routedClient(cloud.url),
    })
    await expect(client.getKey('token-vault-root')).rejects.toMatchObject({
      details: { error: { innerError: { code: 'ForbiddenByConnection' } } },
    })
    one.privateLink = true
    await expect(client.getKey('token-vault-root')).resolves.toMatchObject({ key: { crv: 'P-521' } })
  })

  test('an access-policy vault without a policy for the caller is AccessDenied', async () => {
    const client = new SecretClient('https://kv-legacy-erp.vault.azure.net', managedIdentity(cloud), {
      httpClient: routedClient(cloud.url),
    })
    expect((await all(client.listPropertiesOfSecrets())).length).toBeGreaterThan(3)
    await expect(client.getSecret('password')).rejects.toMatchObject({
      details: { error: { innerError: { code: 'AccessDenied' } } },
    })
  })
})
