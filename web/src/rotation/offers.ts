import type { RotationDetail } from '@attestry/contracts/http'

/*
 * What can be done to a rotation where it stands: the same conditions that the service decides by, so that the console
 * offers nothing that would be refused. Roles are not looked at here; the endpoint's own line says who may.
 */

export type Offer =
  | 'request'
  | 'approve'
  | 'reject'
  | 'pause'
  | 'resume'
  | 'go-on'
  | 'waive-use'
  | 'merge'
  | 'roll-back'
  | 'take-over'

/** Kinds that are versions of something in a vault: no older one can take its place. */
const VAULT_ITEMS: readonly string[] = ['key', 'certificate']

const recorded = (detail: Pick<RotationDetail, 'record'>, ...types: readonly string[]): boolean =>
  detail.record.some((line) => types.includes(line.type))

/** Whether anything may have been changed at a provider or in a vault. */
const touched = (detail: Pick<RotationDetail, 'record'>): boolean => recorded(detail, 'issue-intended')

/** Whether there is something to go back to. */
function mayReturn(detail: RotationDetail): boolean {
  if (detail.stage === 'rolling-back' || !touched(detail)) return false
  if (recorded(detail, 'retire-intended')) return false
  return !(VAULT_ITEMS.includes(detail.kind) && recorded(detail, 'credential-issued'))
}

/** What a person may do now, the most likely first. */
export function offersOf(detail: RotationDetail): readonly Offer[] {
  if (detail.endedAt !== null) return []
  if (detail.stage === 'planned') return ['request']
  if (detail.stage === 'awaiting-approval') return ['approve', 'reject']
  const offers: Offer[] = []
  if (detail.pending?.awaits === 'merge') offers.push('merge')
  if (detail.needsOperator) offers.push('go-on')
  if ((detail.stage === 'grace' || detail.stage === 'retiring') && !recorded(detail, 'use-waived'))
    offers.push('waive-use')
  offers.push(detail.paused ? 'resume' : 'pause')
  if (mayReturn(detail)) offers.push('roll-back')
  if (touched(detail)) offers.push('take-over')
  return offers
}

/** Whether a person can settle a dependent now. */
export function maySettle(detail: RotationDetail, d: RotationDetail['dependents'][number]): boolean {
  if (detail.endedAt !== null) return false
  if (detail.stage === 'rolling-back')
    return (
      recorded(detail, 'values-restored') &&
      (d.state === 'must-return' || (d.plan.kind === 'manual' && !['returned', 'waived'].includes(d.state)))
    )
  return (
    ['cutover', 'grace', 'retiring'].includes(detail.stage) && d.state !== 'confirmed' && d.state !== 'waived'
  )
}
