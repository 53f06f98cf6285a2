import * as z from 'zod'
import { Count, Digest, Instant, OpaqueId } from '../event.ts'
import {
  CredentialKind,
  CredentialSubject,
  LiveCredential,
  PlannedDependent,
  PolicySettings,
  PreflightCheck,
  RotationMode,
  RotationTarget,
} from '../rotation-plan.ts'

/* What rotation's endpoints answer with, a shape a row. */

export const RotationStage = z.enum([
  'planned',
  'awaiting-approval',
  'scheduled',
  'issuing',
  'staged',
  'verifying',
  'cutover',
  'grace',
  'retiring',
  'rolling-back',
  'complete',
  'rolled-back',
  'blocked',
  'rejected',
  'expired',
  'taken-over',
])
export type RotationStage = z.infer<typeof RotationStage>

/** A line of a plan's diff: what would change where. Values never stand in it. */
export const DiffLine = z.object({
  change: z.enum(['add', 'change', 'remove', 'keep']),
  where: z.string(),
  what: z.string(),
  before: z.string().nullable(),
  after: z.string().nullable(),
})
export type DiffLine = z.infer<typeof DiffLine>

export const PolicyRow = z.object({
  policy: OpaqueId,
  enabled: z.boolean(),
  credential: OpaqueId,
  subject: CredentialSubject,
  cadenceDays: Count,
  settings: PolicySettings,
  selector: OpaqueId.nullable(),
  /** Names of the targets' vaults, by target. */
  vaultNames: z.array(z.string()),
  endsAt: Instant.nullable(),
  dueAt: Instant.nullable(),
  matches: z.object({ proposed: Count, verified: Count, excluded: Count }),
  /** The rotation at work, and the last that ended. */
  running: z.object({ rotation: OpaqueId, stage: RotationStage }).nullable(),
  last: z.object({ rotation: OpaqueId, stage: RotationStage, endedAt: Instant }).nullable(),
})
export type PolicyRow = z.infer<typeof PolicyRow>

export const MatchRow = z.object({
  match: OpaqueId,
  policy: OpaqueId,
  policyName: z.string(),
  secret: OpaqueId,
  secretName: z.string(),
  vaultName: z.string(),
  confidence: Count,
  signals: z.array(z.string()),
  state: z.enum(['proposed', 'verified', 'excluded']),
})
export type MatchRow = z.infer<typeof MatchRow>

export const RotationRow = z.object({
  rotation: OpaqueId,
  policy: OpaqueId,
  credential: OpaqueId,
  replacedBy: OpaqueId.nullable(),
  kind: CredentialKind,
  name: z.string(),
  mode: RotationMode,
  trigger: z.enum(['operator', 'schedule']),
  stage: RotationStage,
  /** When it came to this stage. */
  since: Instant,
  paused: z.boolean(),
  needsOperator: z.object({ step: z.string(), reason: z.string() }).nullable(),
  plannedAt: Instant,
  opensAt: Instant.nullable(),
  endedAt: Instant.nullable(),
  reason: z.string().nullable(),
})
export type RotationRow = z.infer<typeof RotationRow>

export const DependentRow = z.object({
  plan: PlannedDependent,
  state: z.enum([
    'waiting',
    'switching',
    'switched',
    'unconfirmed',
    'confirmed',
    'waived',
    'failed',
    'returned',
    'must-return',
  ]),
  note: z.string().nullable(),
  cachedUntil: Instant.nullable(),
})

export const RotationDetail = RotationRow.extend({
  planHash: Digest,
  expiresAt: Instant,
  subject: CredentialSubject,
  targets: z.array(RotationTarget.extend({ vaultName: z.string() })),
  snapshot: z.array(LiveCredential),
  retires: z.array(z.string()),
  retired: z.array(z.string()),
  diff: z.array(DiffLine),
  risks: z.array(z.string()),
  undo: z.array(z.string()),
  approvals: z.object({ needed: Count, given: z.array(OpaqueId), requestedBy: OpaqueId.nullable() }),
  ticket: z.string().nullable(),
  incident: z.string().nullable(),
  breakGlass: z.boolean(),
  checks: z.array(PreflightCheck),
  dependents: z.array(DependentRow),
  pending: z.object({ awaits: z.enum(['authority', 'merge']), request: z.string().nullable() }).nullable(),
  /** How long both credentials work at least, hours: the policy's, or longer where a dependent may hold the old value. */
  graceHours: Count,
  graceUntil: Instant.nullable(),
  held: z.string().nullable(),
  /** What the rotation does or waits for now, and until when. */
  now: z.object({ says: z.string(), until: Instant.nullable() }),
  /** What a person does who takes it over, step by step, with the exact names. */
  byHand: z.array(z.string()),
  /** What was recorded, newest last. `proof`: what exactly, such as the version that a vault serves. */
  record: z.array(
    z.object({
      at: Instant,
      type: z.string(),
      by: z.string(),
      seq: Count,
      says: z.string(),
      proof: z.string().nullable(),
    }),
  ),
})
export type RotationDetail = z.infer<typeof RotationDetail>

export const CalendarEntry = z.object({
  kind: z.enum(['due', 'window', 'freeze', 'running']),
  from: Instant,
  until: Instant.nullable(),
  name: z.string(),
  policy: OpaqueId.nullable(),
  rotation: OpaqueId.nullable(),
  freeze: OpaqueId.nullable(),
})
export type CalendarEntry = z.infer<typeof CalendarEntry>

export const AdviceRow = z.object({
  credential: OpaqueId,
  name: z.string(),
  advice: z.enum(['managed-identity', 'federation']),
  says: z.string(),
  resources: z.array(z.string()),
})
export type AdviceRow = z.infer<typeof AdviceRow>
