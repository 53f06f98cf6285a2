import { fact } from '@attestry/contracts'
import { iso } from '@attestry/kit'
import type { Rotation } from '../state.ts'
import { switcherOf } from './cutover.ts'
import { type Again, orderOf, type StepParts } from './parts.ts'

/* Everything is taken back: vaults first, then dependents, then the new credential. */

export async function restore(state: Rotation, { issuer, work, record }: StepParts): Promise<Again> {
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

export async function giveBack(state: Rotation, id: string, parts: StepParts): Promise<Again> {
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

export async function discard(state: Rotation, { issuer, work, record }: StepParts): Promise<Again> {
  const removed = await issuer.discard(orderOf(state), work)
  await record(
    [fact('rotation.orphans-discarded', { rotation: state.rotation, removed: removed.slice(0, 20) })],
    'anyway',
  )
  return null
}

export async function endRollback(state: Rotation, { record }: StepParts): Promise<Again> {
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
