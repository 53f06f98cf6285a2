import { rules } from './rule.ts'
import { isStrong } from './strength.ts'
import { atExpiry, beforeExpiry, hasExpiry, isLive, outlasts } from './window.ts'
import { expiresIn, keyOf } from './wording.ts'

/** A key that backs a certificate is judged with the certificate. */
export const keys = rules('key', [
  {
    id: 'K001',
    severity: 'high',
    name: 'All Keys Have Expiry Dates',
    says: 'Every enabled key has an expiry date; a date in the past counts here and fails K005.',
    remedy: 'Set an expiry date on the key, or a rotation policy that does.',
    over: 'key',
    holds: hasExpiry,
    reason: () => 'It has no expiry date.',
  },
  {
    id: 'K002',
    severity: 'critical',
    name: 'No Keys Expiring Within 7 Days',
    says: 'No enabled key has more than nothing and less than 7 days left.',
    remedy: 'Rotate the key now, and see that what encrypts with it uses the new version.',
    over: 'key',
    holds: outlasts(7),
    reason: expiresIn,
    turns: beforeExpiry(7),
  },
  {
    id: 'K003',
    severity: 'high',
    name: 'No Keys Expiring Within 30 Days',
    says: 'No enabled key has more than nothing and less than 30 days left.',
    remedy: 'Plan the rotation, or give the key a rotation policy.',
    over: 'key',
    holds: outlasts(30),
    reason: expiresIn,
    turns: beforeExpiry(30),
  },
  {
    id: 'K004',
    severity: 'medium',
    name: 'No Disabled Keys',
    says: 'No key is disabled.',
    remedy: 'Delete the key once nothing is left that it alone can decrypt.',
    over: 'key',
    holds: (k) => (k.managed ? 'not-applicable' : k.enabled),
    reason: () => 'It is disabled and still in the vault.',
  },
  {
    id: 'K005',
    severity: 'critical',
    name: 'No Expired Keys',
    says: 'No enabled key is past its expiry date.',
    remedy: 'Rotate the key, or remove it once nothing is left that it alone can decrypt.',
    over: 'key',
    holds: isLive,
    reason: expiresIn,
    turns: atExpiry,
  },
  {
    id: 'K006',
    severity: 'high',
    name: 'Key Size Requirements',
    says: 'Every RSA key has at least 2048 bits and every EC key is on P-256, P-256K, P-384 or P-521.',
    remedy: 'Create a stronger key, encrypt with it anew, and retire this one.',
    over: 'key',
    holds: isStrong,
    reason: (k) => `It is ${keyOf(k)}.`,
  },
])
