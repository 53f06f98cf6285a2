import { Denied, Transient } from '@attestry/kit'
import { type AzureAccess, azureFailure, isAbort } from '@attestry/kit/azure'
import {
  bearerTokenAuthenticationPolicy,
  createHttpHeaders,
  createPipelineFromOptions,
  createPipelineRequest,
  type HttpMethods,
  isRestError,
  RestError,
} from '@azure/core-rest-pipeline'

/** How rotation reaches Azure. */
export interface Azure {
  readonly access: AzureAccess
  /** A call that has no answer by then counts as lost; whether it was done is looked up, never guessed. */
  readonly timeoutMs: number
}

/**
 * One call with a deadline.
 * @throws Transient (no answer in time, throttled, unreachable, 5xx), Denied (refused), or the abort of `signal`
 */
export async function call<T>(
  { timeoutMs }: Azure,
  signal: AbortSignal,
  work: (abortSignal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    return await work(AbortSignal.any([signal, timeout]))
  } catch (thrown) {
    if (isAbort(thrown) && timeout.aborted && !signal.aborted)
      throw new Transient(`Azure gave no answer within ${timeoutMs / 1000} s`, { cause: thrown })
    throw named(azureFailure(thrown))
  }
}

/** A refusal for want of a right names it: Key Vault and Resource Manager say which in their message. */
function named(failure: Error): Error {
  if (!(failure instanceof Denied) || !(failure.cause instanceof Error)) return failure
  const { cause } = failure
  const answered = isRestError(cause) ? (cause.response?.bodyAsText ?? '') : ''
  const right = /action:? '(Microsoft\.[\w./]+)'/i.exec(`${cause.message} ${answered}`)?.[1]
  return right === undefined
    ? failure
    : new Denied(failure.code, `The identity lacks the right ${right} (${failure.code})`, {
        cause: failure.cause,
      })
}

/** Answers null where the far side says that there is no such thing. */
export async function unlessAbsent<T>(work: Promise<T>, codes: RegExp = /NotFound$/): Promise<T | null> {
  try {
    return await work
  } catch (error) {
    if (error instanceof Denied && codes.test(error.code)) return null
    throw error
  }
}

/** Options of an SDK's client: reads are tried again by it, changes never, because an answer can be lost after the deed. */
export const readOptions = ({ access }: Azure) => access.clientOptions()
export const writeOptions = ({ access }: Azure) => ({
  ...access.clientOptions(),
  retryOptions: { maxRetries: 0, retryDelayInMs: 0, maxRetryDelayInMs: 0 },
})

export interface Answer {
  readonly status: number
  /** Parsed JSON; null where the answer is empty. */
  readonly body: unknown
}

/** The part of Azure that has no client worth having, on the pipeline of the others. */
export function restClient(azure: Azure, origin: string) {
  const { credential } = azure.access
  const make = ({
    httpClient,
    retryOptions,
    additionalPolicies,
  }: ReturnType<AzureAccess['clientOptions']>) => {
    const pipeline = createPipelineFromOptions({ retryOptions })
    pipeline.addPolicy(bearerTokenAuthenticationPolicy({ credential, scopes: `${origin}/.default` }))
    for (const { policy } of additionalPolicies) pipeline.addPolicy(policy, { afterPhase: 'Sign' })
    return { pipeline, httpClient }
  }
  const reading = make(readOptions(azure))
  const writing = make(writeOptions(azure))

  /**
   * @param path from the root of `origin`, query included
   * @param body what is sent, as JSON
   * @param reads a POST that changes nothing, so that it is tried again like a GET
   */
  return (
    method: HttpMethods,
    path: string,
    signal: AbortSignal,
    body?: unknown,
    reads = method === 'GET',
  ): Promise<Answer> =>
    call(azure, signal, async (abortSignal) => {
      const { pipeline, httpClient } = reads ? reading : writing
      const request = createPipelineRequest({
        url: `${origin}${path}`,
        method,
        abortSignal,
        ...(body === undefined
          ? {}
          : {
              body: JSON.stringify(body),
              headers: createHttpHeaders({ 'content-type': 'application/json' }),
            }),
      })
      const response = await pipeline.sendRequest(httpClient, request)
      const { status, bodyAsText } = response
      if (status >= 300)
        throw new RestError(`${new URL(origin).hostname} answered ${status}`, {
          statusCode: status,
          request,
          response,
        })
      // What cannot be parsed is an answer that cannot be read, as azureFailure says it.
      return { status, body: bodyAsText ? JSON.parse(bodyAsText) : null }
    })
}

export type Rest = ReturnType<typeof restClient>

/** Claims of the token that we call with: who we are, where, and with which application roles. */
export async function ourClaims(
  { access }: Azure,
  scope: string,
): Promise<Readonly<Record<string, unknown>>> {
  const token = await access.credential.getToken(`${scope}/.default`)
  const part = token?.token.split('.')[1]
  const claims: unknown = part === undefined ? {} : JSON.parse(Buffer.from(part, 'base64url').toString())
  return typeof claims === 'object' && claims !== null ? { ...claims } : {}
}
