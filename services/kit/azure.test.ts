import {
  createHttpHeaders,
  createPipelineRequest,
  type HttpClient,
  RestError,
} from '@azure/core-rest-pipeline'
import { SecretClient } from '@azure/keyvault-secrets'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningCloud, seededEstate, startCloud } from '../twin/index.ts'
import { azureAccess, azureCredential, azureFailure, httpStatusOf, routedHttpClient } from './azure.ts'
import { Denied, Transient } from './failure.ts'

const VAULT = 'https://kv-payments-prod.vault.azure.net/'

describe('routedHttpClient()', () => {
  const seen: { url: string; host: string | undefined; insecure: boolean | undefined }[] = []
  const inner: HttpClient = {
    sendRequest: (request) => {
      seen.push({
        url: request.url,
        host: request.headers.get('x-attestry-host'),
        insecure: request.allowInsecureConnection,
      })
      return Promise.resolve({ request, status: 200, headers: createHttpHeaders() })
    },
  }

  test('sends to loopback, keeps the host that was meant, and leaves the request as it was', async () => {
    const request = createPipelineRequest({ url: `${VAULT}secrets?api-version=7.6`, method: 'GET' })
    const response = await routedHttpClient('http://127.0.0.1:4610', inner).sendRequest(request)
    expect(seen.at(-1)).toEqual({
      url: 'http://127.0.0.1:4610/secrets?api-version=7.6',
      host: 'kv-payments-prod.vault.azure.net',
      insecure: true,
    })
    expect(request.url).toBe(`${VAULT}secrets?api-version=7.6`)
    expect(request.headers.has('x-attestry-host')).toBe(false)
    expect(response.request).toBe(request)
  })

  test('leaves what already goes to that address alone', async () => {
    const request = createPipelineRequest({ url: 'http://127.0.0.1:4610/msi/token?resource=x' })
    await routedHttpClient('http://127.0.0.1:4610', inner).sendRequest(request)
    expect(seen.at(-1)).toMatchObject({ url: 'http://127.0.0.1:4610/msi/token?resource=x', host: undefined })
  })

  test.each(['http://10.0.0.7:4610', 'https://127.0.0.1:4610', 'http://twin.example'])(
    'refuses %s',
    (endpoint) => {
      expect(() => azureAccess({ endpoint, env: {} })).toThrow('loopback')
    },
  )
})

describe('azureCredential()', () => {
  const tenant = { AZURE_TENANT_ID: '6f9619ff-8b86-d011-b42d-00c04fc964ff', AZURE_CLIENT_ID: 'app' }
  test.each([
    [{}, 'ManagedIdentityCredential'],
    [{ AZURE_CLIENT_ID: 'app' }, 'ManagedIdentityCredential'],
    [{ ...tenant, AZURE_CLIENT_SECRET: 's' }, 'ClientSecretCredential'],
    [{ ...tenant, AZURE_CLIENT_CERTIFICATE_PATH: '/tmp/c.pem' }, 'ClientCertificateCredential'],
    [{ ...tenant, AZURE_FEDERATED_TOKEN_FILE: '/tmp/token' }, 'WorkloadIdentityCredential'],
  ])('of %o is a %s', (env, name) => {
    const none: HttpClient = { sendRequest: () => Promise.reject(new Error('no request is made here')) }
    expect(azureCredential(env, none, false).constructor.name).toBe(name)
  })
})

describe('azureFailure()', () => {
  const rest = (statusCode: number | undefined, more: ConstructorParameters<typeof RestError>[1] = {}) =>
    new RestError('no', { ...(statusCode === undefined ? {} : { statusCode }), ...more })

  test.each([
    [rest(429), Transient],
    [rest(503), Transient],
    [rest(408), Transient],
    [rest(undefined, { code: 'ENOTFOUND' }), Transient],
    [rest(403), Denied],
    [rest(404), Denied],
    [new Error('AADSTS7000215: Invalid client secret provided'), Denied],
    [Object.assign(new Error('no endpoint'), { name: 'CredentialUnavailableError' }), Denied],
  ])('takes %o for %o', (thrown, kind) => {
    const failure = azureFailure(thrown)
    expect(failure).toBeInstanceOf(kind)
    expect(failure.cause).toBe(thrown)
  })

  test('names the innermost code, and Entra’s number', () => {
    const refused = rest(403)
    refused.details = { error: { code: 'Forbidden', innererror: { code: 'ForbiddenByRbac' } } }
    expect(azureFailure(refused)).toMatchObject({ code: 'ForbiddenByRbac' })
    expect(azureFailure(new Error('AADSTS7000215: Invalid'))).toMatchObject({ code: 'AADSTS7000215' })
  })

  test('takes an answer that cannot be read for neither, and hands an abort on', () => {
    const unreadable = azureFailure(rest(200, { code: 'PARSE_ERROR' }))
    expect(unreadable).not.toBeInstanceOf(Transient)
    expect(unreadable).not.toBeInstanceOf(Denied)
    const abort = Object.assign(new Error('ended'), { name: 'AbortError' })
    expect(azureFailure(abort)).toBe(abort)
  })

  test('httpStatusOf() finds the status behind a failure', () => {
    expect(httpStatusOf(azureFailure(rest(429)))).toBe(429)
    expect(httpStatusOf(new Error('plain'))).toBeNull()
  })
})

describe('access over the wire', () => {
  let twin: RunningCloud
  const env = () => {
    const app = twin.estate.applications.find(({ name }) => name === 'attestry-rotation')
    return {
      AZURE_TENANT_ID: twin.estate.directory,
      AZURE_CLIENT_ID: app?.appId,
      AZURE_CLIENT_SECRET: app?.passwords[0]?.secret,
    }
  }
  /** Reads one token's worth of Resource Manager with the pipeline that every client of ours has. */
  const clientOf = () => {
    const access = azureAccess({ endpoint: twin.url, env: env(), random: () => 0 })
    return { access, client: new SecretClient(VAULT, access.credential, access.clientOptions) }
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
    const principal = twin.estate.servicePrincipals.find(({ appId }) => appId === env().AZURE_CLIENT_ID)
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
    const second = new SecretClient(VAULT, access.credential, access.clientOptions)
    await Promise.all([names(client), names(second)])
    expect(access.calls()).toBe(5)
    expect(twin.calls.get('entra.token')).toBe(1)
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

  test('renews a token that the far side holds for expired, once, for clients that have it too', async () => {
    const { access, client } = clientOf()
    const other = new SecretClient(VAULT, access.credential, access.clientOptions)
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

  test('takes a refusal that a new token does not cure as it is', async () => {
    const { client } = clientOf()
    const remove = twin.faults.add({ operation: 'keyvault.secrets.list', trouble: { kind: 'expired-token' } })
    const failure = await names(client).catch(azureFailure)
    remove()
    expect(failure).toBeInstanceOf(Denied)
    expect(httpStatusOf(failure)).toBe(401)
  })
})
