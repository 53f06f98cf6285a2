import { createHash } from 'node:crypto'
import { canonical } from '@attestry/contracts'
import { builtIn } from './rules/built-in.ts'
import type { Rule } from './rules/rule.ts'

/** Rules that are judged together, in order, with the digest that names them. */
export interface Ruleset {
  readonly rules: readonly Rule[]
  /** Hexadecimal SHA-256. */
  readonly digest: string
}

/**
 * Makes a ruleset. `weights` overrides the weight of rules by id, whole numbers from 1 to 30.
 *
 * The digest is over the canonical text of what each rule says, its population, share and weight. `says` states
 * the predicate exactly, so a rule whose meaning changes must say so, and then has another digest.
 * @throws when a weight is out of range or names no rule
 */
export function rulesetOf(
  rules: readonly Rule[] = builtIn,
  weights: Readonly<Record<string, number>> = {},
): Ruleset {
  for (const [id, weight] of Object.entries(weights)) {
    if (!rules.some((r) => r.id === id)) throw new Error(`no rule is called ${id}`)
    if (!Number.isInteger(weight) || weight < 1 || weight > 30)
      throw new Error(`the weight of ${id} must be a whole number from 1 to 30`)
  }
  const weighed = rules.map((rule) => ({ ...rule, weight: weights[rule.id] ?? rule.weight }))
  const text = canonical(
    weighed.map((r) => ({
      id: r.id,
      over: r.over,
      says: r.says,
      severity: r.severity,
      sharePercent: Math.round(r.share * 100),
      weight: r.weight,
    })),
  )
  return { rules: weighed, digest: createHash('sha256').update(text).digest('hex') }
}
