import type { Counter } from '@attestry/contracts'
import type { Problem, Standing, VendorRole } from '@attestry/contracts/http'
import { OFFLINE, STRANGE_REPLY, TOO_SLOW } from '../problem.ts'
import type { Tone } from '../ui/badge.tsx'

/* What the fleet view says. */

export const STANDINGS: Readonly<Record<Standing, { readonly word: string; readonly tone: Tone }>> = {
  active: { word: 'Active', tone: 'good' },
  expiring: { word: 'Ending soon', tone: 'medium' },
  expired: { word: 'Ended', tone: 'high' },
  suspended: { word: 'Suspended', tone: 'high' },
  revoked: { word: 'Revoked', tone: 'critical' },
}

export const TIER_WORDS = {
  evaluation: 'Evaluation',
  starter: 'Starter',
  pro: 'Pro',
  enterprise: 'Enterprise',
} as const

export const FEATURE_WORDS = {
  rotation: 'Rotation',
  'custom-rules': 'Custom rules',
  sync: 'Sync to other clouds',
  sso: 'Single sign-on',
  'cloud-writes': 'Writing to clouds',
} as const

export const ROLE_WORDS: Readonly<Record<VendorRole, string>> = {
  reader: 'Reader',
  support: 'Support',
  manager: 'Manager',
}

export const ACTION_WORDS: Readonly<Record<string, string>> = {
  issue: 'Issued',
  extend: 'Extended',
  'change-tier': 'Tier changed',
  suspend: 'Suspended',
  revoke: 'Revoked',
  reinstate: 'Reinstated',
  'rotate-key': 'New key',
  'release-install': 'Install released',
  'license-file': 'Licence file made',
  'export-subject': 'Personal data exported',
  'erase-subject': 'Personal data erased',
}

/** `rotationsCompleted` as `Rotations completed`. */
export const counterWord = (name: Counter | 'installs'): string => {
  const words = name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
  return words.charAt(0).toUpperCase() + words.slice(1)
}

const STEPS: Readonly<Record<string, string>> = {
  [OFFLINE]: 'Check your network. This page tries again by itself.',
  [TOO_SLOW]: 'Try again; what was asked is carried out once, however often it is asked.',
  [STRANGE_REPLY]: 'Reload the page: it may be older than the service.',
  'not-signed-in': 'Sign in with a token that VENDOR_TOKENS knows.',
  'role-missing': 'Ask somebody whose token has the role.',
  'too-many-requests': 'Wait a minute, then try again.',
  'no-such-license': 'It may have been removed a year after its end. Go back to the list.',
  revoked: 'Reinstate the licence first.',
  'already-over': 'Choose an end that is still to come.',
  'not-later': 'Choose a later end; a licence is never shortened. To end it now, suspend or revoke it.',
  'not-active': 'Reinstate or extend the licence first.',
  'no-install-left': 'Release an install, or allow more of them.',
  'key-told-before': 'Give the licence a new key; this one cannot be told a second time.',
  'mark-reused': 'Reload the page and try again.',
}

/** What a person can do about a problem, in one sentence. */
export function nextStep(problem: Problem): string {
  const known = STEPS[problem.code]
  if (known) return known
  if (problem.status >= 500) return 'Try again in a moment.'
  return problem.status === 409 ? 'It changed meanwhile. Reload and look again.' : 'Correct it and try again.'
}
