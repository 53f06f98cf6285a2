import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Message } from './entity/message.ts'
import { readTopology, type Topology } from './topology.ts'

const DEPLOYED: unknown = JSON.parse(
  readFileSync(new URL('../../../deploy/servicebus/config.json', import.meta.url), 'utf8'),
)
const SOURCES = { now: () => 0, newToken: () => 'token' }
const read = (config: unknown): Topology => readTopology(config, SOURCES, (messages) => messages)
const namespace = (content: object): unknown => ({ UserConfig: { Namespaces: [{ Name: 'n', ...content }] } })

describe('the deployed topology', () => {
  const topology = read(DEPLOYED)

  test('is within the limits of the emulator', () => {
    expect([...topology.entities()].length).toBeLessThanOrEqual(50)
  })

  test('gives every service the contexts that it folds', () => {
    const events = topology.find('events')
    if (events.kind !== 'topic') throw new Error('events is a topic')
    const wants = (context: string): string[] =>
      [...events.topic.subscriptions.values()].filter((s) => s.wants(event(context))).map((s) => s.name)
    const all = ['discovery', 'compliance', 'rotation', 'sync', 'evidence', 'alerts', 'licensing', 'gateway']
    expect(wants('discovery')).toEqual(all)
    expect(wants('gateway')).toEqual(all)
    expect(wants('compliance')).toEqual(['compliance', 'evidence', 'alerts', 'licensing', 'gateway'])
    expect(wants('ledger')).toEqual(['gateway'])
    expect(wants('elsewhere')).toEqual([])
  })

  test('gives every service a command queue with sessions and duplicate detection', () => {
    for (const service of [
      'discovery',
      'compliance',
      'rotation',
      'sync',
      'evidence',
      'alerts',
      'licensing',
      'gateway',
    ]) {
      const entity = topology.find(`${service}-commands`)
      if (entity.kind !== 'queue') throw new Error('a queue')
      expect(entity.queue.settings).toMatchObject({
        requiresSession: true,
        maxDeliveryCount: 10,
        lockDuration: 60_000,
        duplicateWindow: 300_000,
      })
    }
  })
})

test('addresses are found without regard to case', () => {
  const topology = read(DEPLOYED)
  expect(topology.find('EVENTS/subscriptions/ALERTS/$deadletterqueue').kind).toBe('queue')
  expect(() => topology.find('nowhere')).toThrow("The messaging entity 'nowhere' could not be found.")
  expect(() => topology.find('events/$DeadLetterQueue')).toThrow('could not be found')
})

test('durations in any of their parts are understood', () => {
  const topology = read(
    namespace({ Queues: [{ Name: 'q', Properties: { DefaultMessageTimeToLive: 'P1DT2H3M4.5S' } }] }),
  )
  const entity = topology.find('q')
  expect(entity.kind === 'queue' && entity.queue.settings.timeToLive).toBe(
    (((24 + 2) * 60 + 3) * 60 + 4.5) * 1000,
  )
})

test.each([
  ['an unknown field', { Queues: [{ Name: 'q', Properties: { Magic: true } }] }, 'Magic'],
  ['forwarding', { Queues: [{ Name: 'q', Properties: { ForwardTo: 'r' } }] }, 'forwarding'],
  ['too long a lock', { Queues: [{ Name: 'q', Properties: { LockDuration: 'PT6M' } }] }, '5 minutes'],
  ['no duration', { Queues: [{ Name: 'q', Properties: { LockDuration: '60' } }] }, 'ISO 8601'],
  ['a name twice', { Queues: [{ Name: 'q' }, { Name: 'Q' }] }, 'named twice'],
  [
    'an unsupported SQL filter',
    {
      Topics: [
        {
          Name: 't',
          Subscriptions: [
            {
              Name: 's',
              Rules: [
                { Name: 'r', Properties: { FilterType: 'Sql', SqlFilter: { SqlExpression: 'a + 1 = 2' } } },
              ],
            },
          ],
        },
      ],
    },
    'not supported',
  ],
])('%s is refused', (_case, content, reason) => {
  expect(() => read(namespace(content))).toThrow(reason)
})

function event(context: string): Message {
  return {
    messageId: 'm',
    correlationId: undefined,
    subject: undefined,
    to: undefined,
    replyTo: undefined,
    sessionId: undefined,
    replyToSessionId: undefined,
    contentType: undefined,
    timeToLive: undefined,
    scheduledFor: undefined,
    properties: { context },
    annotations: {},
    bytes: 1,
    sections: { bare: new Uint8Array(), properties: undefined, body: new Uint8Array() },
  }
}
