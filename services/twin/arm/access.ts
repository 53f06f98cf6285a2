import type { Caller } from '../entra/tokens.ts'
import { mayDo } from '../estate/roles.ts'
import { json, type Call, type Cloud, type Plane } from '../operation.ts'
import { Refusal } from '../refusal.ts'

const audiences = ['https://management.azure.com', 'https://management.core.windows.net']

const throttled = (retryAfterSeconds: number | undefined) =>
  new Refusal(
    429,
    'TooManyRequests',
    'Number of requests exceeded the limit for the subscription and principal. Please try again later.',
    {
      headers: retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) },
    },
  )

/** Resource Manager's errors: `{ error: { code, message } }`. */
export const armPlane: Plane = {
  name: 'arm',
  render: (refusal) =>
    json({ error: { code: refusal.code, message: refusal.message } }, refusal.status, refusal.headers),
  throttled,
}

/** A resource type's api-versions that the twin's shapes agree with. */
export const apiVersions = {
  subscriptions: ['2016-06-01', '2018-06-01', '2019-06-01', '2020-01-01', '2021-01-01', '2022-12-01'],
  resourceGroups: ['2020-06-01', '2021-04-01', '2022-09-01', '2024-03-01', '2025-04-01'],
  vaults: ['2021-10-01', '2022-07-01', '2023-02-01', '2023-07-01', '2024-11-01', '2025-05-01', '2026-02-01'],
  sites: [
    '2022-03-01',
    '2022-09-01',
    '2023-01-01',
    '2023-12-01',
    '2024-04-01',
    '2024-11-01',
    '2025-03-01',
    '2025-05-01',
  ],
  containerApps: ['2023-05-01', '2024-03-01', '2025-01-01', '2025-07-01', '2026-01-01', '2026-07-01'],
  storageAccounts: ['2023-05-01', '2024-01-01', '2025-06-01', '2025-08-01', '2026-09-01'],
  serviceBus: ['2021-11-01', '2024-01-01'],
  roleAssignments: ['2022-04-01'],
  permissions: ['2022-04-01'],
  roleDefinitions: ['2022-04-01'],
  diagnosticSettings: ['2021-05-01-preview'],
  resourceGraph: ['2021-03-01', '2022-10-01', '2024-04-01'],
} as const satisfies Record<string, readonly string[]>

const tokenMessages = {
  missing: ['AuthenticationFailed', "Authentication failed. The 'Authorization' header is missing."],
  malformed: ['InvalidAuthenticationToken', 'The access token is invalid.'],
  signature: ['InvalidAuthenticationToken', 'The access token signature validation failed.'],
  audience: [
    'InvalidAuthenticationTokenAudience',
    "The access token has been obtained for wrong audience or resource. It should exactly match with one of the allowed audiences 'https://management.core.windows.net/','https://management.azure.com/'.",
  ],
  expired: [
    'ExpiredAuthenticationToken',
    'The access token expiry UTC time is earlier than current UTC time.',
  ],
} as const

/** Checks version and token of a call to Resource Manager. */
export async function authenticate(
  cloud: Cloud,
  call: Call,
  type: keyof typeof apiVersions,
): Promise<Caller> {
  const version = call.url.searchParams.get('api-version')
  if (version === null)
    throw new Refusal(
      400,
      'MissingApiVersionParameter',
      'The api-version query parameter (?api-version=) is required for all requests.',
    )
  const known: readonly string[] = apiVersions[type]
  if (!known.includes(version))
    throw new Refusal(
      400,
      'InvalidApiVersionParameter',
      `The api-version '${version}' is invalid. The supported versions are '${known.toReversed().join(',')}'.`,
    )
  const caller = await cloud.tokens.check(call.context.req.header('authorization'), audiences)
  const fault = typeof caller === 'string' ? caller : call.tokenExpired ? 'expired' : undefined
  if (fault !== undefined) {
    const [code, message] = tokenMessages[fault]
    throw new Refusal(401, code, message, {
      headers: {
        'www-authenticate': `Bearer authorization_uri="https://login.microsoftonline.com/${cloud.estate.directory}", error="invalid_token", error_description="${message}"`,
      },
    })
  }
  // Narrowed: a string would have thrown above.
  return caller as Caller
}

/** Takes one read or write from the caller's bucket in this subscription (or in the directory). */
export function spend(
  cloud: Cloud,
  caller: Caller,
  subscription: string,
  kind: 'arm.read' | 'arm.write' = 'arm.read',
) {
  const wait = cloud.throttle.take(kind, `${subscription} ${caller.objectId}`)
  if (wait !== undefined) throw throttled(wait)
}

/** Refuses unless some role allows the action at the scope. */
export function authorize(cloud: Cloud, caller: Caller, action: string, scope: string) {
  if (mayDo(cloud.estate, caller.objectId, action, scope)) return
  throw new Refusal(
    403,
    'AuthorizationFailed',
    `The client '${caller.appId}' with object id '${caller.objectId}' does not have authorization to perform action '${action}' over scope '${scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.`,
  )
}
