import { createHmac, timingSafeEqual } from 'node:crypto'
import { importSPKI, jwtVerify } from 'jose'
import { bodyOf, type Call, type Cloud, json, type Plane } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import type { LimitName } from '../throttle.ts'
import { permits } from './iam.ts'
import type { Binding, GcpProject } from './project.ts'

/** The canonical codes of google.rpc.Code with their HTTP statuses. */
const statuses = {
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  RESOURCE_EXHAUSTED: 429,
} as const

interface ErrorInfo {
  readonly reason: string
  readonly domain: string
  readonly metadata: Record<string, string>
}

/** A refusal with the details that google.rpc.ErrorInfo carries. */
class GcpRefusal extends Refusal {
  readonly info: ErrorInfo | undefined
  constructor(status: Refusal['status'], code: string, message: string, info?: ErrorInfo) {
    super(status, code, message)
    this.info = info
  }
}

export const gcpRefusal = (code: keyof typeof statuses, message: string, info?: ErrorInfo): Refusal =>
  new GcpRefusal(statuses[code], code, message, info)

/** Query names that every method takes. */
export const commonQuery = ['$alt', 'alt', '$prettyPrint', 'prettyPrint', 'fields']

/** @see https://cloud.google.com/apis/design/errors#http_mapping */
export function gcpPlane(name: `gcp.${string}`): Plane {
  return {
    name,
    render: (refusal) =>
      json(
        {
          error: {
            code: refusal.status,
            message: refusal.message,
            status:
              refusal.status >= 500
                ? 'UNAVAILABLE'
                : refusal.code === 'BadParameter'
                  ? 'INVALID_ARGUMENT'
                  : refusal.code,
            ...(refusal instanceof GcpRefusal && refusal.info !== undefined
              ? { details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', ...refusal.info }] }
              : {}),
          },
        },
        refusal.status,
        refusal.headers,
      ),
    throttled: (retry) =>
      new Refusal(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded.', {
        headers: retry === undefined ? {} : { 'retry-after': String(retry) },
      }),
  }
}

interface AccessTicket {
  readonly member: string
  readonly expiresAt: number
}

/** Access tokens: opaque to callers, and all that the twin must know stands in them under a MAC. */
export function accessTokens(cloud: Cloud) {
  const macKey = createHmac('sha256', 'google access tokens')
    .update(cloud.tokens.signingKey.d ?? '')
    .digest()
  const mac = (text: string) => createHmac('sha256', macKey).update(text).digest()

  /** The service account that signed the caller's token with a key of its own, for this host or this scope. */
  async function signer(call: Call): Promise<string | undefined> {
    const [, token] =
      /^Bearer (ey[\w-]+\.[\w-]+\.[\w-]+)$/.exec(call.context.req.header('authorization') ?? '') ?? []
    if (token === undefined || call.tokenExpired) return undefined
    for (const { serviceAccounts } of cloud.estate.gcp)
      for (const { email, keys } of serviceAccounts)
        for (const { publicKey } of keys) {
          const verified = await jwtVerify(token, await importSPKI(publicKey, 'RS256'), {
            issuer: email,
            subject: email,
            currentDate: new Date(cloud.clock.now()),
          }).catch(() => undefined)
          if (verified === undefined) continue
          const { aud, scope } = verified.payload
          const forScope = scope === 'https://www.googleapis.com/auth/cloud-platform'
          if (forScope || aud === `https://${call.host}/`) return `serviceAccount:${email}`
        }
    return undefined
  }

  return {
    issue(member: string, expiresAt: number): string {
      const ticket: AccessTicket = { member, expiresAt }
      const text = Buffer.from(JSON.stringify(ticket)).toString('base64url')
      return `ya29.${text}.${mac(text).toString('base64url')}`
    },
    /**
     * Who calls: the member that a token was issued to, or the service account whose key signed one itself.
     * @throws Refusal UNAUTHENTICATED
     * @see https://google.aip.dev/auth/4111 on self-signed tokens
     */
    async check(call: Call): Promise<string> {
      const selfSigned = await signer(call)
      if (selfSigned !== undefined) return selfSigned
      const [, text = '', given = ''] =
        /^Bearer ya29\.([\w-]+)\.([\w-]+)$/.exec(call.context.req.header('authorization') ?? '') ?? []
      const presented = Buffer.from(given, 'base64url')
      const expected = mac(text)
      const good = presented.length === expected.length && timingSafeEqual(presented, expected)
      // Our own text under our own MAC.
      const ticket = good
        ? (JSON.parse(Buffer.from(text, 'base64url').toString()) as AccessTicket)
        : undefined
      if (ticket === undefined || ticket.expiresAt <= cloud.clock.now() || call.tokenExpired)
        throw gcpRefusal(
          'UNAUTHENTICATED',
          'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.',
          {
            reason: 'ACCESS_TOKEN_EXPIRED',
            domain: 'googleapis.com',
            metadata: { service: call.host },
          },
        )
      return ticket.member
    },
  }
}
export type AccessTokens = ReturnType<typeof accessTokens>

