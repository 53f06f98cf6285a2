/** A hint in the process that there may be something to do. Never the only way to learn of it. */
export interface Bell {
  ring(): void
  /** Ends at the next ring, after `ms`, or with the signal; a ring since the last wait ends it at once. */
  wait(ms: number, signal: AbortSignal): Promise<void>
}

export function createBell(): Bell {
  let rung = false
  let waiting: (() => void)[] = []
  return {
    ring() {
      rung = true
      const all = waiting
      waiting = []
      for (const wake of all) wake()
    },
    wait(ms, signal) {
      if (rung || signal.aborted) {
        rung = false
        return Promise.resolve()
      }
      return new Promise((resolve) => {
        const wake = () => {
          clearTimeout(timer)
          signal.removeEventListener('abort', wake)
          waiting = waiting.filter((w) => w !== wake)
          rung = false
          resolve()
        }
        const timer = setTimeout(wake, ms)
        signal.addEventListener('abort', wake, { once: true })
        waiting.push(wake)
      })
    },
  }
}
