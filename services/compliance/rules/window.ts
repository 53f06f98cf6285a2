import type { Holds, Moment } from './rule.ts'

/*
 * Time windows on an item's expiry. Exact to the millisecond, never rounded:
 *   disabled, or half of a certificate   not applicable (the certificate carries the finding)
 *   a window of N days                   fails iff 0 < time left < N days; exactly N days passes
 *   expired, or no expiry                not applicable in a window rule; "expired" has a rule of its own
 */

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

interface Dated {
  readonly enabled: boolean
  readonly managed: boolean
  readonly expires: number | null
}

const inUse = (i: Dated): boolean => i.enabled && !i.managed

/** An expiry is set, be it in the past. */
export const hasExpiry = (i: Dated): Holds => (inUse(i) ? i.expires !== null : 'not-applicable')

/** It has not expired; at the very instant of its expiry it has. */
export const isLive = (i: Dated, { now }: Moment): Holds =>
  inUse(i) ? i.expires === null || i.expires > now : 'not-applicable'

/** It does not expire within so many days. */
export const outlasts =
  (days: number) =>
  (i: Dated, { now }: Moment): Holds =>
    !inUse(i) || i.expires === null || i.expires <= now ? 'not-applicable' : i.expires - now >= days * DAY_MS

/** When `isLive` turns. */
export const atExpiry = (i: Dated) => [i.expires]

/** When `outlasts` turns. */
export const beforeExpiry = (days: number) => (i: Dated) =>
  i.expires === null ? [] : [i.expires - days * DAY_MS, i.expires]
