import { iso } from '@attestry/kit'

/** Five wrong passwords within a quarter of an hour lock an account for a quarter of an hour (ASVS 2.2.1). */
const LOCKOUT = { refusals: 5, withinMinutes: 15, lockMinutes: 15 } as const

/** What is remembered of somebody's refused sign-ins. */
export interface Lockout {
  /** Instants of the refusals that still count. */
  readonly refusedAt: readonly string[]
  readonly lockedUntil: string | null
}

export const unlocked: Lockout = { refusedAt: [], lockedUntil: null }

const after = (at: string, minutes: number) => Temporal.Instant.from(at).add({ minutes })
const compare = (a: Temporal.Instant | string, b: Temporal.Instant | string): number =>
  Temporal.Instant.compare(a, b)

export const isLocked = (l: Lockout, now: Temporal.Instant): boolean =>
  l.lockedUntil !== null && compare(l.lockedUntil, now) > 0

/** A lock that time ended and nobody has noted yet. */
export const lockHasEnded = (l: Lockout, now: Temporal.Instant): boolean =>
  l.lockedUntil !== null && compare(l.lockedUntil, now) <= 0

/** One more refusal at an instant; those too long ago no longer count. */
export const refusedOnce = (l: Lockout, at: string): Lockout => ({
  ...l,
  refusedAt: [...l.refusedAt.filter((r) => compare(after(r, LOCKOUT.withinMinutes), at) > 0), at],
})

/** Whether the refusals so far, which came within the time, call for a lock. */
export const callsForLock = (l: Lockout): boolean => l.refusedAt.length >= LOCKOUT.refusals

/** When a lock that begins now ends. */
export const lockEnd = (now: Temporal.Instant): string => iso(now.add({ minutes: LOCKOUT.lockMinutes }))
