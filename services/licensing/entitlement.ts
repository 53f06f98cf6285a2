import {
  type EventOf,
  type Fact,
  fact,
  type Feature,
  type LicenseLimits,
  type LicenseRefusal,
  type LicenseSource,
  type LimitName,
  type Tier,
  TIERS,
} from '@attestry/contracts'

/** The stream of tenant `install` that tells what the install may do. */
export const LICENSE = 'license'

/** What the install may do, as the chain says. Times decide by themselves: nobody has to be awake for an end to count. */
export interface Entitlement {
  readonly tier: Tier
  readonly features: readonly Feature[]
  readonly limits: LicenseLimits
  readonly source: LicenseSource
  readonly expiresAt: string | null
  /** Without another answer of the vendor it ends then; null for what needs no answer. */
  readonly relyUntil: string | null
  readonly refused: LicenseRefusal | null
  /** The licence service does not answer; everything works until then. */
  readonly graceUntil: string | null
}

/** What holds without any key: everything but writing to clouds, for a small estate, for as long as one likes. */
export const EVALUATION: Entitlement = {
  tier: 'evaluation',
  features: TIERS.evaluation.features,
  limits: TIERS.evaluation.limits,
  source: 'none',
  expiresAt: null,
  relyUntil: null,
  refused: null,
  graceUntil: null,
}

/** The entitlement after one more event. */
export const evolve = (state: Entitlement | null, event: EventOf): Entitlement | null => {
  switch (event.type) {
    case 'licensing.entitled': {
      const { tier, features, expiresAt, limits, source = 'none', relyUntil = null } = event.data
      return {
        tier,
        features,
        limits: limits ?? TIERS[tier].limits,
        source,
        expiresAt,
        relyUntil,
        refused: null,
        graceUntil: state?.graceUntil ?? null,
      }
    }
    case 'licensing.refused':
      return { ...(state ?? EVALUATION), refused: event.data.reason }
    case 'licensing.grace-entered':
      return { ...(state ?? EVALUATION), graceUntil: event.data.until }
    case 'licensing.grace-ended':
      return { ...(state ?? EVALUATION), graceUntil: null }
    default:
      return state
  }
}

/** What an entitlement says, as the fact that records it. */
export const entitled = (e: Omit<Entitlement, 'refused' | 'graceUntil'>): Fact =>
  fact('licensing.entitled', {
    tier: e.tier,
    features: [...e.features],
    expiresAt: e.expiresAt,
    limits: e.limits,
    source: e.source,
    relyUntil: e.relyUntil,
  })

/** What a start without a key records: the evaluation, once. */
export const begin = (state: Entitlement | null): readonly Fact[] => (state ? [] : [entitled(EVALUATION)])

const passed = (at: string | null, now: Temporal.Instant): boolean =>
  at !== null && Temporal.Instant.compare(at, now) <= 0

/** Whether nothing that needs a licence may be started any more. */
const isOver = (e: Entitlement, now: Temporal.Instant): boolean =>
  e.refused !== null || passed(e.expiresAt, now) || passed(e.relyUntil, now) || passed(e.graceUntil, now)

/**
 * Features that may be used now. A demonstration writes to its own twin alone, so its writes need no licence. Once a
 * licence is over nothing that needs one may be started; reading, evidence and export need none.
 */
export function featuresOf(
  e: Entitlement,
  origin: 'real' | 'demo',
  now: Temporal.Instant,
): readonly Feature[] {
  const features = isOver(e, now) ? [] : e.features
  return origin === 'demo' && !features.includes('cloud-writes') ? [...features, 'cloud-writes'] : features
}

/**
 * How much of something the licence allows; null is no limit. A demonstration's estate is not the customer's. It says
 * what may be added: what is there stays and works, whatever the number.
 */
export const limitOf = (e: Entitlement, limit: LimitName, origin: 'real' | 'demo'): number | null =>
  origin === 'demo' ? null : e.limits[limit]

/** What anybody may know of the licence. */
export const statusOf = (e: Entitlement, origin: 'real' | 'demo', now: Temporal.Instant) => ({
  tier: e.tier,
  features: [...featuresOf(e, origin, now)],
  state: isOver(e, now)
    ? ('expired' as const)
    : e.graceUntil === null
      ? ('valid' as const)
      : ('grace' as const),
  expiresAt: e.expiresAt,
})
