import type { Tier } from '@attestry/contracts'
import { TIERS } from '@attestry/contracts'
import type { LicenseState } from '@attestry/contracts/http'
import { refuse, type Refused } from './problem.ts'

/** A licence as the registry keeps it. Its keys stand beside it, by their digests. */
export interface License {
  readonly license: string
  readonly tier: Tier
  readonly state: LicenseState
  /** ISO, UTC. */
  readonly expiresAt: string
  /** Installs at a time; null is no limit of its own. */
  readonly installs: number | null
  readonly trial: boolean
  readonly customer: string | null
  readonly contact: string | null
  readonly issuedAt: string
}

/** What the vendor wants done to a licence. */
export type Wish =
  | { readonly do: 'extend'; readonly expiresAt: string }
  | { readonly do: 'change-tier'; readonly tier: Tier; readonly installs?: number | null }
  | { readonly do: 'suspend' }
  | { readonly do: 'revoke' }
  | { readonly do: 'reinstate' }

export type WishRefusal = 'revoked' | 'not-later' | 'already-suspended' | 'already-active'

/** The licence after a wish, or why not. Pure; a revoked licence can only be reinstated. */
export function decide(now: License, wish: Wish): License | Refused<WishRefusal> {
  if (now.state === 'revoked' && wish.do !== 'reinstate')
    return refuse('revoked', 'The licence is revoked; reinstate it first.')
  switch (wish.do) {
    case 'extend':
      return Date.parse(wish.expiresAt) > Date.parse(now.expiresAt)
        ? { ...now, expiresAt: wish.expiresAt }
        : refuse('not-later', `The licence already lasts until ${now.expiresAt.slice(0, 10)}.`)
    case 'change-tier':
      return {
        ...now,
        tier: wish.tier,
        installs: wish.installs === undefined ? TIERS[wish.tier].installs : wish.installs,
      }
    case 'suspend':
      return now.state === 'suspended'
        ? refuse('already-suspended', 'The licence is suspended already.')
        : { ...now, state: 'suspended' }
    case 'revoke':
      return { ...now, state: 'revoked' }
    case 'reinstate':
      return now.state === 'active'
        ? refuse('already-active', 'The licence is active already.')
        : { ...now, state: 'active' }
  }
}

/** What changed, in words for the audit: never a key, a name or an address. */
export function changeOf(before: License, after: License): string {
  const parts: string[] = []
  if (before.state !== after.state) parts.push(`state ${before.state} → ${after.state}`)
  if (before.tier !== after.tier) parts.push(`tier ${before.tier} → ${after.tier}`)
  if (before.installs !== after.installs)
    parts.push(`installs ${before.installs ?? 'no limit'} → ${after.installs ?? 'no limit'}`)
  if (before.expiresAt !== after.expiresAt)
    parts.push(`until ${before.expiresAt.slice(0, 10)} → ${after.expiresAt.slice(0, 10)}`)
  return parts.join(', ') || 'nothing changed'
}
