import { fact } from '@attestry/contracts'
import { Denied, iso } from '@attestry/kit'
import type { Goal } from '../dependents/dependent.ts'
import { PATIENCE } from '../next.ts'
import type { Rotation } from '../state.ts'
import { type Again, issuedOf, orderOf, type StepParts } from './parts.ts'

/* Dependents are brought to the new value, one after the other, and both credentials live for a while. */

const goalOf = (state: Rotation): Goal => ({
  keyId: issuedOf(state).keyId,
  versions: [...state.stored].map(([target, { version, at }]) => ({ target, version, storedAt: at })),
})

/** A dependent of the plan, and who switches its kind. */
export function switcherOf(state: Rotation, id: string, { switchers }: StepParts) {
  const progress = state.dependents.get(id)
  const switcher = progress && switchers[progress.plan.kind]
  if (!switcher) throw new Denied('NoSwitcher', 'Nothing here can switch this kind of dependent.')
  return { progress, switcher }
}

export async function switchOver(state: Rotation, id: string, parts: StepParts): Promise<Again> {
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

export async function confirm(state: Rotation, id: string, parts: StepParts): Promise<Again> {
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

export async function enterGrace(state: Rotation, { work, record }: StepParts): Promise<Again> {
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
