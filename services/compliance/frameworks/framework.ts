import type { FrameworkId } from '@attestry/contracts'
import type { BuiltInId } from '../rules/built-in.ts'

/**
 * How evidence from rules relates to a control, and never "compliant":
 *   direct      direct technical evidence: it shows the requirement within our scope
 *   supporting  supporting technical evidence: it counts beside other evidence
 *   customer    customer responsibility: it is theirs to show
 */
export type Coverage = 'direct' | 'supporting' | 'customer'

/** How our row stands to the published standard: the same, or in what it differs. */
export type Relation =
  | 'ok'
  | 'swapped'
  | 'part-of'
  | 'misnumbered'
  | 'partial'
  | 'unnumbered'
  | 'wrong'
  | 'retitled'
  | 'weak'
  | 'old-edition'
  | 'short-title'
  | 'wrong-scope'
  | 'overstated'

export interface Control {
  /** The product’s id of the row, which stays as it is. */
  readonly id: string
  readonly title: string
  readonly rules: readonly BuiltInId[]
  readonly coverage: Coverage
  /** The controls of the published standard that the row’s evidence belongs to. */
  readonly published: readonly string[]
  readonly relation: Relation
  readonly note: string
  /** What the customer owes where the coverage is theirs. */
  readonly customerAction: string | null
}

export interface Framework {
  readonly id: FrameworkId
  readonly title: string
  /** What this mapping does not say, in one sentence. */
  readonly limits: string
  readonly controls: readonly Control[]
}
