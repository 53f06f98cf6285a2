import type { FindingRef } from '@attestry/contracts'
import type { Standing } from './evaluate.ts'
import type { Rule } from './rules/rule.ts'

/*
 * A finding is a rule and a subject. It is open while the rule fails and the subject fails it:
 *   new, failing                      opened
 *   resolved before, failing          reopened
 *   open, the subject passes          resolved, passed
 *   open, the rule passes by share    resolved, passed
 *   open, outside the population      resolved, asset-removed: it is gone, disabled, or judged by another rule
 *   open, unknown                     stays open, and is shown as stale
 * A rule that asks for a share of its population opens findings only while it fails as a whole: a tenth of the
 * credentials without rotation is no violation of "at least 80 %".
 */

/** What a finding is about. */
export interface FindingRefLike {
  readonly rule: string
  readonly subject: string
}

/** State of every finding ever opened, by rule and subject. */
export type OnRecord = ReadonlyMap<string, ReadonlyMap<string, 'open' | 'resolved'>>

export interface FindingsChanged {
  readonly opened: readonly FindingRef[]
  readonly reopened: readonly FindingRef[]
  readonly resolved: readonly (FindingRef & { readonly because: 'passed' | 'asset-removed' })[]
}

/**
 * What an evaluation changes about findings. Pure. Looks only at what moved since the standing was settled,
 * unless `all` asks for everything: after loading the record afresh.
 */
export function findingsOf(
  standing: Standing,
  rules: readonly Rule[],
  record: OnRecord,
  idOf: (rule: string, subject: string) => string,
  all: boolean,
): FindingsChanged {
  const opened: FindingRef[] = []
  const reopened: FindingRef[] = []
  const resolved: (FindingRef & { because: 'passed' | 'asset-removed' })[] = []
  for (const rule of rules) {
    const verdict = standing.verdict(rule.id)
    const known = record.get(rule.id)
    for (const subject of candidates(standing, rule, known, all)) {
      const state = known?.get(subject)
      const on = standing.verdictOn(rule, subject)
      const ref = () => ({
        finding: idOf(rule.id, subject),
        rule: rule.id,
        subject,
        severity: rule.severity,
      })
      if (state !== 'open') {
        if (on === 'fail' && verdict === 'fail') (state === 'resolved' ? reopened : opened).push(ref())
      } else if (on === 'absent' || on === 'not-applicable')
        resolved.push({ ...ref(), because: 'asset-removed' })
      else if (on === 'pass' || (on === 'fail' && verdict === 'pass'))
        resolved.push({ ...ref(), because: 'passed' })
    }
  }
  return { opened, reopened, resolved }
}

/** Subjects whose finding may change: where one subject can turn a share, all that fail or are open. */
function candidates(
  standing: Standing,
  rule: Rule,
  known: ReadonlyMap<string, 'open' | 'resolved'> | undefined,
  all: boolean,
): Iterable<string> {
  const moved = standing.moved(rule.id)
  if (!all && !standing.movedAll && (rule.share === 1 || moved.size === 0)) return moved
  return new Set([...standing.failing(rule.id), ...(known?.keys() ?? []), ...moved])
}

/** The largest number of findings in one event. */
export const FINDINGS_PER_EVENT = 100

/** Parts a change into pieces that fit an event. */
export function pages(change: FindingsChanged): FindingsChanged[] {
  const { opened, reopened, resolved } = change
  const total = opened.length + reopened.length + resolved.length
  const parts: FindingsChanged[] = []
  for (let from = 0; from < total; from += FINDINGS_PER_EVENT) {
    /** The part of one list, which begins at `start` of all three in a row, that falls into this page. */
    const cut = <T>(list: readonly T[], start: number): readonly T[] =>
      list.slice(Math.max(0, from - start), Math.max(0, from + FINDINGS_PER_EVENT - start))
    parts.push({
      opened: cut(opened, 0),
      reopened: cut(reopened, opened.length),
      resolved: cut(resolved, opened.length + reopened.length),
    })
  }
  return parts
}
