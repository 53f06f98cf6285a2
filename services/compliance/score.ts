import type { Rating, RuleResult, ScoreParts, Severity } from '@attestry/contracts'

/** The integers that a score is made of. */
export function partsOf(results: readonly RuleResult[]): ScoreParts {
  const parts = { weightPassed: 0, weightEvaluated: 0, weightEnabled: 0, assetsPassed: 0, assetsEvaluated: 0 }
  for (const r of results) {
    parts.weightEnabled += r.weight
    parts.assetsPassed += r.passed
    parts.assetsEvaluated += r.passed + r.failed
    if (r.verdict === 'pass') parts.weightPassed += r.weight
    if (r.verdict === 'pass' || r.verdict === 'fail') parts.weightEvaluated += r.weight
  }
  return parts
}

/**
 * Percent with two digits, truncated: 89.999 is shown as 89.99, never as 90. Null when nothing was evaluated,
 * because a score of nothing is not a score.
 */
export function percent(part: number, whole: number): number | null {
  if (whole === 0) return null
  const hundredths = part * 10_000
  return (hundredths - (hundredths % whole)) / whole / 100
}

/** Below this part of the enabled weight, in percent, a score says too little to be rated. */
const ENOUGH_COVERAGE = 60

/**
 * The label of a score, on its exact value: [90, 100] strong, [75, 90) healthy, [50, 75) significant gaps,
 * [0, 50) weak. Insufficient evidence below 60 % coverage; a critical rule that is unknown keeps a score from
 * being strong; null when nothing was evaluated.
 */
export function ratingOf(
  parts: ScoreParts,
  results: readonly RuleResult[],
  severityOf: (rule: string) => Severity | undefined,
): Rating | null {
  const { weightPassed, weightEvaluated, weightEnabled } = parts
  if (weightEvaluated === 0) return null
  if (weightEvaluated * 100 < weightEnabled * ENOUGH_COVERAGE) return 'insufficient-evidence'
  const reaches = (bound: number) => weightPassed * 100 >= weightEvaluated * bound
  if (reaches(90))
    return results.some((r) => r.verdict === 'unknown' && severityOf(r.rule) === 'critical')
      ? 'healthy'
      : 'strong'
  if (reaches(75)) return 'healthy'
  return reaches(50) ? 'significant-gaps' : 'weak'
}
