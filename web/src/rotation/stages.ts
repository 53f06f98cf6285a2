import type { RotationDetail } from '@attestry/contracts/http'

/*
 * The way of a rotation as steps that a person follows, told from its record. Pure.
 */

type Line = RotationDetail['record'][number]

export const STEPS = [
  ['plan', 'Plan'],
  ['ask', 'Request and approval'],
  ['begin', 'Window and preflight'],
  ['issue', 'Issue and prove'],
  ['store', 'Store'],
  ['verify', 'Read back'],
  ['switch', 'Switch dependents'],
  ['grace', 'Grace'],
  ['retire', 'Retire the old'],
  ['back', 'Way back'],
] as const
export type StepId = (typeof STEPS)[number][0]

/** `left`: the rotation ended or turned back before it came here. */
export type StepState = 'done' | 'now' | 'stands' | 'ahead' | 'left'

export interface StepView {
  readonly id: StepId
  readonly name: string
  readonly state: StepState
  /** When it was reached and when it was done, where it was. */
  readonly from: string | null
  readonly to: string | null
  readonly lines: readonly Line[]
}

const OF: Readonly<Record<string, StepId>> = {
  planned: 'plan',
  'dependents-planned': 'plan',
  'approval-voided': 'ask',
  requested: 'ask',
  approved: 'ask',
  rejected: 'ask',
  'break-glass-used': 'ask',
  scheduled: 'begin',
  'window-missed': 'begin',
  'preflight-passed': 'begin',
  blocked: 'begin',
  'issue-intended': 'issue',
  'issue-pending': 'issue',
  'merge-intended': 'issue',
  'credential-issued': 'issue',
  'credential-staged': 'store',
  'publish-intended': 'store',
  'credential-stored': 'store',
  'credential-verified': 'verify',
  'switch-intended': 'switch',
  'dependent-switched': 'switch',
  'dependent-confirmed': 'switch',
  'dependent-unconfirmed': 'switch',
  'dependent-failed': 'switch',
  'grace-entered': 'grace',
  'use-waived': 'retire',
  'retire-checked': 'retire',
  'disable-intended': 'retire',
  'version-disabled': 'retire',
  'retire-intended': 'retire',
  'credential-retired': 'retire',
  'retire-failed': 'retire',
  completed: 'retire',
  'rollback-intended': 'back',
  'values-restored': 'back',
  'dependent-returned': 'back',
  'orphans-discarded': 'back',
  'rolled-back': 'back',
}

/** Where a rotation is now; undefined once it has ended. */
function present(detail: Pick<RotationDetail, 'stage' | 'record'>): StepId | undefined {
  switch (detail.stage) {
    case 'planned':
    case 'awaiting-approval':
      return 'ask'
    case 'scheduled':
      return 'begin'
    case 'issuing':
      return 'issue'
    case 'staged':
      return 'store'
    case 'verifying':
      return 'verify'
    case 'cutover':
      return 'switch'
    case 'grace':
      return 'grace'
    case 'retiring':
      return 'retire'
    case 'rolling-back':
      return 'back'
    default:
      return undefined
  }
}

/** The steps of a rotation in order; the way back only where it was taken. */
export function stepsOf(
  detail: Pick<RotationDetail, 'stage' | 'record' | 'needsOperator' | 'endedAt'>,
): readonly StepView[] {
  const lines = new Map<StepId, Line[]>(STEPS.map(([id]) => [id, []]))
  let last: StepId = 'plan'
  for (const line of detail.record) {
    // A pause, a waiver or an end belongs to where the rotation stood.
    last = OF[line.type] ?? last
    lines.get(last)?.push(line)
  }
  const now = present(detail)
  const order = STEPS.map(([id]) => id)
  const reached = now ?? last
  const turned = (lines.get('back')?.length ?? 0) > 0
  const at = (id: StepId): number => order.indexOf(id)
  return STEPS.filter(([id]) => id !== 'back' || turned).map(([id, name]) => {
    const own = lines.get(id) ?? []
    const state = ((): StepState => {
      if (id === now) return detail.needsOperator ? 'stands' : 'now'
      if (turned && reached === 'back' && id !== 'back') return own.length > 0 ? 'done' : 'left'
      if (now === undefined) {
        if (own.length === 0) return 'left'
        return id === last && !['complete', 'rolled-back'].includes(detail.stage) ? 'left' : 'done'
      }
      return at(id) < at(now) ? 'done' : 'ahead'
    })()
    return {
      id,
      name,
      state,
      from: own[0]?.at ?? null,
      to: state === 'done' ? (own.at(-1)?.at ?? null) : null,
      lines: own,
    }
  })
}
