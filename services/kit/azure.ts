import type { AccessToken, GetTokenOptions, TokenCredential } from '@azure/core-auth'
import {
  createDefaultHttpClient,
  createHttpHeaders,
  type HttpClient,
  isRestError,
  type PipelinePolicy,
  type PipelineRequest,
  type PipelineResponse,
  RestError,
} from '@azure/core-rest-pipeline'
import {
  ClientCertificateCredential,
  ClientSecretCredential,
  CredentialUnavailableError,
  ManagedIdentityCredential,
  WorkloadIdentityCredential,
} from '@azure/identity'
import { ManagedIdentityApplication } from '@azure/msal-node'
import { pause } from './clock.ts'
import { Denied, messageOf, Transient } from './failure.ts'

/** What every Azure client of ours is made with. */
export interface AzureAccess {
  readonly credential: TokenCredential
  /** A new object each time: some clients write into theirs, and a shared one grew a header until it was refused. */
  readonly clientOptions: () => {
    httpClient: HttpClient
    additionalPolicies: { policy: PipelinePolicy; position: 'perRetry' }[]
    retryOptions: { maxRetries: number; retryDelayInMs: number; maxRetryDelayInMs: number }
  }
  /** Requests that went out so far, challenges and retries included, tokens not. */
  readonly calls: () => number
  /** Whether requests go to a stand-in on this machine. */
  readonly overridden: boolean
}

export interface AzureAccessOptions {
  /** A loopback address that stands in for the cloud, such as `http://127.0.0.1:4610`. Unset, the real one. */
  readonly endpoint?: string | undefined
  /** The standard AZURE_* variables. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly httpClient?: HttpClient
  /** Between 0 and 1; spreads retries so that clients do not come back together. */
  readonly random?: () => number
  /** How long one request may go without its whole answer. @default 90000 */
  readonly answerWithinMs?: number
}

/** Attempts after a 429 that does not say when to come back: 0.25 + 0.5 + 1 + 2 + 4 s at most. */
const THROTTLE_RETRIES = 5
const THROTTLE_BASE_MS = 250

/** The SDK's own retries: 429 with Retry-After, 408, 5xx and dropped connections. */
const RETRIES = { maxRetries: 3, retryDelayInMs: 250, maxRetryDelayInMs: 4000 }

/**
 * A request without an answer for so long is given up: the SDKs themselves wait for ever. More than any operation
 * takes, and more than whoever bounds a whole call gives it, so that the SDKs do not repeat what that one gave up.
 */
const ANSWER_WITHIN_MS = 90_000

/** A token this close to its end is not used any more. */
const TOKEN_MARGIN_MS = 120_000

const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])

/**
 * Sends every request to one loopback address and keeps the host it was meant for in `x-attestry-host`.
 * The request given is never changed: the challenge check of Key Vault's clients looks at its URL afterwards.
 */
export function routedHttpClient(endpoint: string, inner: HttpClient): HttpClient {
  const to = new URL(endpoint)
  if (to.protocol !== 'http:' || !LOOPBACK.has(to.hostname))
    throw new Error(`The cloud's endpoint may only be overridden by a loopback http address, not ${endpoint}`)
  return {
    async sendRequest(request) {
      const meant = new URL(request.url)
      const derived: PipelineRequest = {
        ...request,
        url: `${to.origin}${meant.pathname}${meant.search}`,
        headers: createHttpHeaders(request.headers.toJSON({ preserveCase: true })),
        allowInsecureConnection: true,
      }
      // A managed identity's endpoint already is an address of this machine.
      if (meant.origin !== to.origin) derived.headers.set('x-attestry-host', meant.host)
      return { ...(await inner.sendRequest(derived)), request }
    },
  }
}

/** A signal as the platform knows it, from the looser one of the SDK. */
const signalOf = (request: PipelineRequest): AbortSignal => {
  const given = request.abortSignal
  if (given instanceof AbortSignal) return given
  const own = new AbortController()
  if (given?.aborted) own.abort()
  given?.addEventListener('abort', () => own.abort())
  return own.signal
}

/**
 * Gives up a request whose answer does not come: as a broken connection, which the SDKs try again. Answers come whole
 * here: of one that is streamed, the signal would end nothing once it has begun.
 */
