import type { Queue } from './entity/queue.ts'
import type { SessionLock } from './entity/session.ts'

/** What waits at a station: a receiver that may take messages, or one that waits for a session. */
export interface Waiting {
  /** Takes what it can now. */
  take(): void
  /** Told when a session lock it may hold is lost. */
  lost(lock: SessionLock): void
}

/** Time as the broker needs it. `after` runs `act` once, `delay` milliseconds later, unless cancelled. */
export interface Clock {
  now(): number
  after(delay: number, act: () => void): () => void
}

/** Longest sleep between two looks at the time, below the limit of timers. */
const LONGEST_SLEEP = 3_600_000

/** A queue with those who receive from it: after every change it hands out what is ready and sets the alarm. */
export class Station {
  readonly queue: Queue
  readonly #clock: Clock
  readonly #waiting = new Set<Waiting>()
  #alarm: { readonly at: number; readonly cancel: () => void } | undefined

  constructor(queue: Queue, clock: Clock) {
    this.queue = queue
    this.#clock = clock
  }

  join(waiting: Waiting): void {
    this.#waiting.add(waiting)
  }

  leave(waiting: Waiting): void {
    this.#waiting.delete(waiting)
  }

  /** To be called after whatever may have changed the queue. */
  turn(): void {
    for (const lock of this.queue.sweep()) for (const waiting of this.#waiting) waiting.lost(lock)
    for (const waiting of this.#waiting) waiting.take()
    this.#setAlarm()
  }

  close(): void {
    this.#alarm?.cancel()
    this.#waiting.clear()
  }

  #setAlarm(): void {
    const at = this.queue.deadline
    if (this.#alarm && this.#alarm.at <= at) return
    this.#alarm?.cancel()
    if (at === Infinity) {
      this.#alarm = undefined
      return
    }
    const delay = Math.min(Math.max(at - this.#clock.now(), 1), LONGEST_SLEEP)
    const cancel = this.#clock.after(delay, () => {
      this.#alarm = undefined
      this.turn()
    })
    this.#alarm = { at, cancel }
  }
}
