import type { AccessToken } from '@azure/core-auth'
import { ClientSecretCredential, ManagedIdentityCredential } from '@azure/identity'
import {
  createDefaultHttpClient,
  createHttpHeaders,
  createPipelineRequest,
  type HttpClient,
} from '@azure/core-rest-pipeline'
import { hostHeader, type RunningCloud } from '../index.ts'

/**
 * An HTTP client for the real SDKs that sends everything to the twin, the host it was meant for kept in a header.
 * The request is derived, not changed: the challenge check compares the URL that the SDK asked for.
 */
export function routedClient(cloudUrl: string): HttpClient {
  const direct = createDefaultHttpClient()
  const to = new URL(cloudUrl)
  return {
    async sendRequest(request) {
      const url = new URL(request.url)
      if (url.host === to.host) return direct.sendRequest(request)
      const headers = createHttpHeaders(request.headers.toJSON({ preserveCase: true }))
      headers.set(hostHeader, url.host)
      url.protocol = to.protocol
      url.host = to.host
      const response = await direct.sendRequest(
        createPipelineRequest({
          url: url.href,
          method: request.method,
          headers,
          timeout: request.timeout,
          requestId: request.requestId,
          allowInsecureConnection: true,
          ...(request.body === undefined ? {} : { body: request.body }),
          ...(request.abortSignal === undefined ? {} : { abortSignal: request.abortSignal }),
        }),
      )
      return { ...response, request }
    },
  }
}

/**
 * The managed identity of the machine; the SDK reads its endpoint from the environment, and once in a process: MSAL
 * keeps endpoint and tokens for good. So only a test file with a single cloud can use it.
 */
export function managedIdentity(cloud: RunningCloud): ManagedIdentityCredential {
  process.env.IDENTITY_ENDPOINT = cloud.identityEndpoint
  process.env.IDENTITY_HEADER = cloud.identityHeader
  return new ManagedIdentityCredential({ httpClient: routedClient(cloud.url) })
}

/** The same principal without MSAL, for files that start a cloud a test. */
export const scanner = (
  cloud: RunningCloud,
): { getToken(scopes: string | string[]): Promise<AccessToken> } => ({
  async getToken(scopes) {
    const audience = String(scopes).replace(/\/\.default$/, '')
    const lifetimeMs = cloud.settings.tokenLifetimeSeconds * 1000
    return { token: await cloud.token('attestry', audience), expiresOnTimestamp: Date.now() + lifetimeMs }
  },
})

/** An application of the estate with the first of its secrets, or another one. */
export function clientSecret(cloud: RunningCloud, name: string, secret?: string): ClientSecretCredential {
  const application = cloud.estate.applications.find((one) => one.name === name)
  const value = secret ?? application?.passwords[0]?.secret
  if (application === undefined || value === undefined)
    throw new Error(`${name} has no secret in this estate.`)
  return new ClientSecretCredential(cloud.estate.directory, application.appId, value, {
    httpClient: routedClient(cloud.url),
    authorityHost: 'https://login.microsoftonline.com',
    disableInstanceDiscovery: true,
  })
}

/** Everything that an SDK's asynchronous iterator gives. */
export async function all<T>(iterator: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of iterator) items.push(item)
  return items
}
