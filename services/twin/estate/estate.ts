import type { AwsAccount } from '../aws/account.ts'
import type { GcpProject } from '../gcp/project.ts'
import { certificateSecret } from '../keyvault/certificate-secret.ts'

/**
 * The whole state of the cloud as plain data, so that it can be seeded, looked at, changed by a test and kept in
 * a file. Instants are whole seconds since the epoch, as on Key Vault's wire; `null` is "not set".
 */
export interface Estate {
  readonly name: string
  /** The Entra directory. */
  readonly directory: string
  readonly seededAt: number
  /** The public address that every caller of the data plane appears to come from (RFC 5737). */
  callerAddress: string
  readonly roleDefinitions: RoleDefinition[]
  readonly roleAssignments: RoleAssignment[]
  readonly servicePrincipals: ServicePrincipal[]
  readonly applications: Application[]
  readonly subscriptions: Subscription[]
  readonly vaults: Vault[]
  readonly sites: Site[]
  readonly containerApps: ContainerApp[]
  readonly storageAccounts: StorageAccount[]
  readonly serviceBusNamespaces: ServiceBusNamespace[]
  /** What the directory demands of its applications' credentials. */
  appManagementPolicy: AppManagementPolicy
  /** Successful sign-ins by key id, oldest first, at most one a minute: what the activity report is made of. */
  readonly signIns: Record<string, number[]>
  readonly aws: AwsAccount[]
  readonly gcp: GcpProject[]
}

export type Tags = Record<string, string>

export interface Subscription {
  readonly id: string
  readonly name: string
  readonly tags: Tags
  readonly resourceGroups: { readonly name: string; readonly location: string; readonly tags: Tags }[]
}

/** A role: `actions` on the management plane, `dataActions` on the data plane, `*` matches anything. */
export interface RoleDefinition {
  readonly id: string
  readonly name: string
  readonly custom: boolean
  readonly actions: readonly string[]
  readonly notActions: readonly string[]
  readonly dataActions: readonly string[]
}

export interface RoleAssignment {
  readonly id: string
  readonly roleDefinition: string
  /** Object id of a service principal. */
  readonly principal: string
  /** `/subscriptions/…`, a resource group, a vault or a single secret under it. */
  readonly scope: string
}

export interface ServicePrincipal {
  readonly id: string
  readonly appId: string
  readonly name: string
  readonly kind: 'Application' | 'ManagedIdentity'
  enabled: boolean
  /** Graph application roles that an administrator consented to. */
  readonly graphRoles: string[]
  /** Credentials may stand on the principal itself, beside those of its application. */
  readonly passwords: PasswordCredential[]
  readonly keys: KeyCredential[]
  readonly owners: Owner[]
  readonly createdAt: number
}

/**
 * The directory's default for all applications. `null` means that there is no such restriction.
 * @see https://learn.microsoft.com/graph/api/resources/tenantappmanagementpolicy
 */
export interface AppManagementPolicy {
  enabled: boolean
  passwordAddition: boolean
  maxPasswordDays: number | null
  maxKeyDays: number | null
}

export interface Owner {
  readonly id: string
  readonly kind: 'user' | 'servicePrincipal'
  readonly name: string
  readonly userPrincipalName: string | null
}

export interface Application {
  readonly id: string
  readonly appId: string
  readonly name: string
  readonly createdAt: number
  readonly passwords: PasswordCredential[]
  readonly keys: KeyCredential[]
  readonly owners: Owner[]
  readonly federated: FederatedCredential[]
  readonly tags: string[]
  /** What tokens are asked for under, such as `api://attestry-federation`. */
  readonly identifierUris?: string[]
}

export interface PasswordCredential {
  readonly keyId: string
  readonly name: string | null
  /** A canary: shown once by addPassword, never again. */
  readonly secret: string
  readonly startsAt: number
  readonly endsAt: number
  /** Replication: until then the token endpoint does not know it yet. */
  readonly usableFrom: number
}

export interface KeyCredential {
  readonly keyId: string
  readonly name: string
  readonly thumbprint: string
  /** Base64 of the DER, where it is known: what a proof of possession is checked with. */
  readonly certificate?: string
  readonly startsAt: number
  readonly endsAt: number
}

interface FederatedCredential {
  readonly id: string
  readonly name: string
  readonly issuer: string
  readonly subject: string
  readonly audience: string
}

