import { contextOf } from '@attestry/contracts'
import { cell, column, type Report, within } from './report.ts'
import { told } from './told.ts'

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
    column('step', 'text', 'Step of the rotation', 'rotation.* step'),
    column('reason', 'text', 'Why it failed, was blocked or was rejected', 'rotation.* reason'),
    column(
      'dependents',
      'integer',
      'Resources that use the credential',
      'rotation.completed dependents',
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
  limits: [
    'It shows the rotations of this product. A credential that somebody renewed by other means appears in the inventory, not here.',
    'That a rotation completed says that the new credential was verified and the old one retired, not that the value is strong.',
  ],
  fold({ period }, { estate, policies }) {
    const counts = new Map<string, number>()
    const rotations = new Set<string>()
    return {
      apply({ event, link }) {
        if (contextOf(event.type) !== 'rotation' || !within(event.at, period)) return []
        counts.set(event.type, (counts.get(event.type) ?? 0) + 1)
        const rotation = told(event, 'rotation')
        if (rotation) rotations.add(rotation)
        const policy = told(event, 'policy')
        const credential = told(event, 'credential') || cell(policies.credentialOf(policy))
        const subject = estate.nameOf(credential)
        return [
          [
            cell(event.seq),
            event.at,
            event.type,
            rotation,
            policy,
            credential,
            subject.name,
            subject.holder,
            told(event, 'cadenceDays'),
            told(event, 'step'),
            told(event, 'reason'),
            told(event, 'dependents'),
            told(event, 'dependentsConfirmed'),
            event.by.kind,
            event.by.id,
            event.cause.correlation,
            link,
          ],
        ]
      },
      end: () => [],
      totals: () => [
        { name: 'Events', value: [...counts.values()].reduce((sum, n) => sum + n, 0) },
        { name: 'Rotations', value: rotations.size },
        { name: 'Rotations completed', value: counts.get('rotation.completed') ?? 0 },
        { name: 'Rotations failed', value: counts.get('rotation.failed') ?? 0 },
        ...[...counts]
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, value]) => ({ name: `Events ${name}`, value })),
      ],
    }
  },
}
