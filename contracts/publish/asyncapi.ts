import { catalog } from '../catalog.ts'
import { contextOf, Envelope, type EventDefinition } from '../event.ts'
import { http } from '../http/index.ts'
import { createSchemaBook, type Json, type JsonObject } from './schemas.ts'

/** Services that work on commands of their own. */
/** The gateway works for nobody, and the audit log is evidence's: neither has a queue of its own. */
const WORKING = Object.keys(http).filter((service) => service !== 'gateway' && service !== 'audit')

const PROPERTIES: Json = {
  type: 'object',
  properties: {
    tenant: { type: 'string' },
    context: { type: 'string', description: 'The producing service: the type before its dot.' },
    seq: { type: 'integer', description: 'Place in the tenant’s chain.' },
    prevSeq: {
      type: 'integer',
      description: 'Place of the event before it, of the same tenant and context; 0 for the first.',
    },
    traceparent: { type: 'string', description: 'W3C Trace Context; outside the hash.' },
    tracestate: { type: 'string' },
  },
  required: ['tenant', 'context', 'seq', 'prevSeq'],
}

/** The bus as an AsyncAPI 3.0 document: the topic that carries the facts, and the services' own queues. */
export function asyncapi(): JsonObject {
  const book = createSchemaBook()
  const envelope = book.of(Envelope, 'output')
  const messages: Record<string, Json> = {}
  for (const [type, definition] of Object.entries<EventDefinition>(catalog))
    messages[type] = {
      name: type,
      summary: definition.says,
      contentType: 'application/json',
      headers: PROPERTIES,
      payload: {
        type: 'object',
        description:
          'The exact recorded text of the envelope, and beside it the salts and values of committed fields. The data below is what the envelope holds once they are put back.',
        properties: {
          envelope: { type: 'string', contentMediaType: 'application/json', contentSchema: envelope },
          private: { type: ['string', 'null'] },
        },
        required: ['envelope', 'private'],
      },
      'x-version': definition.v,
      'x-context': contextOf(type),
      'x-data': book.of(definition.data, 'output'),
    }
  const queues = Object.fromEntries(
    WORKING.map((service) => [
      `${service}-commands`,
      {
        address: `${service}-commands`,
        summary: `Wakes ${service} for work that stands in its own tables; sessions keep commands of one thing in order.`,
        messages: { command: { $ref: '#/components/messages/command' } },
      },
    ]),
  )
  const receive = (name: string, summary: string): Json => ({
    action: 'receive',
    channel: { $ref: `#/channels/${name}` },
    summary,
  })
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Attestry',
      version: '1',
      description: 'Events travel on one topic with a subscription a service; commands on a queue a service.',
    },
    defaultContentType: 'application/json',
    channels: {
      events: {
        address: 'events',
        summary: 'Every fact, once it is in the ledger.',
        messages: Object.fromEntries(
          Object.keys(messages).map((type) => [type, { $ref: `#/components/messages/${type}` }]),
        ),
      },
      ...queues,
    },
    operations: {
      publishEvents: {
        action: 'send',
        channel: { $ref: '#/channels/events' },
        summary: 'The relay publishes by seq.',
      },
      consumeEvents: receive('events', 'A subscription takes whole contexts.'),
      ...Object.fromEntries(
        WORKING.map((service) => [`work-${service}`, receive(`${service}-commands`, `${service} works.`)]),
      ),
    },
    components: {
      messages: {
        ...messages,
        command: {
          name: 'command',
          summary: 'A command’s tenant and id: the row says what is to be done and whether it was.',
          payload: {
            type: 'object',
            properties: { tenant: { type: 'string' }, id: { type: 'string' } },
            required: ['tenant', 'id'],
          },
        },
      },
      schemas: Object.fromEntries(Object.entries(book.components).toSorted(([a], [b]) => (a < b ? -1 : 1))),
    },
  }
}
