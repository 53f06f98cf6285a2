import type { Daily, RouteSettings } from '@attestry/contracts'

/** The first time of day after an instant. Where clocks skip over it, as long after it as they skip. */
function nextDaily({ at, zone }: Daily, after: Temporal.Instant): Temporal.Instant {
  const plainTime = Temporal.PlainTime.from(at)
  const today = after.toZonedDateTimeISO(zone).toPlainDate()
  const of = (days: number) => today.add({ days }).toZonedDateTime({ timeZone: zone, plainTime }).toInstant()
  const first = of(0)
  return Temporal.Instant.compare(first, after) > 0 ? first : of(1)
}

/** When a route is due by time after a run, whichever of its two schedules comes first; null: by neither. */
export function nextRun(
  { everyMinutes, daily }: Pick<RouteSettings, 'everyMinutes' | 'daily'>,
  after: Temporal.Instant,
): Temporal.Instant | null {
  const due = [
    ...(everyMinutes === null ? [] : [after.add({ minutes: everyMinutes })]),
    ...(daily ? [nextDaily(daily, after)] : []),
  ]
  return due.toSorted((a, b) => Temporal.Instant.compare(a, b))[0] ?? null
}
