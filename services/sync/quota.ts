/*
 * How fast a provider may be written to. One object: a version every so often for long, with a small burst, counted
 * from the writes that the ledger tells, so that a restart forgets nothing. One account: so many a minute over all
 * processes, kept in one row.
 */

/** The one sustained interval that a provider asks for (AWS Secrets Manager: a version of a secret every ten minutes). */
export const PACE_MS = 600_000
/** Versions of one object that may follow each other at once before the sustained rate holds. */
const BURST = 3

/** What an object's writes have left of its burst, and when that was so. */
export interface Pace {
  readonly tokens: number
  readonly at: string
}

const tokensAt = (pace: Pace | null, at: number): number =>
  pace === null
    ? BURST
    : Math.min(BURST, pace.tokens + (at - Temporal.Instant.from(pace.at).epochMilliseconds) / PACE_MS)

/** The pace after a write. A write that did not wait for its turn leaves a debt. */
export const paced = (before: Pace | null, at: string): Pace => ({
  tokens: tokensAt(before, Temporal.Instant.from(at).epochMilliseconds) - 1,
  at,
})

/** When one more version of an object may be written. */
export function nextWriteAt(pace: Pace | null, now: Temporal.Instant): Temporal.Instant {
  const tokens = tokensAt(pace, now.epochMilliseconds)
  return tokens >= 1 ? now : now.add({ milliseconds: Math.ceil((1 - tokens) * PACE_MS) })
}

/** The row of an account's quota after one more write, and how long that write has to wait. All in milliseconds. */
export function reserve(
  row: { readonly arrival: number },
  now: number,
  writesPerMinute: number,
): { readonly arrival: number; readonly waitMs: number } {
  const every = 60_000 / writesPerMinute
  // A second's worth may go at once, as the narrowest of the providers counts; the rest at the provider's pace.
  const burst = 1000
  const arrival = Math.max(row.arrival, now - burst) + every
  return { arrival, waitMs: Math.max(0, Math.ceil(arrival - every - now)) }
}
