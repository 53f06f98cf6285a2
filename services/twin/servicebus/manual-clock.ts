import type { Clock } from './station.ts'

/** A clock that stands still until it is moved, for tests of what time does. */
export class ManualClock implements Clock {
  #now: number
  readonly #alarms = new Set<{ readonly at: number; readonly act: () => void }>()

  /** @param now milliseconds since the epoch. */
  constructor(now: number) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  after(delay: number, act: () => void): () => void {
    const alarm = { at: this.#now + delay, act }
    this.#alarms.add(alarm)
    return () => this.#alarms.delete(alarm)
  }

  /** Moves the time on; what falls due on the way runs in its order. */
  advance(milliseconds: number): void {
    const end = this.#now + milliseconds
    for (;;) {
      const due = [...this.#alarms].filter((alarm) => alarm.at <= end).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.#alarms.delete(due)
      this.#now = Math.max(this.#now, due.at)
      due.act()
    }
    this.#now = end
  }
}
