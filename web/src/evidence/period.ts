/** A period as whole local days: both ends inclusive, `2026-11-22`. */
export interface Days {
  readonly from: string
  readonly to: string
}

export type Preset =
  | 'last-7'
  | 'last-30'
  | 'this-month'
  | 'last-month'
  | 'this-quarter'
  | 'last-quarter'
  | 'this-year'

export const PRESETS: readonly (readonly [Preset, string])[] = [
  ['last-7', 'Last 7 days'],
  ['last-30', 'Last 30 days'],
  ['this-month', 'This month'],
  ['last-month', 'Last month'],
  ['this-quarter', 'This quarter'],
  ['last-quarter', 'Last quarter'],
  ['this-year', 'This year'],
]

/** Whether a text is a day that a calendar has: a date field is empty while somebody types, and an address holds anything. */
export const isDay = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`))

const two = (n: number): string => String(n).padStart(2, '0')
const dayText = (year: number, month: number, day: number): string => {
  // Date.UTC carries months and days over, so "month 13" and "day 0" mean what they say.
  const at = new Date(Date.UTC(year, month - 1, day))
  return `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`
}

/** The days of a preset, seen from `today` (`2026-11-22`, in the reader's zone). Periods that go on end today. */
export function presetDays(preset: Preset, today: string): Days {
  const [year = 0, month = 1, day = 1] = today.split('-').map(Number)
  const quarter = Math.trunc((month - 1) / 3) * 3 + 1
  switch (preset) {
    case 'last-7':
      return { from: dayText(year, month, day - 6), to: today }
    case 'last-30':
      return { from: dayText(year, month, day - 29), to: today }
    case 'this-month':
      return { from: dayText(year, month, 1), to: today }
    case 'last-month':
      return { from: dayText(year, month - 1, 1), to: dayText(year, month, 0) }
    case 'this-quarter':
      return { from: dayText(year, quarter, 1), to: today }
    case 'last-quarter':
      return { from: dayText(year, quarter - 3, 1), to: dayText(year, quarter, 0) }
    case 'this-year':
      return { from: dayText(year, 1, 1), to: today }
  }
}

/** How far a zone is ahead of UTC at an instant, milliseconds. */
function offsetAt(at: number, zone: string): number {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(at)
  const part = (type: Intl.DateTimeFormatPartTypes): number =>
    Number(parts.find((p) => p.type === type)?.value ?? 0)
  const there = Date.UTC(
    part('year'),
    part('month') - 1,
    part('day'),
    part('hour'),
    part('minute'),
    part('second'),
  )
  return there - Math.trunc(at / 1000) * 1000
}

/** The instant at which a day begins in a zone; the offset is that of the day itself, so summer time is right. */
export function startOfDay(day: string, zone: string): string {
  const wall = Date.parse(`${day}T00:00:00Z`)
  const guess = wall - offsetAt(wall, zone)
  // Once more with the offset found there: the guess may lie on the other side of a change of clocks.
  const at = wall - offsetAt(guess, zone)
  // Where the clocks go forward at midnight there is no 00:00: the day before would go on for an hour.
  return new Date(todayIn(zone, at) === day ? at : guess).toISOString()
}

/**
 * Local days as instants: from the start of the first to the start of the day after the last, but never later
 * than `now`, because a period may not reach into the future.
 */
export function periodOf(days: Days, zone: string, now: number): { from: string; to: string } {
  const [year = 0, month = 1, day = 1] = days.to.split('-').map(Number)
  const end = startOfDay(dayText(year, month, day + 1), zone)
  return {
    from: startOfDay(days.from, zone),
    to: Date.parse(end) > now ? new Date(now).toISOString() : end,
  }
}

/** Today's date in a zone. */
export function todayIn(zone: string, now: number): string {
  return new Date(now + offsetAt(now, zone)).toISOString().slice(0, 10)
}

/** A zone's offset in words: `UTC+1`, `UTC−3:30`, `UTC`. */
export function offsetWords(zone: string, now: number): string {
  const minutes = Math.round(offsetAt(now, zone) / 60_000)
  if (minutes === 0) return 'UTC'
  const rest = Math.abs(minutes) % 60
  return `UTC${minutes > 0 ? '+' : '−'}${Math.trunc(Math.abs(minutes) / 60)}${rest === 0 ? '' : `:${two(rest)}`}`
}
