import * as z from 'zod'
import { Count, Digest, Instant, OpaqueId } from '../event.ts'
import { FrameworkId } from '../compliance.ts'
import { EvidenceScope, KeyPurpose, Period, ReportFormat, ReportType } from '../evidence.ts'
import { evidenceScopeHttp } from './evidence-scope.ts'
import { ADMINS, endpoints, EVIDENCE, pageOf, Paging } from './endpoint.ts'

/** What a named person states on behalf of management. */
export const Assertion = z.object({
  name: z.string().trim().min(1, 'who signs').max(200),
  title: z.string().trim().min(1, 'their office').max(200),
  statement: z.string().trim().min(20, 'at least 20 characters').max(4000),
})
export type Assertion = z.infer<typeof Assertion>

export const BundleRow = z.object({
  bundle: OpaqueId,
  /** `expired`: its retention is over and its file was deleted; it can be built anew from the same facts. */
  state: z.enum(['queued', 'building', 'sealed', 'failed', 'cancelled', 'expired']),
  reports: z.array(ReportType),
  period: Period,
  framework: FrameworkId.nullable(),
  formats: z.array(ReportFormat),
  /** Null: everything that the chain knows. */
  scope: EvidenceScope.nullable(),
  /** What management asserts, as it was signed with the request. */
  assertion: Assertion.extend({ at: Instant }).nullable(),
  requestedAt: Instant,
  requestedBy: OpaqueId,
  progress: z.object({ step: z.string(), done: Count, total: Count }),
  sealedAt: Instant.nullable(),
  bytes: Count.nullable(),
  sumsSha256: Digest.nullable(),
  signingKey: z.string().nullable(),
  downloads: Count,
  downloadedAt: Instant.nullable(),
  /** When its file is deleted, or was. */
  expiresAt: Instant.nullable(),
  timestamp: z
    .object({
      status: z.enum(['stamped', 'pending']),
      tsa: z.string().nullable(),
      independent: z.boolean(),
      genTime: Instant.nullable(),
    })
    .nullable(),
  problem: z.string().nullable(),
})
export type BundleRow = z.infer<typeof BundleRow>

/** A checkpoint of the chain and how it stands. */
export const CheckpointRow = z.object({
  size: Count,
  root: Digest,
  at: Instant,
  timestamp: z.object({
    status: z.enum(['stamped', 'pending']),
    tsa: z.string().nullable(),
    independent: z.boolean(),
    genTime: Instant.nullable(),
  }),
  /** Second places that have a copy. */
  copies: z.array(z.enum(['blob', 'webhook', 'mail'])),
})
export type CheckpointRow = z.infer<typeof CheckpointRow>

/** A key of the ring. `until` is null for the one in use. */
export const KeyRow = z.object({
  purpose: KeyPurpose,
  kind: z.enum(['local', 'key-vault']),
  keyId: z.string(),
  fingerprint: Digest,
  publicKey: z.string().nullable(),
  from: Instant,
  until: Instant.nullable(),
})
export type KeyRow = z.infer<typeof KeyRow>

