import type { Fact, RotationTarget } from '@attestry/contracts'
import { Transient } from '@attestry/kit'
import type { Calendar } from '../calendar.ts'
import type { Switchers } from '../dependents/dependent.ts'
import type { Issued, Issuer, Order, Work } from '../issuers/issuer.ts'
import type { Rotation } from '../state.ts'

/* What every step is given, and what it answers. */

/** Somebody else appended since the state was read: what is next has to be asked anew. */
export class Moved extends Transient {}

export interface StepParts {
  readonly issuer: Issuer
  readonly switchers: Switchers
  readonly work: Work
  readonly calendar: Calendar
  /** The last of several tries: what would be tried again counts as refused. */
  readonly lastTry: boolean
  /** Appends. `here`: only if nobody appended since the state was read, else throws Moved; `anyway`: a fact is a fact. */
  record(facts: readonly Fact[], when: 'here' | 'anyway'): Promise<void>
  /** Takes the principal's lease; the instant from which it may be tried again where another rotation has it. */
  lease(): Promise<Temporal.Instant | null>
  /** The assets of a target's secret and of the new credential, as discovery will name them. */
  secretAsset(target: RotationTarget): string
  credentialAsset(keyId: string): string
}

/** When to look again; null: go on at once with what is next. */
export type Again = Temporal.Instant | null

/** The order that an issuer works on. */
export const orderOf = (state: Rotation, attempt = Math.max(1, state.attempt)): Order => ({
  ...state.plan,
  attempt,
})

/** What was issued and where it was stored, as the record tells it. */
export const issuedOf = (state: Rotation): Issued => {
  if (!state.issued) throw new Error('nothing was issued yet')
  return {
    state: 'issued',
    ...state.issued,
    stored: [...state.stored].map(([target, { version, mac }]) => ({ target, version, mac })),
  }
}