const impatientHttpClient = (inner: HttpClient, withinMs: number): HttpClient => ({
  async sendRequest(request) {
    const asked = signalOf(request)
    const ending = new AbortController()
    const end = () => ending.abort(asked.reason)
    let late = false
    // Not AbortSignal.timeout(): the timers of thousands of requests would stay until their time.
    const timer = setTimeout(() => {
      late = true
      ending.abort()
    }, withinMs)
    asked.addEventListener('abort', end, { once: true })
    if (asked.aborted) end()
    try {
      return { ...(await inner.sendRequest({ ...request, abortSignal: ending.signal })), request }
    } catch (error) {
      if (!late || asked.aborted) throw error
      throw new RestError(`No answer within ${withinMs / 1000} s`, { code: 'ETIMEDOUT', request })
    } finally {
      clearTimeout(timer)
      asked.removeEventListener('abort', end)
    }
  },
})

/**
 * Tries again, with growing and jittered pauses, where a service answers 429 and does not say how long to wait:
 * the SDK gives up on those at once. Bounded; the last answer is handed on.
 */
const unsaidThrottlePolicy = (random: () => number): PipelinePolicy => ({
  name: 'attestryUnsaidThrottlePolicy',
  async sendRequest(request, next) {
    let response = await next(request)
    for (let retry = 0; retry < THROTTLE_RETRIES; retry++) {
      if (response.status !== 429 || saysWhen(response)) return response
      const signal = signalOf(request)
      await pause(THROTTLE_BASE_MS * 2 ** retry * (0.5 + random() / 2), signal)
      if (signal.aborted) return response
      response = await next(request)
    }
    return response
  },
})

const saysWhen = (response: PipelineResponse): boolean =>
  ['retry-after', 'retry-after-ms', 'x-ms-retry-after-ms'].some((name) => response.headers.has(name))

/** Tokens by scope: one request for many callers, used until shortly before the end, thrown away when refused. */
interface TokenShelf {
  readonly credential: TokenCredential
  /** The token that replaces a refused one, or null where it was not ours. */
  renew(refused: string, options: GetTokenOptions): Promise<string | null>
  /** The token to be sent in place of the one given; the same one unless it was refused before. */
  current(token: string, options: GetTokenOptions): Promise<string>
}

/**
 * Takes a new token of the machine's identity into the cache that its credential reads. That cache is one for the
 * process, so a credential that is made anew would hand out the refused token until its end, which a clock that
 * jumped puts hours away.
 */
async function refreshManaged(scopes: string | string[], clientId: string | undefined): Promise<void> {
  const [resource = ''] = [scopes].flat()
  try {
    await new ManagedIdentityApplication(
      clientId === undefined ? {} : { managedIdentityIdParams: { userAssignedClientId: clientId } },
    ).acquireToken({ resource, forceRefresh: true })
  } catch (error) {
    throw new CredentialUnavailableError('The identity of this machine gave no new token', { cause: error })
  }
}

function tokenShelf(make: () => TokenCredential, clientId: string | undefined): TokenShelf {
  interface Held {
    readonly scopes: string | string[]
    readonly tenantId: string | undefined
    token: Promise<AccessToken | null>
  }
  const shelf = new Map<string, Held>()
  /** Tokens handed out, by text, so that a refusal finds its scope. Bounded: a scope keeps few generations. */
  const scopeOf = new Map<string, string>()
  const refused = new Set<string>()
  let source = make()

  const remember = (key: string, token: AccessToken | null) => {
    if (!token) return
    scopeOf.set(token.token, key)
    for (const old of scopeOf.keys()) {
      if (scopeOf.size <= 64) break
      scopeOf.delete(old)
      refused.delete(old)
    }
  }
  const fetchToken = async (
    held: Pick<Held, 'scopes' | 'tenantId'>,
    key: string,
    options: GetTokenOptions,
  ) => {
    const token = await source.getToken(held.scopes, {
      ...options,
      ...(held.tenantId === undefined ? {} : { tenantId: held.tenantId }),
    })
    remember(key, token)
    return token
  }
  /** The caller's own signal and timeout must not end a request that others wait for. */
  const shared = ({ claims, enableCae }: GetTokenOptions): GetTokenOptions => ({
    ...(claims === undefined ? {} : { claims }),
    ...(enableCae === undefined ? {} : { enableCae }),
  })
  const take = async (
    scopes: string | string[],
    options: GetTokenOptions,
    force: boolean,
  ): Promise<AccessToken | null> => {
    const key = `${options.tenantId ?? ''} ${[scopes].flat().toSorted().join(' ')}`
    const held = shelf.get(key)
    if (held && !force && options.claims === undefined) {
      const token = await held.token.catch(() => null)
      if (token && token.expiresOnTimestamp - Date.now() > TOKEN_MARGIN_MS) return token
      // Somebody else may have begun a new one while we looked.
      const latest = shelf.get(key)
      if (latest && latest !== held) return latest.token
    }
    const fresh: Held = { scopes, tenantId: options.tenantId, token: Promise.resolve(null) }
    fresh.token = fetchToken(fresh, key, shared(options))
    shelf.set(key, fresh)
    try {
      return await fresh.token
    } catch (error) {
      if (shelf.get(key) === fresh) shelf.delete(key)
      throw error
    }
  }
  return {
    credential: { getToken: (scopes, options = {}) => take(scopes, options, false) },
    async renew(token, options) {
      const key = scopeOf.get(token)
      const held = key === undefined ? undefined : shelf.get(key)
      if (!held) return null
      if (!refused.has(token)) {
        refused.add(token)
        // A credential keeps tokens of its own until their end, so it is made anew.
        source = make()
        if (source instanceof ManagedIdentityCredential) await refreshManaged(held.scopes, clientId)
        await take(
          held.scopes,
          { ...options, ...(held.tenantId === undefined ? {} : { tenantId: held.tenantId }) },
          true,
        )
      }
      const latest = await shelf.get(key ?? '')?.token
      return latest && latest.token !== token ? latest.token : null
    },
    async current(token) {
      if (!refused.has(token)) return token
      const latest = await shelf.get(scopeOf.get(token) ?? '')?.token.catch(() => null)
      return latest?.token ?? token
    },
  }
}

