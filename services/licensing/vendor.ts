import * as z from 'zod'
import built from './vendor.json' with { type: 'json' }

/**
 * Whose licences this build takes: the address of the vendor's licence service, null for none, and its public keys.
 * The keys are part of the product and no setting: a licence is worth nothing if the one who needs it names the key
 * that checks it. A demonstration alone may bring keys of its own.
 */
export const vendor = z
  .object({ service: z.url().nullable(), keys: z.record(z.string(), z.string().regex(/^[\w-]{43}$/)) })
  .parse(built)
