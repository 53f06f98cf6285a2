import type { CalendarEntry } from '@attestry/contracts/http'

/*
 * A month of the calendar as weeks of days, Monday first, in the reader's zone. Pure.
 */

export interface Day {
  /** `2026-11-26`. */
  readonly date: string
  readonly inMonth: boolean
  readonly entries: readonly CalendarEntry[]
}

const pad = (n: number): string => String(n).padStart(2, '0')
const dateOf = (d: Date): string => `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`

/** `2026-11` of an instant, in the reader's zone. */
export const monthOf = (ms: number): string => dateOf(new Date(ms)).slice(0, 7)

/** Whether a text is a month, such as `2026-11`. */
export const isMonth = (text: string): boolean => /^20\d\d-(0[1-9]|1[0-2])$/.test(text)

/** The month so many after. */
export function later(month: string, by: number): string {
  const [year, m] = month.split('-').map(Number)
  return dateOf(new Date(year ?? 0, (m ?? 1) - 1 + by, 1)).slice(0, 7)
}

function firstDay(month: string): Date {
  const [year, m] = month.split('-').map(Number)
  const first = new Date(year ?? 0, (m ?? 1) - 1, 1)
  const sinceMonday = (first.getDay() + 6) % 7
  return new Date(first.getFullYear(), first.getMonth(), 1 - sinceMonday)
}

/** The stretch that a month's weeks cover: six weeks at most. */
export function stretch(month: string): { from: string; until: string } {
  const from = firstDay(month)
  const weeks = weeksIn(month)
  const until = new Date(from.getFullYear(), from.getMonth(), from.getDate() + weeks * 7)
  return { from: from.toISOString(), until: until.toISOString() }
}

function weeksIn(month: string): number {
  const from = firstDay(month)
  const next = firstDayAfter(month)
  return Math.ceil((next.getTime() - from.getTime()) / (7 * 86_400_000) - 0.01)
}
function firstDayAfter(month: string): Date {
  const [year, m] = month.split('-').map(Number)
  return new Date(year ?? 0, m ?? 1, 1)
}

/** Weeks of a month with what happens on each day; what lasts stands on each day that it covers. */
export function weeksOf(
  month: string,
  entries: readonly CalendarEntry[],
  now: number,
): readonly (readonly Day[])[] {
  const from = firstDay(month)
  return Array.from({ length: weeksIn(month) }, (_, week) =>
    Array.from({ length: 7 }, (__, day) => {
      const begins = new Date(from.getFullYear(), from.getMonth(), from.getDate() + week * 7 + day)
      const ends = new Date(begins.getFullYear(), begins.getMonth(), begins.getDate() + 1)
      const date = dateOf(begins)
      return {
        date,
        inMonth: date.startsWith(month),
        entries: entries.filter((e) => on(e, begins.getTime(), ends.getTime(), now)),
      }
    }),
  )
}

function on(entry: CalendarEntry, begins: number, ends: number, now: number): boolean {
  const from = Date.parse(entry.from)
  // What runs lasts until now at least.
  const until = entry.until === null && entry.kind === 'running' ? now : Date.parse(entry.until ?? '')
  if (Number.isNaN(until) || until <= from) return from >= begins && from < ends
  return from < ends && until > begins
}
