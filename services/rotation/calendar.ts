import type { RotationWindow } from '@attestry/contracts'
import { Cron } from 'croner'

/** A freeze as its stream tells it. `policies` empty: it holds everybody. */
export interface Freeze {
  readonly freeze: string
  readonly from: string
  readonly until: string
  readonly name: string
  readonly policies: readonly string[]
}

/** A stretch of time in which work may begin. `closesAt` null: open until a freeze begins. */
export interface Opening {
  readonly opensAt: Temporal.Instant
  readonly closesAt: Temporal.Instant | null
}

/** When a policy's work may be done: its window less the freezes. */
export interface Calendar {
  /** The opening that holds now, or the next one within a year; null: closed for ever, as far as can be seen. */
  next(now: Temporal.Instant): Opening | null
  open(now: Temporal.Instant): boolean
}

/** Openings looked at before a window counts as never open. A year of hourly windows stays below it. */
const MOST_OPENINGS = 10_000
const HORIZON_HOURS = 24 * 366

const instantOf = (date: Date): Temporal.Instant => Temporal.Instant.fromEpochMilliseconds(date.getTime())

const before = (a: Temporal.Instant, b: Temporal.Instant): boolean => Temporal.Instant.compare(a, b) < 0
const earlier = (a: Temporal.Instant | null, b: Temporal.Instant): Temporal.Instant =>
  a === null || before(b, a) ? b : a

const cronOf = (window: RotationWindow): Cron =>
  new Cron(window.cron, { timezone: window.zone, paused: true, mode: '5-part' })

/** What is wrong with a window's cron or time zone, as a sentence; null where nothing is. */
export function windowProblem(window: RotationWindow): { field: 'cron' | 'zone'; message: string } | null {
  try {
    // Asked of what croner asks: Temporal takes a whole date for a zone as well.
    Intl.DateTimeFormat('en', { timeZone: window.zone })
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    return { field: 'zone', message: 'is no time zone of the IANA database, such as Europe/Berlin' }
  }
  try {
    cronOf(window)
    return null
  } catch (cause) {
    return {
      field: 'cron',
      // croner explains what it did not understand; the text is the operator's own.
      message: `is no cron expression of five fields: ${cause instanceof Error ? cause.message : String(cause)}`,
    }
  }
}

/** Openings of a window that end after `from`, in order. One that daylight saving skips is simply not there. */
function* openings(window: RotationWindow, from: Temporal.Instant): Generator<Opening> {
  const cron = cronOf(window)
  const length = { minutes: window.minutes }
  let at: Temporal.Instant = from.subtract(length)
  for (let turn = 0; turn < MOST_OPENINGS; turn++) {
    const next = cron.nextRun(new Date(at.epochMilliseconds))
    if (!next) return
    at = instantOf(next)
    if (before(from, at.add(length))) yield { opensAt: at, closesAt: at.add(length) }
  }
}

/** The freezes that hold a policy, in order. */
const freezesOf = (freezes: readonly Freeze[], policy: string) =>
  freezes
    .filter((f) => f.policies.length === 0 || f.policies.includes(policy))
    .map((f) => ({ from: Temporal.Instant.from(f.from), until: Temporal.Instant.from(f.until) }))
    .toSorted((a, b) => Temporal.Instant.compare(a.from, b.from))

/** The first stretch of an opening, from `from` on, that no freeze covers; null where all of it is covered. */
function unfrozen(
  opening: Opening,
  from: Temporal.Instant,
  freezes: ReturnType<typeof freezesOf>,
): Opening | null {
  let start = before(opening.opensAt, from) ? from : opening.opensAt
  for (const freeze of freezes) {
    if (before(start, freeze.from)) {
      if (opening.closesAt !== null && !before(freeze.from, opening.closesAt)) continue
      return { opensAt: start, closesAt: earlier(opening.closesAt, freeze.from) }
    }
    if (before(start, freeze.until)) start = freeze.until
  }
  if (opening.closesAt !== null && !before(start, opening.closesAt)) return null
  return { opensAt: start, closesAt: opening.closesAt }
}

/** The calendar of one policy. */
export function calendarOf(
  window: RotationWindow | null,
  freezes: readonly Freeze[],
  policy: string,
): Calendar {
  const held = freezesOf(freezes, policy)
  const next = (now: Temporal.Instant): Opening | null => {
    if (!window) return unfrozen({ opensAt: now, closesAt: null }, now, held)
    const horizon = now.add({ hours: HORIZON_HOURS })
    for (const opening of openings(window, now)) {
      if (before(horizon, opening.opensAt)) return null
      const free = unfrozen(opening, now, held)
      if (free) return free
    }
    return null
  }
  return {
    next,
    open: (now) => {
      const at = next(now)
      return at !== null && !before(now, at.opensAt)
    },
  }
}

/** A calendar that is always open: after a compromise, or with the glass broken. */
export const ALWAYS: Calendar = { next: (now) => ({ opensAt: now, closesAt: null }), open: () => true }
