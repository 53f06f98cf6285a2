import * as z from 'zod'
import { FrameworkId } from './compliance.ts'
import { Count, committed, Digest, events, Instant, OpaqueId, Pairs } from './event.ts'

/** The reports that a bundle may hold. One file a report under services/evidence/reports. */
export const ReportType = z.enum([
  'operator-audit-log',
  'rotation-events',
  'vault-posture',
  'dependencies',
  'sync-provenance',
  'recoverability',
  'rule-violations',
  'cryptoperiod',
  'algorithm-strength',
  'asset-inventory',
])
export type ReportType = z.infer<typeof ReportType>

/** What a bundle is narrowed to. Within a list any may match, and every list that is not empty must. */
export const EvidenceScope = z.strictObject({
  subscriptions: z.array(z.string().min(1).max(80)).max(1000),
  vaults: z.array(OpaqueId).max(1000),
  /** Name and value of a tag of the vault or of the asset; an empty value admits any. */
  tags: committed(Pairs.max(100)),
})
export type EvidenceScope = z.infer<typeof EvidenceScope>

/** How the rows of a report are written. CSV is always there: it is what the others are held to. */
export const ReportFormat = z.enum(['csv', 'json', 'pdf', 'oscal'])
export type ReportFormat = z.infer<typeof ReportFormat>

export const Period = z.object({ from: Instant, to: Instant })
export type Period = z.infer<typeof Period>

/** What a key is for. No key has two purposes. */
export const KeyPurpose = z.enum(['bundle', 'checkpoint', 'document', 'hmac'])
export type KeyPurpose = z.infer<typeof KeyPurpose>

/** A checkpoint of the chain: everything up to and with event `size`. */
const Anchor = z.object({
  size: Count,
  link: Digest,
  root: Digest,
  /** Complete subtrees of the right edge, smallest first; null where a level has none. */
  frontier: z.array(Digest.nullable()).max(53),
  /** The signed note, as C2SP tlog-checkpoint writes it. */
  note: z.string().max(16_384),
})

/** The timestamp over a checkpoint's note. A status of `pending` never comes with a token. */
const AnchorStamp = z.object({
  status: z.enum(['stamped', 'pending']),
  /** The whole TimeStampResp in base64. */
  token: z.string().max(90_000).nullable(),
  tsa: committed(z.string()).nullable(),
  independent: z.boolean(),
  genTime: Instant.nullable(),
})

/** Where the audit log may be sent as it happens. */
export const AuditTarget = z.enum(['syslog', 'webhook', 'blob'])
export type AuditTarget = z.infer<typeof AuditTarget>

