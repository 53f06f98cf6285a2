import * as z from 'zod'
import { committed, Count, Digest, events, Instant, OpaqueId, Pairs } from './event.ts'

/** A store that secrets or certificates are copied to. */
export const TargetKind = z.enum([
  'azure-key-vault',
  'aws-secrets-manager',
  'aws-parameter-store',
  'aws-acm',
  'gcp-secret-manager',
  'gcp-certificate-manager',
])
export type TargetKind = z.infer<typeof TargetKind>

/** How a target's account is signed in to. What is not `…-key` holds no secret of ours at all. */
export const AccessKind = z.enum([
  /** Azure: the identity that the product runs as. */
  'own-identity',
  /** AWS: AssumeRole with an external id, from the machine's own AWS identity. */
  'assume-role',
  /** AWS: a token of Entra for a role of AWS, then where asked AssumeRole with an external id. */
  'web-identity',
  /** GCP: a token of Entra for a workload identity pool, then where asked a service account. */
  'federation',
  /** AWS: a stored access key, where nothing better is possible. */
  'access-key',
  /** GCP: a stored service account key, where nothing better is possible. */
  'service-account-key',
])
export type AccessKind = z.infer<typeof AccessKind>

/** Which items of the source vault a route takes: all conditions hold, an empty list is no condition. */
export const Selector = z.object({
  /** Names, `*` for any characters; without regard to case, as vaults name things. */
  names: committed(z.array(z.string().min(1).max(127)).max(200)),
  /** Tags that an item must carry; the value `*` is any value. */
  tags: committed(Pairs),
  contentTypes: committed(z.array(z.string().max(255)).max(20)),
})
export type Selector = z.infer<typeof Selector>

/** Whether a time zone of this name is known here, such as `Europe/Berlin`. */
function isZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    // A RangeError is how this says that there is none.
    return false
  }
}

/** A time of day in a zone: where clocks are put forward over it, the run comes that much later. */
export const Daily = z.object({
  at: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day such as 02:30'),
  zone: z.string().max(60).refine(isZone, 'must be a time zone such as Europe/Berlin'),
})
export type Daily = z.infer<typeof Daily>

/** What an operator sets for a route. */
export const RouteSettings = z.object({
  name: committed(z.string().min(1).max(80)),
  kind: TargetKind,
  selector: Selector,
  /** Name at the target: text with `{name}`, `{name.lower}`, `{name.upper}`, `{name.snake}` and `{vault}`. */
  template: committed(z.string().min(1).max(400)),
  /** Names at the target that do not follow the template: name at the source, name at the target. */
  overrides: committed(Pairs),
  /** Tags that are carried over: name at the source, name at the target. A tag that is absent clears nothing. */
  tags: committed(Pairs),
  /** Whether values whose content type says base64 are written as text or as the bytes they stand for. */
  binary: z.enum(['as-text', 'decode']),
  /** What becomes of a copy whose source is gone or no longer selected. */
  deletePolicy: z.enum(['keep', 'prune']),
  /** Most deletions of one run that need no approval; null is the smaller of 5 and 10 % of the route's copies. */
  pruneLimit: z.int().min(0).max(1000).nullable(),
  /** What becomes of a copy whose source is disabled or expired. */
  onDisabled: z.enum(['skip', 'disable']),
  /** What to do where somebody changed the copy at the target: tell, or write the source's value again. */
  onDrift: z.enum(['alert', 'reassert']),
  /** Versions kept at targets that bill every one of them. */
  keepVersions: z.int().min(1).max(100),
  /** Whether each run that writes waits for a person, or the first one and one beyond the prune limit only. */
  approval: z.enum(['first-run', 'always']),
  everyMinutes: z.int().min(5).max(10_080).nullable(),
  /** Run once a day besides, at a time of day. */
  daily: Daily.nullable().optional(),
  /** Run when rotation stored a new version, or discovery saw a change. */
  onChange: z.boolean(),
})
export type RouteSettings = z.infer<typeof RouteSettings>

/** What a plan or a run counted, by what is done with an item. */
export const PlanCounts = z.object({
  create: Count,
  update: Count,
  noop: Count,
  conflict: Count,
  prune: Count,
  skip: Count,
})
export type PlanCounts = z.infer<typeof PlanCounts>

