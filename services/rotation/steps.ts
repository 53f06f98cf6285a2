import { type Fact, fact, type PreflightCheck, type RotationTarget } from '@attestry/contracts'
import { Denied, iso, messageOf, Transient } from '@attestry/kit'
import type { Calendar } from './calendar.ts'
import type { Goal, Switchers } from './dependents/dependent.ts'
import type { Found, Issued, Issuer, Order, Pending, Work } from './issuers/issuer.ts'
import { calendarFor, PATIENCE, RETIREMENT, type Step } from './next.ts'
import { drift, heldBack, heldByRecord } from './proof.ts'
import { allStored, isVaultItem, type Rotation } from './state.ts'

/*
 * One step of a rotation, with its effect. Every mutation is between two records: the intent before it, which must find
 * the stream as the decision saw it, and the outcome after it, which is recorded whatever else happened meanwhile.
 */

export interface StepParts {
  readonly issuer: Issuer
  readonly switchers: Switchers
  readonly work: Work
  readonly calendar: Calendar
  /** The last of several tries: what would be tried again counts as refused. */
  readonly lastTry: boolean
  /** Appends. `here`: only if nobody appended since the state was read, else throws Transient; `anyway`: a fact is a fact. */
  record(facts: readonly Fact[], when: 'here' | 'anyway'): Promise<void>
  /** Takes the principal's lease; the instant from which it may be tried again where another rotation has it. */
  lease(): Promise<Temporal.Instant | null>
  /** The assets of a target's secret and of the new credential, as discovery will name them. */
  secretAsset(target: RotationTarget): string
  credentialAsset(keyId: string): string
}

/** When to look again; null: go on at once with what is next. */
type Again = Temporal.Instant | null

/** The order that an issuer works on. */
export const orderOf = (state: Rotation, attempt = Math.max(1, state.attempt)): Order => ({
  ...state.plan,
  attempt,
})

/** Does one step. Throws Transient to be tried again, or anything else that is a bug. */
export async function perform(step: Step, state: Rotation, parts: StepParts): Promise<Again> {
  try {
    return await work(step, state, parts)
  } catch (error) {
    if (error instanceof Transient && !parts.lastTry) throw error
    if (!(error instanceof Denied || error instanceof Transient)) throw error
    await parts.record(failed(step, state, error, parts.work.now()), 'anyway')
    return null
  }
}

function work(step: Step, state: Rotation, parts: StepParts): Promise<Again> {
  switch (step.do) {
    case 'miss-window':
      return missWindow(state, parts)
    case 'preflight':
      return preflight(state, parts)
    case 'issue':
      return issue(state, parts)
    case 'recover':
      return recover(state, parts)
    case 'follow':
      return follow(state, parts)
    case 'publish':
      return publish(state, parts)
    case 'verify':
      return verify(state, parts)
    case 'switch':
      return switchOver(state, step.dependent, parts)
    case 'confirm':
      return confirm(state, step.dependent, parts)
    case 'enter-grace':
      return enterGrace(state, parts)
    case 'disable':
      return disable(state, step.keyId, parts)
    case 'retire':
      return retire(state, step.keyId, parts)
    case 'restore':
      return restore(state, parts)
    case 'return':
      return giveBack(state, step.dependent, parts)
    case 'discard':
      return discard(state, parts)
    case 'end-rollback':
      return endRollback(state, parts)
    case 'complete':
      return complete(state, parts)
  }
}

const STEP_OF = {
  'miss-window': 'preflight',
  preflight: 'preflight',
  issue: 'issuing',
  recover: 'issuing',
  follow: 'issuing',
  publish: 'storing',
  verify: 'verifying',
  switch: 'cutover',
  confirm: 'cutover',
  'enter-grace': 'grace',
  disable: 'retiring',
  retire: 'retiring',
  restore: 'rolling-back',
  return: 'rolling-back',
  discard: 'rolling-back',
  'end-rollback': 'rolling-back',
  complete: 'retiring',
} as const satisfies Record<Step['do'], string>

