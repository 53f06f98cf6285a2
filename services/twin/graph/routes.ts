import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { Application } from '../estate/estate.ts'
import { json, type Call, type Cloud } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import { graphAccess, readingOwned } from './access.ts'
import { credentialRoutes } from './credentials.ts'
import { applicationObject, ownerObject, servicePrincipalObject } from './objects.ts'
import { policyRoutes } from './policies.ts'
import { reportRoutes } from './reports.ts'

export type GraphApp = Hono<{ Bindings: HttpBindings }>

const defaultPage = 100
const largestPage = 999

const listQuery = ['$top', '$select', '$expand', '$count', '$filter', '$skiptoken']

/**
 * Microsoft Graph: applications, their owners and credentials, service principals, the directory's demands on
 * credentials (v1.0), and how lately each credential was used (beta).
 */
export function graphRoutes(cloud: Cloud) {
  const { estate } = cloud
  const access = graphAccess(cloud)
  const { operation, admit, applicationOf, principalOf } = access
  const app: GraphApp = new Hono({
    // `/applications(appId='…')` addresses by key, so it is routed as `/applications/(appId='…')`.
    getPath: (request) =>
      decodeURIComponent(new URL(request.url).pathname)
        .replace(/^(\/v1\.0\/(?:applications|servicePrincipals))(\(appId=)/, '$1/$2')
        .replace(/(?<=.)\/$/, ''),
  })
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
      return json(select(call, 'servicePrincipal', servicePrincipalObject(estate, principalOf(call))))
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
  for (const [set, name, holderOf] of [
    ['applications', 'applications.owners', applicationOf],
    ['servicePrincipals', 'service-principals.owners', principalOf],
  ] as const)
    app.get(
      `/v1.0/${set}/:id/owners`,
      operation(name, async (call) => {
        await admit(call, readingOwned, ['$select', '$top'])
        return json({
          '@odata.context': `https://${call.host}/v1.0/$metadata#directoryObjects`,
          value: holderOf(call).owners.map((owner) => select(call, 'directoryObject', ownerObject(owner))),
        })
      }),
    )
  credentialRoutes(app, cloud, access)
  policyRoutes(app, cloud, access)
  reportRoutes(app, cloud, access)
  app.notFound(
    operation('unknown', (call) => {
      const segment = call.url.pathname.split('/')[2] ?? ''
      throw new Refusal(400, 'BadRequest', `Resource not found for the segment '${segment}'.`)
    }),
  )
  return app
}
