import type { Message } from './entity/message.ts'
import type { Passage } from './entity/topic.ts'

/**
 * What shall go wrong between a topic and its subscriptions, as shares of the messages from 0 to 1. Queues are
 * spared: an event may be lost because the ledger is the truth, a command may not.
 */
export interface Faults {
  readonly drop?: number | undefined
  readonly duplicate?: number | undefined
  /** Share of messages that change places with one sent up to `DISTANCE` later in the same lot. */
  readonly reorder?: number | undefined
  /** Numbers from 0 (included) to 1 (excluded). */
  readonly random: () => number
}

const DISTANCE = 20

/** The passage that a broker with these faults offers. The original id is kept on a duplicate. */
export function faulty(faults: Faults): Passage {
  const befalls = (share = 0): boolean => share > 0 && faults.random() < share
  return (messages) => {
    const arrived: Message[] = []
    for (const message of messages) {
      if (befalls(faults.drop)) continue
      arrived.push(message)
      if (befalls(faults.duplicate)) arrived.push(message)
    }
    for (const [at, message] of arrived.entries()) {
      if (!befalls(faults.reorder)) continue
      const other = Math.min(arrived.length - 1, at + 1 + Math.floor(faults.random() * DISTANCE))
      arrived[at] = arrived[other] ?? message
      arrived[other] = message
    }
    return arrived
  }
}

/** A small seeded generator (mulberry32), so that a faulty run can be repeated. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
