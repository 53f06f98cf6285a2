import type { EstateBuilder } from './builder.ts'
import { resourceId, type ServicePrincipal, vaultId } from './estate.ts'
import { roles } from './roles.ts'

/**
 * Lets the product rotate one credential of Contoso and no other: the secret of contoso-hr-feed, which kv-identity-prod
 * keeps for func-scim-provisioning. What is granted is what docs/azure-setup.md asks for.
 */
export function contosoRotation(build: EstateBuilder, identity: ServicePrincipal): void {
  const { applications, servicePrincipals, sites, vaults } = build.estate
  const application = applications.find(({ name }) => name === 'contoso-hr-feed')
  const vault = vaults.find(({ name }) => name === 'kv-identity-prod')
  const site = sites.find(({ name }) => name === 'func-scim-provisioning')
  if (!application || !vault || !site) throw new Error('Contoso has no hr-feed that could be rotated.')
  const owner = {
    id: identity.id,
    kind: 'servicePrincipal',
    name: identity.name,
    userPrincipalName: null,
  } as const
  application.owners.push(owner)
  servicePrincipals.find(({ appId }) => appId === application.appId)?.owners.push(owner)
  identity.graphRoles.push('Application.ReadWrite.OwnedBy')
  build.assign(identity, roles.secretWriter, vaultId(vault))
  build.assign(identity, roles.secretsUser, `${vaultId(vault)}/secrets/hr-feed-client-secret`)
  build.assign(identity, roles.websiteContributor, resourceId(site, 'Microsoft.Web/sites', site.name))
}
