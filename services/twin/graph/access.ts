import type { Caller } from '../entra/tokens.ts'
import type { Application, ServicePrincipal } from '../estate/estate.ts'
import { json, operations, type Call, type Cloud, type Plane } from '../operation.ts'
import { Refusal } from '../refusal.ts'

const throttled = (retry: number | undefined) =>
  new Refusal(429, 'TooManyRequests', 'Too many requests.', {
    headers: retry === undefined ? {} : { 'retry-after': String(retry) },
  })

const tokenMessages = {
  missing: 'Access token is empty.',
  malformed: 'CompactToken parsing failed with error code: 80049217',
  signature: 'Access token validation failure. Invalid signature.',
  audience: 'Access token validation failure. Invalid audience.',
  expired: 'Lifetime validation failed, the token is expired.',
} as const

const unauthorized = (message: string) =>
  new Refusal(401, 'InvalidAuthenticationToken', message, {
    headers: {
      'www-authenticate': `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`,
    },
  })

export const denied = () =>
  new Refusal(403, 'Authorization_RequestDenied', 'Insufficient privileges to complete the operation.')

export const absent = (id: string) =>
  new Refusal(
    404,
    'Request_ResourceNotFound',
    `Resource '${id}' does not exist or one of its queried reference-property objects are not present.`,
  )

export const reading = ['Application.Read.All', 'Application.ReadWrite.All', 'Directory.Read.All']
export const readingOwned = [...reading, 'Application.ReadWrite.OwnedBy']

/**
 * Graph's door: its errors, and who may come in.
 * @see https://learn.microsoft.com/graph/errors
 */
export function graphAccess(cloud: Cloud) {
  const { estate, clock, tokens, throttle } = cloud
  const newId = () => cloud.randomHex(16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  const plane: Plane = {
    name: 'graph',
    render(refusal) {
      const id = newId()
      const date = new Date(clock.now()).toISOString().slice(0, 19)
      return json(
        {
          error: {
            code: refusal.code,
            message: refusal.message,
            innerError: { date, 'request-id': id, 'client-request-id': id },
          },
        },
        refusal.status,
        { 'request-id': id, ...refusal.headers },
      )
    },
    throttled,
  }

  /** Checks token and application role, and takes the request's units from the directory's bucket. */
  async function admit(call: Call, roles: readonly string[], query: readonly string[] = []): Promise<Caller> {
    const caller = await tokens.check(call.context.req.header('authorization'), [
      'https://graph.microsoft.com',
    ])
    if (typeof caller === 'string') throw unauthorized(tokenMessages[caller])
    if (call.tokenExpired) throw unauthorized(tokenMessages.expired)
    const unknown = [...call.url.searchParams.keys()].find((key) => !query.includes(key))
    if (unknown !== undefined)
      throw new Refusal(
        400,
        'Request_UnsupportedQuery',
        `The query parameter '${unknown}' is not supported for this request.`,
      )
    // Units of the identity service: $select and small pages cost less, reads of one object cost 1, writes 2.
    const wait = throttle.take('graph.unit', estate.directory, {
      cost: call.context.req.method === 'GET' ? 1 : 2,
    })
    if (wait !== undefined) throw throttled(wait)
    if (!roles.some((role) => caller.roles.includes(role))) throw denied()
    return caller
  }

  return {
    operation: operations(cloud, plane),
    newId,
    admit,
    /** Changing an application or a principal takes the role for all of them, or ownership of this one. */
    async admitChange<T extends Application | ServicePrincipal>(call: Call, find: () => T): Promise<T> {
      const caller = await admit(call, ['Application.ReadWrite.All', 'Application.ReadWrite.OwnedBy'])
      const target = find()
      const owns = target.owners.some(({ id }) => id === caller.objectId)
      if (!caller.roles.includes('Application.ReadWrite.All') && !owns) throw denied()
      return target
    },
    applicationOf(call: Call): Application {
      const id = call.context.req.param('id') ?? ''
      const byAppId = id.match(/^\(appId='([^']*)'\)$/)?.[1]
      const application = estate.applications.find((one) =>
        byAppId === undefined ? one.id === id : one.appId === byAppId,
      )
      if (application === undefined) throw absent(id)
      return application
    },
    principalOf(call: Call): ServicePrincipal {
      const id = call.context.req.param('id') ?? ''
      const byAppId = id.match(/^\(appId='([^']*)'\)$/)?.[1]
      const principal = estate.servicePrincipals.find((one) =>
        byAppId === undefined ? one.id === id : one.appId === byAppId,
      )
      if (principal === undefined) throw absent(id)
      return principal
    },
  }
}

export type GraphAccess = ReturnType<typeof graphAccess>
