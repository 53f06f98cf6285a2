import type { LiveCredential } from '@attestry/contracts'
import type { LastUse, Seen } from './issuers/issuer.ts'
import { allStored, type Rotation } from './state.ts'

/*
 * The checks behind R1, R2, R4 and R8. They look at what was just seen and at the record, and know no issuer.
 */

/** Why an old credential may not be retired now. Each is a state of the world that time or a person can change. */
export type Held =
  | 'not-in-snapshot'
  | 'not-to-be-retired'
  | 'not-verified'
  | 'not-stored'
  | 'vault-serves-another'
  | 'last-working'
  | 'dependents-open'
  | 'in-grace'
  | 'still-used'
  | 'use-unknown'
  | 'window-closed'
  | 'paused'

const ms = (at: string): number => Temporal.Instant.from(at).epochMilliseconds

/** Whether a credential works at an instant, as far as its dates tell. */
export const works = (c: LiveCredential, now: Temporal.Instant): boolean =>
  (c.startsAt === null || ms(c.startsAt) <= now.epochMilliseconds) &&
  (c.endsAt === null || ms(c.endsAt) > now.epochMilliseconds)

/** Whether every dependent is confirmed, or a person took responsibility for it. */
export const dependentsSettled = ({ dependents }: Pick<Rotation, 'dependents'>): boolean =>
  [...dependents.values()].every((d) => d.state === 'confirmed' || d.state === 'waived')

/** What holds back any retirement, whatever is seen at the provider; null: nothing. */
export function heldByRecord(
  state: Rotation,
  keyId: string,
  now: Temporal.Instant,
  open: boolean,
): Held | null {
  if (!state.plan.snapshot.some((c) => c.keyId === keyId)) return 'not-in-snapshot' // R2
  if (!state.plan.retires.includes(keyId)) return 'not-to-be-retired'
  if (!state.issued || state.verifiedAt === null) return 'not-verified'
  if (!allStored(state)) return 'not-stored' // R4
  if (state.paused || state.needsOperator) return 'paused'
  if (!dependentsSettled(state)) return 'dependents-open'
  if (state.graceUntil === null || now.epochMilliseconds < ms(state.graceUntil)) return 'in-grace'
  if (!open) return 'window-closed'
  return null
}

/** Whether silence about an old credential proves that nobody uses it any more. */
function heldByUse(state: Rotation, use: LastUse | null, now: Temporal.Instant): Held | null {
  // A credential that somebody else may hold goes, whoever uses it.
  if (state.plan.mode === 'compromise' || state.useWaived) return null
  const cutover = ms(state.cutoverAt ?? state.plannedAt)
  const { graceMs } = state.plan
  if (use?.observedUntil) {
    // A whole grace without a sign-in, in an observation that is complete up to its end.
    const since = Math.max(cutover, use.lastUsedAt ? ms(use.lastUsedAt) : 0)
    if (ms(use.observedUntil) - since >= graceMs && ms(use.observedUntil) > cutover) return null
    if (use.lastUsedAt && ms(use.lastUsedAt) > ms(state.graceUntil ?? state.plannedAt)) return 'still-used'
  }
  return now.epochMilliseconds >= cutover + 2 * graceMs ? null : 'use-unknown'
}

/**
 * What holds back the retirement of one credential; null: it may go now. `seen` must come from a look just before.
 * R1: the credential that replaces it is live, works, and is what every target serves. R2: only what the snapshot
 * names. R4: each target serves the very version that was stored.
 */
export function heldBack(
  state: Rotation,
  keyId: string,
  seen: Seen,
  use: LastUse | null,
  now: Temporal.Instant,
  open: boolean,
): Held | null {
  const record = heldByRecord(state, keyId, now, open)
  if (record) return record
  const { issued, plan, stored } = state
  const replacement = seen.live.find((c) => c.keyId === issued?.keyId)
  if (!replacement || replacement.keyId === keyId) return 'last-working'
  // By a clock that is behind, a certificate made just now begins in the future: time mends that, and no person need look.
  if (replacement.startsAt !== null && ms(replacement.startsAt) > now.epochMilliseconds) return 'not-verified'
  if (!works(replacement, now)) return 'last-working'
  for (const [target, { version }] of stored)
    if (!seen.targets.some((t) => t.target === target && t.version === version)) return 'vault-serves-another'
  if (plan.targets.length === 0 && seen.serves !== null && seen.serves !== issued?.keyId)
    return 'vault-serves-another'
  return heldByUse(state, use, now)
}

/** What differs between a plan and what is there now, as sentences; empty: the plan still fits (R8). */
export function drift(plan: Rotation['plan'], seen: Seen): string[] {
  const differences: string[] = []
  const known = new Map(plan.snapshot.map((c) => [c.keyId, c]))
  const live = new Map(seen.live.map((c) => [c.keyId, c]))
  for (const [keyId, c] of live) {
    const before = known.get(keyId)
    if (!before) differences.push(`Credential ${keyId} was added since the plan.`)
    else if (before.mac !== c.mac) differences.push(`Credential ${keyId} was regenerated since the plan.`)
    else if (before.endsAt !== c.endsAt)
      differences.push(`The end of credential ${keyId} was changed since the plan.`)
  }
  for (const keyId of known.keys())
    if (!live.has(keyId)) differences.push(`Credential ${keyId} was removed since the plan.`)
  for (const [index, { secret, previous }] of plan.targets.entries()) {
    const now = seen.targets.find((t) => t.target === index)?.version ?? null
    if (now !== previous)
      differences.push(
        previous === null
          ? `${secret} exists now and did not when the plan was made.`
          : `${secret} serves another version than when the plan was made.`,
      )
  }
  return differences
}
