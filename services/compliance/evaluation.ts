import { createHash } from 'node:crypto'
import { type Fact, fact, type RuleResult, type ScoreParts } from '@attestry/contracts'
import { adoption } from './frameworks/mapping.ts'
import { type FindingsChanged, pages } from './findings.ts'
import type { Before } from './memory.ts'
import type { Ruleset } from './ruleset.ts'
import { partsOf, ratingOf } from './score.ts'

/*
 * When an evaluation is written down. One that a scan caused always is: it says that the estate was judged as
 * the scan left it. One that a change or the hour caused is written only if it says something new: another
 * result of some rule, a finding, or another ruleset. So an estate in which nothing happens adds nothing to the
 * chain, and still every finding that time brings about is in it within the hour.
 */

/** Whether an evaluation says something that the one before did not. */
export const saysMore = (
  before: Before | null,
  results: readonly RuleResult[],
  ruleset: Ruleset,
  change: FindingsChanged,
): boolean =>
  before === null ||
  before.ruleset !== ruleset.digest ||
  change.opened.length + change.reopened.length + change.resolved.length > 0 ||
  JSON.stringify(before.results) !== JSON.stringify(results)

/** The id of the evaluation that a scan, or else a command, causes: the same for a second try. */
export const evaluationId = (scan: string | null, command: string): string =>
  scan === null
    ? `evaluation-${createHash('sha256').update(command).digest('hex').slice(0, 24)}`
    : `evaluation-${scan.slice(scan.indexOf('-') + 1)}`

export interface Judged {
  readonly evaluation: string
  readonly scan: string | null
  readonly asOf: readonly (readonly [context: string, seq: number])[]
  /** The instant that time windows were measured against, with `Z`. */
  readonly now: string
  readonly ruleset: Ruleset
  readonly results: readonly RuleResult[]
  readonly change: FindingsChanged
  /** Digest of the ruleset that was adopted last; another one is adopted first. */
  readonly adopted: string | null
  /** Digest of the mapping to frameworks that was adopted last. */
  readonly mapped: string | null
}

/** The facts of an evaluation, for one append: the ruleset and the mapping if they are new, the results, the findings in pages. */
export function factsOf(judged: Judged): Fact[] {
  const { evaluation, scan, asOf, now, ruleset, results, change, adopted, mapped } = judged
  const parts: ScoreParts = partsOf(results)
  const severity = new Map(ruleset.rules.map((r) => [r.id, r.severity]))
  return [
    ...(adopted === ruleset.digest
      ? []
      : [
          fact('compliance.ruleset-adopted', {
            rulesetDigest: ruleset.digest,
            rules: ruleset.rules.map((r) => ({
              rule: r.id,
              name: r.name,
              says: r.says,
              severity: r.severity,
              weight: r.weight,
              sharePercent: Math.round(r.share * 100),
            })),
          }),
        ]),
    ...adoption(mapped),
    fact('compliance.evaluation-completed', {
      evaluation,
      scan,
      asOf: asOf.map(([context, seq]) => [context, seq]),
      now,
      rulesetDigest: ruleset.digest,
      score: parts,
      rating: ratingOf(parts, results, (rule) => severity.get(rule)),
      results: [...results],
    }),
    ...pages(change).map(({ opened, reopened, resolved }) =>
      fact('compliance.findings-changed', {
        evaluation,
        opened: [...opened],
        reopened: [...reopened],
        resolved: [...resolved],
      }),
    ),
  ]
}
