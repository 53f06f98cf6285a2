import type { EventOf } from '@attestry/contracts'
import { cell, type Report, type Row, within } from './report.ts'

/** Who did what and when: every recorded action of people, services and schedules in the period. */
export const operatorAuditLog: Report = {
  type: 'operator-audit-log',
  title: 'Operator audit log',
  says: 'Every recorded action of a person, a service or a schedule in the period, in the order of the chain.',
  columns: [
    { name: 'seq', type: 'integer', says: 'Place in the tenant’s chain', source: 'envelope.seq' },
    {
      name: 'at',
      type: 'instant',
      says: 'When it was recorded, by the database’s clock',
      source: 'envelope.at',
    },
    {
      name: 'actor_kind',
      type: 'text',
      says: 'operator, service, schedule or install',
      source: 'event.by.kind',
    },
    { name: 'actor_id', type: 'id', says: 'Opaque id of the actor', source: 'event.by.id' },
    { name: 'actor_name', type: 'text', says: 'Name of the operator', source: 'gateway.operator-added name' },
    { name: 'address', type: 'text', says: 'Address that the request came from', source: 'event.by.address' },
    { name: 'action', type: 'text', says: 'What happened', source: 'envelope.type' },
    { name: 'subject', type: 'id', says: 'The stream that it happened to', source: 'envelope.stream' },
    { name: 'reason', type: 'text', says: 'Reason that the actor gave', source: 'event.by.reason' },
    {
      name: 'correlation',
      type: 'id',
      says: 'Request or job that it belongs to',
      source: 'event.cause.correlation',
    },
    { name: 'link', type: 'digest', says: 'Hash of the chain up to this event', source: 'computed' },
  ],
  limits: [
    'It shows what went through the product. Changes made in Azure by other means appear only as differences that a later scan found.',
    'Sign-ins beyond a lockout are counted, not listed one by one.',
  ],
  fold(period) {
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
      apply(event, link) {
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
