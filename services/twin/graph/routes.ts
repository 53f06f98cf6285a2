import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { Caller } from '../entra/tokens.ts'
import type { Application, PasswordCredential, ServicePrincipal } from '../estate/estate.ts'
import { bodyOf, json, operations, type Call, type Cloud, type Plane } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import { applicationObject, ownerObject, passwordCredential, servicePrincipalObject } from './objects.ts'

const defaultPage = 100
const largestPage = 999
/** addPassword without an end date gives two years. */
const defaultLifetimeSeconds = 2 * 365 * 86_400

const listQuery = ['$top', '$select', '$expand', '$count', '$filter', '$skiptoken']

/**
 * Microsoft Graph v1.0: applications, their owners and password credentials, service principals.
 * @see https://learn.microsoft.com/graph/errors
 */
export function graphRoutes(cloud: Cloud) {
  const { estate, clock, tokens, throttle } = cloud
  const requestId = () => cloud.randomHex(16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  const throttled = (retry: number | undefined) =>
    new Refusal(429, 'TooManyRequests', 'Too many requests.', {
      headers: retry === undefined ? {} : { 'retry-after': String(retry) },
    })
  const plane: Plane = {
    name: 'graph',
    render(refusal) {
      const id = requestId()
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
  const operation = operations(cloud, plane)
  const app = new Hono<{ Bindings: HttpBindings }>({
    // `/applications(appId='…')` addresses by key, so it is routed as `/applications/(appId='…')`.
    getPath: (request) =>
      decodeURIComponent(new URL(request.url).pathname)
        .replace(/^(\/v1\.0\/applications)(\(appId=)/, '$1/$2')
        .replace(/(?<=.)\/$/, ''),
  })
  const now = () => Math.floor(clock.now() / 1000)

  const unauthorized = (message: string) =>
    new Refusal(401, 'InvalidAuthenticationToken', message, {
      headers: {
        'www-authenticate': `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`,
      },
    })

  /** Checks token and application role, and takes the request's units from the directory's bucket. */
  async function admit(call: Call, roles: readonly string[], query: readonly string[] = []): Promise<Caller> {
    const caller = await tokens.check(call.context.req.header('authorization'), [
      'https://graph.microsoft.com',
    ])
    if (typeof caller === 'string')
      throw unauthorized(
        {
          missing: 'Access token is empty.',
          malformed: 'CompactToken parsing failed with error code: 80049217',
          signature: 'Access token validation failure. Invalid signature.',
          audience: 'Access token validation failure. Invalid audience.',
          expired: 'Lifetime validation failed, the token is expired.',
        }[caller],
      )
    if (call.tokenExpired) throw unauthorized('Lifetime validation failed, the token is expired.')
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
    if (!roles.some((role) => caller.roles.includes(role)))
      throw new Refusal(
        403,
        'Authorization_RequestDenied',
        'Insufficient privileges to complete the operation.',
      )
    return caller
  }

  const reading = ['Application.Read.All', 'Application.ReadWrite.All', 'Directory.Read.All']
  const readingOwned = [...reading, 'Application.ReadWrite.OwnedBy']

  function select(call: Call, context: string, object: Record<string, unknown>): Record<string, unknown> {
    const wanted = call.url.searchParams.get('$select')
    if (wanted === null) return object
    const names = wanted.split(',').map((name) => name.trim())
    const unknown = names.find((name) => !(name in object))
    if (unknown !== undefined)
      throw new Refusal(
        400,
        'BadRequest',
        `Parsing OData Select and Expand failed: Could not find a property named '${unknown}' on type 'microsoft.graph.${context}'.`,
      )
    return Object.fromEntries(names.map((name) => [name, object[name]]))
  }

  /** `property eq 'value'` on the properties that every directory object can be filtered by. */
  function filter<T extends { id: string; appId: string; name: string }>(
    call: Call,
    items: readonly T[],
  ): readonly T[] {
    const given = call.url.searchParams.get('$filter')
    if (given === null) return items
    const [, property, value] = given.match(/^\s*(id|appId|displayName)\s+eq\s+'([^']*)'\s*$/) ?? []
    if (value === undefined)
      throw new Refusal(
        400,
        'Request_UnsupportedQuery',
        'Unsupported or invalid query filter clause specified.',
      )
    return items.filter(
      (item) => (property === 'id' ? item.id : property === 'appId' ? item.appId : item.name) === value,
    )
  }

  /** A page with `@odata.nextLink`; the skip token holds the last id, so later changes neither repeat nor skip. */
  function list<T extends { id: string; appId: string; name: string }>(
    call: Call,
    set: string,
    type: string,
    items: readonly T[],
    render: (item: T) => Record<string, unknown>,
  ): Response {
    const { searchParams } = call.url
    const size = Number(searchParams.get('$top') ?? defaultPage)
    if (!Number.isInteger(size) || size < 1 || size > largestPage)
      throw new Refusal(
        400,
        'Request_UnsupportedQuery',
        `Invalid page size specified: '${searchParams.get('$top') ?? ''}'. Must be between 1 and ${largestPage} inclusive.`,
      )
    const counted = searchParams.get('$count') === 'true'
    if (counted && call.context.req.header('consistencylevel')?.toLowerCase() !== 'eventual')
      throw new Refusal(
        400,
        'Request_UnsupportedQuery',
        '$count is not currently supported without the header ConsistencyLevel: eventual.',
      )
    const token = searchParams.get('$skiptoken')
    const last = token === null ? undefined : Buffer.from(token, 'base64url').toString()
    if (last !== undefined && !last.startsWith('after:'))
      throw new Refusal(
        400,
        'Directory_ExpiredPageToken',
        'The specified page token value has expired or is not valid.',
      )
    const all = filter(call, items).toSorted((a, b) => (a.id < b.id ? -1 : 1))
    const rest = last === undefined ? all : all.filter(({ id }) => id > last.slice(6))
    const page = rest.slice(0, size)
    const next = new URL(`https://${call.host}${call.url.pathname}`)
    for (const [key, value] of searchParams) if (key !== '$skiptoken') next.searchParams.set(key, value)
    next.searchParams.set('$skiptoken', Buffer.from(`after:${page.at(-1)?.id ?? ''}`).toString('base64url'))
    return json({
      '@odata.context': `https://${call.host}/v1.0/$metadata#${set}`,
      ...(counted ? { '@odata.count': all.length } : {}),
      ...(rest.length > page.length ? { '@odata.nextLink': next.href } : {}),
      value: page.map((item) => ({ ...select(call, type, render(item)), ...expanded(call, item) })),
    })
  }

  function expanded(call: Call, item: object): Record<string, unknown> {
    const given = call.url.searchParams.get('$expand')
    if (given === null) return {}
    if (!/^owners(\(\$select=[\w,]+\))?$/.test(given) || !('owners' in item))
      throw new Refusal(
        400,
        'BadRequest',
        `Parsing OData Select and Expand failed: '${given}' cannot be expanded.`,
      )
    // Narrowed by 'owners' in item: only applications have them. The service expands at most twenty.
    return { owners: (item as Application).owners.slice(0, 20).map(ownerObject) }
  }

  const absent = (id: string) =>
    new Refusal(
      404,
      'Request_ResourceNotFound',
      `Resource '${id}' does not exist or one of its queried reference-property objects are not present.`,
    )

  function applicationOf(call: Call): Application {
    const id = call.context.req.param('id') ?? ''
    const byAppId = id.match(/^\(appId='([^']*)'\)$/)?.[1]
    const application = estate.applications.find((one) =>
      byAppId === undefined ? one.id === id : one.appId === byAppId,
    )
    if (application === undefined) throw absent(id)
    return application
  }

  /** Changing an application takes the role for all of them, or ownership of this one. */
  async function admitChange(call: Call, application: () => Application): Promise<Application> {
    const caller = await admit(call, ['Application.ReadWrite.All', 'Application.ReadWrite.OwnedBy'])
    const target = application()
    const owns = target.owners.some(({ id }) => id === caller.objectId)
    if (!caller.roles.includes('Application.ReadWrite.All') && !owns)
      throw new Refusal(
        403,
        'Authorization_RequestDenied',
        'Insufficient privileges to complete the operation.',
      )
    return target
  }

  const instant = (value: unknown, fallback: number): number => {
    if (value === undefined || value === null) return fallback
    const at = typeof value === 'string' ? Date.parse(value) : Number.NaN
    if (Number.isNaN(at))
      throw new Refusal(
        400,
        'Request_BadRequest',
        "Invalid value specified for property 'endDateTime' of resource 'PasswordCredential'.",
      )
    return Math.floor(at / 1000)
  }

  app.get(
    '/v1.0/applications',
    operation('applications.list', async (call) => {
      await admit(call, readingOwned, listQuery)
      return list(call, 'applications', 'application', estate.applications, applicationObject)
    }),
  )
  app.get(
    '/v1.0/servicePrincipals',
    operation('service-principals.list', async (call) => {
      await admit(call, readingOwned, listQuery)
      return list(call, 'servicePrincipals', 'servicePrincipal', estate.servicePrincipals, (principal) =>
        servicePrincipalObject(estate, principal),
      )
    }),
  )
  app.get(
    '/v1.0/servicePrincipals/:id',
    operation('service-principals.get', async (call) => {
      await admit(call, readingOwned, ['$select'])
      const id = call.context.req.param('id') ?? ''
      const principal: ServicePrincipal | undefined = estate.servicePrincipals.find((one) => one.id === id)
      if (principal === undefined) throw absent(id)
      return json(select(call, 'servicePrincipal', servicePrincipalObject(estate, principal)))
    }),
  )
  const getApplication = operation('applications.get', async (call) => {
    await admit(call, readingOwned, ['$select', '$expand'])
    const application = applicationOf(call)
    return json({
      '@odata.context': `https://${call.host}/v1.0/$metadata#applications/$entity`,
      ...select(call, 'application', applicationObject(application)),
      ...expanded(call, application),
    })
  })
  app.get('/v1.0/applications/:id', getApplication)
  app.get(
    '/v1.0/applications/:id/owners',
    operation('applications.owners', async (call) => {
      await admit(call, readingOwned, ['$select', '$top'])
      const { owners } = applicationOf(call)
      return json({
        '@odata.context': `https://${call.host}/v1.0/$metadata#directoryObjects`,
        value: owners.map((owner) => select(call, 'directoryObject', ownerObject(owner))),
      })
    }),
  )
  app.post(
    '/v1.0/applications/:id/addPassword',
    operation(
      'applications.add-password',
      async (call) => {
        const application = await admitChange(call, () => applicationOf(call))
        const body = await bodyOf(call)
        const given: Record<string, unknown> =
          typeof body.passwordCredential === 'object' && body.passwordCredential !== null
            ? { ...body.passwordCredential }
            : {}
        const startsAt = instant(given.startDateTime, now())
        const endsAt = instant(given.endDateTime, startsAt + defaultLifetimeSeconds)
        if (endsAt <= startsAt || endsAt <= now())
          throw new Refusal(400, 'Request_BadRequest', 'Key credential end date is invalid.')
        const credential: PasswordCredential = {
          keyId: requestId(),
          name: typeof given.displayName === 'string' ? given.displayName : null,
          secret: `canary-${cloud.randomHex(16)}`,
          startsAt,
          endsAt,
          usableFrom: (clock.now() + cloud.settings.credentialReplicationMs) / 1000,
        }
        application.passwords.push(credential)
        return json({
          '@odata.context': `https://${call.host}/v1.0/$metadata#microsoft.graph.passwordCredential`,
          ...passwordCredential(credential),
          secretText: credential.secret,
        })
      },
      { mutates: true },
    ),
  )
  app.post(
    '/v1.0/applications/:id/removePassword',
    operation(
      'applications.remove-password',
      async (call) => {
        const application = await admitChange(call, () => applicationOf(call))
        const { keyId } = await bodyOf(call)
        const at = application.passwords.findIndex((credential) => credential.keyId === keyId)
        if (at === -1)
          throw new Refusal(
            400,
            'Request_BadRequest',
            `No password credential found with keyId '${String(keyId)}'.`,
          )
        application.passwords.splice(at, 1)
        return new Response(null, { status: 204 })
      },
      { mutates: true },
    ),
  )
  app.notFound(
    operation('unknown', (call) => {
      const segment = call.url.pathname.split('/')[2] ?? ''
      throw new Refusal(400, 'BadRequest', `Resource not found for the segment '${segment}'.`)
    }),
  )
  return app
}