export const evidenceEvents = events('evidence', {
  'bundle-requested': {
    v: 1,
    says: 'An operator asked for an evidence bundle.',
    data: z.object({
      bundle: OpaqueId,
      reports: z.array(ReportType).min(1),
      period: Period,
      /** Absent: everything that the chain knows. */
      scope: EvidenceScope.optional(),
      /** The framework whose controls the packet is for. */
      framework: FrameworkId.optional(),
      /** Absent: all of them. */
      formats: z.array(ReportFormat).optional(),
    }),
  },
  'scope-declared': {
    v: 1,
    says: 'An operator declared what is in scope of evidence; the newest declaration holds.',
    data: z.object({
      scope: OpaqueId,
      /** In the operator’s words. */
      statement: committed(z.string().min(1).max(4000)),
      subscriptions: z.array(z.string().min(1).max(80)).max(1000),
      /** Names of vaults; empty: every vault of those subscriptions. */
      vaults: z.array(z.object({ name: committed(z.string().min(1).max(80)) })).max(1000),
    }),
  },
  'listing-imported': {
    v: 1,
    says: 'An operator handed in a listing that another identity made (az resource list), to hold the scans against.',
    data: z.object({
      listing: OpaqueId,
      /** SHA-256 of the bytes that were handed in. */
      sha256: Digest,
      bytes: Count,
      /** Entries of the listing, of every type. */
      resources: Count,
      /** How many of them are vaults: the sum over the pages that follow. */
      vaults: Count,
      pages: Count,
    }),
  },
  'listing-read': {
    v: 1,
    says: 'Vaults that an imported listing names: at most 100 an event.',
    data: z.object({
      listing: OpaqueId,
      page: Count,
      vaults: z.array(
        z.object({
          name: committed(z.string()),
          resourceId: committed(z.string()),
          subscription: z.string(),
        }),
      ),
    }),
  },
  'report-rendered': {
    v: 1,
    says: 'A report of a bundle was folded from the ledger and written.',
    data: z.object({ bundle: OpaqueId, report: ReportType, rows: Count, sha256: Digest }),
  },
  'bundle-timestamped': {
    v: 1,
    says: 'A time-stamp authority stamped a bundle’s signature, or could not yet.',
    data: z.object({
      bundle: OpaqueId,
      status: z.enum(['stamped', 'pending']),
      tsa: committed(z.string()).nullable(),
      independent: z.boolean(),
      genTime: Instant.nullable(),
      tokenSha256: Digest.nullable(),
    }),
  },
  'bundle-sealed': {
    v: 1,
    says: 'A bundle was signed and can be downloaded.',
    data: z.object({
      bundle: OpaqueId,
      sumsSha256: Digest,
      zipSha256: Digest,
      bytes: Count,
      signingKey: z.string(),
      hmacKey: z.string(),
      checkpoint: z.object({ size: Count, link: Digest, root: Digest }),
      timestamp: z.enum(['stamped', 'pending']),
    }),
  },
  'bundle-failed': {
    v: 1,
    says: 'A bundle could not be built; nothing of it is handed out.',
    data: z.object({
      bundle: OpaqueId,
      reason: z.enum(['cancelled', 'error']),
      detail: committed(z.string()),
    }),
  },
  'bundle-downloaded': {
    v: 1,
    prunable: 'always',
    says: 'Somebody fetched a bundle.',
    data: z.object({ bundle: OpaqueId }),
  },
  'bundle-completed': {
    v: 1,
    says: 'The timestamp over a bundle’s signature that was pending was put beside it; nothing signed changed.',
    data: z.object({ bundle: OpaqueId, zipSha256: Digest, bytes: Count }),
  },
  anchored: {
    v: 1,
    says: 'The chain so far was signed as a checkpoint and stamped, or not yet. The token stands in the chain it stamps.',
    data: z.object({ ...Anchor.shape, ...AnchorStamp.shape }),
  },
  'anchor-stamped': {
    v: 1,
    says: 'A checkpoint that had to wait was stamped.',
    data: z.object({ size: Count, ...AnchorStamp.shape }),
  },
  'anchor-copied': {
    v: 1,
    says: 'A checkpoint and its token were handed to a second place, out of reach of who runs this install, or could not be.',
    data: z.object({
      size: Count,
      place: z.enum(['blob', 'webhook', 'mail']),
      status: z.enum(['copied', 'failed']),
      detail: committed(z.string()),
    }),
  },
  'key-adopted': {
    v: 1,
    says: 'From now on a key is used for a purpose; the one before it retires, and what it signed stays verifiable.',
    data: z.object({
      purpose: KeyPurpose,
      kind: z.enum(['local', 'key-vault']),
      keyId: z.string(),
      fingerprint: Digest,
      /** PEM of the public key, the certificate, or a verifier's line; null where there is nothing public. */
      publicKey: z.string().nullable(),
    }),
  },
  'assertion-signed': {
    v: 1,
    says: 'A named person stated, after proving the password again, what management asserts of a bundle’s period.',
    data: z.object({
      bundle: OpaqueId,
      name: committed(z.string().max(200)),
      title: committed(z.string().max(200)),
      statement: committed(z.string().max(4000)),
    }),
  },
  'bundle-resumed': {
    v: 1,
    says: 'An operator asked for a bundle that had failed or was cancelled to be built after all.',
    data: z.object({ bundle: OpaqueId }),
  },
  'bundle-expired': {
    v: 1,
    says: 'A bundle’s file was deleted because its retention was over; what it said can be folded from the ledger again.',
    data: z.object({ bundle: OpaqueId, zipSha256: Digest }),
  },
  'retention-set': {
    v: 1,
    says: 'How long bundles’ files and the record of acts are kept was decided.',
    data: z.object({ auditDays: z.int().min(365), bundleDays: z.int().min(1) }),
  },
  'audit-exported': {
    v: 1,
    says: 'Somebody took the audit log out.',
    data: z.object({
      format: z.enum(['csv', 'jsonl']),
      from: Instant.nullable(),
      to: Instant.nullable(),
      upTo: Count,
    }),
  },
  'report-exported': {
    v: 1,
    prunable: 'always',
    says: 'Somebody took one report out by itself: no bundle, no signature, no timestamp.',
    data: z.object({
      report: ReportType,
      format: ReportFormat,
      period: Period,
      framework: FrameworkId.nullable(),
      upTo: Count,
    }),
  },
  'stream-broken': {
    v: 1,
    says: 'The audit log could not be sent on to one of its targets; it is tried again from where it stopped.',
    data: z.object({ target: AuditTarget, cursor: Count, reason: committed(z.string().max(500)) }),
  },
  'stream-restored': {
    v: 1,
    says: 'The audit log reaches a target again; nothing was skipped.',
    data: z.object({ target: AuditTarget, cursor: Count }),
  },
})
