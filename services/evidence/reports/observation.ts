import type { EventOf, Observation } from '@attestry/contracts'
import { type ReportPeriod, within } from './report.ts'

interface Watched {
  name: string
  everyHours: number | null
  /** When scans of it ended well, oldest first. */
  readonly completed: string[]
  readonly failed: string[]
  /** Scans that ended well but could not read everything. */
  readonly incomplete: string[]
}

/** Gaps that are listed; the rest is counted. */
const MOST_GAPS = 100
const HOUR_MS = 3_600_000
/** How long a scan vouches for what it saw where no schedule says when the next is due. */
const UNSCHEDULED_HOURS = 24
/** A scan may take its time without leaving a gap. */
const GRACE_HOURS = 1

/**
 * How much of a period was looked at. A scan vouches for the time up to the next one, and at most for the interval
 * of its schedule (24 hours without one) and one hour more. Whatever no scan vouches for is a gap.
 */
export class Observed {
  readonly #environments = new Map<string, Watched>()

  apply(event: EventOf): void {
    switch (event.type) {
      case 'discovery.environment-connected': {
        const { environment, name, everyHours } = event.data
        const known = this.#environments.get(environment)
        if (known) Object.assign(known, { name, everyHours })
        else
          this.#environments.set(environment, { name, everyHours, completed: [], failed: [], incomplete: [] })
        return
      }
      case 'discovery.environment-revised': {
        const known = this.#environments.get(event.data.environment)
        if (known) known.everyHours = event.data.everyHours
        return
      }
      case 'discovery.scan-completed': {
        const known = this.#environments.get(event.data.environment)
        known?.completed.push(event.at)
        if (known && (event.data.unreachable.length > 0 || event.data.refused.length > 0))
          known.incomplete.push(event.at)
        return
      }
      case 'discovery.scan-failed': {
        this.#environments.get(event.data.environment)?.failed.push(event.at)
        return
      }
      default:
    }
  }

  /** What was observed of a period; the share in hundredths of a percent, so that it stays a whole number. */
  over(period: ReportPeriod): Observation[] {
    const [from, to] = [Date.parse(period.from), Date.parse(period.to)]
    return [...this.#environments]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([environment, { name, everyHours, completed, failed, incomplete }]) => {
        const vouchMs = ((everyHours ?? UNSCHEDULED_HOURS) + GRACE_HOURS) * HOUR_MS
        const gaps: { from: string; to: string }[] = []
        let seenTo = from
        let observedMs = 0
        let scans = 0
        for (const at of completed) {
          const scan = Date.parse(at)
          if (scan >= to) break
          if (scan >= from) scans++
          if (scan > seenTo) gaps.push({ from: iso(seenTo), to: at })
          const end = Math.min(scan + vouchMs, to)
          if (end > seenTo) {
            observedMs += end - Math.max(scan, seenTo)
            seenTo = end
          }
        }
        if (seenTo < to) gaps.push({ from: iso(seenTo), to: iso(to) })
        return {
          environment,
          name,
          everyHours,
          scans,
          scansFailed: failed.filter((at) => within(at, period)).length,
          scansIncomplete: incomplete.filter((at) => within(at, period)).length,
          observedBasisPoints: to > from ? Math.floor((observedMs * 10_000) / (to - from)) : 0,
          gaps: gaps.slice(0, MOST_GAPS),
          gapsNotListed: Math.max(0, gaps.length - MOST_GAPS),
        }
      })
  }
}

const iso = (ms: number): string => new Date(ms).toISOString()
