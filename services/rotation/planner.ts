import type { Actor, Cause, RotationMode } from '@attestry/contracts'
import { Denied, isRefused, messageOf, type Refused, refuse, Transient } from '@attestry/kit'
import { type DriveParts, readRotation, workFor } from './drive.ts'
import { readCredential, readDependents, readPolicy, readTargets } from './known.ts'
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

/** Looks at what is there and records a plan. Nothing is changed anywhere. */
export async function planRotation(
  parts: DriveParts,
  tenant: string,
  wish: PlanWish,
  signal: AbortSignal,
): Promise<Rotation | Refused<PlanRefusal>> {
  const { host } = parts
  const opaque = await host.opaque(tenant)
  const known = await host.tx(tenant, async (tx) => {
    const policy = await readPolicy(tx, wish.policy)
    if (!policy) return null
    const targets = await readTargets(tx, policy)
    const [running] = await tx.rows<{ rotation: string }>(
      `select rotation from runs where tenant = $1 and policy = $2 and not over and stage not in ('planned') limit 1`,
      [tx.tenant, wish.policy],
    )
    return {
      policy,
      targets,
      running: running?.rotation ?? null,
      credential: await readCredential(tx, policy.credential),
      dependents: await readDependents(
        tx,
        targets.map((t) => opaque('secret', `${t.vault}/${t.secret.toLowerCase()}`)),
        targets.map((t) => t.vault),
      ),
    }
  })
  if (!known) return refuse('no-such-policy', 'No policy of this id is known.')
  if (!known.policy.enabled) return refuse('policy-disabled', 'The policy is disabled.')
  // The rows may be a moment behind the record.
  const running = known.running && (await readRotation(host, tenant, known.running)).state
  if (running && !isOver(running))
    return refuse('already-running', 'A rotation of this policy runs or waits for approval already.')
  const { subject } = known.policy
  const issuer = parts.issuers[subject.kind]
  if (!issuer) return refuse('cannot-look', `Nothing here can look at a ${subject.kind}.`)
  const work = workFor(parts, AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]))
  const targets = known.targets.map((t) => ({ ...t, previous: null }))
  try {
    const seen = await issuer.look(subject, targets, work)
    const facts = makePlan({
      rotation: wish.rotation,
      policy: known.policy,
      mode: wish.mode,
      trigger: wish.trigger,
      targets: targets.map((t, n) => ({
        ...t,
        previous: seen.targets.find((s) => s.target === n)?.version ?? null,
      })),
      seen,
      dependents: known.dependents,
      issuer,
      keyId: known.credential && known.credential !== 'certificate' ? known.credential.keyId : null,
      now: host.clock.now(),
      salt: host.ids.uuid(),
    })
    if (isRefused(facts)) return facts
    await host.append(tenant, { stream: wish.rotation, expected: 0, facts, by: wish.by, cause: wish.cause })
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof Denied && error.code === 'NotFound')
      return refuse('credential-gone', 'What the policy rotates is not there any more.')
    if (error instanceof Denied || error instanceof Transient) return refuse('cannot-look', messageOf(error))
    throw error
  }
  const { state } = await readRotation(host, tenant, wish.rotation)
  if (!state) throw new Error('the plan is not in its stream')
  return state
}
