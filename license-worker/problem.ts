import type { Problem, RefusalKind } from '@attestry/contracts/http'

/** The one place that knows HTTP statuses. */
const STATUS: Readonly<Record<RefusalKind, number>> = {
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

/** An RFC 9457 answer. */
export function problem(
  kind: RefusalKind | 'internal',
  code: string,
  detail: string,
  errors: readonly { field: string; message: string }[] = [],
): Response {
  const status = kind === 'internal' ? 500 : STATUS[kind]
  const body: Problem = {
    type: `about:blank#${code}`,
    title: code.charAt(0).toUpperCase() + code.slice(1).replaceAll('-', ' '),
    status,
    detail,
    code,
    ...(errors.length > 0 ? { errors: [...errors] } : {}),
  }
  const headers = new Headers({ 'content-type': 'application/problem+json', 'cache-control': 'no-store' })
  if (kind === 'too-many') headers.set('retry-after', '60')
  if (kind === 'unauthenticated') headers.set('www-authenticate', 'Bearer realm="vendor"')
  return new Response(JSON.stringify(body), { status, headers })
}

/** A refusal as a value, named as in the endpoint's table. */
export interface Refused<C extends string = string> {
  readonly refused: C
  readonly detail: string
}

export const refuse = <const C extends string>(code: C, detail: string): Refused<C> => ({
  refused: code,
  detail,
})

export const isRefused = (value: unknown): value is Refused =>
  typeof value === 'object' && value !== null && 'refused' in value && 'detail' in value
