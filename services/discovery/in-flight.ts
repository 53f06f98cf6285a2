/**
 * Runs work with at most so many at once. Of those that wait the lowest turn goes first, and of one turn who came
 * first. @default turn 0
 */
export type InFlight = <T>(work: () => Promise<T>, turn?: number) => Promise<T>

export function inFlight(atMost: number): InFlight {
  let running = 0
  const waiting: { readonly turn: number; readonly go: () => void }[] = []
  return async (work, turn = 0) => {
    if (running >= atMost)
      await new Promise<void>((go) => {
        const ahead = waiting.findLastIndex((other) => other.turn <= turn)
        waiting.splice(ahead + 1, 0, { turn, go })
      })
    else running++
    try {
      return await work()
    } finally {
      // The slot goes to who is next; only an unwanted one is given back.
      const next = waiting.shift()
      if (next) next.go()
      else running--
    }
  }
}

/**
 * Works on all things with so many workers, and stops taking new ones when one fails or the signal aborts.
 * @throws what the first failure threw, after all workers have ended
 */
export async function forEachOf<T>(
  things: Iterable<T>,
  workers: number,
  signal: AbortSignal,
  work: (thing: T) => Promise<void>,
): Promise<void> {
  const queue = things[Symbol.iterator]()
  const failures: unknown[] = []
  const worker = async () => {
    for (let next = queue.next(); !next.done; next = queue.next()) {
      if (failures.length > 0 || signal.aborted) return
      try {
        await work(next.value)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: workers }, worker))
  if (failures.length > 0) throw failures[0]
  signal.throwIfAborted()
}
