import type { EventOf } from '@attestry/contracts'
import { cell, column, type Report, type Row, within } from './report.ts'

/** Who did what and when: every recorded action of people, services and schedules in the period. */
export const operatorAuditLog: Report = {
  type: 'operator-audit-log',
  title: 'Operator audit log',
  says: 'Every recorded action of a person, a service or a schedule in the period, in the order of the chain.',
  kind: 'events',
  columns: [
    column('seq', 'integer', 'Place in the tenant’s chain', 'envelope.seq', 'events'),
    column('at', 'instant', 'When it was recorded, by the database’s clock', 'envelope.at'),
    column('actor_kind', 'text', 'operator, service, schedule or install', 'event.by.kind'),
    column('actor_id', 'id', 'Opaque id of the actor', 'event.by.id'),
    column('actor_name', 'text', 'Name of the operator', 'gateway.operator-added name'),
    column('address', 'text', 'Address that the request came from', 'event.by.address'),
    column('action', 'text', 'What happened', 'envelope.type'),
    column('subject', 'id', 'The stream that it happened to', 'envelope.stream'),
    column('reason', 'text', 'Reason that the actor gave', 'event.by.reason'),
    column('correlation', 'id', 'Request or job that it belongs to', 'event.cause.correlation'),
    column('link', 'digest', 'Hash of the chain up to this event', 'computed'),
  ],
  printed: ['seq', 'at', 'actor_kind', 'actor_name', 'address', 'action', 'subject', 'reason'],
  limits: [
    'It shows what went through the product. Changes made in Azure by other means appear only as differences that a later scan found.',
    'Acts whose bodies retention has taken have no row; ledger.pruned, which has one, accounts for each by its place.',
    'Sign-ins beyond a lockout are counted, not listed one by one.',
  ],
  fold({ period }) {
    const names = new Map<string, string>()
    const actors = new Set<string>()
    let actions = 0
    let byPeople = 0
    const rowOf = (event: EventOf, link: string): Row => [
      cell(event.seq),
      event.at,
      event.by.kind,
      event.by.id,
      cell(names.get(event.by.id)),
      cell(event.by.address),
      event.type,
      event.stream,
      cell(event.by.reason),
      event.cause.correlation,
      link,
    ]
    return {
      apply({ event, link }) {
        if (event.type === 'gateway.operator-added') names.set(event.data.operator, event.data.name)
        if (!within(event.at, period)) return []
        actions++
        if (event.by.kind === 'operator') byPeople++
        actors.add(event.by.id)
        return [rowOf(event, link)]
      },
      end: () => [],
      totals: () => [
        { name: 'Recorded actions', value: actions },
        { name: 'of which by operators', value: byPeople },
        { name: 'Distinct actors', value: actors.size },
      ],
    }
  },
}
