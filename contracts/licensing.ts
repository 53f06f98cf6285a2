import * as z from 'zod'
import { Count, events, Instant } from './event.ts'

/** What a licence may allow. An endpoint names the feature it needs. */
export const Feature = z.enum(['rotation', 'custom-rules', 'sync', 'sso', 'cloud-writes'])
export type Feature = z.infer<typeof Feature>

export const Tier = z.enum(['evaluation', 'starter', 'pro', 'enterprise'])
export type Tier = z.infer<typeof Tier>

const Most = Count.nullable()

/** How much a licence allows; null is no limit. What an install already has above a limit stays and works. */
export const LicenseLimits = z.object({
  /** Vaults that a scan may hold. */
  vaults: Most,
  /** Subscriptions that an environment may declare. */
  subscriptions: Most,
  /** Operators that may sign in. */
  users: Most,
  /** Rotations that a person starts, in a calendar month (UTC). */
  manualRotations: Most,
})
export type LicenseLimits = z.infer<typeof LicenseLimits>
export type LimitName = keyof LicenseLimits

interface TierTerms {
  readonly features: readonly Feature[]
  readonly limits: LicenseLimits
  /** Installs that may use one licence at a time; null is no limit. The vendor may sell more. */
  readonly installs: number | null
}

/** Features and limits by tier: the one table that both sides read. */
export const TIERS: Readonly<Record<Tier, TierTerms>> = {
  evaluation: {
    features: ['rotation', 'custom-rules', 'sync', 'sso'],
    limits: { vaults: 10, subscriptions: null, users: null, manualRotations: null },
    installs: 1,
  },
  starter: {
    features: [],
    limits: { vaults: null, subscriptions: 4, users: 5, manualRotations: 0 },
    installs: 1,
  },
  pro: {
    features: ['rotation', 'custom-rules', 'cloud-writes'],
    limits: { vaults: null, subscriptions: 20, users: 25, manualRotations: 100 },
    installs: 3,
  },
  enterprise: {
    features: ['rotation', 'custom-rules', 'sync', 'sso', 'cloud-writes'],
    limits: { vaults: null, subscriptions: null, users: null, manualRotations: null },
    installs: null,
  },
}

/** Why an install may start nothing that needs a licence. The first five are the vendor's word, signed. */
export const LicenseRefusal = z.enum([
  'expired',
  'suspended',
  'invalid',
  'too-many-installs',
  'other-install',
  'unreachable',
  'answer-altered',
  'clock-set-back',
])
export type LicenseRefusal = z.infer<typeof LicenseRefusal>

/** Where an install's entitlement comes from. */
export const LicenseSource = z.enum(['none', 'key', 'file'])
export type LicenseSource = z.infer<typeof LicenseSource>

/** The longest an install may go on without an answer, days; the vendor's signed limit may be shorter. */
export const MAX_GRACE_DAYS = 7

export const licensingEvents = events('licensing', {
  entitled: {
    v: 1,
    says: 'What the install may do changed, or how long it may rely on that.',
    data: z.object({
      tier: Tier,
      features: z.array(Feature),
      expiresAt: Instant.nullable(),
      /** Those of the tier where absent. */
      limits: LicenseLimits.optional(),
      source: LicenseSource.optional(),
      /** After it nothing that needs a licence is started, unless the vendor answered again; null or absent: no such end. */
      relyUntil: Instant.nullable().optional(),
    }),
  },
  refused: {
    v: 1,
    says: 'Nothing that needs a licence is started from now on; reading, evidence, export and what runs go on.',
    data: z.object({ reason: LicenseRefusal }),
  },
  'grace-entered': {
    v: 1,
    says: 'The licence service does not answer; everything works until the time given.',
    data: z.object({ until: Instant }),
  },
  'grace-ended': {
    v: 1,
    says: 'The licence service answered again, or the time of grace ran out.',
    data: z.object({ because: z.enum(['answered', 'ran-out']) }),
  },
  'stats-sent': {
    v: 1,
    says: 'Counts were sent to the vendor with the licence check; recorded when what is sent changes in shape.',
    data: z.object({ bytes: Count, counters: Count }),
  },
  'key-entered': {
    v: 1,
    says: 'An operator entered a licence key; its readable beginning is all that is told.',
    data: z.object({ prefix: z.string().max(12) }),
  },
  'key-removed': { v: 1, says: 'An operator removed the licence key.', data: z.object({}) },
  'file-loaded': {
    v: 1,
    says: 'An operator loaded a signed licence file.',
    data: z.object({ license: z.string().max(80), expiresAt: Instant }),
  },
  'fleet-visibility-switched': {
    v: 1,
    says: 'An operator switched the sending of counts on or off; it counts from the next check.',
    data: z.object({ on: z.boolean() }),
  },
  'update-notice-switched': {
    v: 1,
    says: 'An operator switched the notice of newer versions on or off.',
    data: z.object({ on: z.boolean() }),
  },
  'grace-chosen': {
    v: 1,
    says: 'An operator chose for how many days the install goes on without an answer.',
    data: z.object({ days: z.int().min(0).max(MAX_GRACE_DAYS) }),
  },
})
