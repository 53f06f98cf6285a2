import { Hono } from 'hono'
import type { Caller } from '../entra/tokens.ts'
import {
  type ContainerApp,
  resourceId,
  type Site,
  type Subscription,
  type Vault,
  vaultId,
} from '../estate/estate.ts'
import { mayDo, seesInto } from '../estate/roles.ts'
import { json, operations, type Call, type Cloud } from '../operation.ts'
import { Refusal } from '../refusal.ts'
import { type apiVersions, armPlane, authenticate, authorize, spend } from './access.ts'
import { type ArmApp, groupPath, type InsideArm } from './inside.ts'
import { containerAppRoutes } from './container-apps.ts'
import { queryResources } from './resource-graph.ts'
import {
  containerAppResource,
  resourceGroupResource,
  siteResource,
  subscriptionResource,
  vaultResource,
} from './resources.ts'
import { roleRoutes } from './roles.ts'
import { serviceBusRoutes } from './service-bus.ts'
import { siteSettingRoutes } from './site-settings.ts'
import { storageAccountRoutes } from './storage-accounts.ts'

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()

/**
 * Resource Manager: subscriptions, resource groups, vaults, sites, container apps, storage accounts, Service Bus
 * namespaces, roles, diagnostic settings, and Resource Graph's query endpoint, which lives on the same host.
 */