export interface Vault {
  readonly name: string
  readonly subscription: string
  readonly resourceGroup: string
  readonly location: string
  readonly createdAt: number
  tags: Tags
  sku: 'standard' | 'premium'
  rbac: boolean | null
  softDelete: boolean | null
  retentionDays: number
  purgeProtection: true | null
  publicNetworkAccess: 'Enabled' | 'Disabled' | null
  network: NetworkRules | null
  /** An approved private endpoint that the caller reaches the vault through. */
  privateLink: boolean
  accessPolicies: AccessPolicy[]
  diagnostics: DiagnosticSetting[]
  /** By lower-case name: names are unique without regard to case. */
  readonly secrets: Record<string, Secret>
  readonly keys: Record<string, Key>
  readonly certificates: Record<string, Certificate>
}

interface NetworkRules {
  bypass: 'AzureServices' | 'None'
  defaultAction: 'Allow' | 'Deny'
  ipRules: string[]
  virtualNetworks: string[]
}

export interface AccessPolicy {
  readonly principal: string
  readonly secrets: string[]
  readonly keys: string[]
  readonly certificates: string[]
}

interface DiagnosticSetting {
  readonly name: string
  readonly workspace: string
  readonly categories: string[]
}

/** A kind of thing in a vault. `versions` run from oldest to newest; the newest is the current one. */
export interface Item<V extends Version> {
  readonly name: string
  deleted: { readonly at: number; readonly purgeAt: number } | null
  readonly versions: V[]
}

export interface Version {
  readonly version: string
  enabled: boolean
  readonly created: number
  updated: number
  expires: number | null
  notBefore: number | null
  tags: Tags | null
}

export interface SecretVersion extends Version {
  /** A canary, unique in the estate, unless a caller set it. */
  readonly value: string
  contentType: string | null
}
export type Secret = Item<SecretVersion>

export type Curve = 'P-256' | 'P-256K' | 'P-384' | 'P-521'
export type KeyShape =
  | { readonly kty: 'RSA' | 'RSA-HSM'; readonly bits: number }
  | { readonly kty: 'EC' | 'EC-HSM'; readonly curve: Curve }

export interface KeyVersion extends Version {
  readonly shape: KeyShape
  /** All key material follows from this (`keyvault/key-material.ts`). */
  readonly seed: string
  operations: string[]
}
export interface Key extends Item<KeyVersion> {
  rotation: RotationPolicy | null
}

export interface RotationPolicy {
  readonly lifetimeActions: { readonly trigger: Record<string, string>; readonly action: string }[]
  readonly expiryTime: string | null
  readonly created: number
  readonly updated: number
}

export interface CertificateVersion extends Version {
  readonly shape: KeyShape
  readonly seed: string
  readonly serial: string
  /** What its certificate-backed secret answers. */
  readonly value: string
  /** The certificate that was merged in, base64 of its DER; absent where the twin's authority signed. */
  readonly merged?: string
}
export interface Certificate extends Item<CertificateVersion> {
  policy: CertificatePolicy
  pending: PendingOperation | null
}

export interface CertificatePolicy {
  readonly subject: string
  readonly dnsNames: string[]
  readonly issuer: string
  readonly validityMonths: number
  readonly exportable: boolean
  readonly reuseKey: boolean
  readonly contentType: string
  readonly shape: KeyShape
  readonly lifetimeAction: {
    readonly daysBeforeExpiry?: number
    readonly percentage?: number
    readonly action: string
  }
  readonly created: number
  readonly updated: number
}

export interface PendingOperation {
  readonly id: string
  /** When its issuer is done, in milliseconds; null where a person has to bring the signed certificate. */
  readonly completesAt: number | null
  readonly seed: string
  readonly enabled: boolean
  readonly tags: Tags | null
  /** Its issuer will refuse. */
  readonly failed?: boolean
  cancelled: boolean
}

export interface Setting {
  readonly name: string
  /** A `@Microsoft.KeyVault(…)` reference or a literal string. */
  readonly value: string
}

export interface Site {
  readonly name: string
  readonly kind: 'app,linux' | 'functionapp,linux'
  readonly subscription: string
  readonly resourceGroup: string
  readonly location: string
  readonly tags: Tags
  /** Object id of its system-assigned identity. */
  readonly identity: string
  readonly settings: Setting[]
  /** Counts changes of the settings; the ETag follows from it. */
  revision: number
  /** What App Service fetched for each reference, by setting, and when. */
  readonly fetched: Record<string, Fetched>
}

/** A secret as a platform keeps it for a while. */
export interface Fetched {
  readonly version: string
  readonly at: number
}

