import * as z from 'zod'
import { Count, events, OpaqueId } from './event.ts'

const Policy = {
  policy: OpaqueId,
  /** The application credential that is rotated. */
  credential: OpaqueId,
  cadenceDays: z.int().min(1).max(730),
  targetVault: OpaqueId.nullable(),
}

/** Facts of rotation that other contexts read. */
export const rotationEvents = events('rotation', {
  'policy-enabled': { v: 1, says: 'Rotation of a credential was enabled.', data: z.object(Policy) },
  'policy-revised': {
    v: 1,
    says: 'Cadence or target of a policy changed.',
    data: z.object(Policy),
  },
  'policy-disabled': {
    v: 1,
    says: 'Rotation of a credential was disabled.',
    data: z.object({ policy: OpaqueId }),
  },
  'match-proposed': {
    v: 1,
    says: 'A vault secret seems to hold a policy’s credential.',
    data: z.object({
      policy: OpaqueId,
      match: OpaqueId,
      secret: OpaqueId,
      confidence: z.int().min(0).max(100),
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
  completed: {
    v: 1,
    says: 'A rotation ended with the new credential in use and the old one retired.',
    data: z.object({
      rotation: OpaqueId,
      policy: OpaqueId,
      credential: OpaqueId,
      dependentsConfirmed: Count,
      dependents: Count,
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
})
