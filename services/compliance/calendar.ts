import type { SubjectKind } from './subject.ts'
import type { Touched } from './estate.ts'

const MINUTE_MS = 60_000

const minuteOf = (at: number): number => Math.floor(at / MINUTE_MS)

/**
 * Which subjects may be judged differently because time passes, by the minute of their turn. An entry may be
 * out of date: looking at a subject once too often changes nothing.
 */
export class Calendar {
  readonly #minutes = new Map<number, Map<SubjectKind, Set<string>>>()

  /** Notes that a subject may turn at an instant. */
  note(kind: SubjectKind, id: string, at: number): void {
    const minute = minuteOf(at)
    let kinds = this.#minutes.get(minute)
    if (!kinds) this.#minutes.set(minute, (kinds = new Map()))
    const ids = kinds.get(kind)
    if (ids) ids.add(id)
    else kinds.set(kind, new Set([id]))
  }

  /** Adds the subjects whose turn lies from one instant to another to `touched`; forgets the minutes that ended. */
  collect(from: number, to: number, touched: Touched): void {
    const first = minuteOf(from)
    const last = minuteOf(to)
    const take = (minute: number) => {
      for (const [kind, ids] of this.#minutes.get(minute) ?? []) {
        const into = touched.get(kind)
        if (into) for (const id of ids) into.add(id)
        else touched.set(kind, new Set(ids))
      }
      if (minute < last) this.#minutes.delete(minute)
    }
    // Whichever is shorter: the minutes that passed, or those that anything is noted for.
    if (last - first < this.#minutes.size) for (let minute = first; minute <= last; minute++) take(minute)
    else for (const minute of this.#minutes.keys()) if (minute <= last) take(minute)
  }
}
