import type { Severity } from '@attestry/contracts'
import type { SubjectKind, Subjects } from '../subject.ts'

/** What a rule is judged with, beside its subject: the instant that time windows are measured against. */
export interface Moment {
  /** Epoch milliseconds. */
  readonly now: number
}

/** What a rule says of one subject. Unreadable is unknown; outside of the rule's population is not-applicable. */
export type Holds = boolean | 'unknown' | 'not-applicable'

export type Family = 'secret' | 'certificate' | 'key' | 'rotation' | 'vault' | 'kms' | 'dependency' | 'sync'

/** One line of a rule table: at least `share` of the population `over` satisfies `holds`. */
interface Line<K extends SubjectKind> {
  readonly id: string
  readonly severity: Severity
  readonly name: string
  /** The rule in one sentence, exact: it is part of the ruleset's digest. */
  readonly says: string
  /** What to do about a failure. */
  readonly remedy: string
  readonly over: K
  /** @default 1 */
  readonly share?: number
  readonly holds: (subject: Subjects[K], moment: Moment) => Holds
  /** Why a subject fails, with the fact that makes it fail. */
  readonly reason: (subject: Subjects[K], moment: Moment) => string
  /** Instants at which `holds` may answer differently though nothing else changed. */
  readonly turns?: (subject: Subjects[K]) => readonly (number | null)[]
}

/** A line over any one population; `over` tells which subjects `holds` takes. */
export type AnyLine = { [K in SubjectKind]: Line<K> }[SubjectKind]

/** A rule as the evaluator takes it. Custom rules compile to the same value. */
export interface Rule<Id extends string = string> {
  readonly id: Id
  readonly family: Family
  readonly severity: Severity
  /** 1 to 30. */
  readonly weight: number
  readonly name: string
  readonly says: string
  readonly remedy: string
  readonly over: SubjectKind
  readonly share: number
  // Method syntax, so that a rule over vaults is a Rule: the evaluator hands it subjects of `over` alone.
  holds(subject: Subjects[SubjectKind], moment: Moment): Holds
  reason(subject: Subjects[SubjectKind], moment: Moment): string
  turns?(subject: Subjects[SubjectKind]): readonly (number | null)[]
}

/** Points by severity, unless somebody overrides a rule's weight. */
export const WEIGHTS: Readonly<Record<Severity, number>> = { critical: 30, high: 15, medium: 8, low: 2 }

/** A family's table as rules. */
export const rules = <const T extends readonly AnyLine[]>(
  family: Family,
  lines: T,
): readonly Rule<T[number]['id']>[] =>
  lines.map((line) => ({ share: 1, weight: WEIGHTS[line.severity], family, ...line }))
