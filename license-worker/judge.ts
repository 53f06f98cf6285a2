import {
  type AnswerPayload,
  type LicenseVerdict,
  MAX_GRACE_DAYS,
  type StatsOutcome,
  TIERS,
  type ValidateRequest,
} from '@attestry/contracts'
import type { Projection } from './projection.ts'

/** How long an install may rely on an answer when it cannot ask again, milliseconds. */
const ANSWER_LIVES_MS = MAX_GRACE_DAYS * 24 * 60 * 60 * 1000

/** What is known before anybody asks for a place: VALID may still turn out to be TOO_MANY_INSTALLS. */
export const verdictOf = (record: Projection | null, now: Date): LicenseVerdict => {
  // Unknown and revoked look the same, so that nobody learns which keys exist.
  if (!record) return 'INVALID'
  if (record.suspended) return 'SUSPENDED'
  return Date.parse(record.expiresAt) <= now.getTime() ? 'EXPIRED' : 'VALID'
}

/** What the vendor says of a licence. Pure: the record, the verdict, the request and the time make the payload. */
export function judge(
  record: Projection | null,
  verdict: LicenseVerdict,
  request: ValidateRequest,
  more: { readonly now: Date; readonly stats: StatsOutcome; readonly latest: AnswerPayload['latest'] },
): AnswerPayload {
  const terms = verdict === 'VALID' && record ? TIERS[record.tier] : null
  // Of a stranger's counts nothing is told: they were not even looked at.
  return {
    kind: 'answer',
    verdict,
    tier: record?.tier ?? null,
    features: [...(terms?.features ?? [])],
    limits: terms?.limits ?? null,
    expiresAt: record?.expiresAt ?? null,
    iat: more.now.toISOString(),
    exp: new Date(more.now.getTime() + ANSWER_LIVES_MS).toISOString(),
    install: request.install,
    nonce: request.nonce,
    stats: record ? more.stats : 'none',
    latest: record ? more.latest : null,
  }
}
