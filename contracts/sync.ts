import * as z from 'zod'
import { Count, events, Instant, OpaqueId } from './event.ts'

/** Facts of multi-cloud sync that other contexts read. */
export const syncEvents = events('sync', {
  'route-opened': {
    v: 1,
    says: 'A source vault is copied to a target.',
    data: z.object({ route: OpaqueId, source: OpaqueId, target: OpaqueId }),
  },
  'route-paused': { v: 1, says: 'A route was paused.', data: z.object({ route: OpaqueId }) },
  'route-closed': { v: 1, says: 'A route was closed.', data: z.object({ route: OpaqueId }) },
  copied: {
    v: 1,
    says: 'A source version reached its target.',
    data: z.object({
      route: OpaqueId,
      copy: OpaqueId,
      secret: OpaqueId,
      sourceVersion: z.string(),
      targetVersion: z.string(),
      sourceMac: z.string(),
      targetMac: z.string(),
    }),
  },
  'copy-failed': {
    v: 1,
    says: 'A copy did not reach its target.',
    data: z.object({
      route: OpaqueId,
      copy: OpaqueId,
      secret: OpaqueId,
      attempt: Count,
      reason: z.string(),
      retryAt: Instant.nullable(),
    }),
  },
  'worker-started': { v: 1, says: 'The sync worker runs.', data: z.object({ worker: OpaqueId }) },
  'worker-lost': { v: 1, says: 'The sync worker’s heartbeat ended.', data: z.object({ worker: OpaqueId }) },
})
