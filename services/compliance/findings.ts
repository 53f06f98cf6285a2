import type { ClosedBecause, FindingRef } from '@attestry/contracts'
import type { Standing } from './evaluate.ts'
import type { Rule } from './rules/rule.ts'

/*
 * A finding is a rule and a subject. It is open while the rule fails and the subject fails it:
 *   new, failing                      opened
 *   resolved before, failing          reopened
 *   open, the subject passes          resolved, passed
 *   open, the rule passes by share    resolved, passed
 *   open, the subject is gone         resolved, asset-removed
 *   open, the rule is not about it    resolved, not-applicable: it is disabled, or judged by another rule now
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
  readonly resolved: readonly (FindingRef & { readonly because: ClosedBecause })[]
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
  const resolved: (FindingRef & { because: ClosedBecause })[] = []
  for (const rule of rules) {
    const verdict = standing.verdict(rule.id)
    const known = record.get(rule.id)
    const failing = standing.failing(rule.id)
    const ref = (subject: string): FindingRef => ({
      finding: idOf(rule.id, subject),
      rule: rule.id,
      subject,
      severity: rule.severity,
    })
    const fails = (subject: string) => {
      const state = known?.get(subject)
      if (state === 'open') {
        if (verdict === 'pass') resolved.push({ ...ref(subject), because: 'passed' })
      } else if (verdict === 'fail') (state === 'resolved' ? reopened : opened).push(ref(subject))
    }
    const doesNotFail = (subject: string) => {
      if (known?.get(subject) !== 'open') return
      const on = standing.verdictOn(rule, subject)
      if (on === 'pass') resolved.push({ ...ref(subject), because: 'passed' })
      else if (on === 'absent') resolved.push({ ...ref(subject), because: 'asset-removed' })
      else if (on !== 'unknown') resolved.push({ ...ref(subject), because: 'not-applicable' })
    }
    const moved = standing.moved(rule.id)
    // Where one subject can turn a share, all that fail or are open may change with it.
    if (all || standing.movedAll || (rule.share < 1 && moved.size > 0)) {
      for (const subject of failing) fails(subject)
      for (const subject of known?.keys() ?? []) if (!failing.has(subject)) doesNotFail(subject)
    } else for (const subject of moved) (failing.has(subject) ? fails : doesNotFail)(subject)
  }
  return { opened, reopened, resolved }
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
