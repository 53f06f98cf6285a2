import { type Fact, fact } from '@attestry/contracts'
import { type Refused, refuse } from '@attestry/kit'
import type { Calendar } from './calendar.ts'
import { calendarFor } from './next.ts'
import { allStored, isOver, isVaultItem, type Rotation } from './state.ts'
import { scheduledFact } from './steps/begin.ts'

/*
 * What a person may do to a rotation. Each decision takes the rotation as its stream tells it and gives facts, or a
 * refusal as a value. What the rotation does by itself stands in `next.ts`.
 */

export type Command =
  | {
      readonly do: 'request'
      readonly planHash: string
      readonly ticket: string | null
      readonly incident: string | null
      /** Passes over approval, window and freeze, with a reason. */
      readonly breakGlass: string | null
    }
  | { readonly do: 'approve'; readonly planHash: string }
  | { readonly do: 'reject'; readonly reason: string }
  | { readonly do: 'pause' }
  | { readonly do: 'resume' }
  | { readonly do: 'roll-back'; readonly reason: string }
  | { readonly do: 'take-over'; readonly reason: string }
  | { readonly do: 'go-on'; readonly reason: string }
  | { readonly do: 'confirm-dependent'; readonly dependent: string }
  | { readonly do: 'waive-dependent'; readonly dependent: string; readonly reason: string }
  | { readonly do: 'waive-use'; readonly reason: string }
  | { readonly do: 'expire' }

export type RotationRefusal =
  | 'no-such-rotation'
  | 'rotation-over'
  | 'wrong-stage'
  | 'plan-changed'
  | 'plan-expired'
  | 'incident-missing'
  | 'same-person'
  | 'already-approved'
  | 'never-open'
  | 'already-paused'
  | 'not-paused'
  | 'no-way-back'
  | 'no-such-dependent'
  | 'dependent-settled'
  | 'nothing-to-resolve'

type Decision = Fact[] | Refused<RotationRefusal>

export interface Asked {
  /** The operator's opaque id. */
  readonly who: string
  readonly now: Temporal.Instant
  readonly calendar: Calendar
}

const past = (at: string, now: Temporal.Instant): boolean => Temporal.Instant.compare(at, now) <= 0

const wrongStage = (state: Rotation, wanted: string) =>
  refuse('wrong-stage', `The rotation is ${state.stage}; this needs one that ${wanted}.`)

/** Whether anything may have been changed at a provider or in a vault. */
const touched = (state: Rotation): boolean => state.attempt > 0

/** Facts of a command, or why it is refused. */
export function decide(state: Rotation | null, command: Command, asked: Asked): Decision {
  if (!state) return refuse('no-such-rotation', 'No rotation of this id is known.')
  if (isOver(state)) return refuse('rotation-over', `The rotation has ended: ${state.stage}.`)
  const { rotation, plan } = state
  switch (command.do) {
    case 'request':
      return request(state, command, asked)
    case 'approve':
      return approve(state, command.planHash, asked)
    case 'reject':
      if (state.stage !== 'awaiting-approval') return wrongStage(state, 'awaits approval')
      return [fact('rotation.rejected', { rotation, approver: asked.who, reason: command.reason })]
    case 'pause':
      if (state.stage === 'planned' || state.stage === 'awaiting-approval')
        return wrongStage(state, 'was approved and has not ended')
      if (state.paused) return refuse('already-paused', 'The rotation is paused already.')
      return [fact('rotation.paused', { rotation })]
    case 'resume':
      if (!state.paused) return refuse('not-paused', 'The rotation is not paused.')
      return [fact('rotation.resumed', { rotation })]
    case 'roll-back':
      return rollBack(state, command.reason)
    case 'take-over':
      if (!touched(state)) return wrongStage(state, 'has begun; reject or leave a plan instead')
      return [
        fact('rotation.taken-over', { rotation, policy: plan.policy, reason: command.reason }),
        fact('rotation.failed', {
          rotation,
          policy: plan.policy,
          credential: plan.credential,
          step: state.stage,
          reason: 'A person took it over.',
        }),
      ]
    case 'go-on':
      if (!state.needsOperator)
        return refuse('nothing-to-resolve', 'The rotation does not wait for a person to look.')
      return [
        fact('rotation.operator-resolved', { rotation, reason: command.reason }),
        // What failed is tried again; what a person settled stays settled.
        ...[...state.dependents.values()]
          .filter((d) => d.state === 'failed' || d.state === 'unconfirmed')
          .map((d) => fact('rotation.switch-intended', { rotation, dependent: d.plan.dependent })),
      ]
    case 'confirm-dependent':
    case 'waive-dependent':
      return settleDependent(state, command)
    case 'waive-use':
      if (state.stage !== 'grace' && state.stage !== 'retiring')
        return wrongStage(state, 'is in grace or about to retire')
      return [fact('rotation.use-waived', { rotation, reason: command.reason })]
    case 'expire':
      if (touched(state) || !past(plan.expiresAt, asked.now)) return []
      return [fact('rotation.expired', { rotation, reason: 'The plan was not approved or begun in time.' })]
  }
}