export const evidenceHttp = endpoints({
  ...evidenceScopeHttp,
  requestBundle: {
    method: 'POST',
    path: '/api/evidence/bundles',
    summary: 'Builds a signed, timestamped bundle of reports for a period.',
    roles: EVIDENCE,
    reauthenticate: true,
    body: z.object({
      reports: z
        .array(ReportType)
        .min(1)
        .refine((r) => new Set(r).size === r.length, 'a report stands twice'),
      from: Instant,
      to: Instant,
      /** Narrows the bundle; absent: everything that the chain knows. */
      scope: EvidenceScope.optional(),
      /** Makes it a packet for a framework: its controls stand in it, and findings are those of their rules. */
      framework: FrameworkId.optional(),
      /** How reports are written beside CSV, which is always there; absent: all. */
      formats: z
        .array(ReportFormat)
        .min(1)
        .refine((f) => f.includes('csv'), 'must include csv: the other forms are held to it')
        .optional(),
      /** Printed on the reports with the signer's name and the time; the password was proved for it. */
      assertion: Assertion.optional(),
    }),
    reply: z.object({ bundle: OpaqueId }),
    refusals: { 'period-reversed': 'invalid', 'period-in-future': 'invalid', 'already-building': 'conflict' },
  },
  listBundles: {
    method: 'GET',
    path: '/api/evidence/bundles',
    summary: 'Bundles, newest first.',
    roles: EVIDENCE,
    query: Paging,
    reply: pageOf(BundleRow),
    refusals: {},
  },
  readBundle: {
    method: 'GET',
    path: '/api/evidence/bundles/{bundle}',
    summary: 'One bundle with its progress.',
    roles: EVIDENCE,
    reply: BundleRow,
    refusals: { 'no-such-bundle': 'not-found' },
  },
  watchBundle: {
    method: 'GET',
    path: '/api/evidence/bundles/{bundle}/progress',
    summary: 'Progress of a building bundle as server-sent events, each a bundle row.',
    roles: EVIDENCE,
    reply: 'stream',
    refusals: { 'no-such-bundle': 'not-found' },
  },
  cancelBundle: {
    method: 'POST',
    path: '/api/evidence/bundles/{bundle}/cancel',
    summary: 'Stops building; nothing is handed out.',
    roles: EVIDENCE,
    reply: null,
    refusals: { 'no-such-bundle': 'not-found', 'not-building': 'conflict' },
  },
  resumeBundle: {
    method: 'POST',
    path: '/api/evidence/bundles/{bundle}/resume',
    summary: 'Builds a bundle that failed or was cancelled after all, as it was asked for.',
    roles: EVIDENCE,
    reauthenticate: true,
    reply: null,
    refusals: { 'no-such-bundle': 'not-found', 'not-ended': 'conflict', 'already-building': 'conflict' },
  },
  downloadBundle: {
    method: 'GET',
    path: '/api/evidence/bundles/{bundle}/file',
    summary: 'The bundle as a zip; each download is an event.',
    roles: EVIDENCE,
    reply: 'file',
    refusals: {
      'no-such-bundle': 'not-found',
      'not-sealed': 'conflict',
      'bundle-expired': 'conflict',
      'bundle-file-missing': 'unavailable',
    },
  },
  exportReport: {
    method: 'GET',
    path: '/api/evidence/reports/{report}',
    summary:
      'One report of a time by itself, streamed: for looking and for other programs. It is not signed; a bundle is. Itself an event.',
    roles: EVIDENCE,
    query: z.object({
      from: Instant,
      to: Instant,
      format: ReportFormat.default('csv'),
      /** Only what this framework asks for; OSCAL needs one. */
      framework: FrameworkId.optional(),
      /** Azure subscriptions and vaults that it is narrowed to, parted by commas. */
      subscriptions: z.string().max(4000).optional(),
      vaults: z.string().max(4000).optional(),
    }),
    reply: 'file',
    refusals: {
      'no-such-report': 'not-found',
      'period-reversed': 'invalid',
      'period-in-future': 'invalid',
      'not-in-this-form': 'invalid',
      'outside-your-scope': 'forbidden',
      'already-exporting': 'conflict',
    },
  },
  readKeys: {
    method: 'GET',
    path: '/api/evidence/keys',
    summary: 'The signing key and time-stamp roots, to hand to an auditor by another way than the bundle.',
    roles: EVIDENCE,
    reply: z.object({
      signer: z.object({ kind: z.enum(['local', 'key-vault']), fingerprint: Digest, pem: z.string() }),
      /** `signer.pub`: every key that bundles were signed with, the present one first, each with its time. */
      signerPem: z.string(),
      /** `checkpoint.vkey`: the verifier of every key that the tenant’s checkpoints were signed with, a line each, the present one first. */
      checkpointVerifiers: z.string(),
      ring: z.array(KeyRow),
      tsa: z.array(z.object({ name: z.string(), independent: z.boolean(), rootPem: z.string() })),
    }),
    refusals: {},
  },
  rotateKey: {
    method: 'POST',
    path: '/api/evidence/keys/{purpose}/rotate',
    summary:
      'Makes a new local key for a purpose; the old private key is destroyed, its public half stays in the ring.',
    roles: ADMINS,
    reauthenticate: true,
    reply: z.object({ fingerprint: Digest }),
    refusals: { 'no-such-purpose': 'not-found', 'key-in-vault': 'conflict' },
  },
  readBundleHmacKey: {
    method: 'GET',
    path: '/api/evidence/bundles/{bundle}/hmac-key',
    summary: 'The HMAC key of one bundle, to hand to an auditor; it opens no other bundle.',
    roles: ADMINS,
    reauthenticate: true,
    reply: z.object({ keyId: z.string(), key: z.string() }),
    refusals: { 'no-such-bundle': 'not-found', 'not-sealed': 'conflict', 'hmac-key-gone': 'unavailable' },
  },
  listCheckpoints: {
    method: 'GET',
    path: '/api/evidence/checkpoints',
    summary: 'Checkpoints of the chain, newest first.',
    roles: EVIDENCE,
    query: Paging,
    reply: pageOf(CheckpointRow),
    refusals: {},
  },
  readCheckpoint: {
    method: 'GET',
    path: '/api/evidence/checkpoints/{size}',
    summary: 'One checkpoint: its signed note, and its time-stamp response in base64.',
    roles: EVIDENCE,
    reply: CheckpointRow.extend({ note: z.string(), token: z.string().nullable() }),
    refusals: { 'no-such-checkpoint': 'not-found' },
  },
  anchorNow: {
    method: 'POST',
    path: '/api/evidence/checkpoints',
    summary: 'Signs and stamps a checkpoint of the chain now, without waiting for the hour.',
    roles: EVIDENCE,
    reply: null,
    refusals: {},
  },
  readReceipt: {
    method: 'GET',
    path: '/api/evidence/receipts/{seq}',
    summary:
      'Proof that one event is in the chain (C2SP tlog-proof), against the first checkpoint that holds it.',
    roles: EVIDENCE,
    reply: 'file',
    refusals: { 'no-such-event': 'not-found', 'not-anchored': 'conflict' },
  },
  readConsistency: {
    method: 'GET',
    path: '/api/evidence/consistency',
    summary: 'Proof that the later of two checkpoints only added to the earlier one (RFC 6962).',
    roles: EVIDENCE,
    query: z.object({ from: z.coerce.number().int().min(1), to: z.coerce.number().int().min(1) }),
    reply: z.object({ from: Count, to: Count, proof: z.array(Digest) }),
    refusals: { 'no-such-checkpoint': 'not-found', reversed: 'invalid' },
  },
})
