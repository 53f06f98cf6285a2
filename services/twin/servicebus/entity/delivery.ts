import type { Message } from './message.ts'

/** A message as it stands in the store, for peeking and delivering. */
export interface Held {
  readonly sequence: number
  /** The number the topic gave it, where it came through one. */
  readonly enqueuedSequence: number | undefined
  readonly message: Message
  readonly enqueuedAt: number
  readonly deliveryCount: number
  readonly state: 'active' | 'deferred' | 'scheduled'
  readonly deadLetterSource: string | undefined
}

/** A message handed to a receiver under a lock. */
export interface Delivery extends Held {
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly lockedUntil: number
}

export interface Arrival {
  /** When it becomes visible, in milliseconds since the epoch; in the past or absent: at once. */
  readonly scheduledFor?: number | undefined
  readonly enqueuedSequence?: number | undefined
  readonly deadLetterSource?: string | undefined
}
