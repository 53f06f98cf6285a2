import { fact, type PreflightCheck } from '@attestry/contracts'
import { iso } from '@attestry/kit'
import { calendarFor } from '../next.ts'
import { drift } from '../proof.ts'
import type { Rotation } from '../state.ts'
import { type Again, orderOf, type StepParts } from './parts.ts'

/* Before anything is changed: the window, and everything that has to hold. */

export async function missWindow(state: Rotation, { calendar, work, record }: StepParts): Promise<Again> {
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

export async function preflight(state: Rotation, parts: StepParts): Promise<Again> {
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
