import type { CredentialKind, DependentKind, PreflightCheck } from '@attestry/contracts'
import type { MatchRow, RotationDetail, RotationStage } from '@attestry/contracts/http'
import type { Tone } from '../ui/badge.tsx'

interface Word {
  readonly word: string
  readonly tone: Tone
}

/** What each stage is called, and how much it wants to be looked at. */
export const STAGES: Readonly<Record<RotationStage, Word>> = {
  planned: { word: 'Planned', tone: 'plain' },
  'awaiting-approval': { word: 'Awaits approval', tone: 'medium' },
  scheduled: { word: 'Scheduled', tone: 'low' },
  issuing: { word: 'Issuing', tone: 'seal' },
  staged: { word: 'Staged', tone: 'low' },
  verifying: { word: 'Verifying', tone: 'seal' },
  cutover: { word: 'Switching', tone: 'seal' },
  grace: { word: 'In grace', tone: 'low' },
  retiring: { word: 'Retiring', tone: 'seal' },
  'rolling-back': { word: 'Rolling back', tone: 'high' },
  complete: { word: 'Complete', tone: 'good' },
  'rolled-back': { word: 'Rolled back', tone: 'medium' },
  blocked: { word: 'Blocked', tone: 'high' },
  rejected: { word: 'Rejected', tone: 'plain' },
  expired: { word: 'Expired', tone: 'plain' },
  'taken-over': { word: 'Taken over', tone: 'medium' },
}

export const KINDS: Readonly<Record<CredentialKind, string>> = {
  'app-secret': 'Application secret',
  'sp-secret': 'Service principal secret',
  key: 'Key',
  certificate: 'Certificate',
  'storage-key': 'Storage account key',
  'servicebus-key': 'Service Bus key',
}

export const DEPENDENTS: Readonly<Record<DependentKind, string>> = {
  'app-service-reference': 'Key Vault reference, refreshed and read back',
  'app-service-setting': 'setting, written and read back',
  'container-app': 'container app, new revision',
  'sync-route': 'sync route, copied on',
  manual: 'by a person',
}

type DependentState = RotationDetail['dependents'][number]['state']
export const DEPENDENT_STATES: Readonly<Record<DependentState, Word>> = {
  waiting: { word: 'Waits', tone: 'plain' },
  switching: { word: 'Switching', tone: 'seal' },
  switched: { word: 'Switched', tone: 'low' },
  unconfirmed: { word: 'Not confirmed', tone: 'medium' },
  confirmed: { word: 'Confirmed', tone: 'good' },
  waived: { word: 'Waived', tone: 'low' },
  failed: { word: 'Failed', tone: 'critical' },
  returned: { word: 'Brought back', tone: 'plain' },
  'must-return': { word: 'To bring back', tone: 'high' },
}

export const CHECKS: Readonly<Record<PreflightCheck['check'], string>> = {
  permission: 'Permission',
  'lifetime-policy': 'Lifetime policy',
  'vault-reachable': 'Vault reachable',
  'vault-soft-deleted': 'Deleted secrets',
  'name-conflict': 'Name',
  'managed-elsewhere': 'Managed elsewhere',
  window: 'Window',
  freeze: 'Freeze',
  lease: 'One at a time',
  drift: 'Still as planned',
  entitlement: 'Licence',
  issuer: 'Issuer',
}
export const CHECK_STATES: Readonly<Record<PreflightCheck['state'], Word>> = {
  passed: { word: 'Passed', tone: 'good' },
  warned: { word: 'Warning', tone: 'medium' },
  failed: { word: 'Failed', tone: 'critical' },
}

export const MATCHES: Readonly<Record<MatchRow['state'], Word>> = {
  proposed: { word: 'To judge', tone: 'medium' },
  verified: { word: 'Verified', tone: 'good' },
  excluded: { word: 'Excluded', tone: 'plain' },
}

/** What speaks for a match. */
const SIGNALS: Readonly<Record<string, string>> = {
  'tag-key-id': 'a tag names the key id',
  'tag-app-id': 'a tag names the application',
  name: 'similar name',
  'updated-near-start': 'stored when the credential began',
  expiry: 'same end',
}
export const signalOf = (code: string): string => SIGNALS[code] ?? code

/** What a failed step means and what a person does then, by the step at which a rotation stands still. */
const STANDS: Readonly<Record<string, string>> = {
  planning: 'Look at the reason, then plan again.',
  preflight: 'Nothing was changed. Mend what the check names, then plan again.',
  issuing: 'Look whether the identity may still issue. Then let it go on, or roll back.',
  storing: 'Look whether the vault can be reached and written. Then let it go on, or roll back.',
  verifying: 'What the vaults serve does not work. Roll back, unless you know why.',
  cutover:
    'Look at the dependent that failed. Confirm or waive it if you know that it works, let the rotation go on to try again, or roll back.',
  grace: 'Look at what is named, then let it go on.',
  retiring: 'Both credentials work. Look why the old one cannot go, then let it go on, or finish by hand.',
  'rolling-back': 'Look at what could not be brought back, bring it back by hand, then let it go on.',
}
export const standsAt = (step: string): string =>
  STANDS[step] ?? 'Look at the reason, then let it go on, roll back, or finish by hand.'

/** Who did something, for readers: the product and its schedule are no people. */
export const machineName = (id: string): string | undefined =>
  id === 'rotation' ? 'the product' : id.startsWith('schedule-') ? 'the schedule' : undefined
