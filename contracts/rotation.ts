import * as z from 'zod'
import { Count, committed, Digest, events, Instant, OpaqueId } from './event.ts'
import {
  PreflightCheck,
  PlannedDependent,
  LiveCredential,
  Mac,
  PolicyOwner,
  Planned,
  PolicySettings,
  CredentialSubject,
} from './rotation-plan.ts'

const Policy = {
  policy: OpaqueId,
  /** The credential that is rotated, as discovery names it. */
  credential: OpaqueId,
  cadenceDays: z.int().min(1).max(730),
  targetVault: OpaqueId.nullable(),
  subject: CredentialSubject.optional(),
  settings: PolicySettings.optional(),
  /** The selector that made this policy, where one did. */
  selector: OpaqueId.optional(),
}

const Rotation = { rotation: OpaqueId }
const Because = { reason: committed(z.string().max(500)) }
const Step = z.enum([
  'planning',
  'preflight',
  'issuing',
  'storing',
  'verifying',
  'cutover',
  'grace',
  'retiring',
  'rolling-back',
])

/** A version of a secret in a vault, told without a name. */
const Place = { target: Count, vault: OpaqueId, version: z.string() }

export const rotationEvents = events('rotation', {
  'policy-enabled': { v: 1, says: 'Rotation of a credential was enabled.', data: z.object(Policy) },
  'policy-revised': {
    v: 1,
    says: 'Cadence, target or terms of a policy changed, or it follows the credential that replaced its own.',
    data: z.object(Policy),
  },
  'policy-disabled': {
    v: 1,
    says: 'Rotation of a credential was disabled.',
    data: z.object({ policy: OpaqueId }),
  },
  'selector-enabled': {
    v: 1,
    says: 'Every credential that a selector finds gets a policy of these terms.',
    data: z.object({
      selector: OpaqueId,
      /** Part of the application's name, compared without regard to case; empty finds all. */
      namePart: committed(z.string().max(120)),
      kinds: z.array(z.enum(['app-secret'])).min(1),
      cadenceDays: Policy.cadenceDays,
      settings: PolicySettings,
    }),
  },
  'selector-disabled': {
    v: 1,
    says: 'A selector makes no more policies; those that it made stay.',
    data: z.object({ selector: OpaqueId }),
  },
  'match-proposed': {
    v: 1,
    says: 'A vault secret seems to hold a policy’s credential.',
    data: z.object({
      policy: OpaqueId,
      match: OpaqueId,
      secret: OpaqueId,
      confidence: z.int().min(0).max(100),
      /** What speaks for it. */
      signals: z
        .array(z.enum(['tag-key-id', 'tag-app-id', 'name', 'updated-near-start', 'expiry']))
        .optional(),
    }),
  },
  'match-verified': {
    v: 1,
    says: 'A person verified a match.',
    data: z.object({ policy: OpaqueId, match: OpaqueId }),
  },
  'match-excluded': {
    v: 1,
    says: 'A person excluded a match.',
    data: z.object({ policy: OpaqueId, match: OpaqueId }),
  },
  'freeze-declared': {
    v: 1,
    says: 'No rotation starts, switches or retires between two instants.',
    data: z.object({
      freeze: OpaqueId,
      from: Instant,
      until: Instant,
      name: committed(z.string().min(1).max(120)),
      /** Whom it holds; empty: everybody. */
      policies: z.array(OpaqueId).max(500),
    }),
  },
  'freeze-lifted': { v: 1, says: 'A freeze was lifted.', data: z.object({ freeze: OpaqueId }) },
  'writes-switched': {
    v: 1,
    says: 'An administrator switched the writing of rotations to the cloud on or off. Off at first.',
    data: z.object({ on: z.boolean() }),
  },

  planned: {
    v: 1,
    says: 'A plan was made: the snapshot that binds it, and its hash. Nothing was changed.',
    data: Planned,
  },
  'dependents-planned': {
    v: 1,
    says: 'Who uses the credential, under the plan’s hash: at most 100 an event.',
    data: z.object({ ...Rotation, planHash: Digest, dependents: z.array(PlannedDependent).max(100) }),
  },
  requested: {
    v: 1,
    says: 'Somebody asked for a plan to be carried out.',
    data: z.object({
      ...Rotation,
      planHash: Digest,
      ticket: committed(z.string().max(120)).nullable(),
      /** Mandatory after a compromise. */
      incident: committed(z.string().max(120)).nullable(),
    }),
  },
  approved: {
    v: 1,
    says: 'Another person approved a plan, by its hash.',
    data: z.object({ ...Rotation, planHash: Digest, approver: OpaqueId }),
  },
  rejected: {
    v: 1,
    says: 'A person rejected a plan.',
    data: z.object({ ...Rotation, approver: OpaqueId, ...Because }),
  },
  'break-glass-used': {
    v: 1,
    says: 'Approval was passed over in an emergency, by name and with a reason.',
    data: z.object({ ...Rotation, planHash: Digest, operator: OpaqueId, ...Because }),
  },
  'approval-voided': {
    v: 1,
    says: 'What the plan was made of changed, so approvals of it are worth nothing any more.',
    data: z.object({ ...Rotation, ...Because }),
  },
  expired: {
    v: 1,
    says: 'A plan was not approved or could not begin in time.',
    data: z.object({ ...Rotation, ...Because }),
  },
  scheduled: {
    v: 1,
    says: 'A rotation will begin at this instant, or in the window that opens then.',
    data: z.object({ ...Rotation, opensAt: Instant, closesAt: Instant.nullable() }),
  },
  'window-missed': {
    v: 1,
    says: 'A rotation could not do its next step while its window was open; it waits for the next.',
    data: z.object({
      ...Rotation,
      policy: OpaqueId,
      nextOpensAt: Instant.nullable(),
      /** The credential ends before the next window opens. */
      expiresFirst: z.boolean(),
    }),
  },
  'preflight-passed': {
    v: 1,
    says: 'Every precondition holds; from here on things may be changed.',
    data: z.object({ ...Rotation, checks: z.array(PreflightCheck).max(60) }),
  },
  blocked: {
    v: 1,
    says: 'A precondition failed; nothing was changed.',
    data: z.object({ ...Rotation, policy: OpaqueId, checks: z.array(PreflightCheck).max(60) }),
  },
  'issue-intended': {
    v: 1,
    says: 'A new credential is about to be issued, proved and stored.',
    data: z.object({ ...Rotation, attempt: Count, slot: z.string().nullable(), endsAt: Instant.nullable() }),
  },
  'issue-pending': {
    v: 1,
    says: 'The certificate is not there yet: its authority works on it, or a person has to bring the signed one.',
    data: z.object({
      ...Rotation,
      awaits: z.enum(['authority', 'merge']),
      /** The request as PEM, which is public. */
      request: committed(z.string().max(20_000)).nullable(),
    }),
  },
  'merge-intended': {
    v: 1,
    says: 'A signed certificate is about to be merged with its pending key.',
    data: z.object({ ...Rotation, thumbprints: z.array(z.string()).max(10) }),
  },
  'credential-issued': {
    v: 1,
    says: 'A new credential exists and was proved to work where that can be proved before it is published.',
    data: z.object({
      ...Rotation,
      keyId: z.string(),
      endsAt: Instant.nullable(),
      mac: Mac.nullable(),
      /** Recovered after a crash from what was found, not from an answer. */
      recovered: z.boolean(),
    }),
  },
  'credential-staged': {
    v: 1,
    says: 'The new value waits in a vault under a name of its own, ahead of the switch.',
    data: z.object({ ...Rotation, ...Place, keyId: z.string() }),
  },
  'publish-intended': {
    v: 1,
    says: 'A staged value is about to be published under its own name.',
    data: z.object({ ...Rotation }),
  },
  'credential-stored': {
    v: 1,
    says: 'A vault serves the new value.',
    data: z.object({
      ...Rotation,
      ...Place,
      /** The secret’s asset, where discovery knows it. */
      secret: OpaqueId,
      keyId: z.string(),
      mac: Mac.nullable(),
    }),
  },
  'credential-verified': {
    v: 1,
    says: 'What the vaults serve was read back and works.',
    data: z.object({ ...Rotation, keyId: z.string(), successes: Count, overMs: Count }),
  },
  'switch-intended': {
    v: 1,
    says: 'A dependent is about to be switched.',
    data: z.object({ ...Rotation, dependent: OpaqueId }),
  },
  'dependent-switched': {
    v: 1,
    says: 'A dependent was told to use the new value.',
    data: z.object({
      ...Rotation,
      dependent: OpaqueId,
      /** It may go on with the old value for so long. */
      cacheMs: Count,
      says: committed(z.string().max(500)),
    }),
  },
  'dependent-confirmed': {
    v: 1,
    says: 'A dependent uses the new value: read back, or confirmed by a person.',
    data: z.object({ ...Rotation, dependent: OpaqueId, by: z.enum(['read-back', 'person']) }),
  },
  'dependent-unconfirmed': {
    v: 1,
    says: 'A dependent was switched and does not show the new value yet.',
    data: z.object({ ...Rotation, dependent: OpaqueId, ...Because }),
  },
  'dependent-failed': {
    v: 1,
    says: 'A dependent could not be switched; no further one is touched.',
    data: z.object({ ...Rotation, dependent: OpaqueId, ...Because }),
  },
  'dependent-waived': {
    v: 1,
    says: 'A person took responsibility for a dependent that is not confirmed.',
    data: z.object({ ...Rotation, dependent: OpaqueId, ...Because }),
  },
  'grace-entered': {
    v: 1,
    says: 'Old and new credential both work until this instant at least.',
    data: z.object({ ...Rotation, until: Instant }),
  },
  'use-waived': {
    v: 1,
    says: 'A person took responsibility for retiring a credential whose last use is not known.',
    data: z.object({ ...Rotation, ...Because }),
  },
  'retire-checked': {
    v: 1,
    says: 'It was looked whether a credential may be retired; written when the answer changes.',
    data: z.object({
      ...Rotation,
      keyId: z.string(),
      may: z.boolean(),
      /** Which condition holds it back, or null. */
      held: z.string().max(60).nullable(),
      lastUsedAt: Instant.nullable(),
      /** Up to when the observation of its use is complete; null: there is none. */
      observedUntil: Instant.nullable(),
    }),
  },
  'disable-intended': {
    v: 1,
    says: 'The old version in a vault is about to be disabled, which can be undone at once.',
    data: z.object({ ...Rotation, keyId: z.string() }),
  },
  'version-disabled': {
    v: 1,
    says: 'The old version in a vault is disabled.',
    data: z.object({ ...Rotation, keyId: z.string(), versions: Count }),
  },
  'retire-intended': {
    v: 1,
    says: 'An old credential is about to be removed; who else the principal has is in the proof.',
    data: z.object({ ...Rotation, keyId: z.string(), live: z.array(LiveCredential).max(200) }),
  },
  'credential-retired': {
    v: 1,
    says: 'An old credential is gone.',
    data: z.object({ ...Rotation, keyId: z.string() }),
  },
  'retire-failed': {
    v: 1,
    says: 'An old credential could not be removed; it is tried again, and both work meanwhile.',
    data: z.object({
      ...Rotation,
      policy: OpaqueId,
      keyId: z.string(),
      attempt: Count,
      retryAt: Instant,
      ...Because,
    }),
  },
  paused: { v: 1, says: 'A person paused a rotation.', data: z.object(Rotation) },
  resumed: { v: 1, says: 'A person let a rotation go on.', data: z.object(Rotation) },
  'rollback-intended': {
    v: 1,
    says: 'What the rotation has changed is about to be taken back.',
    data: z.object({
      ...Rotation,
      step: Step,
      /** A new attempt follows, because a crash lost the value; else the rotation ends. */
      again: z.boolean(),
      ...Because,
    }),
  },
  'values-restored': {
    v: 1,
    says: 'Every vault that served the new value serves the old one again.',
    data: z.object({
      ...Rotation,
      restored: Count,
      /** Somebody may still hold the new value, so it lives on until then. */
      settledAt: Instant,
    }),
  },
  'dependent-returned': {
    v: 1,
    says: 'A dependent was brought back to the old value, or a person has to.',
    data: z.object({ ...Rotation, dependent: OpaqueId, cacheMs: Count, byHand: z.boolean(), ...Because }),
  },
  'orphans-discarded': {
    v: 1,
    says: 'New credentials that nobody can hold any more were removed, by their key ids.',
    data: z.object({ ...Rotation, removed: z.array(z.string()).max(20) }),
  },
  'rolled-back': {
    v: 1,
    says: 'Everything that the rotation had changed was taken back; the old credential is served.',
    data: z.object({
      ...Rotation,
      policy: OpaqueId,
      credential: OpaqueId,
      step: Step,
      ...Because,
    }),
  },
  'needs-operator': {
    v: 1,
    says: 'The rotation stands still, safely: old and new credential both work, and a person has to decide.',
    data: z.object({ ...Rotation, policy: OpaqueId, step: Step, ...Because }),
  },
  'operator-resolved': {
    v: 1,
    says: 'A person looked and lets the rotation go on from where it stood.',
    data: z.object({ ...Rotation, ...Because }),
  },
  'taken-over': {
    v: 1,
    says: 'A person finishes by hand; the product changes nothing more in this rotation.',
    data: z.object({ ...Rotation, policy: OpaqueId, ...Because }),
  },
  completed: {
    v: 1,
    says: 'A rotation ended with the new credential in use and the old one retired.',
    data: z.object({
      rotation: OpaqueId,
      policy: OpaqueId,
      credential: OpaqueId,
      dependentsConfirmed: Count,
      dependents: Count,
      /** The asset that took its place. */
      replacedBy: OpaqueId.optional(),
    }),
  },
  failed: {
    v: 1,
    says: 'A rotation stopped before its end; the principal keeps a working credential.',
    data: z.object({
      rotation: OpaqueId,
      policy: OpaqueId,
      credential: OpaqueId,
      step: z.string(),
      reason: z.string(),
    }),
  },
  'notice-sent': {
    v: 1,
    says: 'A policy’s owner was told.',
    data: z.object({
      ...Rotation,
      channel: z.enum(['mail', 'webhook']),
      about: z.string().max(60),
      to: PolicyOwner.shape.name,
    }),
  },
  'notice-failed': {
    v: 1,
    says: 'A policy’s owner could not be told after every try.',
    data: z.object({
      ...Rotation,
      channel: z.enum(['mail', 'webhook']),
      about: z.string().max(60),
      ...Because,
    }),
  },
})
