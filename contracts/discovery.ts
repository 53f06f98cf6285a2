import * as z from 'zod'
import { Count, committed, Digest, events, Instant, OpaqueId, Pairs } from './event.ts'

/** What a vault holds. */
export const ItemKind = z.enum(['secret', 'key', 'certificate'])
export type ItemKind = z.infer<typeof ItemKind>

/** Why a vault could not be read. `gone`: Resource Manager no longer lists it. */
export const Unreachable = z.enum(['firewall', 'forbidden', 'throttled', 'gone', 'failed'])
export type Unreachable = z.infer<typeof Unreachable>

/** A secret, key or certificate as its vault lists it: metadata only, never a value. */
export const VaultItem = z.object({
  asset: OpaqueId,
  kind: ItemKind,
  name: committed(z.string()),
  enabled: z.boolean(),
  /** Creation of the newest version. */
  created: Instant.nullable(),
  /** Last change of the newest version, an edit of tags included. */
  updated: Instant.nullable(),
  notBefore: Instant.nullable(),
  expires: Instant.nullable(),
  /** The key or secret half of a certificate: the certificate carries its findings. */
  managed: z.boolean(),
  contentType: committed(z.string()).nullable(),
  tags: committed(Pairs),
  /** Key type as the vault says it: RSA, RSA-HSM, EC, EC-HSM, oct, oct-HSM. */
  algorithm: z.string().nullable(),
  bits: Count.nullable(),
  curve: z.string().nullable(),
  /** SHA-1 of a certificate, as Azure identifies it; not a secret. */
  thumbprint: z.string().nullable(),
  issuer: committed(z.string()).nullable(),
})
export type VaultItem = z.infer<typeof VaultItem>

/** A vault as Resource Manager describes it. `null` is what the platform left unsaid. */
export const Vault = z.object({
  name: committed(z.string()),
  uri: committed(z.string()),
  resourceId: committed(z.string()),
  subscription: z.string(),
  location: z.string(),
  sku: z.enum(['standard', 'premium']),
  softDelete: z.boolean().nullable(),
  purgeProtection: z.boolean().nullable(),
  retentionDays: Count.nullable(),
  rbac: z.boolean().nullable(),
  publicNetworkAccess: z.enum(['enabled', 'disabled']).nullable(),
  defaultAction: z.enum(['allow', 'deny']).nullable(),
  /** An address rule that admits every address (0.0.0.0/0). */
  openToAll: z.boolean(),
  privateEndpoints: Count,
  tags: committed(Pairs),
})
export type Vault = z.infer<typeof Vault>

/** A credential of an application registration; Graph shows its id and dates, never its value. */
export const AppCredential = z.object({
  asset: OpaqueId,
  keyId: z.string(),
  kind: z.enum(['secret', 'certificate']),
  name: committed(z.string()).nullable(),
  startsAt: Instant.nullable(),
  endsAt: Instant.nullable(),
})
export type AppCredential = z.infer<typeof AppCredential>

/** An application registration with every credential it has. */
export const Application = z.object({
  asset: OpaqueId,
  appId: z.string(),
  objectId: z.string(),
  name: committed(z.string()),
  created: Instant.nullable(),
  credentials: z.array(AppCredential),
})
export type Application = z.infer<typeof Application>

/** A resource that may depend on credentials. */
export const Resource = z.object({
  name: committed(z.string()),
  resourceId: committed(z.string()),
  type: z.enum(['app-service', 'function', 'container-app']),
  subscription: z.string(),
})
export type Resource = z.infer<typeof Resource>

/** "This resource uses that credential", with how we know and how sure we are. */
export const Edge = z.object({
  edge: OpaqueId,
  via: z.enum(['key-vault-reference', 'tag', 'name']),
  /** The setting that holds the reference. */
  setting: committed(z.string()),
  /** The secret's asset id, if the reference names a vault that we know. */
  target: OpaqueId.nullable(),
  targetName: committed(z.string()),
  /** Percent. A Key Vault reference that the platform resolved is 100. */
  confidence: z.int().min(0).max(100),
  /** Whether the platform could resolve it: Resolved, SecretNotFound, AccessToKeyVaultDenied and the like. */
  status: z.string().nullable(),
})
export type Edge = z.infer<typeof Edge>

/** A setting that holds a credential in plain sight. Its value is looked at once and never kept. */
export const HardCoded = z.object({
  setting: OpaqueId,
  name: committed(z.string()),
  looksLike: z.enum(['connection-string', 'account-key', 'client-secret', 'password', 'token']),
})
export type HardCoded = z.infer<typeof HardCoded>

