import type { CredentialKind } from '@attestry/contracts'
import { type Calendar, ALWAYS } from './calendar.ts'
import { inOrder } from './dependents/dependent.ts'
import type { Retirement } from './issuers/issuer.ts'
import { dependentsSettled } from './proof.ts'
import { allStored, type DependentState, isOver, type Rotation } from './state.ts'

/** One piece of work. Each but the last few changes something, and each may be done again. */
export type Step =
  | { readonly do: 'miss-window' }
  | { readonly do: 'preflight' }
  | { readonly do: 'issue' }
  /** An intent to issue stands without its outcome: look what it left. */
  | { readonly do: 'recover' }
  | { readonly do: 'follow' }
  | { readonly do: 'publish' }
  | { readonly do: 'verify' }
  | { readonly do: 'switch'; readonly dependent: string }
  | { readonly do: 'confirm'; readonly dependent: string }
  | { readonly do: 'enter-grace' }
  | { readonly do: 'disable'; readonly keyId: string }
  | { readonly do: 'retire'; readonly keyId: string }
  | { readonly do: 'restore' }
  | { readonly do: 'return'; readonly dependent: string }
  | { readonly do: 'discard' }
  | { readonly do: 'end-rollback' }
  | { readonly do: 'complete' }

export type Waiting =
  | 'request'
  | 'approval'
  | 'window'
  | 'authority'
  | 'merge'
  | 'publication'
  | 'confirmation'
  | 'person'
  | 'grace'
  | 'proof'
  | 'settling'
  | 'retry'
  | 'paused'

export type Next =
  | Step
  /** `until` null: only a person ends it. */
  | { readonly wait: Waiting; readonly until: Temporal.Instant | null }
  | { readonly over: true }

/** Times of the saga that no policy sets. */
export const PATIENCE = {
  /** Between two looks at a dependent that does not show the new value yet. */
  lookAgainMs: 60_000,
  /** Dependents that are not confirmed by then need a person. */
  confirmWithinMs: 60 * 60_000,
  /** Between two looks for proof that an old credential is not used. */
  proofEveryMs: 60 * 60_000,
  /** Between disabling the old version in a vault and removing the credential: time to notice, and to undo at once. */
  disabledForMs: 15 * 60_000,
  /** Attempts to issue before a rotation is given up. */
  attempts: 3,
} as const

/** What retiring means, by kind: the same as each issuer says, so that the core needs none at hand. */
export const RETIREMENT: Readonly<Record<CredentialKind, Retirement>> = {
  'app-secret': 'remove',
  'sp-secret': 'remove',
  key: 'keep',
  certificate: 'disable',
  'storage-key': 'regenerate',
  'servicebus-key': 'regenerate',
}

const at = (text: string): Temporal.Instant => Temporal.Instant.from(text)
const reached = (text: string, now: Temporal.Instant): boolean => Temporal.Instant.compare(now, at(text)) >= 0
const waitUntil = (wait: Waiting, until: Temporal.Instant | null): Next => ({ wait, until })

/** A policy's calendar, unless somebody may hold the credential or the glass was broken. */
export const calendarFor = (state: Rotation, calendar: Calendar): Calendar =>
  state.plan.mode === 'compromise' || state.breakGlass !== null ? ALWAYS : calendar

/** Passes in an open window; waits for the next one otherwise. */
function inWindow(state: Rotation, now: Temporal.Instant, calendar: Calendar, step: Step): Next {
  const cal = calendarFor(state, calendar)
  if (cal.open(now)) return step
  return waitUntil('window', cal.next(now)?.opensAt ?? null)
}

/**
 * What a rotation does now: one step, a wait, or nothing any more. Pure; the same record, instant and calendar give the
 * same answer, so that after a crash the record alone says where to go on.
 */
export function next(state: Rotation, now: Temporal.Instant, calendar: Calendar): Next {
  if (isOver(state)) return { over: true }
  switch (state.stage) {
    case 'planned':
      return waitUntil('request', at(state.plan.expiresAt))
    case 'awaiting-approval':
      return waitUntil('approval', at(state.plan.expiresAt))
    case 'scheduled':
      return scheduled(state, now, calendar)
    default:
  }
  if (state.needsOperator) return waitUntil('person', null)
  // Taking back goes on, and an intent without an outcome is looked into, whoever paused what: not knowing is worse.
  if (state.stage === 'rolling-back') return rollingBack(state, now)
  if (state.open) return { do: 'recover' }
  if (state.paused) return waitUntil('paused', null)
  switch (state.stage) {
    case 'issuing':
      return issuing(state, now, calendar)
    case 'staged':
      return staged(state, now, calendar)
    case 'verifying':
      return { do: 'verify' }
    case 'cutover':
      return cutover(state, now, calendar)
    case 'grace':
    case 'retiring':
      return retiring(state, now, calendar)
    default:
      // Every other stage was answered above; a new one must be decided on here.
      return { over: true }
  }
}

