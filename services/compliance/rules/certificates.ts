import { rules } from './rule.ts'
import { isStrong } from './strength.ts'
import { atExpiry, beforeExpiry, hasExpiry, isLive, outlasts } from './window.ts'
import { expiresIn, keyOf } from './wording.ts'

export const certificates = rules('certificate', [
  {
    id: 'C001',
    severity: 'high',
    name: 'All Certificates Have Expiry Dates',
    says: 'Every enabled certificate has an expiry date. X.509 demands one, so this all but always passes.',
    remedy:
      'Import the certificate again, or create it anew: a vault that shows no end date holds a damaged one.',
    over: 'certificate',
    holds: hasExpiry,
    reason: () => 'It has no expiry date.',
  },
  {
    id: 'C002',
    severity: 'critical',
    name: 'No Certificates Expiring Within 7 Days',
    says: 'No enabled certificate has more than nothing and less than 7 days left.',
    remedy: 'Renew the certificate now and see that what serves it has loaded the new one.',
    over: 'certificate',
    holds: outlasts(7),
    reason: expiresIn,
    turns: beforeExpiry(7),
  },
  {
    id: 'C003',
    severity: 'high',
    name: 'No Certificates Expiring Within 30 Days',
    says: 'No enabled certificate has more than nothing and less than 30 days left.',
    remedy: 'Plan the renewal, or let the vault renew by a lifetime action.',
    over: 'certificate',
    holds: outlasts(30),
    reason: expiresIn,
    turns: beforeExpiry(30),
  },
  {
    id: 'C004',
    severity: 'medium',
    name: 'No Disabled Certificates',
    says: 'No certificate is disabled.',
    remedy: 'Delete the certificate if nothing serves it any more.',
    over: 'certificate',
    holds: (c) => (c.managed ? 'not-applicable' : c.enabled),
    reason: () => 'It is disabled and still in the vault.',
  },
  {
    id: 'C005',
    severity: 'critical',
    name: 'No Expired Certificates',
    says: 'No enabled certificate is past its end date.',
    remedy: 'Renew the certificate, or remove it if nothing serves it any more.',
    over: 'certificate',
    holds: isLive,
    reason: expiresIn,
    turns: atExpiry,
  },
  {
    id: 'C006',
    severity: 'high',
    name: 'Certificate Key Size Requirements',
    says: 'Every certificate has an RSA key of at least 2048 bits, or an EC key on P-256, P-256K, P-384 or P-521.',
    remedy: 'Issue the certificate anew with a policy that asks for RSA 2048 or more, or for a P curve.',
    over: 'certificate',
    holds: isStrong,
    reason: (c) => `Its key is ${keyOf(c)}.`,
  },
])
