import type { EventOf, FrameworkId, Period, ReportType } from '@attestry/contracts'
import type { Known } from './known.ts'

/** One column of a report: enough for a reader who has only the file. */
export interface Column {
  readonly name: string
  readonly type: 'text' | 'integer' | 'instant' | 'boolean' | 'id' | 'digest'
  /** What an integer counts, such as days or bits; null where there is nothing to count. */
  readonly unit: string | null
  readonly says: string
  /** The event and field that the cell comes from. */
  readonly source: string
}

/** A row: one cell a column, already text; an empty cell is "not known" or "does not apply". */
export type Row = readonly string[]

/** The instants a report covers: from inclusive, to exclusive. */
export type ReportPeriod = Period

/** What a report is asked for. What it is narrowed to was taken out of the events before (`narrow.ts`). */
export interface Ask {
  readonly period: ReportPeriod
  /** Only what this framework asks for; null: whatever is known. */
  readonly framework: FrameworkId | null
}

/** An event as a fold sees it. */
export interface Seen {
  readonly event: EventOf
  /** Hexadecimal hash of the chain up to this event. */
  readonly link: string
  /** Assets, vaults and edges that the event told something of. */
  readonly touched: readonly string[]
}

/** A running fold of one report. Nothing but events goes in, so anybody can make the same rows from the export. */
export interface ReportFold {
  /** Rows that this event completes; events come in seq order and all are shown, also those before the period. */
  apply(seen: Seen): readonly Row[]
  /** Rows that only the end can tell. */
  end(): readonly Row[]
  /** Control totals, printed in the PDF and the manifest. Asked for after `end()`. */
  totals(): readonly Total[]
}

export interface Total {
  readonly name: string
  readonly value: number
}

/** A report: what it says, what it does not prove, and how it is made. */
export interface Report {
  readonly type: ReportType
  readonly title: string
  readonly says: string
  /** `events`: one row an event of the period. `posture`: one row a stretch of time in which a state held. */
  readonly kind: 'events' | 'posture'
  readonly columns: readonly Column[]
  /** The columns that paper has room for; the files have all. */
  readonly printed: readonly string[]
  /** What a reader must not conclude from it. */
  readonly limits: readonly string[]
  readonly fold: (ask: Ask, known: Known) => ReportFold
}

/** Whether an instant lies in a period. Instants are UTC with `Z`, so text order could mislead on precision. */
export const within = (at: string, period: ReportPeriod): boolean => {
  const time = Date.parse(at)
  return time >= Date.parse(period.from) && time < Date.parse(period.to)
}

/** Whether an instant lies before a period's end. */
export const beforeEnd = (at: string, period: ReportPeriod): boolean => Date.parse(at) < Date.parse(period.to)

/** A cell of something that may not be known. */
export const cell = (value: string | number | boolean | null | undefined): string =>
  value === null || value === undefined ? '' : String(value)

/** A column; the unit last, where there is one. */
export const column = (
  name: string,
  type: Column['type'],
  says: string,
  source: string,
  unit: string | null = null,
): Column => ({ name, type, unit, says, source })
