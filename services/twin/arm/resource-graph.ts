import type { Caller } from '../entra/tokens.ts'
import type { Estate } from '../estate/estate.ts'
import { mayDo } from '../estate/roles.ts'
import { bodyOf, json, type Call, type Cloud } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import { authenticate } from './access.ts'
import { parseQuery, type Row, runQuery, type Table } from './query.ts'
import {
  containerAppResource,
  type Resource,
  resourceGroupResource,
  roleAssignmentResource,
  roleDefinitionResource,
  serviceBusResource,
  siteResource,
  storageAccountResource,
  subscriptionResource,
  vaultResource,
} from './resources.ts'

const largestPage = 1_000

/** A row as Resource Graph keeps it: types are lower case there. */
const row = (estate: Estate, resource: Resource): Row => {
  const [, , subscriptionId = '', , resourceGroup = ''] = resource.id.split('/')
  return {
    id: resource.id,
    name: resource.name,
    type: resource.type.toLowerCase(),
    tenantId: estate.directory,
    kind: resource.kind ?? '',
    location: resource.location ?? '',
    resourceGroup: resourceGroup.toLowerCase(),
    subscriptionId,
    managedBy: '',
    sku: null,
    plan: null,
    properties: resource.properties,
    tags: resource.tags ?? null,
    identity: resource.identity ?? null,
    zones: null,
    extendedLocation: null,
  }
}

const tables: Record<Table, (estate: Estate, subscriptions: readonly string[]) => Resource[]> = {
  resources: (estate) => [
    ...estate.vaults.map((vault) => vaultResource(estate, vault)),
    ...estate.sites.map((site) => siteResource(estate, site)),
    ...estate.containerApps.map((app) => containerAppResource(estate, app)),
    ...estate.storageAccounts.map(storageAccountResource),
    ...estate.serviceBusNamespaces.map(serviceBusResource),
  ],
  resourcecontainers: (estate) =>
    estate.subscriptions.flatMap((subscription) => [
      {
        id: `/subscriptions/${subscription.id}`,
        name: subscription.name,
        type: 'Microsoft.Resources/subscriptions',
        tags: subscription.tags,
        properties: { state: 'Enabled', ...subscriptionResource(estate, subscription).subscriptionPolicies },
      },
      ...subscription.resourceGroups.map((group) => ({
        ...resourceGroupResource(subscription, group),
        type: 'Microsoft.Resources/subscriptions/resourceGroups',
      })),
    ]),
  authorizationresources: (estate, subscriptions) => [
    ...estate.roleAssignments.map((assignment) => roleAssignmentResource(estate, assignment)),
    ...subscriptions.flatMap((id) =>
      estate.roleDefinitions.map((definition) => roleDefinitionResource(id, definition)),
    ),
  ],
}

/** Rows that the caller may read, of the subscriptions asked for. */
function rowsOf(estate: Estate, caller: Caller, table: Table, subscriptions: readonly string[]): Row[] {
  const scopes = subscriptions.map((id) => `/subscriptions/${id}`.toLowerCase())
  return tables[table](estate, subscriptions)
    .filter(({ id }) => scopes.some((scope) => id.toLowerCase().startsWith(scope)))
    .filter(({ id, type }) => mayDo(estate, caller.objectId, `${type}/read`, id))
    .map((resource) => row(estate, resource))
}

const positive = (value: unknown, fallback: number) =>
  typeof value === 'number' && value >= 0 ? Math.floor(value) : fallback

/**
 * One page of a query. Skip tokens hold the offset and belong to one query; without `id` among the columns the
 * service cannot page and says so by `resultTruncated`.
 * @see https://learn.microsoft.com/rest/api/azureresourcegraph/resourcegraph/resources/resources
 */
export async function queryResources(cloud: Cloud, call: Call): Promise<Response> {
  const { estate } = cloud
  const caller = await authenticate(cloud, call, 'resourceGraph')
  const wait = cloud.throttle.take('resourcegraph.query', caller.objectId)
  if (wait !== undefined)
    throw new Refusal(
      429,
      'RateLimiting',
      'Client application has been throttled and should not attempt to repeat the request until an amount of time has elapsed.',
      {
        headers: {
          'retry-after': String(wait),
          'x-ms-user-quota-remaining': '0',
          'x-ms-user-quota-resets-after': '00:00:05',
        },
      },
    )
  const body = await bodyOf(call)
  if (typeof body.query !== 'string') throw new Refusal(400, 'BadRequest', 'The query must be a string.')
  const options: Record<string, unknown> =
    typeof body.options === 'object' && body.options !== null ? { ...body.options } : {}
  if (options.resultFormat !== undefined && options.resultFormat !== 'objectArray')
    throw new Refusal(
      400,
      'BadRequest',
      `The result format ${JSON.stringify(options.resultFormat)} is not supported here; use objectArray.`,
    )
  const visible = estate.subscriptions.map(({ id }) => id)
  const asked =
    Array.isArray(body.subscriptions) && body.subscriptions.length > 0
      ? body.subscriptions.map(String)
      : visible
  const query = parseQuery(body.query)
  const rows = runQuery(query, rowsOf(estate, caller, query.table, asked))
  const top = Math.min(positive(options.$top, largestPage), largestPage)
  const token =
    typeof options.$skipToken === 'string'
      ? Buffer.from(options.$skipToken, 'base64url').toString()
      : undefined
  if (token !== undefined && !/^rg:\d+$/.test(token))
    throw new Refusal(400, 'BadRequest', 'The skip token is not valid.')
  const from = token === undefined ? positive(options.$skip, 0) : Number(token.slice(3))
  const data = rows.slice(from, from + top)
  const more = from + data.length < rows.length
  const pages = data[0] === undefined || 'id' in data[0]
  return json(
    {
      totalRecords: rows.length,
      count: data.length,
      data,
      facets: [],
      resultTruncated: more && !pages ? 'true' : 'false',
      ...(more && pages ? { $skipToken: Buffer.from(`rg:${from + data.length}`).toString('base64url') } : {}),
    },
    200,
    {
      'x-ms-user-quota-remaining': String(cloud.throttle.remaining('resourcegraph.query', caller.objectId)),
      'x-ms-user-quota-resets-after': '00:00:05',
    },
  )
}
