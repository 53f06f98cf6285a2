import type { SubjectKind } from './subject.ts'
import type { Touched } from './estate.ts'
import { HOUR_MS } from './rules/window.ts'

const hourOf = (at: number): number => Math.floor(at / HOUR_MS)

/**
 * Which subjects may be judged differently because time passes, by the hour of their turn. An entry may be
 * out of date: looking at a subject once too often changes nothing.
 */
export class Calendar {
  readonly #hours = new Map<number, Map<SubjectKind, Set<string>>>()

  /** Notes that a subject may turn at an instant. */
  note(kind: SubjectKind, id: string, at: number): void {
    const hour = hourOf(at)
    let kinds = this.#hours.get(hour)
    if (!kinds) this.#hours.set(hour, (kinds = new Map()))
    const ids = kinds.get(kind)
    if (ids) ids.add(id)
    else kinds.set(kind, new Set([id]))
  }

  /** Adds the subjects whose turn lies from one instant to another to `touched`; forgets the hours that ended. */
  collect(from: number, to: number, touched: Touched): void {
    const first = hourOf(from)
    const last = hourOf(to)
    const take = (hour: number) => {
      for (const [kind, ids] of this.#hours.get(hour) ?? []) {
        const into = touched.get(kind)
        if (into) for (const id of ids) into.add(id)
        else touched.set(kind, new Set(ids))
      }
      if (hour < last) this.#hours.delete(hour)
    }
    // Whichever is shorter: the hours that passed, or the hours that anything is noted for.
    if (last - first < this.#hours.size) for (let hour = first; hour <= last; hour++) take(hour)
    else for (const hour of this.#hours.keys()) if (hour <= last) take(hour)
  }
}