/**
 * Renews a token that the far side no longer takes though our clock says it should, once a request. Clients hold
 * tokens of their own, so later requests that still carry the refused one get the new one here.
 */
const renewalPolicy = (shelf: TokenShelf): PipelinePolicy => ({
  name: 'attestryTokenRenewalPolicy',
  async sendRequest(request, next) {
    const bearer = () => request.headers.get('authorization')?.replace(/^Bearer /, '')
    const carry = (token: string) => request.headers.set('authorization', `Bearer ${token}`)
    const given = bearer()
    if (given !== undefined) carry(await shelf.current(given, {}))
    const response = await next(request)
    const sent = bearer()
    if (response.status !== 401 || sent === undefined) return response
    // A challenge that names the claims it misses is answered by the client's own policy.
    if (response.headers.get('www-authenticate')?.includes('insufficient_claims')) return response
    const fresh = await shelf.renew(sent, {})
    if (fresh === null) return response
    carry(fresh)
    return next(request)
  },
})

/** Azure's innermost code of each refused request: of a refused page the SDKs keep only the outer one. */
const refusalCodes = new WeakMap<object, string>()

const refusalPolicy: PipelinePolicy = {
  name: 'attestryRefusalPolicy',
  async sendRequest(request, next) {
    const response = await next(request)
    if (response.status >= 400 && response.bodyAsText) {
      const code = innerCode(parsed(response.bodyAsText))
      if (code !== null) refusalCodes.set(request, code)
    }
    return response
  },
}

/** JSON, or null: a proxy on the way may answer with a page. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

/**
 * The identity that the standard variables describe: federated token file, client secret or client certificate,
 * else the managed identity of the machine.
 */
export function azureCredential(
  env: Readonly<Record<string, string | undefined>>,
  httpClient: HttpClient,
  overridden: boolean,
): TokenCredential {
  const {
    AZURE_TENANT_ID: tenantId,
    AZURE_CLIENT_ID: clientId,
    AZURE_CLIENT_SECRET: secret,
    AZURE_CLIENT_CERTIFICATE_PATH: certificatePath,
    AZURE_FEDERATED_TOKEN_FILE: tokenFilePath,
    AZURE_AUTHORITY_HOST: authorityHost,
  } = env
  const options = {
    httpClient,
    retryOptions: RETRIES,
    // Only the public instance directory knows the public clouds; a stand-in is not listed there.
    ...(overridden ? { disableInstanceDiscovery: true } : {}),
    ...(authorityHost ? { authorityHost } : {}),
  }
  if (tenantId && clientId && tokenFilePath)
    return new WorkloadIdentityCredential({ ...options, tenantId, clientId, tokenFilePath })
  if (tenantId && clientId && secret) return new ClientSecretCredential(tenantId, clientId, secret, options)
  if (tenantId && clientId && certificatePath)
    return new ClientCertificateCredential(tenantId, clientId, certificatePath, options)
  return new ManagedIdentityCredential({ ...options, ...(clientId ? { clientId } : {}) })
}