/** What is recorded when a step is refused, or was tried often enough. */
function failed(step: Step, state: Rotation, error: Error, now: Temporal.Instant): Fact[] {
  const { rotation, plan } = state
  const reason = messageOf(error).slice(0, 500)
  const person = fact('rotation.needs-operator', {
    rotation,
    policy: plan.policy,
    step: STEP_OF[step.do],
    reason,
  })
  switch (step.do) {
    case 'preflight':
      return [
        fact('rotation.blocked', {
          rotation,
          policy: plan.policy,
          checks: [{ check: 'permission', state: 'failed', says: reason }],
        }),
      ]
    case 'issue':
    case 'follow':
    case 'publish':
    case 'verify':
      // A vault's own item cannot be taken back once it exists; everything else can, before anybody was switched.
      if (isVaultItem(plan.subject.kind) && state.issued) return [person]
      return [fact('rotation.rollback-intended', { rotation, step: STEP_OF[step.do], again: false, reason })]
    case 'switch':
      return [fact('rotation.dependent-failed', { rotation, dependent: step.dependent, reason }), person]
    case 'disable':
    case 'retire': {
      const attempt = (state.retireFailure?.attempt ?? 0) + 1
      const retryAt = iso(now.add({ milliseconds: Math.min(24, 2 ** (attempt - 1)) * 3_600_000 }))
      const { policy } = plan
      return [
        fact('rotation.retire-failed', { rotation, policy, keyId: step.keyId, attempt, retryAt, reason }),
      ]
    }
    case 'return':
      return [
        fact('rotation.dependent-returned', {
          rotation,
          dependent: step.dependent,
          cacheMs: plan.graceMs,
          byHand: true,
          reason,
        }),
      ]
    default:
      return [person]
  }
}

async function missWindow(state: Rotation, { calendar, work, record }: StepParts): Promise<Again> {
  const { rotation, plan } = state
  const opening = calendarFor(state, calendar).next(work.now())
  const expiresFirst =
    plan.currentEndsAt !== null &&
    (!opening || Temporal.Instant.compare(plan.currentEndsAt, opening.opensAt) < 0)
  const missed = fact('rotation.window-missed', {
    rotation,
    policy: plan.policy,
    nextOpensAt: opening && iso(opening.opensAt),
    expiresFirst,
  })
  if (!opening) {
    const reason = 'No window opens any more.'
    await record([missed, fact('rotation.expired', { rotation, reason })], 'here')
    return null
  }
  await record([missed, scheduledFact(rotation, opening)], 'here')
  return null
}

/** The fact that a rotation will begin with an opening. */
export const scheduledFact = (
  rotation: string,
  { opensAt, closesAt }: { opensAt: Temporal.Instant; closesAt: Temporal.Instant | null },
) => fact('rotation.scheduled', { rotation, opensAt: iso(opensAt), closesAt: closesAt && iso(closesAt) })

async function preflight(state: Rotation, parts: StepParts): Promise<Again> {
  const { issuer, work, record, switchers } = parts
  const { rotation, plan } = state
  const retryAt = await parts.lease()
  if (retryAt) return retryAt
  const order = orderOf(state)
  const seen = await issuer.look(plan.subject, plan.targets, work)
  const differences = drift(plan, seen)
  if (differences.length > 0) {
    const reason = differences.join(' ').slice(0, 500)
    await record(
      [
        fact('rotation.approval-voided', { rotation, reason }),
        fact('rotation.blocked', {
          rotation,
          policy: plan.policy,
          checks: [{ check: 'drift', state: 'failed', says: reason }],
        }),
      ],
      'anyway',
    )
    return null
  }
  const checks: PreflightCheck[] = [
    { check: 'drift', state: 'passed', says: 'What is there is what the plan was made of.' },
    { check: 'lease', state: 'passed', says: 'No other rotation works on this principal.' },
    ...(await issuer.preflight(order, work)),
  ]
  for (const { plan: dependent } of state.dependents.values()) {
    const why = await switchers[dependent.kind]?.possible(order, dependent, work)
    if (why)
      checks.push({
        check: 'permission',
        state: 'failed',
        says: `${dependent.name} cannot be switched: ${why}`.slice(0, 500),
      })
  }
  await record(
    checks.some((c) => c.state === 'failed')
      ? [fact('rotation.blocked', { rotation, policy: plan.policy, checks: checks.slice(0, 60) })]
      : [fact('rotation.preflight-passed', { rotation, checks: checks.slice(0, 60) })],
    'here',
  )
  return null
}

async function issue(state: Rotation, parts: StepParts): Promise<Again> {
  const { rotation, plan } = state
  const attempt = state.attempt + 1
  if (attempt > PATIENCE.attempts)
    throw new Denied('TooManyAttempts', `It was tried ${PATIENCE.attempts} times and cut off each time.`)
  const { slot, endsAt } = plan
  await parts.record([fact('rotation.issue-intended', { rotation, attempt, slot, endsAt })], 'here')
  const order = orderOf(state, attempt)
  return recordIssued(state, await parts.issuer.issue(order, parts.work), parts)
}

