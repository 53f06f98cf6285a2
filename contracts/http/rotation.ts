import * as z from 'zod'
import { Count, Digest, ERASED, Instant, OpaqueId } from '../event.ts'
import {
  CredentialKind,
  CredentialSubject,
  LiveCredential,
  PlannedDependent,
  PolicyOwner,
  PolicySettings,
  PreflightCheck,
  RotationMode,
  RotationTarget,
  RotationWindow,
} from '../rotation-plan.ts'
import { ADMINS, endpoints, OPERATORS, pageOf, Paging, READERS } from './endpoint.ts'

const Why = z.string().trim().min(3).max(500)

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

/** What stands for an erased text in a fact is none that a person may give. */
const notErased = <S extends z.ZodType>(schema: S) =>
  schema.refine((text) => text !== ERASED, {
    message: `${ERASED} stands for what was erased; give one, or null`,
  })

/** Terms as a person gives them: whom to tell must be somebody who can be told. */
const GivenSettings = PolicySettings.extend({
  owner: PolicyOwner.extend({
    mail: notErased(PolicyOwner.shape.mail),
    webhook: notErased(PolicyOwner.shape.webhook),
  }).nullable(),
})

const SavePolicy = z.object({
  cadenceDays: z.int().min(1).max(730),
  settings: GivenSettings,
})

const policyRefusals = {
  'unknown-credential': 'not-found',
  'credential-has-policy': 'conflict',
  'credential-not-rotatable': 'conflict',
  'vault-unknown': 'invalid',
  'vault-gone': 'conflict',
  'target-elsewhere': 'conflict',
  'targets-missing': 'invalid',
  'bad-secret-name': 'invalid',
  'target-twice': 'invalid',
  'bad-window': 'invalid',
  'window-never-opens': 'invalid',
  'lifetime-above-cap': 'invalid',
  'nobody-to-notify': 'invalid',
} as const

const steering = {
  'no-such-rotation': 'not-found',
  'rotation-over': 'conflict',
  'wrong-stage': 'conflict',
} as const

