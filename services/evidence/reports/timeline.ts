import { type Column, column, type ReportPeriod, type Row, type Total } from './report.ts'

/** A stretch of time in which a thing stood as it did. */
export interface Stretch {
  readonly key: string
  readonly state: Row
  /** When a scan first saw it so; it may lie before the period. */
  readonly from: string
  /** When a scan saw it otherwise; null: it still stood so at the period's end. */
  until: string | null
  because: 'changed' | 'gone' | null
}

/** The last columns of every report that tells states over a period. */
export const STRETCH_COLUMNS: readonly Column[] = [
  column(
    'state_from',
    'instant',
    'When a scan or a person first told this state; it may lie before the period',
    'envelope.at',
  ),
  column(
    'state_until',
    'instant',
    'When another state was told; empty: it stood to the period’s end',
    'envelope.at',
  ),
  column('ended_because', 'text', 'changed, or gone; empty: it did not end', 'derived'),
  column('at_start', 'boolean', 'Whether it stood so at the period’s beginning', 'derived'),
  column('at_end', 'boolean', 'Whether it stood so at the period’s end', 'derived'),
]

/**
 * States of things over a period: the one that each had at the beginning, every stretch in which it was another,
 * and the one at the end. What ended before the period is not kept.
 */
export class Timeline {
  readonly #from: number
  readonly #open = new Map<string, Stretch>()
  readonly #ended: Stretch[] = []

  constructor(period: ReportPeriod) {
    this.#from = Date.parse(period.from)
  }

  /** Notes how a thing stands as of an instant; null: it is gone. The same state again changes nothing. */
  set(key: string, at: string, state: Row | null): void {
    const open = this.#open.get(key)
    if (open && state && same(open.state, state)) return
    if (open && open.from !== at && Date.parse(at) >= this.#from) {
      open.until = at
      open.because = state ? 'changed' : 'gone'
      this.#ended.push(open)
    }
    if (state) this.#open.set(key, { key, state, from: at, until: null, because: null })
    else this.#open.delete(key)
  }

  /** Whether a thing is there now. */
  has(key: string): boolean {
    return this.#open.has(key)
  }

  /** All stretches, by key and then by time. */
  stretches(): Stretch[] {
    return [...this.#ended, ...this.#open.values()].sort((a, b) =>
      a.key === b.key ? Date.parse(a.from) - Date.parse(b.from) : a.key < b.key ? -1 : 1,
    )
  }

  atStart({ from, until }: Stretch): boolean {
    return Date.parse(from) <= this.#from && (until === null || Date.parse(until) > this.#from)
  }

  /** The cells of `STRETCH_COLUMNS`. */
  cells(stretch: Stretch): Row {
    return [
      stretch.from,
      stretch.until ?? '',
      stretch.because ?? '',
      String(this.atStart(stretch)),
      String(stretch.until === null),
    ]
  }

  /** Control totals of any such report; `what` is a plural such as vaults. */
  totals(what: string): Total[] {
    const What = `${what.charAt(0).toUpperCase()}${what.slice(1)}`
    const all = [...this.#ended, ...this.#open.values()]
    const changed = new Set(this.#ended.filter((s) => s.because === 'changed').map((s) => s.key))
    return [
      { name: `Distinct ${what}`, value: new Set(all.map((s) => s.key)).size },
      { name: `${What} at the period’s beginning`, value: all.filter((s) => this.atStart(s)).length },
      { name: `${What} at the period’s end`, value: this.#open.size },
      { name: `${What} whose state changed in the period`, value: changed.size },
      { name: `${What} gone in the period`, value: this.#ended.filter((s) => s.because === 'gone').length },
    ]
  }
}

const same = (a: Row, b: Row): boolean => a.length === b.length && a.every((cell, i) => cell === b[i])
