import { type Fact, fact } from '@attestry/contracts'
import { Denied } from '@attestry/kit'
import type { Found, Issued, Pending } from '../issuers/issuer.ts'
import { PATIENCE } from '../next.ts'
import type { Rotation } from '../state.ts'
import { type Again, issuedOf, orderOf, type StepParts } from './parts.ts'

/* The new credential: made and stored in one effect, recovered after a crash, published, verified. */

export async function issue(state: Rotation, parts: StepParts): Promise<Again> {
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

export async function recover(state: Rotation, parts: StepParts): Promise<Again> {
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

export async function follow(state: Rotation, parts: StepParts): Promise<Again> {
  const { issuer, work } = parts
  if (!issuer.follow) throw new Error(`${issuer.kind} has nothing to follow`)
  return recordIssued(state, await issuer.follow(orderOf(state), null, work), parts)
}

export async function publish(state: Rotation, parts: StepParts): Promise<Again> {
  await parts.record([fact('rotation.publish-intended', { rotation: state.rotation })], 'here')
  return publishNow({ ...state, open: 'publish' }, parts)
}

async function publishNow(state: Rotation, parts: StepParts): Promise<Again> {
  const { issuer, work } = parts
  if (!issuer.publish || !state.issued) throw new Error(`${issuer.kind} has nothing to publish`)
  return recordIssued(state, await issuer.publish(orderOf(state), state.issued.keyId, work), parts)
}

export async function verify(state: Rotation, { issuer, work, record }: StepParts): Promise<Again> {
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
