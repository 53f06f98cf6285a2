/** Work under one key runs one after the other. */
export interface Lanes {
  /** Runs work when all earlier work of the key has ended; null when too many wait already. */
  run<T>(key: string, work: () => Promise<T>): Promise<T | null>
}

/**
 * Serialises work by key, so that guesses sent in parallel are judged one by one.
 * @param most how many may wait or run under one key
 */
export function createLanes(most: number): Lanes {
  const lanes = new Map<string, { tail: Promise<unknown>; length: number }>()
  return {
    async run(key, work) {
      const lane = lanes.get(key) ?? { tail: Promise.resolve(), length: 0 }
      if (lane.length >= most) return null
      lanes.set(key, lane)
      lane.length++
      const mine = lane.tail.then(work)
      // The next in line waits for the end of this one, whatever it was; the caller gets the failure.
      lane.tail = mine.catch(() => undefined)
      try {
        return await mine
      } finally {
        lane.length--
        if (lane.length === 0) lanes.delete(key)
      }
    },
  }
}