/**
 * Access to Azure with the real SDKs: credential, transport and policies for every client.
 * @throws when `endpoint` is not a loopback http address
 */
export function azureAccess({
  endpoint,
  env,
  httpClient,
  random = Math.random,
  answerWithinMs = ANSWER_WITHIN_MS,
}: AzureAccessOptions): AzureAccess {
  const inner = impatientHttpClient(httpClient ?? createDefaultHttpClient(), answerWithinMs)
  const client = endpoint === undefined ? inner : routedHttpClient(endpoint, inner)
  const shelf = tokenShelf(() => azureCredential(env, client, endpoint !== undefined), env['AZURE_CLIENT_ID'])
  let calls = 0
  const countingPolicy: PipelinePolicy = {
    name: 'attestryCountingPolicy',
    sendRequest(request, next) {
      calls++
      return next(request)
    },
  }
  const policies = [unsaidThrottlePolicy(random), renewalPolicy(shelf), refusalPolicy, countingPolicy]
  return {
    credential: shelf.credential,
    clientOptions: () => ({
      httpClient: client,
      additionalPolicies: policies.map((policy) => ({ policy, position: 'perRetry' })),
      retryOptions: { ...RETRIES },
    }),
    calls: () => calls,
    overridden: endpoint !== undefined,
  }
}

/** The innermost code of Azure's nested error shapes: `{error: {code, innererror: {code}}}`. */
function innerCode(details: unknown): string | null {
  let code: string | null = null
  let at: unknown = details
  // Nested no deeper than this in any documented shape.
  for (let depth = 0; depth < 6 && typeof at === 'object' && at !== null; depth++) {
    if ('code' in at && typeof at.code === 'string') code = at.code
    at = Object.entries(at).find(([name]) => ['error', 'innererror', 'innerError'].includes(name))?.[1]
  }
  return code
}

/** The HTTP status behind a failure, looked for along its causes; null where there was no answer. */
export function httpStatusOf(thrown: unknown): number | null {
  let at: unknown = thrown
  for (let depth = 0; depth < 6 && at instanceof Error; depth++) {
    if ('statusCode' in at && typeof at.statusCode === 'number') return at.statusCode
    at = at.cause
  }
  return null
}

/** Whether work was ended by its own signal, which is no failure of the far side. */
export const isAbort = (thrown: unknown): boolean => thrown instanceof Error && thrown.name === 'AbortError'

/**
 * What a failure of an Azure SDK means: `Transient` (429, 408, 5xx, no connection), `Denied` with Azure's innermost
 * code (any other refusal, and credentials that do not work), or an Error (an answer that cannot be read).
 * An abort is handed back as it is.
 */
export function azureFailure(thrown: unknown): Error {
  if (thrown instanceof Transient || thrown instanceof Denied) return thrown
  if (isAbort(thrown) && thrown instanceof Error) return thrown
  const entra = /AADSTS\d+/.exec(messageOf(thrown))?.[0]
  if (entra) return new Denied(entra, `Entra refused the identity: ${entra}`, { cause: thrown })
  if (isRestError(thrown)) {
    const status = thrown.statusCode
    const code =
      refusalCodes.get(thrown.request ?? {}) ??
      innerCode(thrown.details) ??
      thrown.code ??
      (status === undefined ? 'NoAnswer' : `Http${status}`)
    if (status === 429)
      return new Transient('Azure throttles us', {
        cause: thrown,
        retryAfterMs: 1000 * Number(thrown.response?.headers.get('retry-after') ?? 1) || 1000,
      })
    if (status === 408 || (status !== undefined && status >= 500))
      return new Transient(`Azure answered ${status} (${code})`, { cause: thrown })
    if (thrown.code === 'PARSE_ERROR')
      return new Error('Azure sent an answer that is not JSON', { cause: thrown })
    if (status !== undefined && status >= 400)
      return new Denied(code, `Azure refused: ${code} (${status})`, { cause: thrown })
    if (status === undefined) return new Transient(`Azure could not be reached: ${code}`, { cause: thrown })
    return new Error(`Azure sent an answer that cannot be read: ${code}`, { cause: thrown })
  }
  if (
    thrown instanceof Error &&
    ['CredentialUnavailableError', 'AuthenticationError', 'AuthenticationRequiredError'].includes(thrown.name)
  )
    return new Denied('CredentialUnavailable', 'No identity of this machine is accepted by Entra', {
      cause: thrown,
    })
  return new Error('Azure sent an answer that cannot be read', { cause: thrown })
}
