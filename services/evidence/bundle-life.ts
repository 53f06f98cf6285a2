import {
  type EventOf,
  type EvidenceScope,
  type Fact,
  fact,
  type FrameworkId,
  type Period,
  ReportFormat,
  type ReportType,
} from '@attestry/contracts'
import type { Assertion } from '@attestry/contracts/http'
import { type Refused, refuse } from '@attestry/kit'

/** An assertion as it was signed. */
export interface SignedAssertion extends Assertion {
  readonly at: string
}

/** A bundle as its stream tells it. */
export interface BundleLife {
  readonly bundle: string
  readonly reports: readonly ReportType[]
  readonly period: Period
  readonly scope: EvidenceScope | null
  readonly framework: FrameworkId | null
  readonly formats: readonly ReportFormat[]
  /** What management asserts, and when it was signed. */
  readonly assertion: SignedAssertion | null
  readonly state: 'building' | 'sealed' | 'failed' | 'cancelled' | 'expired'
  /** 1 at first; one more each time that it was asked for after all. */
  readonly attempts: number
  readonly position: number
  /** Of the sealed file. */
  readonly zipSha256: string | null
  /** Whether the timestamp that was pending was put beside it since. */
  readonly completed: boolean
}

export function evolveBundle(known: BundleLife | null, event: EventOf): BundleLife | null {
  const { position } = event
  switch (event.type) {
    case 'evidence.bundle-requested': {
      const { bundle, reports, period, scope, framework, formats } = event.data
      return {
        bundle,
        reports,
        period,
        scope: scope ?? null,
        framework: framework ?? null,
        formats: formats ?? ReportFormat.options,
        assertion: null,
        attempts: 1,
        state: 'building',
        position,
        zipSha256: null,
        completed: false,
      }
    }
    case 'evidence.bundle-sealed':
      return known && { ...known, state: 'sealed', position, zipSha256: event.data.zipSha256 }
    case 'evidence.bundle-completed':
      return known && { ...known, position, zipSha256: event.data.zipSha256, completed: true }
    case 'evidence.bundle-failed':
      return (
        known && { ...known, state: event.data.reason === 'cancelled' ? 'cancelled' : 'failed', position }
      )
    case 'evidence.assertion-signed': {
      const { name, title, statement } = event.data
      return known && { ...known, position, assertion: { name, title, statement, at: event.at } }
    }
    case 'evidence.bundle-resumed':
      return known && { ...known, state: 'building', position, attempts: known.attempts + 1 }
    case 'evidence.bundle-expired':
      return known && { ...known, state: 'expired', position }
    default:
      return known && { ...known, position }
  }
}

export const bundleLife = (events: readonly EventOf[]): BundleLife | null => events.reduce(evolveBundle, null)

/** How far a caller's clock may run ahead of ours: an end within it is taken as now. */
const SKEW_MINUTES = 5

/** Bundles of one tenant that may be building at once. */
const MOST_AT_ONCE = 3

/**
 * Why nothing can be shown of a period, or null.
 * @param where `from` and `to` stand in
 * @refuses 'period-reversed', 'period-in-future' (an end that lies ahead has not been observed)
 */
export function periodRefusal(
  period: Period,
  now: Temporal.Instant,
  where: 'body' | 'query',
): Refused<'period-reversed' | 'period-in-future'> | null {
  const from = Temporal.Instant.from(period.from)
  const to = Temporal.Instant.from(period.to)
  if (Temporal.Instant.compare(from, to) >= 0)
    return refuse('period-reversed', 'The period’s end must lie after its beginning.', [
      { field: `${where}.to`, message: 'must lie after from' },
    ])
  const ahead = Temporal.Instant.compare(from, now) >= 0
  if (ahead || Temporal.Instant.compare(to, now.add({ minutes: SKEW_MINUTES })) > 0)
    return refuse(
      'period-in-future',
      'Nothing can be shown of a time that has not been: end the period now at the latest.',
      [{ field: `${where}.${ahead ? 'from' : 'to'}`, message: 'must not lie in the future' }],
    )
  return null
}

/**
 * Whether a bundle may be built.
 * @refuses 'period-reversed', 'period-in-future' (an end that lies ahead has not been observed), 'already-building'
 * above three at once
 */
export function requestBundle(
  wish: {
    bundle: string
    reports: readonly ReportType[]
    period: Period
    scope?: EvidenceScope | undefined
    framework?: FrameworkId | undefined
    formats?: readonly ReportFormat[] | undefined
    assertion?: Assertion | undefined
  },
  now: Temporal.Instant,
  building: number,
): Fact[] | Refused<'period-reversed' | 'period-in-future' | 'already-building'> {
  const refused = periodRefusal(wish.period, now, 'body')
  if (refused) return refused
  if (building >= MOST_AT_ONCE)
    return refuse('already-building', 'Three bundles are being built; wait for one, or cancel it.')
  return [
    fact('evidence.bundle-requested', {
      bundle: wish.bundle,
      reports: [...wish.reports],
      period: wish.period,
      ...(wish.scope ? { scope: wish.scope } : {}),
      ...(wish.framework ? { framework: wish.framework } : {}),
      ...(wish.formats ? { formats: [...wish.formats] } : {}),
    }),
    ...(wish.assertion
      ? [fact('evidence.assertion-signed', { bundle: wish.bundle, ...wish.assertion })]
      : []),
  ]
}

/** The id of the command that builds a bundle: another one each time that it is asked for. */
export const buildCommand = (bundle: string, attempts = 1): string =>
  attempts === 1 ? `build-${bundle}` : `build-${bundle}-${attempts}`

/**
 * Whether a bundle that ended without a seal may be built after all.
 * @refuses 'no-such-bundle', 'not-ended', 'already-building' above three at once
 */
export function resumeBundle(
  life: BundleLife | null,
  building: number,
): Fact[] | Refused<'no-such-bundle' | 'not-ended' | 'already-building'> {
  if (!life) return refuse('no-such-bundle', 'There is no such bundle.')
  if (life.state !== 'failed' && life.state !== 'cancelled')
    return refuse('not-ended', 'Only a bundle that failed or was cancelled can be built after all.')
  if (building >= MOST_AT_ONCE)
    return refuse('already-building', 'Three bundles are being built; wait for one, or cancel it.')
  return [fact('evidence.bundle-resumed', { bundle: life.bundle })]
}
