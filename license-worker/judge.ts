import { type AnswerPayload, type LicenseVerdict, TIERS } from '@attestry/contracts'
import type { Projection } from './projection.ts'

/** What is known before anybody asks for a place: VALID may still turn out to be TOO_MANY_INSTALLS. */
export const verdictOf = (record: Projection | null, now: number): LicenseVerdict => {
  // Unknown and revoked look the same, so that nobody learns which keys exist.
  if (!record) return 'INVALID'
  if (record.suspended) return 'SUSPENDED'
  return Date.parse(record.expiresAt) <= now ? 'EXPIRED' : 'VALID'
}

/** The part of an answer that is the same whoever asks, and whenever. */
export type Terms = Pick<AnswerPayload, 'kind' | 'verdict' | 'tier' | 'features' | 'limits' | 'expiresAt'>

/** What the vendor says of a licence: pure, of the record and the verdict. */
export function termsOf(record: Projection | null, verdict: LicenseVerdict): Terms {
  const granted = verdict === 'VALID' && record ? TIERS[record.tier] : null
  return {
    kind: 'answer',
    verdict,
    tier: record?.tier ?? null,
    features: [...(granted?.features ?? [])],
    limits: granted?.limits ?? null,
    expiresAt: record?.expiresAt ?? null,
  }
}
