import { type EventOf, type Feature, fact, type Fact, type Tier, TIERS } from '@attestry/contracts'

/** The stream of tenant `install` that tells what the install may do. */
export const LICENSE = 'license'

/** What the install may do, as the chain last said. */
export interface Entitlement {
  readonly tier: Tier
  readonly features: readonly Feature[]
  readonly expiresAt: string | null
}

/** What holds without any key: everything but writing to clouds, for a small estate, for as long as one likes. */
export const EVALUATION: Entitlement = {
  tier: 'evaluation',
  features: TIERS.evaluation.features,
  expiresAt: null,
}

/** The entitlement after one more event. */
export const evolve = (state: Entitlement | null, event: EventOf): Entitlement | null =>
  event.type === 'licensing.entitled' ? event.data : state

/** What a start without a key records: the evaluation, once. */
export const begin = (state: Entitlement | null): readonly Fact[] =>
  state
    ? []
    : [
        fact('licensing.entitled', {
          tier: EVALUATION.tier,
          features: [...EVALUATION.features],
          expiresAt: EVALUATION.expiresAt,
        }),
      ]

const isOver = (e: Entitlement, now: Temporal.Instant): boolean =>
  e.expiresAt !== null && Temporal.Instant.compare(e.expiresAt, now) <= 0

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

/** How many vaults may be scanned; null is no limit. A demonstration's estate is not the customer's. */
export const vaultLimitOf = (e: Entitlement, origin: 'real' | 'demo'): number | null =>
  origin === 'demo' ? null : TIERS[e.tier].vaults

/** What anybody may know of the licence. */
export const statusOf = (e: Entitlement, origin: 'real' | 'demo', now: Temporal.Instant) => ({
  tier: e.tier,
  features: [...featuresOf(e, origin, now)],
  state: isOver(e, now) ? ('expired' as const) : ('valid' as const),
  expiresAt: e.expiresAt,
})
