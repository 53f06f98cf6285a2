import {
  createHttpHeaders,
  createPipelineRequest,
  type HttpClient,
  RestError,
} from '@azure/core-rest-pipeline'
import { describe, expect, test } from 'vitest'
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
      expect(() => azureAccess({ endpoint, env: {} })).toThrow(/loopback http address/)
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
