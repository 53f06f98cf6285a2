import type {
  ContainerApp,
  Estate,
  RoleAssignment,
  RoleDefinition,
  ServiceBusNamespace,
  Site,
  StorageAccount,
  Subscription,
  Vault,
} from '../estate/estate.ts'
import { resourceId, vaultHost, vaultId } from '../estate/estate.ts'

/** Resources as Resource Manager and Resource Graph show them. */
export interface Resource {
  readonly id: string
  readonly name: string
  readonly type: string
  readonly location?: string
  readonly tags?: Record<string, string>
  readonly kind?: string
  readonly identity?: unknown
  readonly properties: Record<string, unknown>
}

const iso = (seconds: number) => new Date(seconds * 1000).toISOString()

/** Settings that are not set are absent on the wire, never `null`. */
const present = (properties: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== null && value !== undefined))

export const subscriptionResource = (estate: Estate, subscription: Subscription) => ({
  id: `/subscriptions/${subscription.id}`,
  authorizationSource: 'RoleBased',
  managedByTenants: [],
  subscriptionId: subscription.id,
  tenantId: estate.directory,
  displayName: subscription.name,
  state: 'Enabled',
  tags: subscription.tags,
  subscriptionPolicies: {
    locationPlacementId: 'Public_2014-09-01',
    quotaId: 'PayAsYouGo_2014-09-01',
    spendingLimit: 'Off',
  },
})

/** @see https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/get */
export const vaultResource = (estate: Estate, vault: Vault): Resource => ({
  id: vaultId(vault),
  name: vault.name,
  type: 'Microsoft.KeyVault/vaults',
  location: vault.location,
  tags: vault.tags,
  properties: present({
    sku: { family: 'A', name: vault.sku },
    tenantId: estate.directory,
    accessPolicies: vault.accessPolicies.map(({ principal, secrets, keys, certificates }) => ({
      tenantId: estate.directory,
      objectId: principal,
      permissions: { secrets, keys, certificates },
    })),
    enabledForDeployment: false,
    enableSoftDelete: vault.softDelete,
    softDeleteRetentionInDays: vault.softDelete === false ? null : vault.retentionDays,
    enablePurgeProtection: vault.purgeProtection,
    enableRbacAuthorization: vault.rbac,
    publicNetworkAccess: vault.publicNetworkAccess,
    networkAcls: vault.network && {
      bypass: vault.network.bypass,
      defaultAction: vault.network.defaultAction,
      ipRules: vault.network.ipRules.map((value) => ({ value: value.includes('/') ? value : `${value}/32` })),
      virtualNetworkRules: vault.network.virtualNetworks.map((id) => ({
        id,
        ignoreMissingVnetServiceEndpoint: false,
      })),
    },
    privateEndpointConnections: vault.privateLink
      ? [
          {
            id: `${vaultId(vault)}/privateEndpointConnections/pe-${vault.name}`,
            properties: {
              provisioningState: 'Succeeded',
              privateEndpoint: {
                id: resourceId(vault, 'Microsoft.Network/privateEndpoints', `pe-${vault.name}`),
              },
              privateLinkServiceConnectionState: {
                status: 'Approved',
                description: '',
                actionsRequired: 'None',
              },
            },
          },
        ]
      : null,
    vaultUri: `https://${vaultHost(vault)}/`,
    provisioningState: 'Succeeded',
  }),
})

/** @see https://learn.microsoft.com/rest/api/appservice/web-apps/get */
export const siteResource = (estate: Estate, site: Site): Resource => ({
  id: resourceId(site, 'Microsoft.Web/sites', site.name),
  name: site.name,
  type: 'Microsoft.Web/sites',
  kind: site.kind,
  location: site.location,
  tags: site.tags,
  identity: { type: 'SystemAssigned', principalId: site.identity, tenantId: estate.directory },
  properties: {
    state: 'Running',
    enabled: true,
    hostNames: [`${site.name}.azurewebsites.net`],
    defaultHostName: `${site.name}.azurewebsites.net`,
    resourceGroup: site.resourceGroup,
    httpsOnly: true,
    keyVaultReferenceIdentity: 'SystemAssigned',
  },
})

