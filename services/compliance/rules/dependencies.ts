import { rules } from './rule.ts'

/*
 * What VM003 leaves open: a secret is orphaned when no resource is seen to use it, rejected dependencies left
 * out. It is unknown while some environment does not let its resources be listed. Credentials of applications
 * are not in its population: which resource holds them is not visible from outside.
 *
 * VM004 judges each policy by its last rotation, so that a success after a failure closes the finding.
 */

export const dependencies = rules('dependency', [
  {
    id: 'VM001',
    severity: 'high',
    name: 'Dependency Mapping Coverage',
    says: 'Every resource that refers to Key Vault has all its references mapped to a vault that is known.',
    remedy: 'Bring the vault that the setting names into scope, or correct the reference.',
    over: 'resource',
    holds: (r) => (r.references === 0 ? 'not-applicable' : r.unmapped.length === 0),
    reason: (r) =>
      `Of ${r.references} references ${r.unmapped.length} lead nowhere known: ${r.unmapped.join(', ')}.`,
  },
  {
    id: 'VM002',
    severity: 'critical',
    name: 'Hardcoded Credential Detection',
    says: 'No setting of a resource holds a credential in plain sight; unknown until settings may be looked at.',
    remedy:
      'Move the value to Key Vault, refer to it from the setting, and rotate it. If this is unknown, allow the scan of settings for the environment.',
    over: 'resource',
    holds: (r) => (r.hardCoded.length > 0 ? false : r.settingsRead ? true : 'unknown'),
    reason: (r) =>
      r.hardCoded.length > 0
        ? `Settings hold credentials: ${r.hardCoded.map((h) => `${h.name} (${h.looksLike})`).join(', ')}.`
        : 'Its settings were not looked at: allow the scan of settings for the environment.',
  },
  {
    id: 'VM003',
    severity: 'medium',
    name: 'Orphaned Credential Detection',
    says: 'Every secret is used by a resource, as far as can be seen; rejected dependencies do not count.',
    remedy: 'Find out who owns the secret; disable it for a while, then delete it.',
    over: 'secret',
    holds: (s) => (s.managed ? 'not-applicable' : s.uses > 0 ? true : s.usersHidden ? 'unknown' : false),
    reason: () => 'No resource is seen to use it.',
  },
  {
    id: 'VM004',
    severity: 'high',
    name: 'Full-Stack Rotation Success Rate',
    says: 'The last rotation under every policy completed, with every dependent confirmed.',
    remedy: 'Look at the step that stopped, resolve it, and rotate again.',
    over: 'policy',
    holds: (p) =>
      p.last === null
        ? 'not-applicable'
        : p.last.ended === 'completed' && p.last.confirmed >= p.last.dependents,
    reason: (p) =>
      p.last?.ended === 'failed'
        ? `Its last rotation stopped at ${p.last.step ?? 'an unknown step'}: ${p.last.reason ?? 'no reason given'}.`
        : `Its last rotation confirmed ${p.last?.confirmed ?? 0} of ${p.last?.dependents ?? 0} dependents.`,
  },
  {
    id: 'VM005',
    severity: 'medium',
    name: 'Low Confidence Dependencies Reviewed',
    says: 'Every dependency that is less than 70 % sure was confirmed or rejected by a person.',
    remedy: 'Confirm the dependency, or reject it.',
    over: 'edge',
    holds: (e) => (e.confidence >= 70 ? 'not-applicable' : e.decided !== 'proposed'),
    reason: (e) => `It is ${e.confidence} % sure and nobody has decided on it.`,
  },
])
