import {
  type LicensePayload,
  type LicenseRecord,
  type LicenseVerdict,
  TIERS,
  type ValidateRequest,
} from '@attestry/contracts'

/** How long an install may rely on an answer when it cannot ask again: 7 days, in milliseconds. */
const ANSWER_LIVES_MS = 7 * 24 * 60 * 60 * 1000

const verdictOf = (record: LicenseRecord | null, now: Date): LicenseVerdict => {
  // Unknown and revoked look the same, so that nobody learns which keys exist.
  if (!record || record.state === 'revoked') return 'INVALID'
  if (record.state === 'suspended') return 'SUSPENDED'
  return Date.parse(record.expiresAt) <= now.getTime() ? 'EXPIRED' : 'VALID'
}

/** What the vendor says of a licence. Pure: the record, the request and the time make the payload. */
export function judge(record: LicenseRecord | null, request: ValidateRequest, now: Date): LicensePayload {
  const verdict = verdictOf(record, now)
  const known = verdict === 'INVALID' ? null : record
  return {
    verdict,
    tier: known?.tier ?? null,
    features: verdict === 'VALID' && known ? [...TIERS[known.tier].features] : [],
    expiresAt: known?.expiresAt ?? null,
    install: request.install,
    nonce: request.nonce,
    iat: now.toISOString(),
    exp: new Date(now.getTime() + ANSWER_LIVES_MS).toISOString(),
  }
}