/** What was counted when a scan ended. */
export const ScanCounts = z.object({
  subscriptions: Count,
  vaults: Count,
  secrets: Count,
  keys: Count,
  certificates: Count,
  applications: Count,
  credentials: Count,
  resources: Count,
  edges: Count,
})
export type ScanCounts = z.infer<typeof ScanCounts>

/** Which subscriptions an environment declares in scope; an empty list is "all that the identity can see". */
export const Scope = z.object({ subscriptions: z.array(z.string()) })
export type Scope = z.infer<typeof Scope>

export const discoveryEvents = events('discovery', {
  'environment-connected': {
    v: 1,
    says: 'A set of cloud connections of the tenant was connected, with the scope that is declared for it.',
    data: z.object({
      environment: OpaqueId,
      cloud: z.enum(['azure']),
      name: committed(z.string().min(1).max(80)),
      scope: Scope,
      /** Reading app settings shows values to the scanner for a moment, so it is opt-in. */
      settingsScan: z.boolean(),
      everyHours: z.int().min(1).max(168).nullable(),
    }),
  },
  'environment-tested': {
    v: 1,
    says: 'A connection was tried and the identity’s reach was seen.',
    data: z.object({
      environment: OpaqueId,
      ok: z.boolean(),
      subscriptions: Count,
      problem: committed(z.string()).nullable(),
    }),
  },
  'environment-revised': {
    v: 1,
    says: 'An operator changed the declared scope, the schedule or the opt-in of an environment.',
    data: z.object({
      environment: OpaqueId,
      scope: Scope,
      settingsScan: z.boolean(),
      everyHours: z.int().min(1).max(168).nullable(),
    }),
  },
  'environment-disconnected': {
    v: 1,
    says: 'An environment is no longer scanned; what is known of it stays in the ledger.',
    data: z.object({ environment: OpaqueId }),
  },
  'scan-started': {
    v: 1,
    says: 'A scan of one environment began.',
    data: z.object({
      scan: OpaqueId,
      environment: OpaqueId,
      trigger: z.enum(['operator', 'schedule', 'first-run']),
      scope: Scope,
    }),
  },
  'scan-completed': {
    v: 1,
    says: 'A scan reached its end; what it could not read is listed, never omitted.',
    data: z.object({
      scan: OpaqueId,
      environment: OpaqueId,
      counts: ScanCounts,
      unreachable: z.array(z.object({ vault: OpaqueId, why: Unreachable })),
      /** Parts of the cloud that answered with a refusal, such as Graph without permission. */
      refused: z.array(z.enum(['applications', 'resources', 'settings'])),
      inventoryDigest: Digest,
      calls: Count,
      durationMs: Count,
    }),
  },
  'scan-failed': {
    v: 1,
    says: 'A scan ended early, by an error or by an operator; what it had recorded stays true.',
    data: z.object({
      scan: OpaqueId,
      environment: OpaqueId,
      reason: z.enum(['cancelled', 'denied', 'unreachable', 'error']),
      detail: committed(z.string()),
    }),
  },
  'vault-scanned': {
    v: 1,
    says: 'What differs in a vault since it was last read: at most 100 items an event.',
    data: z.object({
      vault: OpaqueId,
      /** The vault itself, if it is new or changed. */
      facts: Vault.nullable(),
      found: z.array(VaultItem),
      changed: z.array(VaultItem),
      lost: z.array(OpaqueId),
    }),
  },
  'vault-unreachable': {
    v: 1,
    says: 'A vault that could be read before, or is new, cannot be read now; written when this changes.',
    data: z.object({ vault: OpaqueId, facts: Vault.nullable(), why: Unreachable }),
  },
  'apps-scanned': {
    v: 1,
    says: 'What differs among application registrations and their credentials: at most 100 an event.',
    data: z.object({
      directory: OpaqueId,
      found: z.array(Application),
      changed: z.array(Application),
      lost: z.array(OpaqueId),
    }),
  },
  'resource-scanned': {
    v: 1,
    says: 'What differs in the credentials that a resource uses.',
    data: z.object({
      resource: OpaqueId,
      facts: Resource.nullable(),
      gone: z.boolean(),
      found: z.array(Edge),
      lost: z.array(OpaqueId),
      /** Whether the values of settings were allowed to be looked at; without it hard-coded is unknown. */
      settingsRead: z.boolean(),
      hardCodedFound: z.array(HardCoded),
      hardCodedCleared: z.array(OpaqueId),
    }),
  },
  'edge-confirmed': {
    v: 1,
    says: 'A person confirmed that a resource depends on a credential.',
    data: z.object({ resource: OpaqueId, edge: OpaqueId }),
  },
  'edge-rejected': {
    v: 1,
    says: 'A person found that a supposed dependency is none.',
    data: z.object({ resource: OpaqueId, edge: OpaqueId }),
  },
})
