import { Instant, OpaqueId, Tier } from '@attestry/contracts'
import * as z from 'zod'
import type { License } from './license.ts'

/*
 * What stands in KV. The registry writes `lic:` alone, the licence check writes `fs:` alone.
 *   lic:<SHA-256 of a key>       what a licence check needs to know; absent for a key that was revoked
 *   fs:<licence>:<install>       when an install was last seen, in the metadata; fleet.ts
 */

export const utf8 = new TextEncoder()

export const hex = (bytes: ArrayBuffer): string => new Uint8Array(bytes).toHex()

/** Digest under which a key is known. Keys carry 145 bits, so a plain digest cannot be searched. */
export const digestOf = async (key: string): Promise<string> =>
  hex(await crypto.subtle.digest('SHA-256', utf8.encode(key)))

export const recordName = (keyDigest: string): string => `lic:${keyDigest}`

/** Of an install's id its last twelve digits: enough to tell a licence's installs apart, and short. */
export const seatOf = (install: string): string => install.slice(-12)

/** What a licence check reads, in one read. */
export const Projection = z.object({
  license: OpaqueId,
  tier: Tier,
  suspended: z.boolean(),
  expiresAt: Instant,
  /** Places, null: as many as anybody has; and who has one. */
  installs: z.int().nullable(),
  seats: z.array(z.string()),
})
export type Projection = z.infer<typeof Projection>

/** The text that KV holds for a key of a licence, or null where the key must be unknown. */
export function projectionOf(license: License, installs: readonly string[]): Projection | null {
  // Revoked is unknown, in storage too: nothing that a caller could measure tells the two apart.
  if (license.state === 'revoked') return null
  return {
    license: license.license,
    tier: license.tier,
    suspended: license.state === 'suspended',
    expiresAt: license.expiresAt,
    installs: license.installs,
    seats: installs.map(seatOf),
  }
}
