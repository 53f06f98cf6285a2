import {
  type AnswerPayload,
  type EventOf,
  type Fact,
  fact,
  type FilePayload,
  type LicenseRefusal,
  type LicenseVerdict,
  type LimitName,
  MAX_GRACE_DAYS,
} from '@attestry/contracts'
import { type Entitlement, entitled, EVALUATION, evolve } from './entitlement.ts'

/* What a licence check comes to: facts, from what the chain says and what was heard. Pure. */

/** What operators chose. */
export interface Preferences {
  readonly fleetVisibility: boolean
  readonly updateNotice: boolean
  readonly graceDays: number
}

/** Everything that the licence's stream says. */
export interface Standing {
  readonly entitlement: Entitlement | null
  readonly preferences: Preferences
}

export const NOTHING_YET: Standing = {
  entitlement: null,
  preferences: { fleetVisibility: true, updateNotice: true, graceDays: MAX_GRACE_DAYS },
}

/** The standing after one more event. */
export function advance(standing: Standing, event: EventOf): Standing {
  const { preferences } = standing
  switch (event.type) {
    case 'licensing.fleet-visibility-switched':
      return { ...standing, preferences: { ...preferences, fleetVisibility: event.data.on } }
    case 'licensing.update-notice-switched':
      return { ...standing, preferences: { ...preferences, updateNotice: event.data.on } }
    case 'licensing.grace-chosen':
      return { ...standing, preferences: { ...preferences, graceDays: event.data.days } }
    default:
      return { ...standing, entitlement: evolve(standing.entitlement, event) }
  }
}

/** An answer holds at least until the next check may be late, even where no grace was chosen. */
const LEAST_HOURS = 2
/** So long without an answer is a missed check or two, and no news. */
const QUIET_MINUTES = 150
/** How far a machine's clock may be off before it is said to be set back. */
export const CLOCK_SLACK_MINUTES = 60

const at = (text: string) => Temporal.Instant.from(text)
const earlier = (a: Temporal.Instant, b: Temporal.Instant) => (Temporal.Instant.compare(a, b) <= 0 ? a : b)
const iso = (instant: Temporal.Instant) => instant.toString({ smallestUnit: 'millisecond' })
const later = (a: Temporal.Instant, b: Temporal.Instant) => Temporal.Instant.compare(a, b) > 0

/** Until when an answer may be relied on: the earlier of what the operator chose and what the vendor signed. */
export const relyUntil = (answer: { iat: string; exp: string }, graceDays: number): Temporal.Instant =>
  earlier(at(answer.iat).add({ hours: Math.max(LEAST_HOURS, graceDays * 24) }), at(answer.exp))

const REASONS: Readonly<Record<Exclude<LicenseVerdict, 'VALID'>, LicenseRefusal>> = {
  EXPIRED: 'expired',
  SUSPENDED: 'suspended',
  INVALID: 'invalid',
  TOO_MANY_INSTALLS: 'too-many-installs',
}

const ended = (e: Entitlement, because: 'answered' | 'ran-out'): Fact[] =>
  e.graceUntil === null ? [] : [fact('licensing.grace-ended', { because })]

const refusal = (e: Entitlement, reason: LicenseRefusal): Fact[] =>
  e.refused === reason ? [] : [fact('licensing.refused', { reason })]

type Terms = Omit<Entitlement, 'refused' | 'graceUntil'>

const LIMITS = ['vaults', 'subscriptions', 'users', 'manualRotations'] as const satisfies readonly LimitName[]

const sameTerms = (a: Terms, b: Terms): boolean =>
  a.tier === b.tier &&
  a.source === b.source &&
  a.expiresAt === b.expiresAt &&
  a.features.length === b.features.length &&
  a.features.every((f) => b.features.includes(f)) &&
  LIMITS.every((limit) => a.limits[limit] === b.limits[limit])

/**
 * Whether the end that the chain tells is old enough to be told anew: once a day with a week of grace, so that
 * checks that change nothing are no events, and a chain that nobody adds to ends by itself.
 */
const isStale = (told: string | null, next: string | null, now: Temporal.Instant): boolean => {
  if (told === null || next === null) return told !== next
  const gained = at(told).until(at(next)).total('hours')
  const span = now.until(at(next)).total('hours')
  return gained < -1 || gained >= Math.max(1, span / MAX_GRACE_DAYS)
}

