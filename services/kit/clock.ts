/** Where time comes from. Passed in everywhere, so that tests can move it. */
export interface Clock {
  now(): Temporal.Instant
}

export const systemClock: Clock = { now: () => Temporal.Now.instant() }

/** An instant as the contracts write it: UTC with `Z`, milliseconds. */
export const iso = (at: Temporal.Instant): string => at.toString({ smallestUnit: 'millisecond' })

/** Waits, or ends at once when the signal does. Resolves in both cases: the caller looks at the signal. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })
}
