import type { Actor, Cause, Fact, RotationMode } from '@attestry/contracts'
import { Denied, isRefused, messageOf, type Refused, refuse, Transient } from '@attestry/kit'
import { type DriveParts, readRotation, workFor } from './drive.ts'
import { type ForPlan, readForPlans } from './known-for-plans.ts'
import { makePlan } from './plan.ts'
import { isOver, type Rotation } from './state.ts'

export type PlanRefusal =
  | 'no-such-policy'
  | 'policy-disabled'
  | 'credential-gone'
  | 'already-running'
  | 'targets-missing'
  | 'cannot-look'
  | 'too-many-credentials'
  | 'slot-unknown'

export interface PlanWish {
  readonly policy: string
  readonly mode: RotationMode
  readonly trigger: 'operator' | 'schedule'
  /** Given, so that a repeated wish makes no second plan. */
  readonly rotation: string
  readonly by: Actor
  readonly cause: Cause
}

/** A look at the far side takes no longer than this. */
const LOOK_MS = 30_000

/**
 * Looks at what is there and answers the facts of a plan. Nothing is changed anywhere, and nothing recorded.
 * @param known null where no policy of this id is known
 */
export async function lookForPlan(
  parts: DriveParts,
  tenant: string,
  wish: PlanWish,
  known: ForPlan | null,
  signal: AbortSignal,
): Promise<Fact[] | Refused<PlanRefusal>> {
  const { host } = parts
  if (!known) return refuse('no-such-policy', 'No policy of this id is known.')
  const { policy, dependents, keyId } = known
  if (!policy.enabled) return refuse('policy-disabled', 'The policy is disabled.')
  // The rows may be a moment behind the record.
  const running = known.running && (await readRotation(host, tenant, known.running)).state
  if (running && !isOver(running))
    return refuse('already-running', 'A rotation of this policy runs or waits for approval already.')
  const { subject } = policy
  const issuer = parts.issuers[subject.kind]
  if (!issuer) return refuse('cannot-look', `Nothing here can look at a ${subject.kind}.`)
  const work = workFor(parts, AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]))
  const targets = known.targets.map((t) => ({ ...t, previous: null }))
  try {
    const seen = await issuer.look(subject, targets, work)
    return makePlan({
      rotation: wish.rotation,
      policy,
      mode: wish.mode,
      trigger: wish.trigger,
      targets: targets.map((t, n) => ({
        ...t,
        previous: seen.targets.find((s) => s.target === n)?.version ?? null,
      })),
      seen,
      dependents,
      issuer,
      keyId,
      now: host.clock.now(),
      salt: host.ids.uuid(),
    })
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof Denied && error.code === 'NotFound')
      return refuse('credential-gone', 'What the policy rotates is not there any more.')
    if (error instanceof Denied || error instanceof Transient) return refuse('cannot-look', messageOf(error))
    throw error
  }
}

/** Looks at what is there and records a plan. Nothing is changed anywhere. */
export async function planRotation(
  parts: DriveParts,
  tenant: string,
  wish: PlanWish,
  signal: AbortSignal,
): Promise<Rotation | Refused<PlanRefusal>> {
  const { host } = parts
  const opaque = await host.opaque(tenant)
  const known = await host.tx(tenant, (tx) => readForPlans(tx, [wish.policy], opaque))
  const facts = await lookForPlan(parts, tenant, wish, known.get(wish.policy) ?? null, signal)
  if (isRefused(facts)) return facts
  const { rotation: stream, by, cause } = wish
  await host.append(tenant, { stream, expected: 0, facts, by, cause })
  const { state } = await readRotation(host, tenant, stream)
  if (!state) throw new Error('the plan is not in its stream')
  return state
}