/** What a fresh answer comes to: its signature, nonce and time were checked before. */
export function decideAnswer(
  { entitlement, preferences }: Standing,
  answer: AnswerPayload,
  now: Temporal.Instant,
): readonly Fact[] {
  const e = entitlement ?? EVALUATION
  if (answer.verdict !== 'VALID' || answer.tier === null || answer.limits === null)
    return [
      ...ended(e, 'answered'),
      ...refusal(e, REASONS[answer.verdict === 'VALID' ? 'INVALID' : answer.verdict]),
    ]
  const terms: Terms = {
    tier: answer.tier,
    features: answer.features,
    limits: answer.limits,
    source: 'key',
    expiresAt: answer.expiresAt,
    relyUntil: iso(relyUntil(answer, preferences.graceDays)),
  }
  const news = e.refused !== null || !sameTerms(e, terms) || isStale(e.relyUntil, terms.relyUntil, now)
  return [...ended(e, 'answered'), ...(news ? [entitled(terms)] : [])]
}

/**
 * What it comes to that no answer came. `last` is the last signed answer, verified again; null where there never was
 * one or it was altered.
 */
export function decideSilence(
  { entitlement, preferences }: Standing,
  last: AnswerPayload | null,
  now: Temporal.Instant,
): readonly Fact[] {
  const e = entitlement ?? EVALUATION
  // An evaluation never had an answer to lose, and what is refused stays so until somebody answers.
  if (e.source !== 'key' || e.refused !== null) return []
  const until = last ? relyUntil(last, preferences.graceDays) : at(e.relyUntil ?? iso(now))
  if (!later(until, now)) return [...ended(e, 'ran-out'), ...refusal(e, 'unreachable')]
  if (e.graceUntil !== null || !last || at(last.iat).until(now).total('minutes') < QUIET_MINUTES) return []
  const { refused: _refused, graceUntil: _graceUntil, ...terms } = e
  return [
    entitled({ ...terms, relyUntil: iso(until) }),
    fact('licensing.grace-entered', { until: iso(until) }),
  ]
}

/** What it comes to that something was tampered with. */
export const decideTampered = (
  { entitlement }: Standing,
  reason: 'answer-altered' | 'clock-set-back',
): readonly Fact[] => {
  const e = entitlement ?? EVALUATION
  return e.source === 'none' ? [] : refusal(e, reason)
}

/** What a licence file comes to that was verified and is this install's. */
export function decideFile({ entitlement }: Standing, file: FilePayload): readonly Fact[] {
  const e = entitlement ?? EVALUATION
  const terms: Terms = {
    tier: file.tier,
    features: file.features,
    limits: file.limits,
    source: 'file',
    expiresAt: file.expiresAt,
    relyUntil: null,
  }
  return e.refused !== null || !sameTerms(e, terms) ? [...ended(e, 'answered'), entitled(terms)] : []
}

/** What the removal of key and file comes to: an evaluation again. */
export function decideNone({ entitlement }: Standing): readonly Fact[] {
  const e = entitlement ?? EVALUATION
  return e.source === 'none' && e.refused === null ? [] : [...ended(e, 'answered'), entitled(EVALUATION)]
}

/** Why an answer that carries a good signature is none to the question that was asked; null where it is. */
export function whyNotThis(
  answer: AnswerPayload,
  asked: { readonly nonce: string; readonly lastIat: string | null },
  now: Temporal.Instant,
): 'other-nonce' | 'older-than-before' | 'clock-set-back' | null {
  if (answer.nonce !== asked.nonce) return 'other-nonce'
  if (asked.lastIat !== null && later(at(asked.lastIat), at(answer.iat))) return 'older-than-before'
  return now.until(at(answer.iat)).total('minutes') > CLOCK_SLACK_MINUTES ? 'clock-set-back' : null
}

/** Whether this machine's clock shows an earlier time than it has shown before. */
export const isSetBack = (seenAt: string | null, now: Temporal.Instant): boolean =>
  seenAt !== null && now.until(at(seenAt)).total('minutes') > CLOCK_SLACK_MINUTES