export function armRoutes(cloud: Cloud) {
  const { estate } = cloud
  // Resource Manager's paths do not distinguish case, nor does a trailing slash matter.
  const app: ArmApp = new Hono({ getPath: lowerKeywords })
  const operation = operations(cloud, armPlane)

  /** Authenticated caller and the subscription of the path, once a read (or a write) was spent on it. */
  async function inSubscription(
    call: Call,
    type: keyof typeof apiVersions,
    kind: 'arm.read' | 'arm.write' = 'arm.read',
  ): Promise<{ caller: Caller; subscription: Subscription }> {
    const caller = await authenticate(cloud, call, type)
    const id = call.context.req.param('subscription') ?? ''
    const subscription = estate.subscriptions.find((candidate) => same(candidate.id, id))
    if (subscription === undefined || !seesInto(estate, caller.objectId, `/subscriptions/${subscription.id}`))
      throw new Refusal(404, 'SubscriptionNotFound', `The subscription '${id}' could not be found.`)
    spend(cloud, caller, subscription.id, kind)
    return { caller, subscription }
  }
  const missing = (type: string, name: string, group: string) =>
    new Refusal(
      404,
      'ResourceNotFound',
      `The Resource '${type}/${name}' under resource group '${group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix`,
    )

  function named<T extends { name: string; subscription: string; resourceGroup: string }>(
    items: readonly T[],
    call: Call,
    type: string,
  ): T {
    const name = call.context.req.param('name') ?? ''
    const group = call.context.req.param('group') ?? ''
    const subscription = call.context.req.param('subscription') ?? ''
    const item = items.find(
      (one) => same(one.name, name) && same(one.resourceGroup, group) && same(one.subscription, subscription),
    )
    if (item === undefined) throw missing(type, name, group)
    return item
  }
  /** A list shows what the caller may read; someone who may read nothing at the scope is refused. */
  function readable<T>(
    caller: Caller,
    scope: string,
    action: string,
    items: readonly T[],
    idOf: (item: T) => string,
  ): T[] {
    const shown = items.filter((item) => mayDo(estate, caller.objectId, action, idOf(item)))
    if (shown.length === 0) authorize(cloud, caller, action, scope)
    return shown
  }
  const siteId = (site: Site) => resourceId(site, 'Microsoft.Web/sites', site.name)
  const containerAppId = (item: ContainerApp) => resourceId(item, 'Microsoft.App/containerApps', item.name)

  const top = { query: ['api-version', '$top', '$skiptoken'] }
  const plain = { query: ['api-version'] }

  /** Pages of a list with an absolute next link, `$top` items each. */
  function paged<T>(call: Call, items: readonly T[], render: (item: T) => unknown): Response {
    const size = Number(call.url.searchParams.get('$top') ?? '1000')
    const from = Number(
      Buffer.from(call.url.searchParams.get('$skiptoken') ?? '', 'base64url').toString() || '0',
    )
    if (!Number.isInteger(size) || size < 1 || !Number.isInteger(from))
      throw new Refusal(400, 'InvalidParameter', "The '$top' or '$skiptoken' parameter is not valid.")
    const next = new URL(`https://${call.host}${call.url.pathname}`)
    next.searchParams.set('api-version', call.url.searchParams.get('api-version') ?? '')
    next.searchParams.set('$top', String(size))
    next.searchParams.set('$skiptoken', Buffer.from(String(from + size)).toString('base64url'))
    return json({
      value: items.slice(from, from + size).map(render),
      ...(from + size < items.length ? { nextLink: next.href } : {}),
    })
  }

  app.get(
    '/subscriptions',
    operation(
      'subscriptions.list',
      async (call) => {
        const caller = await authenticate(cloud, call, 'subscriptions')
        spend(cloud, caller, 'directory')
        const visible = estate.subscriptions.filter(({ id }) =>
          seesInto(estate, caller.objectId, `/subscriptions/${id}`),
        )
        return json({
          value: visible.map((subscription) => subscriptionResource(estate, subscription)),
          count: { type: 'Total', value: visible.length },
        })
      },
      plain,
    ),
  )
  app.get(
    '/subscriptions/:subscription',
    operation(
      'subscriptions.get',
      async (call) => {
        const { subscription } = await inSubscription(call, 'subscriptions')
        return json(subscriptionResource(estate, subscription))
      },
      plain,
    ),
  )
  app.get(
    '/subscriptions/:subscription/resourcegroups',
    operation(
      'resource-groups.list',
      async (call) => {
        const { caller, subscription } = await inSubscription(call, 'resourceGroups')
        const scope = `/subscriptions/${subscription.id}`
        const groups = readable(
          caller,
          scope,
          'Microsoft.Resources/subscriptions/resourceGroups/read',
          subscription.resourceGroups,
          ({ name }) => `${scope}/resourceGroups/${name}`,
        )
        return paged(call, groups, (group) => resourceGroupResource(subscription, group))
      },
      top,
    ),
  )

  const inGroup = <T extends { resourceGroup: string }>(call: Call, items: readonly T[]) => {
    const group = call.context.req.param('group')
    return group === undefined ? items : items.filter((item) => same(item.resourceGroup, group))
  }
  const listOf = <T extends { subscription: string; resourceGroup: string }>(
    name: string,
    version: keyof typeof apiVersions,
    type: string,
    items: readonly T[],
    idOf: (item: T) => string,
    render: (item: T) => unknown,
  ) =>
    operation(
      name,
      async (call) => {
        const { caller, subscription } = await inSubscription(call, version)
        const here = inGroup(
          call,
          items.filter((item) => same(item.subscription, subscription.id)),
        )
        const shown = readable(caller, `/subscriptions/${subscription.id}`, `${type}/read`, here, idOf)
        return paged(call, shown, render)
      },
      top,
    )
  const getOf = <T extends { name: string; subscription: string; resourceGroup: string }>(
    name: string,
    version: keyof typeof apiVersions,
    type: string,
    items: readonly T[],
    idOf: (item: T) => string,
    render: (item: T) => unknown,
  ) =>
    operation(
      name,
      async (call) => {
        const { caller } = await inSubscription(call, version)
        const item = named(items, call, type)
        authorize(cloud, caller, `${type}/read`, idOf(item))
        return json(render(item))
      },
      plain,
    )

  const vault = (item: Vault) => vaultResource(estate, item)
  const vaultList = listOf(
    'vaults.list',
    'vaults',
    'Microsoft.KeyVault/vaults',
    estate.vaults,
    vaultId,
    vault,
  )
  app.get('/subscriptions/:subscription/providers/microsoft.keyvault/vaults', vaultList)
  app.get(`${groupPath}/providers/microsoft.keyvault/vaults`, vaultList)
  app.get(
    `${groupPath}/providers/microsoft.keyvault/vaults/:name`,
    getOf('vaults.get', 'vaults', 'Microsoft.KeyVault/vaults', estate.vaults, vaultId, vault),
  )
  app.get(
    `${groupPath}/providers/microsoft.keyvault/vaults/:name/providers/microsoft.insights/diagnosticsettings`,
    operation(
      'diagnostic-settings.list',
      async (call) => {
        const { caller } = await inSubscription(call, 'diagnosticSettings')
        const item = named(estate.vaults, call, 'Microsoft.KeyVault/vaults')
        authorize(cloud, caller, 'Microsoft.Insights/diagnosticSettings/read', vaultId(item))
        return json({
          value: item.diagnostics.map((setting) => ({
            id: `${vaultId(item)}/providers/microsoft.insights/diagnosticSettings/${setting.name}`,
            type: 'Microsoft.Insights/diagnosticSettings',
            name: setting.name,
            properties: {
              workspaceId: setting.workspace,
              logs: setting.categories.map((category) =>
                category === 'allLogs' || category === 'audit'
                  ? { categoryGroup: category, enabled: true, retentionPolicy: { enabled: false, days: 0 } }
                  : { category, enabled: true, retentionPolicy: { enabled: false, days: 0 } },
              ),
              metrics: [],
            },
          })),
        })
      },
      plain,
    ),
  )

  const site = (item: Site) => siteResource(estate, item)
  const siteList = listOf('sites.list', 'sites', 'Microsoft.Web/sites', estate.sites, siteId, site)
  app.get('/subscriptions/:subscription/providers/microsoft.web/sites', siteList)
  app.get(`${groupPath}/providers/microsoft.web/sites`, siteList)
  app.get(
    `${groupPath}/providers/microsoft.web/sites/:name`,
    getOf('sites.get', 'sites', 'Microsoft.Web/sites', estate.sites, siteId, site),
  )
  const containerApp = (item: ContainerApp) => containerAppResource(estate, item)
  app.get(
    '/subscriptions/:subscription/providers/microsoft.app/containerapps',
    listOf(
      'container-apps.list',
      'containerApps',
      'Microsoft.App/containerApps',
      estate.containerApps,
      containerAppId,
      containerApp,
    ),
  )
  app.get(
    `${groupPath}/providers/microsoft.app/containerapps/:name`,
    getOf(
      'container-apps.get',
      'containerApps',
      'Microsoft.App/containerApps',
      estate.containerApps,
      containerAppId,
      containerApp,
    ),
  )
  const inside: InsideArm = { app, cloud, operation, inSubscription, named, paged }
  siteSettingRoutes(inside)
  containerAppRoutes(inside)
  storageAccountRoutes(inside)
  serviceBusRoutes(inside)
  roleRoutes(inside)
  app.post(
    '/providers/microsoft.resourcegraph/resources',
    operation('resource-graph.query', (call) => queryResources(cloud, call), plain),
  )

  app.notFound(
    operation('unknown', async (call) => {
      const [, provider, type] = call.url.pathname.match(/\/providers\/([^/]+)\/([^/]+)[^]*$/) ?? []
      if (provider !== undefined)
        throw new Refusal(
          404,
          'InvalidResourceType',
          `The resource type '${type ?? ''}' could not be found in the namespace '${provider}' for api version '${call.url.searchParams.get('api-version') ?? ''}'.`,
        )
      throw new Refusal(404, 'NotFound', `The requested path '${call.url.pathname}' was not found.`)
    }),
  )
  return app
}

/** Path segments that a name or an id comes after. */
const namesAfter = [
  'subscriptions',
  'resourcegroups',
  'vaults',
  'sites',
  'containerapps',
  'revisions',
  'appsettings',
  'storageaccounts',
  'namespaces',
  'authorizationrules',
  'roleassignments',
  'roledefinitions',
]

/** Lower-cases the fixed words of a Resource Manager path; names and ids keep their case. */
function lowerKeywords(request: Request): string {
  const parts = new URL(request.url).pathname.replace(/(?<=.)\/$/, '').split('/')
  const isName = (index: number) => {
    const before = parts[index - 1]?.toLowerCase() ?? ''
    return namesAfter.includes(before)
  }
  return parts.map((part, index) => (isName(index) ? part : part.toLowerCase())).join('/')
}
