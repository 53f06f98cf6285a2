import { definitionOf, type EventOf, type EventType, type PlannedDependent } from '@attestry/contracts'
import type { RotationDetail } from '@attestry/contracts/http'
import type { Rotation } from './state.ts'

/** What a rotation's stream holds, as people read it: each line with the exact thing that it speaks of. Pure. */

interface Told {
  readonly state: Rotation
  /** Names of vaults by asset id. */
  readonly vaults: ReadonlyMap<string, string>
}
type Proofs = { readonly [T in EventType]?: (data: EventOf<T>['data'], told: Told) => string | null }

/** An instant to the minute, in UTC. */
const moment = (at: string): string => `${at.slice(0, 16).replace('T', ' ')} UTC`
const counted = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`

const target = ({ state, vaults }: Told, n: number): string => {
  const place = state.plan.targets[n]
  return place
    ? `${place.secret} in ${vaults.get(place.vault) ?? new URL(place.uri).hostname}`
    : `target ${n + 1}`
}
const dependent = ({ state }: Told, id: string): string => {
  const plan: PlannedDependent | undefined = state.dependents.get(id)?.plan
  if (!plan) return id
  return plan.setting ? `${plan.name} (${plan.setting})` : plan.name
}
const about = (told: Told, id: string, more: string): string =>
  more === '' ? dependent(told, id) : `${dependent(told, id)}: ${more}`

/** No value, and no hint of one, can stand here: facts hold none. */
const PROOFS: Proofs = {
  'rotation.planned': (d) =>
    `Bound to ${d.planHash.slice(0, 12)}…, over ${counted(d.snapshot.length, 'credential', 'credentials')} of the principal`,
  'rotation.dependents-planned': (d) => counted(d.dependents.length, 'dependent', 'dependents'),
  'rotation.requested': (d) =>
    [d.ticket && `Change ticket ${d.ticket}`, d.incident && `Incident ${d.incident}`]
      .filter(Boolean)
      .join(', ') || null,
  'rotation.rejected': (d) => d.reason,
  'rotation.break-glass-used': (d) => d.reason,
  'rotation.approval-voided': (d) => d.reason,
  'rotation.expired': (d) => d.reason,
  'rotation.scheduled': (d) =>
    `Opens ${moment(d.opensAt)}${d.closesAt ? `, closes ${moment(d.closesAt)}` : ''}`,
  'rotation.window-missed': (d) =>
    [
      d.nextOpensAt ? `Opens again ${moment(d.nextOpensAt)}` : 'It does not open again within a year',
      d.expiresFirst ? 'the credential ends before that' : null,
    ]
      .filter(Boolean)
      .join('; '),
  'rotation.preflight-passed': (d) => {
    const warned = d.checks.filter((c) => c.state === 'warned').length
    return `${counted(d.checks.length, 'check', 'checks')}, ${counted(warned, 'warning', 'warnings')}`
  },
  'rotation.blocked': (d) =>
    d.checks
      .filter((c) => c.state === 'failed')
      .map((c) => c.says)
      .join(' ') || null,
  'rotation.issue-intended': (d) => `Attempt ${d.attempt}${d.slot ? `, ${d.slot}` : ''}`,
  'rotation.credential-issued': (d) =>
    `Key id ${d.keyId}${d.endsAt ? `, ends ${moment(d.endsAt)}` : ''}${d.recovered ? '; found after an interruption' : ''}`,
  'rotation.credential-staged': (d, told) => `${target(told, d.target)}, version ${d.version}`,
  'rotation.credential-stored': (d, told) => `${target(told, d.target)}, version ${d.version}`,
  'rotation.credential-verified': (d) =>
    d.successes === 0
      ? null
      : `${counted(d.successes, 'sign-in or read', 'sign-ins or reads')} worked${d.overMs < 1000 ? '' : `, in a row over ${Math.round(d.overMs / 1000)} s`}`,
  'rotation.switch-intended': (d, told) => dependent(told, d.dependent),
  'rotation.dependent-switched': (d, told) => about(told, d.dependent, d.says),
  'rotation.dependent-confirmed': (d, told) =>
    about(told, d.dependent, d.by === 'person' ? 'by a person' : 'read back'),
  'rotation.dependent-unconfirmed': (d, told) => about(told, d.dependent, d.reason),
  'rotation.dependent-failed': (d, told) => about(told, d.dependent, d.reason),
  'rotation.dependent-waived': (d, told) => about(told, d.dependent, d.reason),
  'rotation.dependent-returned': (d, told) => about(told, d.dependent, d.reason),
  'rotation.grace-entered': (d) => `Until ${moment(d.until)}`,
  'rotation.use-waived': (d) => d.reason,
  'rotation.retire-checked': (d) =>
    [
      d.lastUsedAt ? `Last sign-in with ${d.keyId} ${moment(d.lastUsedAt)}` : null,
      d.observedUntil ? `observed up to ${moment(d.observedUntil)}` : 'nothing tells of its use',
    ]
      .filter(Boolean)
      .join(', '),
  'rotation.disable-intended': (d) => `Key id ${d.keyId}`,
  'rotation.version-disabled': (d) =>
    `Key id ${d.keyId}, ${counted(d.versions, 'version', 'versions')} disabled`,
  'rotation.retire-intended': (d) =>
    `Key id ${d.keyId}; the principal has ${counted(d.live.length, 'credential', 'credentials')}`,
  'rotation.credential-retired': (d) => `Key id ${d.keyId}`,
  'rotation.retire-failed': (d) => `${d.reason} Attempt ${d.attempt}, the next one ${moment(d.retryAt)}`,
  'rotation.rollback-intended': (d) => d.reason,
  'rotation.values-restored': (d) => counted(d.restored, 'vault', 'vaults'),
  'rotation.orphans-discarded': (d) => d.removed.join(', ') || null,
  'rotation.rolled-back': (d) => d.reason,
  'rotation.needs-operator': (d) => d.reason,
  'rotation.operator-resolved': (d) => d.reason,
  'rotation.taken-over': (d) => d.reason,
  'rotation.completed': (d) => `${d.dependentsConfirmed} of ${d.dependents} dependents confirmed`,
  'rotation.notice-sent': (d) => `${d.about}, by ${d.channel} to ${d.to}`,
  'rotation.notice-failed': (d) => `${d.about}, by ${d.channel}: ${d.reason}`,
}

/** The lines of a rotation's record, oldest first. */
export function recordOf(events: readonly EventOf[], told: Told): RotationDetail['record'] {
  return events.map((e) => {
    // The table pairs each type with its own events; indexing by the type forgets the pairing.
    const proof = PROOFS[e.type] as ((data: EventOf['data'], told: Told) => string | null) | undefined
    return {
      at: e.at,
      type: e.type.slice('rotation.'.length),
      by: e.by.id,
      seq: e.seq,
      says: definitionOf(e.type)?.says ?? e.type,
      proof: proof?.(e.data, told) ?? null,
    }
  })
}