export interface ContainerApp {
  readonly name: string
  readonly subscription: string
  readonly resourceGroup: string
  readonly location: string
  readonly tags: Tags
  readonly identity: string
  /** A secret either points at Key Vault (`keyVaultUrl`) or holds a literal `value`. */
  readonly secrets: { readonly name: string; readonly keyVaultUrl?: string; readonly value?: string }[]
  readonly env: { readonly name: string; readonly value?: string; readonly secretRef?: string }[]
  /** What the platform fetched for each secret, by name, and when. */
  readonly fetched: Record<string, Fetched>
  mode: 'Single' | 'Multiple'
  /** Oldest first; the newest is the latest revision. */
  readonly revisions: Revision[]
}

/** An immutable revision of a container app, with the secrets that it started with. */
export interface Revision {
  readonly name: string
  readonly createdAt: number
  /** When it is up, in milliseconds: until then it is provisioning and takes no traffic. */
  readyAt: number
  active: boolean
  healthy: boolean
  weight: number
  /** Versions of the referenced secrets when it was last started, by secret name. */
  holds: Record<string, string>
}

interface Placed {
  readonly name: string
  readonly subscription: string
  readonly resourceGroup: string
  readonly location: string
  readonly tags: Tags
}

export interface StorageAccount extends Placed {
  /** Whether requests may be signed with a key at all. */
  sharedKey: boolean
  /** key1 and key2. */
  readonly keys: { readonly name: string; value: string; created: number }[]
}

export interface ServiceBusNamespace extends Placed {
  /** False where only Entra tokens are taken. */
  localAuth: boolean
  readonly rules: AuthorizationRule[]
}

export interface AuthorizationRule {
  readonly name: string
  readonly rights: readonly ('Listen' | 'Send' | 'Manage')[]
  primaryKey: string
  secondaryKey: string
}

export const vaultHost = (vault: Pick<Vault, 'name'>): string => `${vault.name.toLowerCase()}.vault.azure.net`

/** Resource id of something in a resource group. */
export const resourceId = (
  at: { readonly subscription: string; readonly resourceGroup: string },
  type: string,
  name: string,
): string => `/subscriptions/${at.subscription}/resourceGroups/${at.resourceGroup}/providers/${type}/${name}`

export const vaultId = (vault: Vault): string => resourceId(vault, 'Microsoft.KeyVault/vaults', vault.name)

/** Every secret string of the estate, each once: none of them may ever be found outside the twin. */
export function secretCanaries(estate: Estate): string[] {
  /** The secret part of a connection string or setting. */
  const part = (value: string | undefined) => value?.match(/canary-[0-9a-f]{32}/)?.[0]
  const literal = ({ value }: { readonly value?: string }) => part(value) ?? []
  return [
    ...new Set([
      ...estate.vaults.flatMap((vault) => [
        ...Object.values(vault.secrets).flatMap((secret) =>
          secret.versions.map(({ value }) => part(value) ?? value),
        ),
        ...Object.values(vault.certificates).flatMap((item) =>
          item.versions.flatMap((version) => [
            version.value,
            certificateSecret(item, version) ?? version.value,
          ]),
        ),
      ]),
      ...[...estate.applications, ...estate.servicePrincipals].flatMap((app) =>
        app.passwords.map(({ secret }) => secret),
      ),
      ...estate.storageAccounts.flatMap(({ keys }) => keys.map(({ value }) => value)),
      ...estate.serviceBusNamespaces.flatMap(({ rules }) =>
        rules.flatMap(({ primaryKey, secondaryKey }) => [primaryKey, secondaryKey]),
      ),
      ...estate.sites.flatMap((site) => site.settings.flatMap(literal)),
      ...estate.containerApps.flatMap((app) => [...app.secrets, ...app.env].flatMap(literal)),
      ...estate.aws.flatMap((account) => [
        ...account.secrets.flatMap(({ versions }) =>
          versions.flatMap(({ text, binary }) => text ?? binary ?? []),
        ),
        ...account.parameters.flatMap(({ versions }) => versions.map(({ value }) => value)),
        ...account.certificates.map(({ privateKey }) => privateKey),
        ...account.users.flatMap(({ accessKeys }) => accessKeys.map(({ secret }) => secret)),
      ]),
      ...estate.gcp.flatMap((project) => [
        ...project.secrets.flatMap(({ versions }) =>
          versions.flatMap(({ data }) => (data === null ? [] : Buffer.from(data, 'base64').toString())),
        ),
        ...project.certificates.map(({ privateKey }) => privateKey),
      ]),
    ]),
  ]
}
