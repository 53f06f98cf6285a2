import type { Operator } from './operator.ts'

/** How long a session lasts. */
export interface SessionLimits {
  /** Without a request of the person's own. */
  readonly idleMinutes: number
  /** From sign-in, whatever happens. */
  readonly maxHours: number
  /** How long a repeated password allows guarded actions. */
  readonly reauthenticatedMinutes: number
}

export const SESSION_LIMITS: SessionLimits = { idleMinutes: 60, maxHours: 12, reauthenticatedMinutes: 5 }

/** A signed-in session as its row has it. */
export interface Session {
  readonly session: string
  readonly operator: string
  readonly as: 'cookie' | 'bearer'
  readonly startedAt: Temporal.Instant
  readonly lastSeenAt: Temporal.Instant
  readonly trustedSince: Temporal.Instant
  readonly reauthenticatedUntil: Temporal.Instant | null
  readonly endedAt: Temporal.Instant | null
}

const compare = (a: Temporal.Instant | string, b: Temporal.Instant | string): number =>
  Temporal.Instant.compare(a, b)

/** When a session ends if nobody does anything more. */
export function endOf(session: Session, limits: SessionLimits): Temporal.Instant {
  const idle = session.lastSeenAt.add({ minutes: limits.idleMinutes })
  const longest = session.startedAt.add({ hours: limits.maxHours })
  return compare(idle, longest) < 0 ? idle : longest
}

/** Whether a session still counts: not ended, not idle, not too old, and its operator has not been cut off since. */
export const isLive = (
  session: Session,
  operator: Operator,
  limits: SessionLimits,
  now: Temporal.Instant,
): boolean =>
  session.endedAt === null &&
  !operator.disabled &&
  compare(session.trustedSince, operator.sessionsSince) >= 0 &&
  compare(endOf(session, limits), now) > 0

/** A row is written at most once a minute for being seen. */
const SEEN_EVERY_SECONDS = 60

export const shouldNoteSeen = (session: Session, now: Temporal.Instant): boolean =>
  session.lastSeenAt.until(now).total('seconds') >= SEEN_EVERY_SECONDS
