import { currentTrace, problem } from '@attestry/kit'
import { proxy } from 'hono/proxy'

/** A service's HTTP face: its fetch function where it runs in this process, else its address. */
export type Mount = ((request: Request) => Response | Promise<Response>) | URL

/** How long a service of another process may take to begin its answer. */
const ANSWER_WITHIN_MS = 30_000

/**
 * The fetch function of a mount. A service that is away answers 503 and says which; a stream goes on for as long as
 * it likes once it has begun.
 */
export function faceOf(
  name: string,
  mount: Mount,
  options: { readonly answerWithinMs?: number } = {},
): (request: Request) => Promise<Response> {
  if (typeof mount === 'function') return async (request) => mount(request)
  const { answerWithinMs = ANSWER_WITHIN_MS } = options
  return async (request) => {
    const { pathname, search } = new URL(request.url)
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(new Error('no answer in time')), answerWithinMs)
    try {
      return await proxy(new URL(pathname + search, mount), {
        raw: request,
        signal: AbortSignal.any([request.signal, late.signal]),
        headers: forwarded(request.headers),
        redirect: 'manual',
      })
    } catch (error) {
      if (request.signal.aborted) throw error
      const why = late.signal.aborted ? 'does not answer in time' : 'cannot be reached'
      return problem(
        'unavailable',
        'service-away',
        `The ${name} service ${why}; what it does goes on when it is back.`,
        { retryAfterSeconds: 5 },
      )
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Of one hop alone (RFC 9110 7.6.1). */
const HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'upgrade',
  'host',
]

const forwarded = (from: Headers): Headers => {
  const headers = new Headers(from)
  for (const name of HOP) headers.delete(name)
  // A stranger's trace ends at the gateway; ours goes on to the service.
  headers.delete('traceparent')
  headers.delete('tracestate')
  for (const [name, value] of Object.entries(currentTrace() ?? {})) headers.set(name, value)
  return headers
}
