import type { DependentKind, PlannedDependent } from '@attestry/contracts'
import type { Order, Work } from '../issuers/issuer.ts'

/*
 * What uses a credential and has to be brought to the new value. The saga decides the order (canary first) and stops
 * at the first failure; a switcher does one dependent at a time. Every method may be called again with the same
 * arguments after it was cut off anywhere: a dependent that uses the new value already is switched already.
 */

/** What the switch is towards: the version that each target serves now, by target index. Never a value. */
export interface Goal {
  readonly keyId: string
  readonly versions: readonly {
    readonly target: number
    readonly version: string
    readonly storedAt: string
  }[]
}

export interface Switched {
  /** It may go on with the old value for so long though nothing is wrong (24 h for a reference that was not refreshed). */
  readonly cacheMs: number
  /** One sentence for the record. */
  readonly says: string
}

export type Confirmation =
  | { readonly state: 'confirmed' }
  /** Not seen yet: look again. */
  | { readonly state: 'unconfirmed'; readonly why: string }
  | { readonly state: 'failed'; readonly why: string }

/** How one kind of dependent is switched. Kinds without a switcher are steps for a person. */
export interface Switcher {
  readonly kind: DependentKind
  /**
   * Whether this one may be switched by us and what stands there now: permission and existence. Reads only; part of
   * preflight. Null: it can be done; else one sentence on why not, which makes it a step for a person.
   */
  possible(order: Order, dependent: PlannedDependent, work: Work): Promise<string | null>
  /**
   * Brings it to the new value: refresh of references, an inline setting under its ETag, a new revision. An inline
   * value is read from the target's vault and written within this one call, then wiped.
   * @throws Denied (also when the ETag moved twice) | Transient
   */
  switch(order: Order, dependent: PlannedDependent, goal: Goal, work: Work): Promise<Switched>
  /** Reads back whether it uses the new version. */
  confirm(order: Order, dependent: PlannedDependent, goal: Goal, work: Work): Promise<Confirmation>
  /** Brings it back to what the targets serve after `restore`. Same promises as `switch`. */
  back(order: Order, dependent: PlannedDependent, work: Work): Promise<void>
}

export type Switchers = Readonly<Partial<Record<DependentKind, Switcher>>>

/**
 * The order in which dependents are switched: canaries first, then what we are surest of; equal ones by id, so that a
 * restart finds the same order. What only a person can switch comes last.
 */
export const inOrder = (dependents: readonly PlannedDependent[]): PlannedDependent[] =>
  dependents.toSorted(
    (a, b) =>
      Number(a.kind === 'manual') - Number(b.kind === 'manual') ||
      Number(b.canary) - Number(a.canary) ||
      b.confidence - a.confidence ||
      (a.dependent < b.dependent ? -1 : 1),
  )
