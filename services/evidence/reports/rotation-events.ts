import { contextOf, type EventOf, type EventType } from '@attestry/contracts'
import { cell, column, type Report, type Row, within } from './report.ts'
import { firstTold, told } from './told.ts'

/** The whole population of rotation's events in the period. */
export const rotationEvents: Report = {
  type: 'rotation-events',
  title: 'Rotation events',
  says: 'Every event of rotation in the period, in the order of the chain: policies and matches, and of each rotation every step that is recorded, with its credential, its actor and, where it failed, why.',
  kind: 'events',
  columns: [
    column('seq', 'integer', 'Place in the tenant’s chain', 'envelope.seq', 'events'),
    column('at', 'instant', 'When it was recorded, by the database’s clock', 'envelope.at'),
    column('event', 'text', 'What happened', 'envelope.type'),
    column(
      'rotation',
      'id',
      'Opaque id of the rotation; empty for policies and matches',
      'rotation.* rotation',
    ),
    column('policy', 'id', 'Opaque id of the policy', 'rotation.* policy'),
    column('credential', 'id', 'Opaque id of the credential that is rotated', 'rotation.* credential'),
    column('credential_name', 'text', 'Its name', 'discovery.apps-scanned, discovery.vault-scanned name'),
    column('holder', 'text', 'Application or vault that holds it', 'discovery.apps-scanned name'),
    column('cadence_days', 'integer', 'Cadence of the policy', 'rotation.policy-enabled cadenceDays', 'days'),
    column(
      'plan_hash',
      'digest',
      'Hash of the plan that was made, asked for or approved',
      'rotation.planned, rotation.approved planHash',
    ),
    column('trigger', 'text', 'operator or schedule', 'rotation.planned trigger'),
    column('ticket', 'text', 'Ticket that was named', 'rotation.requested ticket'),
    column('incident', 'text', 'Incident that was named after a compromise', 'rotation.requested incident'),
    column(
      'person',
      'id',
      'Who approved, rejected, or passed over approval',
      'rotation.approved approver, rotation.break-glass-used operator',
    ),
    column(
      'step',
      'text',
      'Step of the rotation',
      'rotation.failed, rotation.rolled-back, rotation.needs-operator step',
    ),
    column(
      'reason',
      'text',
      'Why it failed, was rejected, voided, waived or held back',
      'rotation.* reason, rotation.retire-checked held',
    ),
    column('failed_checks', 'text', 'Preconditions that did not hold', 'rotation.blocked checks'),
    column('attempt', 'integer', 'Which attempt it was', 'rotation.* attempt', 'attempts'),
    column(
      'key_id',
      'id',
      'Id of the credential at its issuer, which is no secret',
      'rotation.credential-issued, rotation.credential-retired keyId',
    ),
    column('vault', 'id', 'Vault that the value was put in', 'rotation.credential-stored vault'),
    column('vault_name', 'text', 'Its name', 'discovery.vault-scanned facts.name'),
    column('version', 'text', 'Version that the vault gave it', 'rotation.credential-stored version'),
    column(
      'dependent',
      'id',
      'Resource that was switched or confirmed',
      'rotation.dependent-switched dependent',
    ),
    column('dependent_name', 'text', 'Its name', 'discovery.resource-scanned facts.name'),
    column(
      'until',
      'instant',
      'End of the grace, opening of the window, or next try',
      'rotation.grace-entered until, rotation.scheduled opensAt, rotation.retire-failed retryAt',
    ),
    column(
      'dependents',
      'integer',
      'Resources that use the credential',
      'rotation.planned, rotation.completed dependents',
      'resources',
    ),
    column(
      'dependents_confirmed',
      'integer',
      'Resources that were seen to use the new one',
      'rotation.completed dependentsConfirmed',
      'resources',
    ),
    column('actor_kind', 'text', 'operator, service, schedule or install', 'event.by.kind'),
    column('actor_id', 'id', 'Opaque id of the actor', 'event.by.id'),
    column('correlation', 'id', 'Request or job that it belongs to', 'event.cause.correlation'),
    column('link', 'digest', 'Hash of the chain up to this event', 'computed'),
  ],
  printed: ['seq', 'at', 'event', 'rotation', 'credential_name', 'holder', 'step', 'reason', 'actor_id'],
  limits: [
    'It shows the rotations of this product. A credential that somebody renewed by other means appears in the inventory, not here.',
    'That a rotation completed says that the new credential was verified and the old one retired, not that the value is strong.',
  ],
  fold({ period }, { estate, policies }) {
    const counts = new Map<string, number>()
    const seen = new Set<string>()
    /** What each rotation replaces, told once and looked up by the steps that follow. */
    const rotations = new Map<string, { readonly policy: string; readonly credential: string }>()
    const rowOf = (event: RotationEvent, link: string): Row => {
      const rotation = told(event, 'rotation')
      const known = rotations.get(rotation)
      const policy = told(event, 'policy') || cell(known?.policy)
      const credential =
        told(event, 'credential') || cell(known?.credential) || cell(policies.credentialOf(policy))
      const subject = estate.nameOf(credential)
      const dependent = told(event, 'dependent')
      const vault = told(event, 'vault')
      return [
        cell(event.seq),
        event.at,
        event.type,
        rotation,
        policy,
        credential,
        subject.name,
        subject.holder,
        told(event, 'cadenceDays'),
        told(event, 'planHash'),
        told(event, 'trigger'),
        told(event, 'ticket'),
        told(event, 'incident'),
        firstTold(event, ['approver', 'operator']),
        told(event, 'step'),
        firstTold(event, ['reason', 'held']),
        failedChecks(event),
        told(event, 'attempt'),
        told(event, 'keyId'),
        vault,
        estate.holderName(vault),
        told(event, 'version'),
        dependent,
        estate.nameOf(dependent).name,
        firstTold(event, ['until', 'opensAt', 'nextOpensAt', 'retryAt']),
        event.type === 'rotation.planned' || event.type === 'rotation.completed'
          ? cell(event.data.dependents)
          : '',
        told(event, 'dependentsConfirmed'),
        event.by.kind,
        event.by.id,
        event.cause.correlation,
        link,
      ]
    }
    return {
      apply({ event, link }) {
        if (!isRotation(event)) return []
        if (event.type === 'rotation.planned') {
          const { rotation, policy, credential } = event.data
          rotations.set(rotation, { policy, credential })
        }
        if (!within(event.at, period)) return []
        counts.set(event.type, (counts.get(event.type) ?? 0) + 1)
        const rotation = told(event, 'rotation')
        if (rotation) seen.add(rotation)
        return [rowOf(event, link)]
      },
      end: () => [],
      totals: () => [
        { name: 'Events', value: [...counts.values()].reduce((sum, n) => sum + n, 0) },
        { name: 'Rotations', value: seen.size },
        { name: 'Rotations completed', value: counts.get('rotation.completed') ?? 0 },
        { name: 'Rotations failed', value: counts.get('rotation.failed') ?? 0 },
        { name: 'Rotations rolled back', value: counts.get('rotation.rolled-back') ?? 0 },
        { name: 'Approvals passed over', value: counts.get('rotation.break-glass-used') ?? 0 },
        ...[...counts]
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, value]) => ({ name: `Events ${name}`, value })),
      ],
    }
  },
}

type RotationEvent = EventOf<Extract<EventType, `rotation.${string}`>>

const isRotation = (event: EventOf): event is RotationEvent => contextOf(event.type) === 'rotation'

/** Preconditions of a blocked rotation that did not hold. */
const failedChecks = (event: RotationEvent): string =>
  event.type === 'rotation.blocked'
    ? event.data.checks.flatMap((c) => (c.state === 'failed' ? [c.check] : [])).join(', ')
    : ''