/** What an issuer answered, as facts. */
export async function recordIssued(
  state: Rotation,
  answer: Issued | Pending,
  parts: StepParts,
  recovered = false,
): Promise<Again> {
  const { rotation, plan } = state
  if (answer.state === 'pending') {
    const { awaits, request } = answer
    if (state.pending?.awaits !== awaits || state.open)
      await parts.record([fact('rotation.issue-pending', { rotation, awaits, request })], 'anyway')
    return parts.work.now().add({ milliseconds: answer.afterMs })
  }
  const { keyId, endsAt, mac, stored } = answer
  const staging = plan.prestageMs !== null && state.staged.size === 0 && state.open !== 'publish'
  const facts: Fact[] = state.issued
    ? []
    : [fact('rotation.credential-issued', { rotation, keyId, endsAt, mac, recovered })]
  for (const { target, version, mac: at } of stored) {
    const place = plan.targets[target]
    if (!place) throw new Error(`the issuer stored in target ${target}, which the plan does not have`)
    const where = { rotation, target, vault: place.vault, version, keyId }
    facts.push(
      staging
        ? fact('rotation.credential-staged', where)
        : fact('rotation.credential-stored', { ...where, secret: parts.secretAsset(place), mac: at }),
    )
  }
  await parts.record(facts, 'anyway')
  return null
}

/** Whether what was found is a whole outcome: one credential, and every target has its version. */
function whole(state: Rotation, found: Found): Issued | null {
  const [credential, another] = found.credentials
  if (!credential || another) return null
  const stored = state.plan.targets.map((_, target) => {
    const version = found.versions.find(
      (v) => v.target === target && v.served && v.enabled && v.keyId === credential.keyId,
    )
    return version && { target, version: version.version, mac: version.mac }
  })
  if (!stored.every((s) => s !== undefined)) return null
  return { state: 'issued', ...credential, mac: stored[0]?.mac ?? null, stored }
}

async function recover(state: Rotation, parts: StepParts): Promise<Again> {
  const { issuer, work, record } = parts
  const order = orderOf(state)
  // Publishing copies what is staged, so it can simply be done again.
  if (state.open === 'publish') return publishNow(state, parts)
  const found = await issuer.probe(order, work)
  if (found.pending) return recordIssued(state, found.pending, parts)
  const outcome = whole(state, found)
  if (outcome) return recordIssued(state, outcome, parts, true)
  if (found.credentials.length === 0 && found.versions.every((v) => !v.enabled)) {
    // Nothing was begun: the intent stands, and is carried out now.
    if (state.paused) return work.now().add({ milliseconds: PATIENCE.lookAgainMs })
    return recordIssued(state, await issuer.issue(order, work), parts)
  }
  await record(
    [
      fact('rotation.rollback-intended', {
        rotation: state.rotation,
        step: 'issuing',
        again: state.attempt < PATIENCE.attempts,
        reason: 'The work was cut off before every vault had the new value, and the value is lost.',
      }),
    ],
    'anyway',
  )
  return null
}

async function follow(state: Rotation, parts: StepParts): Promise<Again> {
  const { issuer, work } = parts
  if (!issuer.follow) throw new Error(`${issuer.kind} has nothing to follow`)
  return recordIssued(state, await issuer.follow(orderOf(state), null, work), parts)
}

async function publish(state: Rotation, parts: StepParts): Promise<Again> {
  await parts.record([fact('rotation.publish-intended', { rotation: state.rotation })], 'here')
  return publishNow({ ...state, open: 'publish' }, parts)
}

async function publishNow(state: Rotation, parts: StepParts): Promise<Again> {
  const { issuer, work } = parts
  if (!issuer.publish || !state.issued) throw new Error(`${issuer.kind} has nothing to publish`)
  return recordIssued(state, await issuer.publish(orderOf(state), state.issued.keyId, work), parts)
}

const issuedOf = (state: Rotation): Issued => {
  if (!state.issued) throw new Error('nothing was issued yet')
  return {
    state: 'issued',
    ...state.issued,
    stored: [...state.stored].map(([target, { version, mac }]) => ({ target, version, mac })),
  }
}

async function verify(state: Rotation, { issuer, work, record }: StepParts): Promise<Again> {
  const issued = issuedOf(state)
  const { successes, overMs } = await issuer.verify(orderOf(state), issued, work)
  await record(
    [
      fact('rotation.credential-verified', {
        rotation: state.rotation,
        keyId: issued.keyId,
        successes,
        overMs: Math.round(overMs),
      }),
    ],
    'anyway',
  )
  return null
}

const goalOf = (state: Rotation): Goal => ({
  keyId: issuedOf(state).keyId,
  versions: [...state.stored].map(([target, { version, at }]) => ({ target, version, storedAt: at })),
})

