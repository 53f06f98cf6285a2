/** One day of the calendar. `level` 0 to 4 by how much expires on it. */
export interface Day {
  /** `2026-11-22`, in UTC as the server counts. */
  readonly day: string
  readonly count: number
  readonly level: 0 | 1 | 2 | 3 | 4
  /** Days from today. */
  readonly distance: number
}

/** A week as seven places from Monday; a place outside the window is null. */
export interface Week {
  readonly days: readonly (Day | null)[]
  /** The month's short name, on the first week that begins a month. */
  readonly month: string | null
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const DAY = 86_400_000

/** 1, 2–4, 5–9 and 10 or more are told apart; nothing is level 0. */
export function levelOf(count: number): Day['level'] {
  if (count <= 0) return 0
  if (count === 1) return 1
  if (count < 5) return 2
  return count < 10 ? 3 : 4
}

/**
 * Lays out `length` days from today (`2026-11-22`) as weeks. Days that the answer does not name hold nothing.
 */
export function heatMap(
  expiries: readonly { readonly day: string; readonly count: number }[],
  today: string,
  length = 90,
): readonly Week[] {
  const counts = new Map(expiries.map((e) => [e.day, e.count]))
  const start = Date.parse(`${today}T00:00:00Z`)
  // getUTCDay counts from Sunday; the calendar from Monday.
  const lead = (new Date(start).getUTCDay() + 6) % 7
  const places: (Day | null)[] = Array.from({ length: lead }, () => null)
  for (let n = 0; n < length; n += 1) {
    const day = new Date(start + n * DAY).toISOString().slice(0, 10)
    const count = counts.get(day) ?? 0
    places.push({ day, count, level: levelOf(count), distance: n })
  }
  while (places.length % 7 !== 0) places.push(null)
  const weeks: Week[] = []
  let month = ''
  for (let at = 0; at < places.length; at += 7) {
    const days = places.slice(at, at + 7)
    const last = days.findLast((d) => d !== null)?.day ?? today
    const named = last.slice(0, 7) === month ? null : (MONTHS[Number(last.slice(5, 7)) - 1] ?? null)
    month = last.slice(0, 7)
    weeks.push({ days, month: named })
  }
  return weeks
}

/** The calendar in one sentence, for those who do not see it. */
export function heatMapSays(expiries: readonly { readonly day: string; readonly count: number }[]): string {
  const total = expiries.reduce((sum, e) => sum + e.count, 0)
  if (total === 0) return 'Nothing expires in the next 90 days.'
  const busiest = expiries.reduce((a, b) => (b.count > a.count ? b : a))
  return `${total} credentials expire in the next 90 days, most of them (${busiest.count}) on ${busiest.day}.`
}
