import type { Problem, RefusalKind } from '@attestry/contracts/http'

/** The one place that knows HTTP statuses. */
const STATUS: Record<RefusalKind, number> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'too-large': 413,
  locked: 423,
  'too-many': 429,
  unavailable: 503,
}

/** What a problem's code is called in a sentence: `already-running` → `Already running`. */
const titleOf = (code: string): string => {
  const words = code.replaceAll('-', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/**
 * An RFC 9457 answer. `type` is a relative reference that the interactive documentation resolves.
 * `retryAfterSeconds` becomes the header where trying again makes sense.
 */
export function problem(
  kind: RefusalKind | 'internal',
  code: string,
  detail: string,
  more: {
    errors?: readonly { field: string; message: string }[]
    instance?: string
    retryAfterSeconds?: number
  } = {},
): Response {
  const status = kind === 'internal' ? 500 : STATUS[kind]
  const body: Problem = {
    type: `/docs/problems#${code}`,
    title: titleOf(code),
    status,
    detail,
    code,
    ...(more.instance ? { instance: more.instance } : {}),
    ...(more.errors ? { errors: [...more.errors] } : {}),
  }
  const headers = new Headers({ 'content-type': 'application/problem+json', 'cache-control': 'no-store' })
  if (more.retryAfterSeconds !== undefined) headers.set('retry-after', String(more.retryAfterSeconds))
  if (kind === 'unauthenticated') headers.set('www-authenticate', 'Bearer realm="attestry"')
  return new Response(JSON.stringify(body), { status, headers })
}
