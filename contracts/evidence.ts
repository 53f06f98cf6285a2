import * as z from 'zod'
import { Count, committed, Digest, events, Instant, OpaqueId } from './event.ts'

/** The reports that a bundle may hold. One file a report under services/evidence/reports. */
export const ReportType = z.enum(['operator-audit-log', 'rule-violations', 'asset-inventory'])
export type ReportType = z.infer<typeof ReportType>

export const Period = z.object({ from: Instant, to: Instant })
export type Period = z.infer<typeof Period>

export const evidenceEvents = events('evidence', {
  'bundle-requested': {
    v: 1,
    says: 'An operator asked for an evidence bundle.',
    data: z.object({ bundle: OpaqueId, reports: z.array(ReportType).min(1), period: Period }),
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
    says: 'Somebody fetched a bundle.',
    data: z.object({ bundle: OpaqueId }),
  },
})
