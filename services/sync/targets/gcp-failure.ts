import { Denied, messageOf, Transient } from '@attestry/kit'
import { isAbort } from '@attestry/kit/azure'

/** google.rpc.Code by number, as the SDKs give it. */
const CODES: Readonly<Record<number, string>> = {
  3: 'INVALID_ARGUMENT',
  4: 'DEADLINE_EXCEEDED',
  5: 'NOT_FOUND',
  6: 'ALREADY_EXISTS',
  7: 'PERMISSION_DENIED',
  8: 'RESOURCE_EXHAUSTED',
  9: 'FAILED_PRECONDITION',
  10: 'ABORTED',
  13: 'INTERNAL',
  14: 'UNAVAILABLE',
  16: 'UNAUTHENTICATED',
}
/** And by HTTP status, where an older SDK hands on what the transport said. */
const BY_STATUS: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ALREADY_EXISTS',
  429: 'RESOURCE_EXHAUSTED',
}
const WEATHER = new Set(['DEADLINE_EXCEEDED', 'ABORTED', 'INTERNAL', 'UNAVAILABLE'])

const field = (of: unknown, ...path: readonly string[]): unknown => {
  let at = of
  for (const name of path) at = typeof at === 'object' && at !== null ? Reflect.get(at, name) : undefined
  return at
}

/** Errors of Google's SDKs carry the whole request, payload included; only what was said is kept. */
const told = (thrown: unknown): Error =>
  new Error(`${thrown instanceof Error ? thrown.name : 'Error'}: ${messageOf(thrown)}`)

/** Google's code of a failure: a canonical one, or OAuth's such as `invalid_grant`; null where there was no answer. */
function codeOf(thrown: unknown): string | null {
  const said = field(thrown, 'response', 'data', 'error')
  if (typeof said === 'string') return said
  const canonical = field(said, 'status')
  if (typeof canonical === 'string') return canonical
  const oauth = /^Error code (\w+)/.exec(messageOf(thrown))?.[1]
  if (oauth !== undefined && oauth !== 'undefined') return oauth
  const status =
    field(thrown, 'httpStatusCode') ?? field(thrown, 'response', 'status') ?? field(thrown, 'status')
  const code = field(thrown, 'code')
  if (typeof code === 'number' && CODES[code] !== undefined) return CODES[code]
  const http = typeof status === 'number' ? status : typeof code === 'number' ? code : null
  if (http === null) return null
  return BY_STATUS[http] ?? (http >= 500 ? 'UNAVAILABLE' : `Http${http}`)
}

/** The canonical code of a refusal, such as `NOT_FOUND`; empty where it is none. */
export const gcpCode = (error: unknown): string => (error instanceof Denied ? error.code : '')

/**
 * What a failure of a Google SDK means: `Transient` (quota, 5xx, no connection), `Denied` with Google's code and the
 * permission that is missing, or an Error. An abort is handed back as it is.
 */
export function gcpFailure(thrown: unknown): Error {
  if (thrown instanceof Transient || thrown instanceof Denied) return thrown
  if (isAbort(thrown) && thrown instanceof Error) return thrown
  const cause = told(thrown)
  const code = codeOf(thrown)
  if (code === 'RESOURCE_EXHAUSTED') {
    const headers = field(thrown, 'response', 'headers')
    const seconds = Number(headers instanceof Headers ? headers.get('retry-after') : Number.NaN)
    // Quotas are by the minute.
    return new Transient('Google Cloud throttles us', {
      cause,
      retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 5_000,
    })
  }
  if (code === null || WEATHER.has(code))
    return new Transient(`Google Cloud could not be reached or failed: ${code ?? 'no answer'}`, { cause })
  const permission = /[Pp]ermission '([\w.]+)' denied/.exec(messageOf(thrown))?.[1]
  return new Denied(
    code,
    `Google Cloud refused: ${code}${permission === undefined ? '' : `: the role lacks ${permission}`}`,
    { cause },
  )
}