/** Secrets that hold a literal value show their name only. @see https://learn.microsoft.com/rest/api/containerapps/container-apps/get */
export const containerAppResource = (estate: Estate, app: ContainerApp): Resource => ({
  id: resourceId(app, 'Microsoft.App/containerApps', app.name),
  name: app.name,
  type: 'Microsoft.App/containerApps',
  location: app.location,
  tags: app.tags,
  identity: { type: 'SystemAssigned', principalId: app.identity, tenantId: estate.directory },
  properties: {
    provisioningState: 'Succeeded',
    configuration: {
      secrets: app.secrets.map(({ name, keyVaultUrl }) =>
        keyVaultUrl === undefined ? { name } : { name, keyVaultUrl, identity: 'System' },
      ),
      activeRevisionsMode: app.mode,
    },
    latestRevisionName: app.revisions.at(-1)?.name ?? null,
    latestReadyRevisionName: app.revisions.findLast(({ weight }) => weight > 0)?.name ?? null,
    template: {
      containers: [{ name: app.name, image: `registry.contoso.example/${app.name}:1`, env: app.env }],
    },
  },
})

/** @see https://learn.microsoft.com/rest/api/storagerp/storage-accounts/get-properties */
export const storageAccountResource = (account: StorageAccount): Resource => ({
  id: resourceId(account, 'Microsoft.Storage/storageAccounts', account.name),
  name: account.name,
  type: 'Microsoft.Storage/storageAccounts',
  kind: 'StorageV2',
  location: account.location,
  tags: account.tags,
  properties: {
    provisioningState: 'Succeeded',
    allowSharedKeyAccess: account.sharedKey,
    primaryEndpoints: { blob: `https://${account.name}.blob.core.windows.net/` },
    keyCreationTime: Object.fromEntries(account.keys.map(({ name, created }) => [name, iso(created)])),
  },
})

/** @see https://learn.microsoft.com/rest/api/servicebus/controlplane-stable/namespaces/get */
export const serviceBusResource = (namespace: ServiceBusNamespace): Resource => ({
  id: resourceId(namespace, 'Microsoft.ServiceBus/namespaces', namespace.name),
  name: namespace.name,
  type: 'Microsoft.ServiceBus/namespaces',
  location: namespace.location,
  tags: namespace.tags,
  properties: {
    provisioningState: 'Succeeded',
    status: 'Active',
    disableLocalAuth: !namespace.localAuth,
    serviceBusEndpoint: `https://${namespace.name}.servicebus.windows.net:443/`,
  },
})

const definitionPath = (subscription: string, id: string) =>
  `/subscriptions/${subscription}/providers/Microsoft.Authorization/RoleDefinitions/${id}`

/** @see https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-subscription */
export function roleAssignmentResource(estate: Estate, assignment: RoleAssignment): Resource {
  const subscription = assignment.scope.split('/')[2] ?? ''
  return {
    id: `${assignment.scope}/providers/Microsoft.Authorization/roleAssignments/${assignment.id}`,
    name: assignment.id,
    type: 'Microsoft.Authorization/roleAssignments',
    properties: {
      roleDefinitionId: definitionPath(subscription, assignment.roleDefinition),
      principalId: assignment.principal,
      principalType: 'ServicePrincipal',
      scope: assignment.scope,
      condition: null,
      createdOn: iso(estate.seededAt),
      updatedOn: iso(estate.seededAt),
    },
  }
}

export const roleDefinitionResource = (subscription: string, definition: RoleDefinition): Resource => ({
  id: definitionPath(subscription, definition.id),
  name: definition.id,
  type: 'Microsoft.Authorization/roleDefinitions',
  properties: {
    roleName: definition.name,
    type: definition.custom ? 'CustomRole' : 'BuiltInRole',
    description: '',
    assignableScopes: definition.custom ? [`/subscriptions/${subscription}`] : ['/'],
    permissions: [
      {
        actions: definition.actions,
        notActions: definition.notActions,
        dataActions: definition.dataActions,
        notDataActions: [],
      },
    ],
  },
})

export const resourceGroupResource = (
  subscription: Subscription,
  group: Subscription['resourceGroups'][number],
): Resource => ({
  id: `/subscriptions/${subscription.id}/resourceGroups/${group.name}`,
  name: group.name,
  type: 'Microsoft.Resources/resourceGroups',
  location: group.location,
  tags: group.tags,
  properties: { provisioningState: 'Succeeded' },
})
