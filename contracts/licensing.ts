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
