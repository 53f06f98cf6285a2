import { Denied, messageOf, Transient } from '@attestry/kit'
import { isAbort } from '@attestry/kit/azure'

const THROTTLED =
  /^(Throttling|ThrottlingException|ThrottledException|RequestThrottled(Exception)?|TooManyRequestsException|TooManyUpdates|RequestLimitExceeded|ProvisionedThroughputExceededException|SlowDown)$/
const UNREACHED =
  /^(TimeoutError|NetworkingError|ECONNRESET|ECONNREFUSED|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)$/
/** What the far side was doing when it failed; tried again, it may work. */
const WEATHER =
  /^(InternalServiceError|InternalServerError|InternalFailure|ServiceUnavailable(Exception)?|RequestTimeout(Exception)?|IDPCommunicationError)$/

/** A field of an error, one that does not show when it is listed included: the SDK hides the response. */
const field = (of: unknown, name: string): unknown =>
  typeof of === 'object' && of !== null ? Reflect.get(of, name) : undefined

/** The code of a refusal of AWS, such as `ResourceNotFoundException`; empty where it is none. */
export const awsCode = (thrown: unknown): string =>
  thrown instanceof Denied ? thrown.code : thrown instanceof Error ? thrown.name : ''

/** The clouds' errors carry requests and answers; only what was said is kept. */
const told = (thrown: unknown): Error =>
  new Error(`${thrown instanceof Error ? thrown.name : 'Error'}: ${messageOf(thrown)}`)

/**
 * What a failure of the AWS SDK means: `Transient` (throttled, 5xx, no connection), `Denied` with AWS's code and the
 * action that was not allowed, or an Error (an answer that cannot be read). An abort is handed back as it is.
 */
export function awsFailure(thrown: unknown): Error {
  if (thrown instanceof Transient || thrown instanceof Denied) return thrown
  if (isAbort(thrown) && thrown instanceof Error) return thrown
  const name = thrown instanceof Error ? thrown.name : ''
  const status = field(field(thrown, '$metadata'), 'httpStatusCode')
  const cause = told(thrown)
  if (THROTTLED.test(name) || status === 429) {
    const headers = field(field(thrown, '$response'), 'headers')
    const seconds = Number(field(headers, 'retry-after'))
    return new Transient('AWS throttles us', {
      cause,
      retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 1000,
    })
  }
  if (WEATHER.test(name) || (typeof status === 'number' && status >= 500))
    return new Transient(`AWS answered ${String(status)} (${name})`, { cause })
  const code = field(thrown, 'code')
  if (status === undefined && (UNREACHED.test(name) || (typeof code === 'string' && UNREACHED.test(code))))
    return new Transient(`AWS could not be reached: ${typeof code === 'string' ? code : name}`, { cause })
  if (typeof status === 'number' && status >= 400) {
    const action = /not authorized to perform: ([\w:]+)/i.exec(messageOf(thrown))?.[1]
    const says = action === undefined ? '' : `: the role may not do ${action}`
    return new Denied(name, `AWS refused: ${name} (${status})${says}`, { cause })
  }
  if (name === 'CredentialsProviderError')
    return new Denied('CredentialUnavailable', 'This machine has no AWS identity of its own', { cause })
  return new Error('AWS sent an answer that cannot be read', { cause })
}
