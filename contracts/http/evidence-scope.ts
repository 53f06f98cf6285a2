import * as z from 'zod'
import { Count, Digest, Instant, OpaqueId } from '../event.ts'
import { endpoints, EVIDENCE, OPERATORS } from './endpoint.ts'

/** What the operator declares, and what another identity lists, for evidence to be held against. */
export const evidenceScopeHttp = endpoints({
  readScope: {
    method: 'GET',
    path: '/api/evidence/scope',
    summary: 'The scope statement that holds, and the listing that was imported last.',
    roles: EVIDENCE,
    reply: z.object({
      statement: z
        .object({
          statement: z.string(),
          subscriptions: z.array(z.string()),
          vaults: z.array(z.string()),
          by: z.string(),
          at: Instant,
        })
        .nullable(),
      listing: z
        .object({
          listing: OpaqueId,
          sha256: Digest,
          resources: Count,
          vaults: Count,
          by: z.string(),
          at: Instant,
        })
        .nullable(),
    }),
    refusals: {},
  },
  declareScope: {
    method: 'POST',
    path: '/api/evidence/scope',
    summary:
      'Declares in words and by name what is in scope of evidence; printed in every packet from then on.',
    roles: OPERATORS,
    reauthenticate: true,
    body: z.strictObject({
      statement: z.string().trim().min(1).max(4000),
      subscriptions: z.array(z.string().min(1).max(80)).max(1000),
      /** Names of vaults; empty: every vault of those subscriptions. */
      vaults: z.array(z.string().min(1).max(80)).max(1000),
    }),
    reply: null,
    refusals: {},
  },
  importListing: {
    method: 'POST',
    path: '/api/evidence/scope/listing',
    summary:
      'Takes the JSON of az resource list, made by another identity, to hold the scans against. At most one megabyte.',
    roles: OPERATORS,
    upload: 'application/json',
    reply: z.object({ listing: OpaqueId, resources: Count, vaults: Count }),
    refusals: { 'listing-unreadable': 'invalid', 'listing-too-large': 'too-large' },
  },
})
