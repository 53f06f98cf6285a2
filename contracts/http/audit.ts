import * as z from 'zod'
import { Count, Instant } from '../event.ts'
import { AuditTarget } from '../evidence.ts'
import { ADMINS, endpoints, EVIDENCE } from './endpoint.ts'

/** How long is kept what may go. */
export const Retention = z.object({
  /** Days that the record of acts stays in full; its proofs stay for ever. */
  auditDays: z.int().min(365, 'at least 365 days').max(36_500, 'at most 36500 days'),
  /** Days that the file of a bundle stays; what it was folded from stays in the ledger. */
  bundleDays: z.int().min(1, 'at least one day').max(36_500, 'at most 36500 days'),
})
export type Retention = z.infer<typeof Retention>

/** What is kept when nobody decided. */
export const RETENTION: Retention = { auditDays: 365, bundleDays: 2557 }

/** Where the audit log is sent as it happens, and how far that is. Never a credential. */
export const AuditStream = z.object({
  target: AuditTarget,
  /** Host, or container: where it goes. */
  where: z.string(),
  /** The last seq that arrived, and the chain's last. */
  cursor: Count,
  head: Count,
  deliveredAt: Instant.nullable(),
  /** Why it does not arrive now; null where it does. */
  problem: z.string().nullable(),
  since: Instant.nullable(),
})
export type AuditStream = z.infer<typeof AuditStream>

export const auditHttp = endpoints({
  exportAudit: {
    method: 'GET',
    path: '/api/audit/export',
    summary: 'The audit log of a time, oldest first, as CSV or as one JSON object a line; itself an event.',
    roles: EVIDENCE,
    query: z.object({
      format: z.enum(['csv', 'jsonl'], 'csv or jsonl').default('jsonl'),
      /** From this instant on; the beginning where it is left out. */
      from: Instant.optional(),
      /** Before this instant; now where it is left out. */
      to: Instant.optional(),
    }),
    reply: 'file',
    refusals: { 'period-reversed': 'invalid', 'outside-your-scope': 'forbidden' },
  },
  readRetention: {
    method: 'GET',
    path: '/api/audit/retention',
    summary: 'How long bundles’ files and the record of acts are kept.',
    roles: EVIDENCE,
    reply: Retention,
    refusals: {},
  },
  setRetention: {
    method: 'PUT',
    path: '/api/audit/retention',
    summary:
      'Decides how long bundles’ files and the record of acts are kept; never below 365 days of the record.',
    roles: ADMINS,
    reauthenticate: true,
    body: Retention,
    reply: null,
    refusals: {},
  },
  listStreams: {
    method: 'GET',
    path: '/api/audit/streams',
    summary: 'Where the audit log is sent as it happens, and how far that is.',
    roles: ['tenant-admin', 'security-admin'],
    reply: z.object({ items: z.array(AuditStream) }),
    refusals: {},
  },
})
