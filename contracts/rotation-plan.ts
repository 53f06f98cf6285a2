import * as z from 'zod'
import { Count, committed, Digest, ERASED, Instant, OpaqueId } from './event.ts'

/*
 * The shapes that a rotation is made of, shared by its events and its endpoints. Nothing here can hold a value: what
 * proves that two places hold the same one is a MAC under the install's key.
 */

/** A committed text of a stricter form, which has to stay readable once its value was erased. */
const erasable = <S extends z.ZodType>(schema: S) => committed(z.union([schema, z.literal(ERASED)]))

/** What can be rotated. */
export const CredentialKind = z.enum([
  'app-secret',
  'sp-secret',
  'key',
  'certificate',
  'storage-key',
  'servicebus-key',
])
export type CredentialKind = z.infer<typeof CredentialKind>

/**
 * Where a credential stands.
 *
 * | kind | `at` | `part` |
 * | --- | --- | --- |
 * | app-secret | Graph object id of the application | its appId |
 * | sp-secret | Graph object id of the service principal | its appId |
 * | key, certificate | address of the vault, `https://name.vault.azure.net` | name in the vault |
 * | storage-key | resource id of the storage account | null |
 * | servicebus-key | resource id of the namespace | name of the authorization rule |
 */
export const CredentialSubject = z.object({
  kind: CredentialKind,
  at: committed(z.string().min(1).max(400)),
  part: committed(z.string().min(1).max(200)).nullable(),
  /** What a person calls it. */
  name: committed(z.string().max(300)),
})
export type CredentialSubject = z.infer<typeof CredentialSubject>

/** HMAC-SHA256 of a value under the install's key, base64url: equal values, equal MACs, and nothing to guess from. */
export const Mac = z.string().regex(/^[\w-]{43}$/, '43 characters of base64url')

/** Where a new value goes, and what was there when the plan was made. Empty for keys and certificates. */
export const RotationTarget = z.object({
  /** The vault's asset id, and where it answers. */
  vault: OpaqueId,
  uri: erasable(z.url()),
  secret: committed(z.string().min(1).max(127)),
  /** The value alone, or a connection string around it (storage and Service Bus). */
  content: z.enum(['value', 'connection-string']),
  /** The version that the vault served; null where the secret did not exist. */
  previous: z.string().nullable(),
})
export type RotationTarget = z.infer<typeof RotationTarget>

/** One credential of the principal as the snapshot saw it; for a dual key, one of its two slots. */
export const LiveCredential = z.object({
  /** Key id; `key1`/`key2` or `primaryKey`/`secondaryKey`; the version of a vault's key or certificate. */
  keyId: z.string().max(80),
  type: z.enum(['secret', 'certificate', 'slot', 'version']),
  name: committed(z.string().max(300)).nullable(),
  startsAt: Instant.nullable(),
  endsAt: Instant.nullable(),
  /** Of a slot only, so that it can be told whether it was regenerated since. */
  mac: Mac.nullable(),
})
export type LiveCredential = z.infer<typeof LiveCredential>

/** How a dependent is brought to the new value. `manual` is a step for a person. */
export const DependentKind = z.enum([
  'app-service-reference',
  'app-service-setting',
  'container-app',
  'sync-route',
  'manual',
])
export type DependentKind = z.infer<typeof DependentKind>

/** Something that uses the credential. */
export const PlannedDependent = z.object({
  dependent: OpaqueId,
  kind: DependentKind,
  name: committed(z.string().max(300)),
  /** Resource id at Azure, or the route's id; null for a step that only a person can take. */
  at: committed(z.string().max(400)).nullable(),
  /** The setting, or the secret of a container app, that carries it. */
  setting: committed(z.string().max(200)).nullable(),
  /** Which target it reads, as an index into the plan's targets; null where it does not read one. */
  target: Count.nullable(),
  /** Percent: how sure we are that it depends on this credential. */
  confidence: z.int().min(0).max(100),
  canary: z.boolean(),
})
export type PlannedDependent = z.infer<typeof PlannedDependent>