function scheduled(state: Rotation, now: Temporal.Instant, calendar: Calendar): Next {
  if (state.paused) return waitUntil('paused', null)
  if (state.opensAt && !reached(state.opensAt, now)) return waitUntil('window', at(state.opensAt))
  const cal = calendarFor(state, calendar)
  if (cal.open(now)) return { do: 'preflight' }
  return { do: 'miss-window' }
}

function issuing(state: Rotation, now: Temporal.Instant, calendar: Calendar): Next {
  if (!state.pending) return inWindow(state, now, calendar, { do: 'issue' })
  // A person who brings the certificate wakes the rotation; an authority has to be asked.
  return { do: 'follow' }
}

function staged(state: Rotation, now: Temporal.Instant, calendar: Calendar): Next {
  const from = at(state.issued?.at ?? state.plannedAt).add({ milliseconds: state.plan.prestageMs ?? 0 })
  if (Temporal.Instant.compare(now, from) < 0) return waitUntil('publication', from)
  return inWindow(state, now, calendar, { do: 'publish' })
}

function cutover(state: Rotation, now: Temporal.Instant, calendar: Calendar): Next {
  const plans = inOrder([...state.dependents.values()].map((d) => d.plan))
  for (const plan of plans) {
    const { state: is } = state.dependents.get(plan.dependent) ?? { state: 'waiting' }
    if (is === 'confirmed' || is === 'waived') continue
    // A step that only a person can take holds nothing up but the end: who is not switched goes on with the old value.
    if (plan.kind === 'manual') continue
    if (is === 'waiting' || is === 'switching')
      return inWindow(state, now, calendar, { do: 'switch', dependent: plan.dependent })
    if (is === 'switched' || is === 'unconfirmed') return { do: 'confirm', dependent: plan.dependent }
    return waitUntil('person', null)
  }
  return { do: 'enter-grace' }
}

/** Old credentials that are still to go, in the plan's order. */
const toRetire = (state: Rotation): readonly string[] =>
  RETIREMENT[state.plan.subject.kind] === 'keep'
    ? []
    : state.plan.retires.filter((keyId) => !state.retired.has(keyId))

function retiring(state: Rotation, now: Temporal.Instant, calendar: Calendar): Next {
  if (state.graceUntil && !reached(state.graceUntil, now)) return waitUntil('grace', at(state.graceUntil))
  if (!dependentsSettled(state)) return waitUntil('confirmation', null)
  if (!allStored(state)) return waitUntil('person', null)
  const [keyId] = toRetire(state)
  if (keyId === undefined) return { do: 'complete' }
  const { retireFailure } = state
  if (retireFailure && !reached(retireFailure.retryAt, now))
    return waitUntil('retry', at(retireFailure.retryAt))
  const disabledAt = state.disabled.get(keyId)
  if (disabledAt === undefined) return inWindow(state, now, calendar, { do: 'disable', keyId })
  const free = at(disabledAt).add({
    milliseconds: state.plan.mode === 'compromise' ? 0 : PATIENCE.disabledForMs,
  })
  if (Temporal.Instant.compare(now, free) < 0) return waitUntil('settling', free)
  return inWindow(state, now, calendar, { do: 'retire', keyId })
}

/** Dependents that hold the old value, or for which a person took responsibility. */
const UNTOUCHED: readonly DependentState[] = ['waiting', 'waived', 'returned']

function rollingBack(state: Rotation, now: Temporal.Instant): Next {
  const { rollback } = state
  if (!rollback) return waitUntil('person', null)
  if (rollback.discarded) return { do: 'end-rollback' }
  if (rollback.settledAt === null) return { do: 'restore' }
  const all = [...state.dependents.values()]
  const [back] = inOrder(
    all
      .filter((d) => d.plan.kind !== 'manual' && !UNTOUCHED.includes(d.state) && d.state !== 'must-return')
      .map((d) => d.plan),
  )
  if (back) return { do: 'return', dependent: back.dependent }
  // The new credential must not go while somebody may use it whom only a person can bring back: from the cutover on
  // people were asked to switch, and not everybody tells at once.
  const told = ['cutover', 'grace', 'retiring'].includes(rollback.step)
  const open = all.filter(
    (d) =>
      d.state === 'must-return' ||
      (d.plan.kind === 'manual' &&
        (told || d.state === 'confirmed') &&
        !['returned', 'waived'].includes(d.state)),
  )
  if (open.length > 0) return waitUntil('confirmation', null)
  const free = all
    .flatMap((d) => (d.state === 'returned' && d.cachedUntil ? [d.cachedUntil] : []))
    .reduce((latest, one) => (reached(latest, at(one)) ? one : latest), rollback.settledAt)
  if (!reached(free, now)) return waitUntil('settling', at(free))
  return { do: 'discard' }
}
