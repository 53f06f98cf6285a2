import type { Estate, RoleDefinition } from './estate.ts'

const role = (
  id: string,
  name: string,
  grants: { actions?: string[]; notActions?: string[]; dataActions?: string[]; custom?: boolean },
): RoleDefinition => ({
  id,
  name,
  custom: grants.custom ?? false,
  actions: grants.actions ?? [],
  notActions: grants.notActions ?? [],
  dataActions: grants.dataActions ?? [],
})

const kv = 'Microsoft.KeyVault/vaults'

/**
 * The roles that the estates assign: built-in ones with their published ids and the rights that matter here, and
 * two custom ones of the customer.
 * @see https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
 */
export const roles = {
  owner: role('8e3af657-a8ff-443c-a75c-2fe8c4bcb635', 'Owner', { actions: ['*'] }),
  contributor: role('b24988ac-6180-42a0-ab88-20f7382dd24c', 'Contributor', {
    actions: ['*'],
    notActions: ['Microsoft.Authorization/*/Delete', 'Microsoft.Authorization/*/Write'],
  }),
  reader: role('acdd72a7-3385-48ef-bd42-f606fba81ae7', 'Reader', { actions: ['*/read'] }),
  websiteContributor: role('de139f84-1756-47ae-9be6-808fbbe84772', 'Website Contributor', {
    actions: [
      'Microsoft.Authorization/*/read',
      'Microsoft.Resources/subscriptions/resourceGroups/read',
      'Microsoft.Web/sites/*',
    ],
  }),
  vaultReader: role('21090545-7ca7-4776-b22c-e363652d74d2', 'Key Vault Reader', {
    actions: ['Microsoft.Authorization/*/read', `${kv}/*/read`],
    dataActions: [`${kv}/*/read`, `${kv}/secrets/readMetadata/action`],
  }),
  vaultAdministrator: role('00482a5a-887f-4fb3-b363-3b7fe8e74483', 'Key Vault Administrator', {
    actions: ['Microsoft.Authorization/*/read', `${kv}/*/read`],
    dataActions: [`${kv}/*`],
  }),
  secretsUser: role('4633458b-17de-408a-b874-0445c86b69e6', 'Key Vault Secrets User', {
    dataActions: [`${kv}/secrets/getSecret/action`, `${kv}/secrets/readMetadata/action`],
  }),
  secretsOfficer: role('b86a8fe4-44ce-4948-aee5-eccb2c155cd7', 'Key Vault Secrets Officer', {
    actions: [`${kv}/*/read`],
    dataActions: [`${kv}/secrets/*`],
  }),
  cryptoOfficer: role('14b46e9e-c2b7-41b4-b07b-48a6ebf60603', 'Key Vault Crypto Officer', {
    actions: [`${kv}/*/read`],
    dataActions: [`${kv}/keys/*`, `${kv}/keyrotationpolicies/*`],
  }),
  certificatesOfficer: role('a4417e6f-fecd-4de8-b567-7b0420556985', 'Key Vault Certificates Officer', {
    actions: [`${kv}/*/read`],
    dataActions: [`${kv}/certificatecas/*`, `${kv}/certificates/*`, `${kv}/certificatecontacts/write`],
  }),
  settingsReader: role('5d1f2c08-6a7e-4a2b-9c35-0f6f2b7f1a01', 'Attestry Settings Reader', {
    custom: true,
    actions: ['Microsoft.Web/sites/config/list/action', 'Microsoft.App/containerApps/listSecrets/action'],
  }),
  secretWriter: role('5d1f2c08-6a7e-4a2b-9c35-0f6f2b7f1a02', 'Attestry Secret Writer', {
    custom: true,
    dataActions: [
      `${kv}/secrets/readMetadata/action`,
      `${kv}/secrets/setSecret/action`,
      `${kv}/secrets/update/action`,
    ],
  }),
} as const

const patterns = new Map<string, RegExp>()
function matches(pattern: string, action: string): boolean {
  let compiled = patterns.get(pattern)
  if (compiled === undefined) {
    const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')
    compiled = new RegExp(`^${escaped}$`, 'i')
    patterns.set(pattern, compiled)
  }
  return compiled.test(action)
}

const allows = (definition: RoleDefinition, action: string, data: boolean): boolean =>
  data
    ? definition.dataActions.some((pattern) => matches(pattern, action))
    : definition.actions.some((pattern) => matches(pattern, action)) &&
      !definition.notActions.some((pattern) => matches(pattern, action))

/** The roles that a principal has at a scope: those assigned there or above. */
export function rolesAt(estate: Estate, principal: string, at: string): RoleDefinition[] {
  const scope = at.toLowerCase()
  return estate.roleAssignments.flatMap((assignment) => {
    if (assignment.principal !== principal) return []
    const granted = assignment.scope.toLowerCase()
    if (scope !== granted && !scope.startsWith(granted === '/' ? '/' : `${granted}/`)) return []
    return estate.roleDefinitions.find(({ id }) => id === assignment.roleDefinition) ?? []
  })
}

/**
 * Whether a principal may do `action` on the resource `at`: some assignment at that scope or above it has a role
 * that allows it. Rights only add up; there are no deny assignments here.
 */
export const mayDo = (
  estate: Estate,
  principal: string,
  action: string,
  at: string,
  { data = false }: { data?: boolean } = {},
): boolean => rolesAt(estate, principal, at).some((definition) => allows(definition, action, data))

/** Whether a principal has any assignment at or below a scope: what makes a subscription visible to it. */
export const seesInto = (estate: Estate, principal: string, at: string): boolean =>
  estate.roleAssignments.some(
    (assignment) =>
      assignment.principal === principal &&
      (assignment.scope.toLowerCase() === at.toLowerCase() ||
        assignment.scope.toLowerCase().startsWith(`${at.toLowerCase()}/`)),
  )