/** One precondition, looked at before anything is changed. `warned` does not stop, `failed` does. */
export const PreflightCheck = z.object({
  check: z.enum([
    'permission',
    'lifetime-policy',
    'vault-reachable',
    'vault-soft-deleted',
    'name-conflict',
    'managed-elsewhere',
    'window',
    'freeze',
    'lease',
    'drift',
    'entitlement',
    'issuer',
  ]),
  state: z.enum(['passed', 'warned', 'failed']),
  says: committed(z.string().max(500)),
})
export type PreflightCheck = z.infer<typeof PreflightCheck>

export const RotationMode = z.enum(['normal', 'compromise'])
export type RotationMode = z.infer<typeof RotationMode>

/** Whom notices go to. The webhook's signing key is derived from the install's key and stands nowhere. */
export const PolicyOwner = z.object({
  name: committed(z.string().min(1).max(120)),
  mail: erasable(z.email()).nullable(),
  webhook: erasable(z.url()).nullable(),
})
export type PolicyOwner = z.infer<typeof PolicyOwner>

/** When work may begin: a cron expression in a time zone, open for so long each time. */
export const RotationWindow = z.object({
  cron: z.string().min(9).max(100),
  zone: z.string().min(1).max(60),
  minutes: z.int().min(60).max(10_080),
})
export type RotationWindow = z.infer<typeof RotationWindow>

/** What a policy says beside credential, cadence and vault. */
export const PolicySettings = z.object({
  daysBeforeExpiry: z.int().min(1).max(365),
  /** Where new values go, in the order in which they are written. */
  targets: z
    .array(
      z.object({
        vault: OpaqueId,
        secret: committed(z.string().min(1).max(127)),
        content: z.enum(['value', 'connection-string']),
      }),
    )
    .max(10),
  window: RotationWindow.nullable(),
  /** How many people other than the one who asks must approve. */
  approvals: z.int().min(0).max(2),
  /** `switch`: we switch and confirm those that we can; `checklist`: people do it all. */
  dependents: z.enum(['switch', 'checklist']),
  graceHours: z
    .int()
    .min(0)
    .max(24 * 90),
  /** Issue so many days before the switch, under `<name>-next`; null: at the switch. */
  prestageDays: z.int().min(1).max(90).nullable(),
  owner: PolicyOwner.nullable(),
})
export type PolicySettings = z.infer<typeof PolicySettings>

/** Everything that a plan binds: its hash is over these fields, in canonical form. */
export const PlanFacts = z.object({
  rotation: OpaqueId,
  policy: OpaqueId,
  /** The asset that is replaced. */
  credential: OpaqueId,
  mode: RotationMode,
  subject: CredentialSubject,
  /** Every credential of the principal: what is not listed here is never removed (R2). */
  snapshot: z.array(LiveCredential).max(200),
  /** Those of the snapshot that are to be retired: the policy's own, or all siblings after a compromise. */
  retires: z.array(z.string().max(80)).max(200),
  /** For dual keys the slot that is regenerated; null otherwise. */
  slot: z.string().max(80).nullable(),
  targets: z.array(RotationTarget).max(10),
  /** End that the new credential is asked to have; null where the kind has none. */
  endsAt: Instant.nullable(),
  graceMs: Count,
  approvals: z.int().min(0).max(2),
  prestageMs: Count.nullable(),
  window: RotationWindow.nullable(),
  /** Makes the hash worthless for checking a guess of the names that it covers. */
  salt: committed(z.string().max(60)).optional(),
})
export type PlanFacts = z.infer<typeof PlanFacts>

export const Planned = PlanFacts.extend({
  /** SHA-256 of the canonical text of the facts above and the dependents. */
  planHash: Digest,
  dependents: Count,
  trigger: z.enum(['operator', 'schedule']),
  /** After it the plan is too old to be applied. */
  expiresAt: Instant,
  /** What the present credential ends, so that a missed window can be told from an outage to come. */
  currentEndsAt: Instant.nullable(),
})
