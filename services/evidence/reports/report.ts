import type { EventOf, ReportType } from '@attestry/contracts'

/** One column of a report: enough for a reader who has only the file. */
export interface Column {
  readonly name: string
  readonly type: 'text' | 'integer' | 'instant' | 'boolean' | 'id' | 'digest'
  readonly says: string
  /** The event and field that the cell comes from. */
  readonly source: string
}

/** A row: one cell a column, already text; an empty cell is "not known" or "does not apply". */
export type Row = readonly string[]

/** The instants a report covers: from inclusive, to exclusive. */
export interface ReportPeriod {
  readonly from: string
  readonly to: string
}

/** A running fold of one report. Nothing but events goes in, so anybody can make the same rows from the export. */
export interface ReportFold {
  /** Rows that this event completes; events come in seq order and all are shown, also those before the period. */
  apply(event: EventOf, link: string): readonly Row[]
  /** Rows that only the end can tell. */
  end(): readonly Row[]
  /** Control totals, printed in the PDF and the manifest. */
  totals(): readonly { readonly name: string; readonly value: number }[]
}

/** A report: what it says, what it does not prove, and how it is made. */
export interface Report {
  readonly type: ReportType
  readonly title: string
  readonly says: string
  readonly columns: readonly Column[]
  /** What a reader must not conclude from it. */
  readonly limits: readonly string[]
  readonly fold: (period: ReportPeriod) => ReportFold
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
