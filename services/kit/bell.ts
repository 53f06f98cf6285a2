/** A hint in the process that there may be something to do. Never the only way to learn of it. */
export interface Bell {
  ring(): void
  /**
   * Ends at the next ring, after `ms`, or with the signal; a ring since the last wait ends it at once. True: it rang.
   * Of several who wait, one that was busy may miss the ring that woke the others.
   */
  wait(ms: number, signal: AbortSignal): Promise<boolean>
}

export function createBell(): Bell {
  let rung = false
  let waiting: ((rang: boolean) => void)[] = []
  return {
    ring() {
      rung = true
      const all = waiting
      waiting = []
      for (const wake of all) wake(true)
    },
    wait(ms, signal) {
      if (rung || signal.aborted) {
        const rang = rung
        rung = false
        return Promise.resolve(rang)
      }
      return new Promise((resolve) => {
        const wake = (rang: boolean) => {
          clearTimeout(timer)
          signal.removeEventListener('abort', end)
          waiting = waiting.filter((w) => w !== wake)
          rung = false
          resolve(rang)
        }
        const end = () => wake(false)
        const timer = setTimeout(end, ms)
        signal.addEventListener('abort', end, { once: true })
        waiting.push(wake)
      })
    },
  }
}