/** A dependent of the plan, and who switches its kind. */
function switcherOf(state: Rotation, id: string, { switchers }: StepParts) {
  const progress = state.dependents.get(id)
  const switcher = progress && switchers[progress.plan.kind]
  if (!switcher) throw new Denied('NoSwitcher', 'Nothing here can switch this kind of dependent.')
  return { progress, switcher }
}

async function switchOver(state: Rotation, id: string, parts: StepParts): Promise<Again> {
  const { rotation } = state
  const { progress, switcher } = switcherOf(state, id, parts)
  if (progress.state !== 'switching')
    await parts.record([fact('rotation.switch-intended', { rotation, dependent: id })], 'here')
  const { cacheMs, says } = await switcher.switch(orderOf(state), progress.plan, goalOf(state), parts.work)
  await parts.record(
    [fact('rotation.dependent-switched', { rotation, dependent: id, cacheMs, says: says.slice(0, 500) })],
    'anyway',
  )
  return null
}

async function confirm(state: Rotation, id: string, parts: StepParts): Promise<Again> {
  const { rotation, plan } = state
  const { work, record } = parts
  const { progress, switcher } = switcherOf(state, id, parts)
  const answer = await switcher.confirm(orderOf(state), progress.plan, goalOf(state), work)
  const person = (reason: string) =>
    fact('rotation.needs-operator', { rotation, policy: plan.policy, step: 'cutover', reason })
  if (answer.state === 'confirmed') {
    await record(
      [fact('rotation.dependent-confirmed', { rotation, dependent: id, by: 'read-back' })],
      'anyway',
    )
    return null
  }
  const reason = answer.why.slice(0, 500)
  if (answer.state === 'failed') {
    await record(
      [fact('rotation.dependent-failed', { rotation, dependent: id, reason }), person(reason)],
      'anyway',
    )
    return null
  }
  if (progress.state !== 'unconfirmed' || progress.note !== reason)
    await record([fact('rotation.dependent-unconfirmed', { rotation, dependent: id, reason })], 'anyway')
  const now = work.now()
  const patience = Temporal.Instant.from(progress.since).add({ milliseconds: PATIENCE.confirmWithinMs })
  const late = [patience, progress.cachedUntil].every(
    (t) => t === null || Temporal.Instant.compare(now, t) > 0,
  )
  if (late) {
    await record(
      [person(`${progress.plan.name} does not show the new value: ${reason}`.slice(0, 500))],
      'here',
    )
    return null
  }
  return now.add({ milliseconds: PATIENCE.lookAgainMs })
}

async function enterGrace(state: Rotation, { work, record }: StepParts): Promise<Again> {
  const slowest = [...state.dependents.values()].reduce((latest, d) => {
    const until = d.cachedUntil === null ? 0 : Temporal.Instant.from(d.cachedUntil).epochMilliseconds
    return Math.max(latest, until)
  }, 0)
  const policy = work.now().epochMilliseconds + state.plan.graceMs
  // After a compromise nobody waits for a cache.
  const until = state.plan.mode === 'compromise' ? policy : Math.max(policy, slowest)
  await record(
    [
      fact('rotation.grace-entered', {
        rotation: state.rotation,
        until: iso(Temporal.Instant.fromEpochMilliseconds(until)),
      }),
    ],
    'anyway',
  )
  return null
}

/** Looks whether a credential may go now. Records the answer when it changed; true: it may. */
async function mayGo(state: Rotation, keyId: string, parts: StepParts) {
  const { issuer, work, calendar, record } = parts
  const order = orderOf(state)
  const open = calendarFor(state, calendar).open(work.now())
  const early = heldByRecord(state, keyId, work.now(), open)
  const seen = early ? null : await issuer.look(state.plan.subject, state.plan.targets, work)
  const use = early ? null : ((await issuer.lastUse?.(order, keyId, work)) ?? null)
  // Judged by the instant after the look: what was seen is never older than what is decided.
  const held = early ?? (seen && heldBack(state, keyId, seen, use, work.now(), open))
  const checked = {
    rotation: state.rotation,
    keyId,
    may: held === null,
    held,
    lastUsedAt: use?.lastUsedAt ?? null,
    observedUntil: use?.observedUntil ?? null,
  }
  const before = state.lastCheck
  if (before?.keyId !== keyId || before.held !== held)
    await record([fact('rotation.retire-checked', checked)], 'anyway')
  if (held === 'vault-serves-another' || held === 'last-working' || held === 'not-in-snapshot')
    await record(
      [
        fact('rotation.needs-operator', {
          rotation: state.rotation,
          policy: state.plan.policy,
          step: 'retiring',
          reason: WHY_PERSON[held],
        }),
      ],
      'anyway',
    )
  return { held, live: seen?.live ?? [] }
}

