import type { EventOf, ReportType } from '@attestry/contracts'
import { reports } from './catalog.ts'
import { Known } from './known.ts'
import { type Ask, beforeEnd, type Report, type Row, type Total } from './report.ts'

/** Reports being folded from one walk over the chain, in seq order from its first event. */
export interface Folding {
  readonly known: Known
  /** Shows an event to every report. */
  apply(event: EventOf, link: string): void
  /** Hands out the rows that only the end can tell, and the control totals of each report. */
  end(): readonly { readonly report: Report; readonly totals: readonly Total[] }[]
}

/**
 * Folds reports together, so that what they know in common is known once. Pure: the same events give the same rows in
 * the same order, here and in whoever makes them again from an export.
 * @param emit takes each row as soon as it is complete
 */
export function foldReports(
  wanted: readonly ReportType[],
  ask: Ask,
  emit: (report: ReportType, row: Row) => void,
): Folding {
  const known = new Known()
  const folds = wanted.map((type) => ({ report: reports[type], fold: reports[type].fold(ask, known) }))
  return {
    known,
    apply(event, link) {
      // What came after the period is no part of it: no state, no name, no row.
      if (!beforeEnd(event.at, ask.period)) return
      const seen = { event, link, touched: known.apply(event) }
      for (const { report, fold } of folds) for (const row of fold.apply(seen)) emit(report.type, row)
    },
    end: () =>
      folds.map(({ report, fold }) => {
        for (const row of fold.end()) emit(report.type, row)
        return { report, totals: fold.totals() }
      }),
  }
}
