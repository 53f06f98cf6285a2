import type {
  Application,
  Estate,
  KeyCredential,
  Owner,
  PasswordCredential,
  ServicePrincipal,
} from '../estate/estate.ts'

const iso = (seconds: number) => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')

/** A password credential without its value, which Graph shows once only; the hint is its first three characters. */
export const passwordCredential = (credential: PasswordCredential) => ({
  customKeyIdentifier: null,
  displayName: credential.name,
  endDateTime: iso(credential.endsAt),
  hint: credential.secret.slice(0, 3),
  keyId: credential.keyId,
  secretText: null,
  startDateTime: iso(credential.startsAt),
})

export const keyCredential = (credential: KeyCredential) => ({
  customKeyIdentifier: credential.thumbprint,
  displayName: credential.name,
  endDateTime: iso(credential.endsAt),
  key: null,
  keyId: credential.keyId,
  startDateTime: iso(credential.startsAt),
  type: 'AsymmetricX509Cert',
  usage: 'Verify',
})

export const ownerObject = (owner: Owner) => ({
  '@odata.type': `#microsoft.graph.${owner.kind}`,
  id: owner.id,
  displayName: owner.name,
  ...(owner.kind === 'user'
    ? { userPrincipalName: owner.userPrincipalName, mail: owner.userPrincipalName }
    : {}),
})

/** @see https://learn.microsoft.com/graph/api/resources/application */
export const applicationObject = (application: Application): Record<string, unknown> => ({
  id: application.id,
  deletedDateTime: null,
  appId: application.appId,
  createdDateTime: iso(application.createdAt),
  description: null,
  displayName: application.name,
  identifierUris: [],
  notes: null,
  publisherDomain: 'contoso.example',
  signInAudience: 'AzureADMyOrg',
  tags: application.tags,
  keyCredentials: application.keys.map(keyCredential),
  passwordCredentials: application.passwords.map(passwordCredential),
  requiredResourceAccess: [],
})

/** @see https://learn.microsoft.com/graph/api/resources/serviceprincipal */
export const servicePrincipalObject = (
  estate: Estate,
  principal: ServicePrincipal,
): Record<string, unknown> => ({
  id: principal.id,
  deletedDateTime: null,
  accountEnabled: principal.enabled,
  appId: principal.appId,
  appDisplayName: principal.name,
  appOwnerOrganizationId: estate.directory,
  createdDateTime: iso(principal.createdAt),
  displayName: principal.name,
  servicePrincipalNames: [principal.appId],
  servicePrincipalType: principal.kind,
  signInAudience: 'AzureADMyOrg',
  tags: [],
  keyCredentials: principal.keys.map(keyCredential),
  passwordCredentials: principal.passwords.map(passwordCredential),
})
