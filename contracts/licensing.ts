import * as z from 'zod'
import { events, Instant } from './event.ts'

/** What a licence may allow. An endpoint names the feature it needs. */
export const Feature = z.enum(['rotation', 'custom-rules', 'sync', 'sso', 'cloud-writes'])
export type Feature = z.infer<typeof Feature>

export const Tier = z.enum(['evaluation', 'starter', 'pro', 'enterprise'])
export type Tier = z.infer<typeof Tier>

/** Limits and features by tier: the one table that both sides read. `null` is no limit. */
export const TIERS: Readonly<Record<Tier, { features: readonly Feature[]; vaults: number | null }>> = {
  evaluation: { features: ['rotation', 'custom-rules', 'sync', 'sso'], vaults: 10 },
  starter: { features: [], vaults: null },
  pro: { features: ['rotation', 'custom-rules', 'cloud-writes'], vaults: null },
  enterprise: { features: ['rotation', 'custom-rules', 'sync', 'sso', 'cloud-writes'], vaults: null },
}

export const licensingEvents = events('licensing', {
  entitled: {
    v: 1,
    says: 'What the install may do changed.',
    data: z.object({ tier: Tier, features: z.array(Feature), expiresAt: Instant.nullable() }),
  },
})

/** What an install sends to the licence service. */
export const ValidateRequest = z.strictObject({
  key: z.string().min(20).max(80),
  install: z.uuid(),
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  /** Echoed in the signed answer, so that an old answer cannot be played back. */
  nonce: z.string().regex(/^[0-9a-f]{32}$/),
})
export type ValidateRequest = z.infer<typeof ValidateRequest>

/** A licence as the vendor stores it, under the digest of its key; the key itself is stored nowhere. */
export const LicenseRecord = z.object({
  tier: Tier,
  state: z.enum(['active', 'suspended', 'revoked']),
  expiresAt: Instant,
})
export type LicenseRecord = z.infer<typeof LicenseRecord>

/** `INVALID` answers for unknown and revoked alike, so that keys cannot be told apart by asking. */
export const LicenseVerdict = z.enum(['VALID', 'EXPIRED', 'SUSPENDED', 'INVALID'])
export type LicenseVerdict = z.infer<typeof LicenseVerdict>

/** The payload that the licence service signs. */
export const LicensePayload = z.object({
  verdict: LicenseVerdict,
  tier: Tier.nullable(),
  features: z.array(Feature),
  expiresAt: Instant.nullable(),
  install: z.uuid(),
  nonce: z.string(),
  /** Issued at, and the instant after which an install no longer relies on this answer. */
  iat: Instant,
  exp: Instant,
})
export type LicensePayload = z.infer<typeof LicensePayload>

/** The exact signed text and its Ed25519 signature (base64url), with the id of the key. */
export const LicenseAnswer = z.object({
  payload: z.string(),
  sig: z.string(),
  alg: z.literal('Ed25519'),
  kid: z.string(),
})
export type LicenseAnswer = z.infer<typeof LicenseAnswer>
