import { type Endpoint, http } from '@attestry/contracts/http'
import { ADDRESS_HEADER, problem, RECORDED_HEADER, SCHEME_HEADER, Transient } from '@attestry/kit'
import type { Admission, AdmissionDesk, Admitted } from './admission.ts'
import { docs } from './docs.ts'

type Fetch = (request: Request) => Promise<Response>

/** On every answer. */
const SAFE_HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}

/** What an answer that is no page may do in a browser. */
const NO_PAGE_CSP = "default-src 'none'; frame-ancestors 'none'"

/** Problems that an operator ran into by asking for too much: they are recorded. */
const RECORDED: Readonly<Record<string, string>> = { 'role-missing': 'role', 'not-licensed': 'licence' }

const patterns = Object.entries(http).flatMap(([service, table]) =>
  Object.entries<Endpoint>(table).map(([name, endpoint]) => ({
    action: `${service}.${name}`,
    method: endpoint.method,
    path: new RegExp(
      `^${endpoint.path.replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&').replaceAll(/\{\w+\}/g, '[^/]+')}$`,
    ),
  })),
)

/** The operation that a request asks for, such as `discovery.startScan`; null for none of ours. */
const actionOf = (method: string, path: string): string | null =>
  patterns.find((p) => p.method === method && p.path.test(path))?.action ?? null

/** The code of an RFC 9457 answer, which stays unread for the caller. */
async function codeOf(response: Response): Promise<string | null> {
  if (!response.headers.get('content-type')?.startsWith('application/problem+json')) return null
  // To HEAD there is no more to read than the headers.
  if (!response.body) return null
  const body: unknown = await response.clone().json()
  return typeof body === 'object' && body !== null && 'code' in body ? String(body.code) : null
}

/** A session that cannot be looked at now is a problem for now. */
const away = (error: unknown): Response => {
  if (!(error instanceof Transient)) throw error
  return problem('unavailable', 'try-again', error.message, {
    retryAfterSeconds: Math.ceil((error.retryAfterMs ?? 1000) / 1000),
  })
}

/**
 * The one HTTP face: looks at the session, hands the request with a fresh token to whoever answers it, and sees to
 * the headers that guard a browser.
 */
export function createFace(options: {
  readonly desk: AdmissionDesk
  readonly own: Fetch
  readonly mounts: ReadonlyMap<string, Fetch>
  readonly files: ((request: Request) => Promise<Response | null>) | null
  readonly refused: (who: Admitted, action: string, reason: string, request: Request) => Promise<void>
  /** Records what somebody did that left no event of its own, so that no action of a person goes unrecorded. */
  readonly taken: (who: Admitted, action: string, request: Request) => Promise<void>
  readonly https: boolean
}): Fetch {
  const { desk, own, mounts, files, refused, taken, https } = options

  const answerer = (path: string): Fetch | null => {
    const context = /^\/api\/([a-z]+)(\/|$)/.exec(path)?.[1]
    const mount = context === undefined ? undefined : mounts.get(context)
    if (mount) return mount
    return /^\/(api|auth)(\/|$)|^\/(health|ready)$/.test(path) ? own : null
  }

  const asked = async (request: Request, to: Fetch, path: string): Promise<Response> => {
    const admission: Admission = await desk.admit(request)
    if (admission.refusal) return withHeaders(admission.refusal, admission.headers)
    const response = await to(admission.request)
    const changes = request.method !== 'GET' && request.method !== 'HEAD'
    if (changes && response.ok && admission.admitted && !response.headers.has(RECORDED_HEADER)) {
      const action = actionOf(request.method, path)
      if (action) await taken(admission.admitted, action, request)
    }
    if (response.status === 403 && admission.admitted) {
      const reason = RECORDED[(await codeOf(response)) ?? '']
      const action = actionOf(request.method, path)
      if (reason && action) await refused(admission.admitted, action, reason, request)
    }
    // What the endpoint itself says of the cookie goes before the sliding.
    const slides = response.headers.has('set-cookie') ? {} : admission.headers
    return withHeaders(response, slides)
  }

  const page = async (request: Request, path: string): Promise<Response> => {
    const found =
      request.method === 'GET' || request.method === 'HEAD'
        ? ((await docs(path)) ?? (await files?.(request)))
        : null
    if (found) return found
    return problem('not-found', 'no-such-path', `Nothing answers ${request.method} ${path}.`)
  }

  return async (request) => {
    const path = new URL(request.url).pathname
    const to = answerer(path)
    const response = to ? await asked(request, to, path).catch(away) : await page(request, path)
    const secure = https || request.headers.get(SCHEME_HEADER) === 'https'
    return withHeaders(response, {
      ...SAFE_HEADERS,
      ...(response.headers.has('content-security-policy') ? {} : { 'content-security-policy': NO_PAGE_CSP }),
      ...(secure ? { 'strict-transport-security': 'max-age=31536000' } : {}),
    })
  }
}

/** Headers of a fetched response may be immutable, so the answer is made anew around the same body. */
function withHeaders(response: Response, more: Readonly<Record<string, string>>): Response {
  const entries = Object.entries(more)
  if (entries.length === 0) return response
  const headers = new Headers(response.headers)
  for (const [name, value] of entries) headers.set(name, value)
  return new Response(response.body, { status: response.status, headers })
}

export const addressOf = (request: Request): string => request.headers.get(ADDRESS_HEADER) ?? ''
