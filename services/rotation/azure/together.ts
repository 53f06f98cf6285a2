import { Transient } from '@attestry/kit'

/**
 * Asks for many things in one request: whatever is asked for while a request is under way goes into the next one. So a
 * hundred that ask at once cost two requests, and one that asks alone waits for nobody.
 * @param ask answers what it found, by name; it has a deadline of its own
 * @param most names in one request
 */
export function together<T>(
  ask: (names: readonly string[]) => Promise<ReadonlyMap<string, T>>,
  most = 100,
): (name: string, signal: AbortSignal) => Promise<T | null> {
  interface Waiting {
    readonly name: string
    resolve(found: T | null): void
    reject(error: unknown): void
  }
  let waiting: Waiting[] = []
  let running = false

  async function drain(): Promise<void> {
    running = true
    while (waiting.length > 0) {
      const batch = waiting.slice(0, most)
      waiting = waiting.slice(most)
      try {
        const found = await ask([...new Set(batch.map(({ name }) => name))])
        for (const { name, resolve } of batch) resolve(found.get(name) ?? null)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    running = false
  }

  return async (name, signal) => {
    if (signal.aborted) throw new Transient('The process stops')
    const { promise, resolve, reject } = Promise.withResolvers<T | null>()
    waiting.push({ name, resolve, reject })
    if (!running) void drain()
    const gone = () => reject(new Transient('It was not answered in time', { cause: signal.reason }))
    signal.addEventListener('abort', gone, { once: true })
    try {
      return await promise
    } finally {
      signal.removeEventListener('abort', gone)
    }
  }
}
