import type { RuleResult, ScoreParts, Severity, Verdict } from '@attestry/contracts'
import { describe, expect, test } from 'vitest'
import { partsOf, percent, ratingOf } from './score.ts'

const result = (
  rule: string,
  verdict: Verdict,
  weight: number,
  more: Partial<RuleResult> = {},
): RuleResult => ({
  rule,
  verdict,
  weight,
  population: 1,
  passed: verdict === 'pass' ? 1 : 0,
  failed: verdict === 'fail' ? 1 : 0,
  unknown: verdict === 'unknown' ? 1 : 0,
  waived: 0,
  ...more,
})

const parts = (
  weightPassed: number,
  weightEvaluated: number,
  weightEnabled = weightEvaluated,
): ScoreParts => ({
  weightPassed,
  weightEvaluated,
  weightEnabled,
  assetsPassed: 0,
  assetsEvaluated: 0,
})

const critical = (): Severity => 'critical'

describe('a score', () => {
  test('weighs passing rules against passing and failing ones; the rest leaves both sides', () => {
    expect(
      partsOf([
        result('A', 'pass', 30),
        result('B', 'fail', 15, { passed: 999, failed: 1 }),
        result('C', 'unknown', 8),
        result('D', 'not-applicable', 2),
        result('E', 'waived', 2),
      ]),
    ).toEqual({
      weightPassed: 30,
      weightEvaluated: 45,
      weightEnabled: 57,
      assetsPassed: 1000,
      assetsEvaluated: 1001,
    })
  })

  test('of nothing is null, never 100', () => {
    const nothing = partsOf([result('A', 'not-applicable', 30), result('B', 'unknown', 15)])
    expect(percent(nothing.weightPassed, nothing.weightEvaluated)).toBeNull()
    expect(ratingOf(nothing, [], critical)).toBeNull()
  })

  test.each([
    [8996, 10_000, 89.96],
    [89_999, 100_000, 89.99],
    [2, 3, 66.66],
    [1, 1, 100],
    [0, 7, 0],
    [29, 100, 29],
    [999_999_999, 1_000_000_000, 99.99],
  ])('%i of %i is shown as %f, truncated', (part, whole, shown) => {
    expect(percent(part, whole)).toBe(shown)
  })

  test.each([
    [900, 1000, 'strong'],
    [8999, 10_000, 'healthy'],
    [750, 1000, 'healthy'],
    [749_999, 1_000_000, 'significant-gaps'],
    [500, 1000, 'significant-gaps'],
    [499_999, 1_000_000, 'weak'],
    [0, 1, 'weak'],
    [1, 1, 'strong'],
  ])('%i of %i is %s, on the exact value', (passed, evaluated, rating) => {
    expect(ratingOf(parts(passed, evaluated), [], critical)).toBe(rating)
  })

  test('cannot be strong while a critical rule is unknown', () => {
    const results = [result('A', 'unknown', 30)]
    expect(ratingOf(parts(100, 100, 130), results, critical)).toBe('healthy')
    expect(ratingOf(parts(100, 100, 130), results, () => 'high')).toBe('strong')
    expect(ratingOf(parts(80, 100, 130), results, critical)).toBe('healthy')
  })

  test('is insufficient evidence below 60 % coverage', () => {
    expect(ratingOf(parts(599, 599, 1000), [], critical)).toBe('insufficient-evidence')
    expect(ratingOf(parts(600, 600, 1000), [], critical)).toBe('strong')
  })
})