function request(
  state: Rotation,
  { planHash, ticket, incident, breakGlass }: Extract<Command, { do: 'request' }>,
  { who, now, calendar }: Asked,
): Decision {
  const { rotation, plan } = state
  if (state.stage !== 'planned') return wrongStage(state, 'was planned and not asked for yet')
  if (planHash !== plan.planHash)
    return refuse('plan-changed', 'This hash is not the plan’s. Read the plan again before you ask for it.')
  if (past(plan.expiresAt, now)) return refuse('plan-expired', 'The plan is too old. Make a new one.')
  if (plan.mode === 'compromise' && !incident)
    return refuse('incident-missing', 'A rotation after a compromise needs the id of its incident.', [
      { field: 'body.incident', message: 'is missing' },
    ])
  const asking = fact('rotation.requested', { rotation, planHash, ticket, incident })
  const glass = breakGlass
    ? [fact('rotation.break-glass-used', { rotation, planHash, operator: who, reason: breakGlass })]
    : []
  const ready = { ...state, breakGlass: breakGlass ? who : null }
  if (!breakGlass && plan.approvals > 0) return [asking]
  const scheduled = schedule(ready, now, calendar)
  return 'refused' in scheduled ? scheduled : [asking, ...glass, scheduled]
}

/** When an approved rotation begins. */
function schedule(state: Rotation, now: Temporal.Instant, calendar: Calendar) {
  const opening = calendarFor(state, calendar).next(now)
  if (!opening)
    return refuse('never-open', 'The policy’s window does not open within a year, or a freeze covers it.')
  return scheduledFact(state.rotation, opening)
}

function approve(state: Rotation, planHash: string, { who, now, calendar }: Asked): Decision {
  const { rotation, plan } = state
  if (state.stage !== 'awaiting-approval') return wrongStage(state, 'awaits approval')
  if (planHash !== plan.planHash)
    return refuse('plan-changed', 'This hash is not the plan’s. Read the plan again before you approve it.')
  if (past(plan.expiresAt, now)) return refuse('plan-expired', 'The plan is too old. Make a new one.')
  if (who === state.requestedBy)
    return refuse('same-person', 'Who asks for a rotation cannot approve it. Another person has to.')
  if (state.approvals.includes(who)) return refuse('already-approved', 'You approved this plan before.')
  const approved = fact('rotation.approved', { rotation, planHash, approver: who })
  if (state.approvals.length + 1 < plan.approvals) return [approved]
  const scheduled = schedule(state, now, calendar)
  return 'refused' in scheduled ? scheduled : [approved, scheduled]
}

function rollBack(state: Rotation, reason: string): Decision {
  const { rotation, plan } = state
  if (state.stage === 'rolling-back') return wrongStage(state, 'is not being rolled back already')
  if (!touched(state)) return wrongStage(state, 'has changed something; reject or leave a plan instead')
  if (state.retiring.size > 0)
    return refuse('no-way-back', 'An old credential was removed already, so there is nothing to go back to.')
  if (isVaultItem(plan.subject.kind) && state.issued)
    return refuse('no-way-back', 'A vault serves its newest version, and no older one can take its place.')
  return [fact('rotation.rollback-intended', { rotation, step: stepOf(state), again: false, reason })]
}

const stepOf = (state: Rotation) => {
  switch (state.stage) {
    case 'verifying':
    case 'cutover':
    case 'grace':
    case 'retiring':
      return state.stage
    case 'staged':
      return 'storing'
    default:
      return 'issuing'
  }
}

function settleDependent(
  state: Rotation,
  command: Extract<Command, { do: 'confirm-dependent' | 'waive-dependent' }>,
): Decision {
  const { rotation } = state
  const { dependent } = command
  const progress = state.dependents.get(dependent)
  if (!progress) return refuse('no-such-dependent', 'The plan names no dependent of this id.')
  if (state.stage === 'rolling-back') {
    // Before the vaults serve the old value again there is nothing to bring it back to.
    if (!state.rollback?.settledAt) return wrongStage(state, 'serves the old value again')
    if (progress.plan.kind !== 'manual' && progress.state !== 'must-return')
      return refuse('dependent-settled', 'This dependent is brought back without a person.')
    return command.do === 'waive-dependent'
      ? [fact('rotation.dependent-waived', { rotation, dependent, reason: command.reason })]
      : [
          fact('rotation.dependent-returned', {
            rotation,
            dependent,
            cacheMs: 0,
            byHand: false,
            reason: 'A person brought it back to the old value.',
          }),
        ]
  }
  if (!['cutover', 'grace', 'retiring'].includes(state.stage) || !allStored(state))
    return wrongStage(state, 'has stored and verified its new credential')
  if (progress.state === 'confirmed' || progress.state === 'waived')
    return refuse('dependent-settled', `This dependent is ${progress.state} already.`)
  return [
    command.do === 'confirm-dependent'
      ? fact('rotation.dependent-confirmed', { rotation, dependent, by: 'person' })
      : fact('rotation.dependent-waived', { rotation, dependent, reason: command.reason }),
  ]
}
