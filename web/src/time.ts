const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

const UNITS: readonly (readonly [limit: number, size: number, unit: Intl.RelativeTimeFormatUnit])[] = [
  [90 * SECOND, SECOND, 'second'],
  [90 * MINUTE, MINUTE, 'minute'],
  [36 * HOUR, HOUR, 'hour'],
  [60 * DAY, DAY, 'day'],
  [540 * DAY, 30.44 * DAY, 'month'],
  [Number.POSITIVE_INFINITY, 365.25 * DAY, 'year'],
]

const words = new Intl.RelativeTimeFormat('en', { numeric: 'always', style: 'long' })

/** "3 days ago", "in 5 hours", "just now": how far an instant lies from `now` (milliseconds). Truncated, never rounded up. */
export function relative(at: string, now: number): string {
  const distance = Date.parse(at) - now
  const far = Math.abs(distance)
  if (far < 10 * SECOND) return 'just now'
  for (const [limit, size, unit] of UNITS)
    if (far < limit) return words.format(Math.trunc(distance / size), unit)
  return at
}

/** The same in a table's few characters: "3d ago", "in 5h". */
export function relativeShort(at: string, now: number): string {
  const distance = Date.parse(at) - now
  const far = Math.abs(distance)
  if (far < 10 * SECOND) return 'now'
  const said = ((): string => {
    if (far < 90 * SECOND) return `${Math.trunc(far / SECOND)}s`
    if (far < 90 * MINUTE) return `${Math.trunc(far / MINUTE)}m`
    if (far < 36 * HOUR) return `${Math.trunc(far / HOUR)}h`
    if (far < 120 * DAY) return `${Math.trunc(far / DAY)}d`
    if (far < 730 * DAY) return `${Math.trunc(far / (30.44 * DAY))}mo`
    return `${Math.trunc(far / (365.25 * DAY))}y`
  })()
  return distance < 0 ? `${said} ago` : `in ${said}`
}

/** An instant in a zone as `2026-11-22 23:04:27`. */
export function stamp(at: string, zone: string): string {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(new Date(at))
  const part = (type: Intl.DateTimeFormatPartTypes): string => parts.find((p) => p.type === type)?.value ?? ''
  return `${part('year')}-${part('month')}-${part('day')} ${part('hour')}:${part('minute')}:${part('second')}`
}

/** The exact time for a tooltip: UTC, and local beside it where it differs. */
export function exact(at: string, zone: string): string {
  const utc = `${stamp(at, 'UTC')} UTC`
  const local = stamp(at, zone)
  return utc.startsWith(local) ? utc : `${utc}\n${local} ${zone}`
}

/** `22 Nov 2026` in a zone. */
export const dayOf = (at: string, zone: string): string =>
  new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    day: 'numeric',
    month: 'short',
    year: 'numeric',
  }).format(new Date(at))

/** A duration in words: `840 ms`, `12.4 s`, `3 min 20 s`. */
export function duration(ms: number): string {
  if (ms < SECOND) return `${Math.round(ms)} ms`
  if (ms < MINUTE) return `${(ms / SECOND).toFixed(1)} s`
  const minutes = Math.trunc(ms / MINUTE)
  if (minutes < 60) return `${minutes} min ${Math.trunc((ms % MINUTE) / SECOND)} s`
  return `${Math.trunc(minutes / 60)} h ${minutes % 60} min`
}

/** The reader's zone, such as `Europe/Paris`. */
export const localZone = (): string => Intl.DateTimeFormat('en').resolvedOptions().timeZone