/** Why a plan waits for a person. */
export const PlanNeeds = z.enum(['first-run', 'every-run', 'prune-limit'])
export type PlanNeeds = z.infer<typeof PlanNeeds>

export const RunTrigger = z.enum([
  'operator',
  'schedule',
  'rotation',
  'discovery',
  'accepted',
  'released',
  'retry',
])
export type RunTrigger = z.infer<typeof RunTrigger>

/** How a run ended. `planned`: it waits for acceptance, or was asked to plan only; `held`: a kill switch keeps it. */
export const RunOutcome = z.enum(['succeeded', 'partial', 'failed', 'aborted', 'planned', 'held'])
export type RunOutcome = z.infer<typeof RunOutcome>

/** What differs between a copy and what was last written there. */
export const Drift = z.enum(['changed', 'unmarked', 'gone', 'pending-deletion', 'disabled'])
export type Drift = z.infer<typeof Drift>

const Connector = { connector: OpaqueId }
const Route = { route: OpaqueId }
const Run = { ...Route, run: OpaqueId }
/** A copy: one item of the source on its way along one route. */
const Copied = { ...Route, copy: OpaqueId, secret: OpaqueId }

/** Facts of multi-cloud sync. */
export const syncEvents = events('sync', {
  'connector-added': {
    v: 1,
    says: 'An account that secrets may be copied to was connected; what signs in is no part of the fact.',
    data: z.object({
      ...Connector,
      cloud: z.enum(['azure', 'aws', 'gcp']),
      name: committed(z.string().min(1).max(80)),
      /** AWS account, GCP project, or address of a vault. */
      account: committed(z.string().max(200)),
      /** Where the cloud has regions; null is the cloud's own choice. */
      region: z.string().max(40).nullable(),
      how: AccessKind,
      /** Roles, audiences and ids that sign-in needs and that are no secret. */
      access: committed(Pairs),
    }),
  },
  'connector-tested': {
    v: 1,
    says: 'The sign-in of a connector was tried.',
    data: z.object({ ...Connector, ok: z.boolean(), problem: committed(z.string()).nullable() }),
  },
  'credential-replaced': {
    v: 1,
    says: 'A connector signs in otherwise from now on; tried before it was saved.',
    data: z.object({ ...Connector, how: AccessKind, access: committed(Pairs) }),
  },
  'connector-removed': {
    v: 1,
    says: 'A connector and its stored credential were removed; copies stay where they are.',
    data: z.object(Connector),
  },
  'ring-rotated': {
    v: 1,
    says: 'Stored credentials were encrypted under a new key.',
    data: z.object({ key: OpaqueId, reencrypted: Count }),
  },
  'route-opened': {
    v: 1,
    says: 'A source vault is copied to a target.',
    data: z.object({
      ...Route,
      /** The vault, as discovery knows it. */
      source: OpaqueId,
      /** The connector. */
      target: OpaqueId,
      settings: RouteSettings.optional(),
    }),
  },
  'route-revised': {
    v: 1,
    says: 'The settings of a route changed.',
    data: z.object({
      ...Route,
      settings: RouteSettings,
      /** Whether what was accepted no longer says what will be written, so that a person must accept again. */
      reaccept: z.boolean(),
    }),
  },
  'route-paused': { v: 1, says: 'A route was paused.', data: z.object(Route) },
  'route-resumed': { v: 1, says: 'A paused route is active again.', data: z.object(Route) },
  'route-closed': { v: 1, says: 'A route was closed; its copies stay.', data: z.object(Route) },
  'run-started': {
    v: 1,
    says: 'A run of a route began.',
    data: z.object({ ...Run, trigger: RunTrigger }),
  },
  'plan-made': {
    v: 1,
    says: 'What a run would do was worked out; nothing is written before it.',
    data: z.object({ ...Run, plan: Digest, counts: PlanCounts, needs: PlanNeeds.nullable() }),
  },
  'plan-accepted': {
    v: 1,
    says: 'A person accepted a plan, by its hash.',
    data: z.object({ ...Run, plan: Digest }),
  },
  'plan-rejected': {
    v: 1,
    says: 'A person rejected a plan.',
    data: z.object({ ...Run, plan: Digest }),
  },
  'run-ended': {
    v: 1,
    says: 'A run of a route ended.',
    data: z.object({
      ...Run,
      outcome: RunOutcome,
      /** What was done, and what the plan left alone. */
      counts: PlanCounts,
      failed: Count,
      /** Requests that listed the source and the target, and values that were read. */
      listCalls: Count,
      valuesRead: Count,
      problem: committed(z.string()).nullable(),
    }),
  },
  adopted: {
    v: 1,
    says: 'A person gave an object that was at the target before to a route, without its value being read.',
    data: z.object({
      ...Copied,
      targetName: committed(z.string()),
      /** What the target served when it was adopted; null where the target does not tell. */
      targetVersion: z.string().nullable(),
    }),
  },
  copied: {
    v: 1,
    says: 'A source version reached its target.',
    data: z.object({
      ...Copied,
      sourceVersion: z.string(),
      targetVersion: z.string(),
      /** HMAC-SHA256 under a key of the install, of what was read and of what was written. */
      sourceMac: z.string(),
      targetMac: z.string(),
      run: OpaqueId.optional(),
      connector: OpaqueId.optional(),
      /** The plan under which it was written. */
      plan: Digest.optional(),
      sourceName: committed(z.string()).optional(),
      targetName: committed(z.string()).optional(),
      what: z.enum(['create', 'update']).optional(),
      /** Found at the target after an interruption, not written again. */
      recovered: z.boolean().optional(),
      /** When the source version was made and last changed, as its vault says it. */
      sourceCreated: Instant.nullable().optional(),
      sourceUpdated: Instant.nullable().optional(),
      /** What the target shows without its value being read, and what changes when somebody writes there. */
      targetStamp: z.string().nullable().optional(),
    }),
  },
  'copy-failed': {
    v: 1,
    says: 'A copy did not reach its target; without a time to try again it is set aside until a person replays it.',
    data: z.object({
      ...Copied,
      attempt: Count,
      /** A code and a sentence without names. */
      reason: z.string(),
      retryAt: Instant.nullable(),
      run: OpaqueId.optional(),
      sourceName: committed(z.string()).optional(),
      targetName: committed(z.string()).optional(),
      /** When the source that failed last changed: once it moved, what was set aside is tried again. */
      sourceUpdated: Instant.nullable().optional(),
    }),
  },
  'copy-replayed': {
    v: 1,
    says: 'A person had a copy that was set aside tried again.',
    data: z.object(Copied),
  },
  'copy-disabled': {
    v: 1,
    says: 'A copy was disabled at its target because its source is disabled or expired.',
    data: z.object({ ...Copied, run: OpaqueId, targetVersion: z.string().nullable() }),
  },
  drifted: {
    v: 1,
    says: 'A copy is not what was last written there, by what the target shows without its value being read.',
    data: z.object({
      ...Copied,
      drift: Drift,
      /** The version that was written, and the one that is there. */
      expected: z.string().nullable(),
      found: z.string().nullable(),
    }),
  },
  pruned: {
    v: 1,
    says: 'A copy whose source is gone was deleted at its target, recoverably where the target can.',
    data: z.object({ ...Copied, run: OpaqueId, plan: Digest, targetVersion: z.string().nullable() }),
  },
  'writes-allowed': {
    v: 1,
    says: 'Sync may write to targets: the setting that is off at first.',
    data: z.object({ allowed: z.boolean() }),
  },
  'switch-thrown': {
    v: 1,
    says: 'A kill switch was thrown: what is due waits.',
    data: z.object({
      /** A connector, or null for all. */
      connector: OpaqueId.nullable(),
      reason: committed(z.string().max(500)),
    }),
  },
  'switch-released': {
    v: 1,
    says: 'A kill switch was released: what waited goes on.',
    data: z.object({ connector: OpaqueId.nullable() }),
  },
  'worker-started': {
    v: 1,
    says: 'The sync worker runs.',
    data: z.object({
      worker: OpaqueId,
      /** Until when this may be believed without another sign of life. */
      until: Instant.optional(),
    }),
  },
  'worker-seen': {
    v: 1,
    says: 'The sync worker still runs; said well before its last word lapses.',
    data: z.object({ worker: OpaqueId, until: Instant }),
  },
  'worker-lost': { v: 1, says: 'The sync worker’s heartbeat ended.', data: z.object({ worker: OpaqueId }) },
})
