import type { Vault } from '@attestry/contracts'
import type { EndedRotation } from './record.ts'

/*
 * What rules look at. A subject is complete in itself: what a rule needs to know of other things (whether the
 * vault can be read, how many resources use a secret) is already on it. Instants are epoch milliseconds.
 */

interface Common<K extends string> {
  readonly kind: K
  readonly id: string
  /** Why nothing can be said of it, as a sentence; null when it was read. Every rule over it is then unknown. */
  readonly unread: string | null
}

interface Item {
  readonly enabled: boolean
  /** The half of a certificate: the certificate carries its findings. */
  readonly managed: boolean
  readonly expires: number | null
}

interface Algorithm {
  readonly algorithm: string | null
  readonly bits: number | null
  readonly curve: string | null
}

export interface Secret extends Common<'secret'>, Item {
  readonly name: string
  /** Creation of the newest version. */
  readonly created: number | null
  readonly tags: readonly (readonly [string, string])[]
  /** Dependencies on it that nobody rejected. */
  readonly uses: number
  /** Some environment did not let its resources be listed, so that "nobody uses it" cannot be known. */
  readonly usersHidden: boolean
}
export interface Certificate extends Common<'certificate'>, Item, Algorithm {}
export interface Key extends Common<'key'>, Item, Algorithm {}

export interface VaultSubject extends Common<'vault'> {
  /** Null until Resource Manager described it. */
  readonly facts: Vault | null
  readonly unreachable: string | null
}

/** A secret of an application registration. */
export interface AppSecret extends Common<'app-secret'> {
  readonly rotated: boolean
}

export interface ResourceSubject extends Common<'resource'> {
  readonly settingsRead: boolean
  readonly hardCoded: readonly { readonly name: string; readonly looksLike: string }[]
  /** References to Key Vault, and the settings of those whose target is not known. */
  readonly references: number
  readonly unmapped: readonly string[]
}

export interface EdgeSubject extends Common<'edge'> {
  readonly confidence: number
  readonly decided: 'proposed' | 'confirmed' | 'rejected'
}

export interface Policy extends Common<'policy'> {
  readonly enabled: boolean
  readonly targetVault: string | null
  readonly verifiedMatches: number
  readonly matches: number
  readonly last: EndedRotation | null
}

export interface Match extends Common<'match'> {
  readonly state: 'proposed' | 'verified' | 'excluded'
  readonly policyEnabled: boolean
  readonly confidence: number
}

export interface Route extends Common<'route'> {
  readonly active: boolean
  readonly workerRuns: boolean
  /** When the last word of a running worker lapses; null: none runs, or one that set no end. */
  readonly workerUntil: number | null
}

/** A secret on its way along a route, with its latest success and failure. */
export interface Copy extends Common<'copy'> {
  readonly copiedAt: number | null
  readonly failedAt: number | null
  readonly failure: string | null
}

/** Every population that a rule can be over. */
export interface Subjects {
  secret: Secret
  certificate: Certificate
  key: Key
  vault: VaultSubject
  'app-secret': AppSecret
  resource: ResourceSubject
  edge: EdgeSubject
  policy: Policy
  match: Match
  route: Route
  copy: Copy
}
export type SubjectKind = keyof Subjects
export type Subject = Subjects[SubjectKind]

export const SUBJECT_KINDS = [
  'secret',
  'certificate',
  'key',
  'vault',
  'app-secret',
  'resource',
  'edge',
  'policy',
  'match',
  'route',
  'copy',
] as const satisfies readonly SubjectKind[]
