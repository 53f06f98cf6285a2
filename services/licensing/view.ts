import type { AnswerPayload } from '@attestry/contracts'
import { prefixOf } from '@attestry/contracts'
import type { LicenseView } from '@attestry/contracts/http'
import type { Host, Secret } from '@attestry/kit'
import type { Standing } from './decide.ts'
import { EVALUATION, statusOf } from './entitlement.ts'
import type { InstallRow } from './store.ts'

/** A version's numbers, to be compared. */
const numbersOf = (version: string): number[] => version.split('.').map(Number)

/** Whether a version is newer than another; both `major.minor.patch`. */
export const isNewer = (version: string, than: string): boolean => {
  const ours = numbersOf(than)
  const difference = numbersOf(version).map((n, i) => n - (ours[i] ?? 0))
  return (difference.find((d) => d !== 0) ?? 0) > 0
}

/** Whole days until the earliest of some ends; null where there is none. */
export function daysLeft(ends: readonly (string | null)[], now: Temporal.Instant): number | null {
  const left = ends.filter((end) => end !== null).map((end) => now.until(end).total('hours') / 24)
  return left.length === 0 ? null : Math.max(0, Math.floor(Math.min(...left)))
}

/** The licence as its page shows it. Pure. */
export function viewOf(
  host: Pick<Host, 'origin' | 'productVersion'>,
  now: Temporal.Instant,
  of: {
    readonly standing: Standing
    readonly row: InstallRow
    readonly key: Secret | null
    readonly keyProblem: string | null
    readonly keyConfigured: boolean
    readonly service: string | null
    readonly fleetVisibility: boolean
    readonly used: LicenseView['used']
    readonly answer: AnswerPayload | null
  },
): LicenseView {
  const { standing, row } = of
  const e = standing.entitlement ?? EVALUATION
  const { preferences } = standing
  const latest = of.answer?.latest ?? null
  return {
    ...statusOf(e, host.origin, now),
    source: e.source,
    keyPrefix: of.key ? prefixOf(of.key.text()) : row.keyPrefix,
    keyConfigured: of.keyConfigured,
    install: row.install,
    refused: e.refused,
    relyUntil: e.relyUntil,
    graceUntil: e.graceUntil,
    daysLeft: daysLeft([e.expiresAt, e.graceUntil], now),
    limits: e.limits,
    used: of.used,
    service: of.service,
    lastAnswerAt: row.lastAnswerAt,
    lastAttemptAt: row.lastAttemptAt,
    nextAttemptAt: of.key ? row.nextAttemptAt : null,
    problem: of.keyProblem ?? row.problem,
    fleetVisibility: {
      on: of.fleetVisibility && preferences.fleetVisibility,
      forcedOff: !of.fleetVisibility,
    },
    graceDays: preferences.graceDays,
    updateNotice: {
      on: preferences.updateNotice,
      newer:
        preferences.updateNotice && latest && isNewer(latest.version, host.productVersion) ? latest : null,
    },
  }
}
