import { ERASED } from '@attestry/contracts'
import { isGeneric, isOwnTag } from './naming.ts'
import { rules } from './rule.ts'
import { atExpiry, beforeExpiry, DAY_MS, hasExpiry, isLive, outlasts } from './window.ts'
import { whyUnreachable } from '../subject-of.ts'
import { expiresIn, instant, span } from './wording.ts'

/** A secret that backs a certificate is judged with the certificate. */
export const secrets = rules('secret', [
  {
    id: 'P001',
    severity: 'high',
    name: 'All Secrets Have Expiry Dates',
    says: 'Every enabled secret has an expiry date; a date in the past counts here and fails P007.',
    remedy: 'Set an expiry date on the secret, then rotate it before that day.',
    over: 'secret',
    holds: hasExpiry,
    reason: () => 'It has no expiry date.',
  },
  {
    id: 'P002',
    severity: 'critical',
    name: 'No Secrets Expiring Within 7 Days',
    says: 'No enabled secret has more than nothing and less than 7 days left.',
    remedy: 'Rotate the secret now: issue a new value, store it as a new version with a later expiry date.',
    over: 'secret',
    holds: outlasts(7),
    reason: expiresIn,
    turns: beforeExpiry(7),
  },
  {
    id: 'P003',
    severity: 'high',
    name: 'No Secrets Expiring Within 30 Days',
    says: 'No enabled secret has more than nothing and less than 30 days left.',
    remedy: 'Plan the rotation: find who uses the secret and set a date before it expires.',
    over: 'secret',
    holds: outlasts(30),
    reason: expiresIn,
    turns: beforeExpiry(30),
  },
  {
    id: 'P004',
    severity: 'medium',
    name: 'No Disabled Secrets',
    says: 'No secret is disabled.',
    remedy: 'Delete the secret if nobody needs it; soft delete keeps it recoverable for a while.',
    over: 'secret',
    holds: (s) => (s.managed ? 'not-applicable' : s.enabled),
    reason: () => 'It is disabled and still in the vault.',
  },
  {
    id: 'P005',
    severity: 'high',
    name: 'All Vaults Accessible',
    says: 'Every vault can be read: no firewall, missing permission or throttle hides what it holds.',
    remedy: 'Let the scanner through the vault’s firewall and give its identity the role Key Vault Reader.',
    over: 'vault',
    holds: (v) => v.unreachable === null,
    reason: (v) => `It cannot be read: ${whyUnreachable(v.unreachable ?? 'failed')}.`,
  },
  {
    id: 'P006',
    severity: 'low',
    name: 'Secrets Are Tagged',
    says: 'Every secret has a tag that somebody chose; tags written by the platform or by tools do not count.',
    remedy: 'Tag the secret with its owner, environment or application.',
    over: 'secret',
    holds: (s) => (s.managed ? 'not-applicable' : s.tags.some(([name]) => isOwnTag(name))),
    reason: (s) =>
      s.tags.length === 0
        ? 'It has no tags.'
        : `It has only tags that tools wrote: ${s.tags.map(([name]) => name).join(', ')}.`,
  },
  {
    id: 'P007',
    severity: 'critical',
    name: 'No Expired Secrets',
    says: 'No enabled secret is past its expiry date.',
    remedy: 'Rotate the secret, or remove it if nothing uses it any more.',
    over: 'secret',
    holds: isLive,
    reason: expiresIn,
    turns: atExpiry,
  },
  {
    id: 'P008',
    severity: 'medium',
    name: 'Recent Secret Updates',
    says: 'The newest version of every secret was created at most 90 days ago; editing tags renews nothing.',
    remedy: 'Rotate the secret: store a new value as a new version.',
    over: 'secret',
    holds: (s, { now }) =>
      s.managed ? 'not-applicable' : s.created === null ? 'unknown' : now - s.created <= 90 * DAY_MS,
    reason: (s, { now }) =>
      s.created === null
        ? 'The vault does not say when its newest version was created.'
        : `Its newest version is ${span(now - s.created)} old, from ${instant(s.created)}.`,
    turns: (s) => (s.created === null ? [] : [s.created + 90 * DAY_MS]),
  },
  {
    id: 'P015',
    severity: 'low',
    name: 'Secret Naming Convention',
    says: 'No secret’s name is made of generic words and numbers alone, such as password, key1 or my-secret-02.',
    remedy: 'Store the secret under a name that tells the system and the purpose, and move its users over.',
    over: 'secret',
    holds: (s) => (s.managed ? 'not-applicable' : s.name === ERASED ? 'unknown' : !isGeneric(s.name)),
    reason: (s) => `Its name, ${s.name}, does not tell what it is for.`,
  },
])