/** A verified request to a project. */
export interface GcpRequest {
  readonly project: GcpProject
  readonly body: Record<string, unknown>
  /** @throws Refusal PERMISSION_DENIED in the words of the service */
  allow(permission: string, resource: string, own?: readonly Binding[]): void
  /** @throws Refusal RESOURCE_EXHAUSTED when the bucket is empty */
  throttle(limit: LimitName, scope?: string): void
}

/** Checks token and project; a project that is not there answers as one that is forbidden. */
export async function enterProject(cloud: Cloud, tokens: AccessTokens, call: Call): Promise<GcpRequest> {
  const member = await tokens.check(call)
  const named = call.context.req.param('project') ?? ''
  const project = cloud.estate.gcp.find(({ id, number }) => id === named || number === named)
  if (project === undefined)
    throw gcpRefusal('PERMISSION_DENIED', `Permission denied on resource project ${named}.`, {
      reason: 'CONSUMER_INVALID',
      domain: 'googleapis.com',
      metadata: { service: call.host, consumer: `projects/${named}` },
    })
  const body = ['POST', 'PATCH'].includes(call.context.req.method) ? await bodyOf(call) : {}
  return {
    project,
    body,
    allow(permission, resource, own = []) {
      // Conditions know resources by the project's number.
      const numbered = resource.replace(/^projects\/[^/]+/, `projects/${project.number}`)
      if (permits(project, [...project.policy, ...own], { member, permission, resource: numbered })) return
      throw gcpRefusal(
        'PERMISSION_DENIED',
        `Permission '${permission}' denied for resource '${resource}' (or it may not exist).`,
        {
          reason: 'IAM_PERMISSION_DENIED',
          domain: 'iam.googleapis.com',
          metadata: { permission, resource },
        },
      )
    },
    throttle(limit, scope = '') {
      if (cloud.throttle.take(limit, `${project.number} ${scope}`) === undefined) return
      throw gcpRefusal(
        'RESOURCE_EXHAUSTED',
        `Quota exceeded for quota metric '${limit}' and limit '${limit} per minute' of service '${call.host}' for consumer 'project_number:${project.number}'.`,
        {
          reason: 'RATE_LIMIT_EXCEEDED',
          domain: 'googleapis.com',
          metadata: { service: call.host, consumer: `projects/${project.number}` },
        },
      )
    },
  }
}

/** `2026-11-26T03:30:00.123Z`, as timestamps stand in JSON. */
export const timestamp = (ms: number): string => new Date(ms).toISOString()

/** A page of what is listed, with an opaque token for the next. */
export function gcpPage<T>(
  call: Call,
  items: readonly T[],
  most: number,
): { items: T[]; nextPageToken?: string } {
  const size = Number(call.url.searchParams.get('pageSize') ?? 0) || most
  const token = call.url.searchParams.get('pageToken')
  const offset = token ? Number(/^at (\d+)$/.exec(Buffer.from(token, 'base64url').toString())?.[1]) : 0
  if (Number.isNaN(offset)) throw gcpRefusal('INVALID_ARGUMENT', 'The page token is not valid.')
  if (size < 0) throw gcpRefusal('INVALID_ARGUMENT', 'The page size must not be negative.')
  const end = offset + Math.min(size, most)
  return {
    items: items.slice(offset, end),
    ...(end < items.length ? { nextPageToken: Buffer.from(`at ${end}`).toString('base64url') } : {}),
  }
}

/** A field of a body that maps names to texts; undefined where it is not given. */
export function textMap(body: Record<string, unknown>, field: string): Record<string, string> | undefined {
  const value = body[field]
  if (value === undefined) return undefined
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : []
  if (typeof value !== 'object' || entries.some(([, text]) => typeof text !== 'string'))
    throw gcpRefusal('INVALID_ARGUMENT', `Invalid value at '${field}': a map of strings is wanted.`)
  return Object.fromEntries(entries.map(([key, text]) => [key, String(text)]))
}

/** @see https://cloud.google.com/resource-manager/docs/labels-overview#requirements */
export function checkLabels(labels: Record<string, string>): void {
  if (Object.keys(labels).length > 64)
    throw gcpRefusal('INVALID_ARGUMENT', 'A resource can have at most 64 labels.')
  for (const [key, value] of Object.entries(labels))
    if (
      !/^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u.test(key) ||
      !/^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u.test(value)
    )
      throw gcpRefusal(
        'INVALID_ARGUMENT',
        `Invalid label '${key}': keys and values hold lower-case letters, digits, _ and -, at most 63.`,
      )
}

/** The paths of an update mask. */
export function updateMask(call: Call, known: readonly string[]): string[] {
  const paths = (call.url.searchParams.get('updateMask') ?? '').split(',').filter((path) => path !== '')
  if (paths.length === 0)
    throw gcpRefusal('INVALID_ARGUMENT', 'The update mask must name at least one field.')
  const camel = paths.map((path) => path.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()))
  const unknown = camel.find((path) => !known.includes(path))
  if (unknown !== undefined)
    throw gcpRefusal('INVALID_ARGUMENT', `The update mask names a field that cannot be updated: ${unknown}.`)
  return camel
}
