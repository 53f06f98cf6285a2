/**
 * The cloud's clock: real time plus what tests moved it by, or frozen at one instant. Tokens, expiry, throttle
 * buckets, replication delays and pending operations all read this one clock, in milliseconds since the epoch.
 */
export interface Clock {
  now(): number
  /** Moves time by so many milliseconds; a negative number is a clock that jumps back. */
  advance(ms: number): void
  /** Stops time at the given instant (default: now) until `resume`. */
  freeze(atMs?: number): void
  resume(): void
}

/** A movable clock over `read`, the real time in milliseconds. */
export function movableClock(read: () => number): Clock {
  let offsetMs = 0
  let frozenMs: number | undefined
  const now = () => frozenMs ?? read() + offsetMs
  return {
    now,
    advance(ms) {
      if (frozenMs === undefined) offsetMs += ms
      else frozenMs += ms
    },
    freeze(atMs) {
      frozenMs = atMs ?? now()
    },
    resume() {
      if (frozenMs === undefined) return
      offsetMs = frozenMs - read()
      frozenMs = undefined
    },
  }
}