export const rotationHttp = endpoints({
  listPolicies: {
    method: 'GET',
    path: '/api/rotation/policies',
    summary: 'Rotation policies, by name.',
    roles: READERS,
    query: Paging.extend({
      policy: OpaqueId.optional(),
      /** The one that rotates this credential now. */
      credential: OpaqueId.optional(),
      /** A part of the name, compared without regard to case. */
      search: z.string().max(100).optional(),
      state: z.enum(['enabled', 'disabled']).optional(),
    }),
    reply: pageOf(PolicyRow),
    refusals: {},
  },
  savePolicy: {
    method: 'POST',
    path: '/api/rotation/policies',
    summary: 'Enables rotation of one credential. What could never run is refused here, with the reason.',
    roles: OPERATORS,
    entitlement: 'rotation',
    body: SavePolicy.extend({
      /** A credential that discovery knows. */
      credential: OpaqueId.optional(),
      /** Or one that it does not list: a service principal, a storage account, a Service Bus rule. */
      subject: CredentialSubject.optional(),
    }).refine((b) => (b.credential === undefined) !== (b.subject === undefined), {
      message: 'needs either a credential or a subject',
      path: ['credential'],
    }),
    reply: z.object({ policy: OpaqueId }),
    refusals: policyRefusals,
  },
  revisePolicy: {
    method: 'PUT',
    path: '/api/rotation/policies/{policy}',
    summary: 'Changes the terms of a policy.',
    roles: OPERATORS,
    entitlement: 'rotation',
    body: SavePolicy,
    reply: null,
    refusals: { ...policyRefusals, 'no-such-policy': 'not-found' },
  },
  disablePolicy: {
    method: 'POST',
    path: '/api/rotation/policies/{policy}/disable',
    summary: 'Disables a policy; a rotation that runs goes on.',
    roles: OPERATORS,
    reply: null,
    refusals: { 'no-such-policy': 'not-found' },
  },
  showWebhookKey: {
    method: 'POST',
    path: '/api/rotation/policies/{policy}/webhook-key',
    summary:
      'The key under which notices to the owner’s webhook are signed, for the receiver; recorded as an act.',
    roles: OPERATORS,
    reauthenticate: true,
    reply: z.object({
      /** 32 bytes in hexadecimal; HMAC-SHA-256 of `<seconds>.<body>` under them is the `v1` of `x-attestry-signature`. */
      key: z.string(),
    }),
    refusals: { 'no-such-policy': 'not-found', 'no-webhook': 'conflict' },
  },
  listSelectors: {
    method: 'GET',
    path: '/api/rotation/selectors',
    summary: 'Selectors that make policies for every credential they find.',
    roles: READERS,
    reply: z.object({
      items: z.array(
        z.object({ selector: OpaqueId, namePart: z.string(), cadenceDays: Count, policies: Count }),
      ),
    }),
    refusals: {},
  },
  saveSelector: {
    method: 'POST',
    path: '/api/rotation/selectors',
    summary: 'Gives a policy to every application secret whose application’s name has a part.',
    roles: OPERATORS,
    entitlement: 'rotation',
    body: SavePolicy.extend({ namePart: z.string().max(120) }),
    reply: z.object({ selector: OpaqueId }),
    refusals: policyRefusals,
  },
  disableSelector: {
    method: 'POST',
    path: '/api/rotation/selectors/{selector}/disable',
    summary: 'Ends a selector; the policies that it made stay.',
    roles: OPERATORS,
    reply: null,
    refusals: { 'no-such-selector': 'not-found' },
  },
  listMatches: {
    method: 'GET',
    path: '/api/rotation/matches',
    summary: 'Vault secrets that seem to hold a policy’s credential, least sure first.',
    roles: READERS,
    query: Paging.extend({
      policy: OpaqueId.optional(),
      secret: OpaqueId.optional(),
      state: z.enum(['proposed', 'verified', 'excluded']).optional(),
    }),
    reply: pageOf(MatchRow),
    refusals: {},
  },
  judgeMatch: {
    method: 'POST',
    path: '/api/rotation/matches/{match}',
    summary: 'Verifies a match, or excludes it.',
    roles: OPERATORS,
    body: z.object({ verdict: z.enum(['verified', 'excluded']) }),
    reply: null,
    refusals: { 'no-such-match': 'not-found', 'already-judged': 'conflict' },
  },
  planRotation: {
    method: 'POST',
    path: '/api/rotation/plans',
    summary: 'Plans a rotation: looks, changes nothing, and binds what it saw by a hash.',
    roles: OPERATORS,
    entitlement: 'rotation',
    body: z.object({ policy: OpaqueId, mode: RotationMode.default('normal') }),
    reply: RotationDetail,
    refusals: {
      'no-such-policy': 'not-found',
      'policy-disabled': 'conflict',
      'credential-gone': 'conflict',
      'already-running': 'conflict',
      'targets-missing': 'conflict',
      'cannot-look': 'unavailable',
      'too-many-credentials': 'conflict',
      'slot-unknown': 'conflict',
    },
  },
  listRotations: {
    method: 'GET',
    path: '/api/rotation/rotations',
    summary: 'Rotations, newest first.',
    roles: READERS,
    query: Paging.extend({
      state: z.enum(['running', 'ended', 'attention']).optional(),
      policy: OpaqueId.optional(),
      credential: OpaqueId.optional(),
    }),
    reply: pageOf(RotationRow),
    refusals: {},
  },
  readRotation: {
    method: 'GET',
    path: '/api/rotation/rotations/{rotation}',
    summary: 'One rotation: its plan, where it stands, who depends on it and what was recorded.',
    roles: READERS,
    reply: RotationDetail,
    refusals: { 'no-such-rotation': 'not-found' },
  },
  watchRotation: {
    method: 'GET',
    path: '/api/rotation/rotations/{rotation}/watch',
    summary: 'The rotation whenever it changed, as server-sent events, to its end.',
    roles: READERS,
    reply: 'stream',
    refusals: { 'no-such-rotation': 'not-found' },
  },
  requestRotation: {
    method: 'POST',
    path: '/api/rotation/rotations/{rotation}/request',
    summary: 'Asks for a plan to be carried out. Break-glass passes over approval, window and freeze.',
    roles: OPERATORS,
    entitlement: 'cloud-writes',
    reauthenticate: true,
    body: z.object({
      planHash: Digest,
      ticket: z.string().trim().min(1).max(120).nullable().default(null),
      incident: z.string().trim().min(1).max(120).nullable().default(null),
      breakGlass: Why.nullable().default(null),
    }),
    reply: RotationDetail,
    refusals: {
      ...steering,
      'plan-changed': 'conflict',
      'plan-expired': 'conflict',
      'incident-missing': 'invalid',
      'never-open': 'conflict',
      'writes-off': 'conflict',
      'too-many-rotations': 'forbidden',
    },
  },
  approveRotation: {
    method: 'POST',
    path: '/api/rotation/rotations/{rotation}/approve',
    summary: 'Approves a plan by its hash; another person than the one who asked.',
    roles: ['tenant-admin', 'security-admin'],
    entitlement: 'cloud-writes',
    reauthenticate: true,
    body: z.object({ planHash: Digest }),
    reply: RotationDetail,
    refusals: {
      ...steering,
      'plan-changed': 'conflict',
      'plan-expired': 'conflict',
      'same-person': 'forbidden',
      'already-approved': 'conflict',
      'never-open': 'conflict',
      'writes-off': 'conflict',
    },
  },
  rejectRotation: {
    method: 'POST',
    path: '/api/rotation/rotations/{rotation}/reject',
    summary: 'Rejects a plan.',
    roles: ['tenant-admin', 'security-admin'],
    body: z.object({ reason: Why }),
    reply: RotationDetail,
    refusals: steering,
  },
  pauseRotation: {
    method: 'POST',
    path: '/api/rotation/rotations/{rotation}/pause',
    summary: 'Pauses a rotation after the step at hand.',
    roles: OPERATORS,
    reply: RotationDetail,
    refusals: { ...steering, 'already-paused': 'conflict' },
  },
  resumeRotation: {
    method: 'POST',
    path: '/api/rotation/rotations/{rotation}/resume',
    summary: 'Lets a paused rotation go on.',
    roles: OPERATORS,
    reply: RotationDetail,
    refusals: { ...steering, 'not-paused': 'conflict' },
  },
  rollBackRotation: {
    method: 'POST',
    path: '/api/rotation/rotations/{rotation}/roll-back',
    summary: 'Takes back everything: vaults, dependents, and then the new credential.',
    roles: OPERATORS,
    reauthenticate: true,
    body: z.object({ reason: Why }),
    reply: RotationDetail,
    refusals: { ...steering, 'no-way-back': 'conflict' },
  },
  takeOverRotation: {
    method: 'POST',
    path: '/api/rotation/rotations/{rotation}/take-over',
    summary: 'A person finishes by hand; the product changes nothing more.',
    roles: OPERATORS,
    reauthenticate: true,
    body: z.object({ reason: Why }),
    reply: RotationDetail,
    refusals: steering,
  },
  goOnRotation: {
    method: 'POST',
    path: '/api/rotation/rotations/{rotation}/go-on',
    summary: 'Lets a rotation go on that waited for a person to look.',
    roles: OPERATORS,
    body: z.object({ reason: Why }),
    reply: RotationDetail,
    refusals: { ...steering, 'nothing-to-resolve': 'conflict' },
  },
  settleDependent: {
    method: 'POST',
    path: '/api/rotation/rotations/{rotation}/dependents/{dependent}',
    summary: 'Confirms by hand that a dependent uses the right value, or takes responsibility for it.',
    roles: OPERATORS,
    body: z.discriminatedUnion('verdict', [
      z.object({ verdict: z.literal('confirmed') }),
      z.object({ verdict: z.literal('waived'), reason: Why }),
    ]),
    reply: RotationDetail,
    refusals: { ...steering, 'no-such-dependent': 'not-found', 'dependent-settled': 'conflict' },
  },
  waiveUse: {
    method: 'POST',
    path: '/api/rotation/rotations/{rotation}/waive-use',
    summary: 'Takes responsibility for retiring a credential whose last use is not known.',
    roles: OPERATORS,
    reauthenticate: true,
    body: z.object({ reason: Why }),
    reply: RotationDetail,
    refusals: steering,
  },
  mergeCertificate: {
    method: 'POST',
    path: '/api/rotation/rotations/{rotation}/merge',
    summary: 'Brings the signed certificate for a request that waits for it, leaf first.',
    roles: OPERATORS,
    body: z.object({
      chain: z.array(z.string().startsWith('-----BEGIN CERTIFICATE-----').max(20_000)).min(1).max(10),
    }),
    reply: RotationDetail,
    refusals: { ...steering, 'not-awaited': 'conflict' },
  },
  readCalendar: {
    method: 'GET',
    path: '/api/rotation/calendar',
    summary: 'What is due, when windows open and what is frozen, within 100 days.',
    roles: READERS,
    query: z.object({ from: Instant, until: Instant }),
    reply: z.object({ items: z.array(CalendarEntry), cut: z.boolean() }),
    refusals: { 'bad-range': 'invalid' },
  },
  declareFreeze: {
    method: 'POST',
    path: '/api/rotation/freezes',
    summary: 'Declares a time in which nothing is begun, switched or retired.',
    roles: OPERATORS,
    body: z.object({
      from: Instant,
      until: Instant,
      name: z.string().trim().min(1).max(120),
      policies: z.array(OpaqueId).max(500).default([]),
    }),
    reply: z.object({ freeze: OpaqueId }),
    refusals: { 'bad-range': 'invalid' },
  },
  liftFreeze: {
    method: 'POST',
    path: '/api/rotation/freezes/{freeze}/lift',
    summary: 'Lifts a freeze.',
    roles: OPERATORS,
    reply: null,
    refusals: { 'no-such-freeze': 'not-found' },
  },
  listAdvice: {
    method: 'GET',
    path: '/api/rotation/advice',
    summary: 'Credentials that a managed identity or a federation would make needless.',
    roles: READERS,
    reply: z.object({ items: z.array(AdviceRow) }),
    refusals: {},
  },
  readWindow: {
    method: 'POST',
    path: '/api/rotation/windows/preview',
    summary: 'The next times at which a window opens.',
    roles: READERS,
    body: z.object({ window: RotationWindow }),
    reply: z.object({ openings: z.array(z.object({ from: Instant, until: Instant.nullable() })) }),
    refusals: { 'bad-window': 'invalid' },
  },
  readRotationSettings: {
    method: 'GET',
    path: '/api/rotation/settings',
    summary: 'Whether rotations may write to the cloud.',
    roles: READERS,
    reply: z.object({ writes: z.boolean(), entitled: z.boolean(), demonstration: z.boolean() }),
    refusals: {},
  },
  switchWrites: {
    method: 'POST',
    path: '/api/rotation/settings',
    summary: 'Switches writing to the cloud on or off. Off at first; what runs finishes.',
    roles: ADMINS,
    entitlement: 'cloud-writes',
    reauthenticate: true,
    body: z.object({ writes: z.boolean() }),
    reply: null,
    refusals: {},
  },
})