const WHY_PERSON = {
  'vault-serves-another':
    'A vault serves another version than the one that was stored: somebody changed it by hand.',
  'last-working': 'The new credential is not live any more, so the old one may be the last that works.',
  'not-in-snapshot': 'The credential to be retired is not in the snapshot that the plan was made of.',
} as const

/** When to look again at what is held back by the world. */
const lookAgain = (now: Temporal.Instant): Temporal.Instant =>
  now.add({ milliseconds: PATIENCE.proofEveryMs })

async function disable(state: Rotation, keyId: string, parts: StepParts): Promise<Again> {
  const { rotation, plan } = state
  const { held } = await mayGo(state, keyId, parts)
  if (held) return lookAgain(parts.work.now())
  await parts.record([fact('rotation.disable-intended', { rotation, keyId })], 'here')
  const versions = await parts.issuer.disable(orderOf(state), keyId, parts.work)
  const facts: Fact[] = [fact('rotation.version-disabled', { rotation, keyId, versions })]
  if (RETIREMENT[plan.subject.kind] === 'disable')
    facts.push(fact('rotation.credential-retired', { rotation, keyId }))
  await parts.record(facts, 'anyway')
  return null
}

async function retire(state: Rotation, keyId: string, parts: StepParts): Promise<Again> {
  const { rotation } = state
  const { held, live } = await mayGo(state, keyId, parts)
  if (held) return lookAgain(parts.work.now())
  await parts.record(
    [fact('rotation.retire-intended', { rotation, keyId, live: live.slice(0, 200) })],
    'here',
  )
  await parts.issuer.retire(orderOf(state), keyId, parts.work)
  await parts.record([fact('rotation.credential-retired', { rotation, keyId })], 'anyway')
  return null
}

async function restore(state: Rotation, { issuer, work, record }: StepParts): Promise<Again> {
  const order = orderOf(state)
  for (const keyId of state.disabled.keys()) await issuer.enable(order, keyId, work)
  const restored = await issuer.restore(order, work)
  // Whom a vault served the new value may hold it for as long as the slowest cache; nobody was served: nobody holds it.
  const settledAt = work.now().add({ milliseconds: restored > 0 ? state.plan.graceMs : 0 })
  await record(
    [fact('rotation.values-restored', { rotation: state.rotation, restored, settledAt: iso(settledAt) })],
    'anyway',
  )
  return null
}

async function giveBack(state: Rotation, id: string, parts: StepParts): Promise<Again> {
  const { progress, switcher } = switcherOf(state, id, parts)
  await switcher.back(orderOf(state), progress.plan, parts.work)
  await parts.record(
    [
      fact('rotation.dependent-returned', {
        rotation: state.rotation,
        dependent: id,
        cacheMs: state.plan.graceMs,
        byHand: false,
        reason: 'It was told to use what the vault serves again.',
      }),
    ],
    'anyway',
  )
  return null
}

async function discard(state: Rotation, { issuer, work, record }: StepParts): Promise<Again> {
  const removed = await issuer.discard(orderOf(state), work)
  await record(
    [fact('rotation.orphans-discarded', { rotation: state.rotation, removed: removed.slice(0, 20) })],
    'anyway',
  )
  return null
}

async function endRollback(state: Rotation, { record }: StepParts): Promise<Again> {
  const { rotation, plan, rollback } = state
  const { policy, credential } = plan
  const step = rollback?.step ?? 'issuing'
  const reason = rollback?.reason ?? ''
  await record(
    [
      fact('rotation.rolled-back', { rotation, policy, credential, step, reason }),
      // Stands in the clear for every reader of the chain, so it quotes nothing; the fact above says why.
      fact('rotation.failed', {
        rotation,
        policy,
        credential,
        step,
        reason: 'What was changed was taken back.',
      }),
    ],
    'here',
  )
  return null
}

async function complete(state: Rotation, { record, credentialAsset }: StepParts): Promise<Again> {
  if (!allStored(state))
    throw new Error('a rotation cannot be complete with a vault that lacks the new value')
  const { rotation, plan, dependents, issued } = state
  await record(
    [
      fact('rotation.completed', {
        rotation,
        policy: plan.policy,
        credential: plan.credential,
        dependentsConfirmed: [...dependents.values()].filter((d) => d.state === 'confirmed').length,
        dependents: dependents.size,
        ...(issued && !isVaultItem(plan.subject.kind) ? { replacedBy: credentialAsset(issued.keyId) } : {}),
      }),
    ],
    'here',
  )
  return null
}
