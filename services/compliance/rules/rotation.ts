import { rules } from './rule.ts'

export const rotation = rules('rotation', [
  {
    id: 'P009',
    severity: 'high',
    name: 'Rotation Coverage Enabled',
    says: 'At least 80 % of the secrets of application registrations have rotation enabled.',
    remedy: 'Enable a rotation policy for the credential.',
    over: 'app-secret',
    share: 0.8,
    holds: (c) => c.rotated,
    reason: () => 'No rotation policy is enabled for it.',
  },
  {
    id: 'P010',
    severity: 'high',
    name: 'Rotation Ready Records',
    says: 'At least 60 % of enabled rotation policies have a verified match in a vault that nobody excluded.',
    remedy:
      'Look at the proposed matches of the policy and verify the vault secret that holds the credential.',
    over: 'policy',
    share: 0.6,
    holds: (p) => (p.enabled ? p.verifiedMatches > 0 : 'not-applicable'),
    reason: (p) => `None of its ${p.matches} matches is verified.`,
  },
  {
    id: 'P012',
    severity: 'medium',
    name: 'Rotation Unverified Matches Cleared',
    says: 'Every match of an enabled rotation policy is either verified or excluded.',
    remedy: 'Verify the match, or exclude it.',
    over: 'match',
    holds: (m) => (m.policyEnabled ? m.state !== 'proposed' : 'not-applicable'),
    reason: (m) => `It was proposed with ${m.confidence} % confidence and nobody has decided on it.`,
  },
  {
    id: 'P013',
    severity: 'high',
    name: 'Rotation Targets Set',
    says: 'Every enabled rotation policy names the vault that new credentials go to.',
    remedy: 'Set a target vault on the policy.',
    over: 'policy',
    holds: (p) => (p.enabled ? p.targetVault !== null : 'not-applicable'),
    reason: () => 'It names no target vault.',
  },
  {
    id: 'P014',
    severity: 'high',
    name: 'Rotation Verified Matches',
    says: 'Every enabled rotation policy has a verified match in a vault that nobody excluded.',
    remedy:
      'Look at the proposed matches of the policy and verify the vault secret that holds the credential.',
    over: 'policy',
    holds: (p) => (p.enabled ? p.verifiedMatches > 0 : 'not-applicable'),
    reason: (p) => (p.matches === 0 ? 'It has no match.' : `None of its ${p.matches} matches is verified.`),
  },
])
