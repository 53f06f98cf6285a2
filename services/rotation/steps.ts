import { type Fact, fact } from '@attestry/contracts'
import { Denied, iso, messageOf, Transient } from '@attestry/kit'
import type { Step } from './next.ts'
import { isVaultItem, type Rotation } from './state.ts'
import { missWindow, preflight } from './steps/begin.ts'
import { confirm, enterGrace, switchOver } from './steps/cutover.ts'
import { follow, issue, publish, recover, verify } from './steps/issue.ts'
import { type Again, Moved, type StepParts } from './steps/parts.ts'
import { complete, disable, retire } from './steps/retire.ts'
import { discard, endRollback, giveBack, restore } from './steps/roll-back.ts'

/*
 * One step of a rotation, with its effect. Every mutation is between two records: the intent before it, which must find
 * the stream as the decision saw it, and the outcome after it, which is recorded whatever else happened meanwhile.
 */

/** Does one step. Throws Transient to be tried again, or anything else that is a bug. */
export async function perform(step: Step, state: Rotation, parts: StepParts): Promise<Again> {
  try {
    return await work(step, state, parts)
  } catch (error) {
    if (error instanceof Moved || (error instanceof Transient && !parts.lastTry)) throw error
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
