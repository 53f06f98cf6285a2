import * as z from 'zod'
import { Count, Digest, Instant, OpaqueId } from '../event.ts'
import { FrameworkId } from '../compliance.ts'
import { EvidenceScope, Period, ReportFormat, ReportType } from '../evidence.ts'
import { endpoints, EVIDENCE, pageOf, Paging } from './endpoint.ts'

export const BundleRow = z.object({
  bundle: OpaqueId,
  state: z.enum(['queued', 'building', 'sealed', 'failed', 'cancelled']),
  reports: z.array(ReportType),
  period: Period,
  requestedAt: Instant,
  requestedBy: OpaqueId,
  progress: z.object({ step: z.string(), done: Count, total: Count }),
  sealedAt: Instant.nullable(),
  bytes: Count.nullable(),
  sumsSha256: Digest.nullable(),
  signingKey: z.string().nullable(),
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

export const evidenceHttp = endpoints({
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
  downloadBundle: {
    method: 'GET',
    path: '/api/evidence/bundles/{bundle}/file',
    summary: 'The bundle as a zip; each download is an event.',
    roles: EVIDENCE,
    reply: 'file',
    refusals: {
      'no-such-bundle': 'not-found',
      'not-sealed': 'conflict',
      'bundle-file-missing': 'unavailable',
    },
  },
  readKeys: {
    method: 'GET',
    path: '/api/evidence/keys',
    summary: 'The signing key and time-stamp roots, to hand to an auditor by another way than the bundle.',
    roles: EVIDENCE,
    reply: z.object({
      signer: z.object({ kind: z.enum(['local', 'key-vault']), fingerprint: Digest, pem: z.string() }),
      tsa: z.array(z.object({ name: z.string(), independent: z.boolean(), rootPem: z.string() })),
    }),
    refusals: {},
  },
})
