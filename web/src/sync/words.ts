import type { RouteSettings, TargetKind } from '@attestry/contracts'
import { counted } from '../numbers.ts'
import type { Tone } from '../ui/badge.tsx'

/** What each state of a copy is called, and how much it wants to be looked at. */
export const STATES: Readonly<Record<string, { readonly word: string; readonly tone: Tone }>> = {
  planned: { word: 'Planned', tone: 'low' },
  'in-sync': { word: 'In sync', tone: 'good' },
  drifted: { word: 'Drifted', tone: 'high' },
  conflict: { word: 'Conflict', tone: 'high' },
  retrying: { word: 'Retrying', tone: 'medium' },
  failed: { word: 'Set aside', tone: 'critical' },
  disabled: { word: 'Disabled', tone: 'plain' },
  pruned: { word: 'Deleted', tone: 'plain' },
  skipped: { word: 'Skipped', tone: 'plain' },
}

export const ACTIONS: Readonly<Record<string, { readonly word: string; readonly tone: Tone }>> = {
  create: { word: 'Create', tone: 'good' },
  update: { word: 'Update', tone: 'low' },
  prune: { word: 'Delete', tone: 'critical' },
  conflict: { word: 'Conflict', tone: 'high' },
  skip: { word: 'Skip', tone: 'plain' },
  noop: { word: 'Unchanged', tone: 'plain' },
}

/** A sentence for each reason that a plan gives. */
const REASONS: Readonly<Record<string, string>> = {
  new: 'Nothing of this name is at the target.',
  gone: 'The copy was deleted at the target; it is made again.',
  'source-changed': 'The source has a newer version.',
  metadata: 'Only tags or dates of the source changed; the value is not written again.',
  interrupted: 'An earlier run was interrupted here; what it left is completed.',
  adopted: 'A person gave what is there to this route.',
  reasserted: 'Somebody wrote over the copy; the source’s value is written again.',
  restored: 'The copy waits for its deletion; it is restored, then written.',
  'source-enabled': 'The source is enabled again.',
  'source-disabled': 'The source is disabled or expired.',
  'disabled-already': 'Source and copy are disabled.',
  unmanaged: 'Something of this name is at the target and belongs to no route.',
  'owned-by-another-route': 'Another route owns this name.',
  'holds-another-secret': 'This route wrote another secret under this name.',
  collision: 'Two secrets of the source would have this one name.',
  drifted: 'Somebody wrote over the copy since it was last written.',
  unmarked: 'Somebody took the mark of ownership off the copy.',
  'pending-deletion': 'Something of this name waits for its deletion.',
  'source-gone': 'The source is gone.',
  'not-selected': 'The route no longer selects the source.',
  'bad-name': 'The target does not take this name.',
  'certificate-backed': 'It belongs to a certificate; targets of certificates take those.',
  'not-a-certificate': 'This target takes certificates only.',
  loop: 'It came from this very vault.',
  'not-yet-valid': 'The source is not valid yet.',
  'binary-not-taken': 'The target holds text only.',
  'target-cannot-disable': 'The source is disabled, and the target cannot disable its copy.',
  'listing-incomplete': 'The source could not be listed to its end, so nothing is deleted.',
  'listing-empty': 'The source lists nothing at all, so nothing is deleted.',
  kept: 'The source is gone; the route keeps its copies.',
  retrying: 'It failed and waits for its next try.',
  'set-aside': 'It failed too often and waits for a person, or for a newer version.',
}
export const reasonOf = (code: string): string => REASONS[code] ?? code

/** Why a plan waits. */
export const NEEDS: Readonly<Record<string, string>> = {
  'first-run': 'Nothing was written yet: somebody has to accept the first plan.',
  'every-run': 'This route asks before every run that writes.',
  'prune-limit': 'More would be deleted than the route may delete by itself.',
}

export const OUTCOMES: Readonly<Record<string, { readonly word: string; readonly tone: Tone }>> = {
  succeeded: { word: 'Succeeded', tone: 'good' },
  partial: { word: 'Partly', tone: 'medium' },
  failed: { word: 'Failed', tone: 'critical' },
  aborted: { word: 'Aborted', tone: 'high' },
  planned: { word: 'Planned', tone: 'low' },
  held: { word: 'Held', tone: 'high' },
}

export const KINDS: Readonly<Record<TargetKind, string>> = {
  'azure-key-vault': 'Azure Key Vault',
  'aws-secrets-manager': 'AWS Secrets Manager',
  'aws-parameter-store': 'AWS Parameter Store',
  'aws-acm': 'AWS Certificate Manager',
  'gcp-secret-manager': 'Google Secret Manager',
  'gcp-certificate-manager': 'Google Certificate Manager',
}

const CLOUDS: Readonly<Record<string, string>> = { azure: 'Azure', aws: 'AWS', gcp: 'Google Cloud' }
export const cloudName = (cloud: string): string => CLOUDS[cloud] ?? cloud
export const kindsOf = (cloud: string): TargetKind[] =>
  // The keys of a table keyed by kind.
  (Object.keys(KINDS) as TargetKind[]).filter((kind) => kind.startsWith(cloud))

/** What a sign-in is called. */
export const HOWS: Readonly<Record<string, string>> = {
  'own-identity': 'the product’s own identity',
  'assume-role': 'AssumeRole with external id',
  'web-identity': 'Entra’s token for an AWS role',
  federation: 'workload identity federation',
  'access-key': 'stored access key',
  'service-account-key': 'stored service account key',
}

/** When a route runs, in a few words. */
export function whenOf({
  everyMinutes,
  daily,
  onChange,
}: Pick<RouteSettings, 'everyMinutes' | 'daily' | 'onChange'>): string {
  const all = [
    ...(everyMinutes === null ? [] : [`every ${counted(everyMinutes, 'minute')}`]),
    ...(daily ? [`daily at ${daily.at} (${daily.zone})`] : []),
    ...(onChange ? ['on change'] : []),
  ]
  return all.length === 0 ? 'runs when asked' : all.join(', ')
}
