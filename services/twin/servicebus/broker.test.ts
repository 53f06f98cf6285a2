import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  ServiceBusClient,
  type ServiceBusMessage,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
  type ServiceBusSessionReceiver,
} from '@azure/service-bus'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Broker, startBroker } from './broker.ts'
import { seeded } from './faults.ts'
import { ManualClock } from './manual-clock.ts'

const CONFIG = {
  UserConfig: {
    Namespaces: [
      {
        Name: 'test',
        Queues: [
          { Name: 'plain', Properties: { MaxDeliveryCount: 2 } },
          { Name: 'sessions', Properties: { RequiresSession: true } },
          {
            Name: 'unique',
            Properties: { RequiresDuplicateDetection: true, DuplicateDetectionHistoryTimeWindow: 'PT1M' },
          },
        ],
        Topics: [
          {
            Name: 'Facts',
            Subscriptions: [
              { Name: 'all' },
              {
                Name: 'red',
                Rules: [
                  {
                    Name: 'red',
                    Properties: {
                      FilterType: 'Correlation',
                      CorrelationFilter: { Properties: { colour: 'red' } },
                    },
                  },
                ],
              },
            ],
          },
        ],
      },
    ],
  },
}
const LOCK_MS = 60_000
const QUICK = { maxWaitTimeInMs: 300 }

/** Sends with an id for each message, without which the SDK loses track of the lock that it renews. */
async function send(entity: string, ...messages: ServiceBusMessage[]): Promise<void> {
  const sender = client.createSender(entity)
  await sender.sendMessages(messages.map((message) => ({ messageId: randomUUID(), ...message })))
  await sender.close()
}

let broker: Broker
let client: ServiceBusClient
let clock: ManualClock

function connect(connectionString = broker.connectionString): ServiceBusClient {
  return new ServiceBusClient(connectionString, { retryOptions: { maxRetries: 0, timeoutInMs: 1_500 } })
}

beforeEach(async () => {
  clock = new ManualClock(Date.now())
  broker = await startBroker({ config: CONFIG, key: 'secret', clock })
  client = connect()
})

afterEach(async () => {
  await client.close()
  await broker.stop()
})

async function one(
  receiver: ServiceBusReceiver | ServiceBusSessionReceiver,
): Promise<ServiceBusReceivedMessage> {
  const [message] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 5_000 })
  if (!message) throw new Error('nothing was received')
  return message
}

const bodies = (messages: readonly ServiceBusReceivedMessage[]): unknown[] =>
  messages.map(({ body }) => body as unknown)

describe('a message', () => {
  test('arrives with its body, properties, annotations and system fields as they were sent', async () => {
    const sent = {
      messageId: 'id-1',
      correlationId: 'cause-1',
      subject: 'order.placed',
      to: 'there',
      replyTo: 'here',
      contentType: 'application/json',
      partitionKey: 'p1',
      body: { order: 1 },
      applicationProperties: { text: 'grün', whole: 12, negative: -3, fraction: 1.5, truth: true },
    }
    await send('plain', sent)
    const received = await one(client.createReceiver('plain'))
    expect(received).toMatchObject({ ...sent, deliveryCount: 0, state: 'active' })
    expect(received.sequenceNumber?.toNumber()).toBe(1)
    expect(received.enqueuedTimeUtc).toEqual(new Date(clock.now()))
    expect(received.lockedUntilUtc).toEqual(new Date(clock.now() + LOCK_MS))
  })

  test.each([
    ['text', 'grün'],
    ['bytes', Buffer.from([0, 255, 1])],
    ['a list', [1, 'two', null]],
  ])('carries %s', async (_kind, body) => {
    await send('plain', { body })
    expect((await one(client.createReceiver('plain'))).body).toEqual(body)
  })

  test('of several frames arrives whole', async () => {
    const body = Buffer.alloc(200_000, 'x')
    await send('plain', { body })
    expect((await one(client.createReceiver('plain'))).body).toEqual(body)
  })

  test('beyond the limit is refused, also by tryAddMessage', async () => {
    const sender = client.createSender('plain')
    const body = Buffer.alloc(262_145)
    await expect(sender.sendMessages({ body })).rejects.toMatchObject({ code: 'MessageSizeExceeded' })
    expect((await sender.createMessageBatch()).tryAddMessage({ body })).toBe(false)
  })
})

test('a batch arrives whole and in order', async () => {
  const sender = client.createSender('plain')
  const batch = await sender.createMessageBatch()
  for (let i = 0; i < 500; i++) expect(batch.tryAddMessage({ messageId: String(i), body: i })).toBe(true)
  await sender.sendMessages(batch)
  const receiver = client.createReceiver('plain')
  const received = await receiver.receiveMessages(500, { maxWaitTimeInMs: 5_000 })
  expect(bodies(received)).toEqual(Array.from({ length: 500 }, (_, i) => i))
})

test('deliveries go on past the 2,048 that one AMQP session buffers', async () => {
  const sender = client.createSender('plain')
  for (let lot = 0; lot < 5; lot++)
    await sender.sendMessages(
      Array.from({ length: 1_000 }, (_, i) => ({ messageId: randomUUID(), body: lot * 1_000 + i })),
    )
  const receiver = client.createReceiver('plain')
  const seen = new Set<unknown>()
  for (let turn = 0; turn < 50 && seen.size < 5_000; turn++) {
    for (const message of await receiver.receiveMessages(500, { maxWaitTimeInMs: 2_000 })) {
      seen.add(message.body)
      await receiver.completeMessage(message)
    }
  }
  expect(seen.size).toBe(5_000)
})

describe('settling', () => {
  test('a completed message is gone, an abandoned one comes back counted', async () => {
    await send('plain', { body: 'a' }, { body: 'b' })
    const receiver = client.createReceiver('plain')
    await receiver.completeMessage(await one(receiver))
    await receiver.abandonMessage(await one(receiver), { tried: 'once' })
    const again = await one(receiver)
    expect(again).toMatchObject({ body: 'b', deliveryCount: 1, applicationProperties: { tried: 'once' } })
  })

  test('a dead-lettered message lies in the dead-letter queue with reason and source', async () => {
    await send('plain', { body: 'a', applicationProperties: { kept: 1 } })
    const receiver = client.createReceiver('plain')
    await receiver.deadLetterMessage(await one(receiver), {
      deadLetterReason: 'bad',
      deadLetterErrorDescription: 'very bad',
      custom: 'more',
    })
    const dead = client.createReceiver('plain', { subQueueType: 'deadLetter' })
    const letter = await one(dead)
    expect(letter).toMatchObject({
      body: 'a',
      deadLetterReason: 'bad',
      deadLetterErrorDescription: 'very bad',
      deadLetterSource: 'plain',
      applicationProperties: { kept: 1, custom: 'more' },
    })
    await dead.completeMessage(letter)
    expect(await dead.peekMessages(1)).toEqual([])
  })

  test('the maximum of deliveries ends in the dead-letter queue', async () => {
    await send('plain', { body: 'a' })
    const receiver = client.createReceiver('plain')
    for (let i = 0; i < 2; i++) await receiver.abandonMessage(await one(receiver))
    const dead = client.createReceiver('plain', { subQueueType: 'deadLetter' })
    expect((await one(dead)).deadLetterReason).toBe('MaxDeliveryCountExceeded')
  })

  test('a deferred message is received by its number and settled through the management node', async () => {
    await send('plain', { body: 'a' }, { body: 'b' })
    const receiver = client.createReceiver('plain')
    const [a, b] = await receiver.receiveMessages(2, { maxWaitTimeInMs: 5_000 })
    if (!a?.sequenceNumber || !b?.sequenceNumber) throw new Error('two messages were sent')
    await receiver.deferMessage(a)
    await receiver.deferMessage(b)
    expect((await receiver.peekMessages(5)).map(({ state }) => state)).toEqual(['deferred', 'deferred'])
    const [again, other] = await receiver.receiveDeferredMessages([a.sequenceNumber, b.sequenceNumber])
    if (!again || !other) throw new Error('both are deferred')
    expect(again).toMatchObject({ body: 'a', state: 'deferred' })
    await receiver.renewMessageLock(again)
    await receiver.completeMessage(again)
    await receiver.deadLetterMessage(other, { deadLetterReason: 'late', deadLetterErrorDescription: '' })
    await expect(receiver.receiveDeferredMessages(a.sequenceNumber)).rejects.toMatchObject({
      code: 'MessageNotFound',
    })
    const dead = client.createReceiver('plain', { subQueueType: 'deadLetter' })
    expect((await one(dead)).deadLetterReason).toBe('late')
  })

  test('receive-and-delete leaves nothing', async () => {
    await send('plain', { body: 'a' }, { body: 'b' })
    const receiver = client.createReceiver('plain', { receiveMode: 'receiveAndDelete' })
    expect(bodies(await receiver.receiveMessages(2, { maxWaitTimeInMs: 5_000 }))).toEqual(['a', 'b'])
    expect(await client.createReceiver('plain').peekMessages(5)).toEqual([])
  })

  test('an error among successes is answered to the one it belongs to', async () => {
    await send('plain', { body: 'lapsed' }, { body: 'kept' }, { body: 'lapsed' })
    const receiver = client.createReceiver('plain')
    const received = await receiver.receiveMessages(3, { maxWaitTimeInMs: 5_000 })
    clock.advance(LOCK_MS / 2)
    if (received[1]) await receiver.renewMessageLock(received[1])
    clock.advance(LOCK_MS / 2)
    const outcomes = await Promise.allSettled(received.map((message) => receiver.completeMessage(message)))
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected'])
  })
})

describe('a lock', () => {
  test('can be renewed', async () => {
    await send('plain', { body: 'a' })
    const receiver = client.createReceiver('plain')
    const message = await one(receiver)
    clock.advance(LOCK_MS - 1)
    expect(await receiver.renewMessageLock(message)).toEqual(new Date(clock.now() + LOCK_MS))
    clock.advance(LOCK_MS - 1)
    await receiver.completeMessage(message)
  })

  test('that is lost settles nothing, and the message goes to a waiting receiver', async () => {
    await send('plain', { body: 'a' })
    const receiver = client.createReceiver('plain')
    const message = await one(receiver)
    const waiting = one(client.createReceiver('plain'))
    await receiver.peekMessages(1)
    clock.advance(LOCK_MS)
    await expect(receiver.completeMessage(message)).rejects.toMatchObject({ code: 'MessageLockLost' })
    await expect(receiver.renewMessageLock(message)).rejects.toMatchObject({ code: 'MessageLockLost' })
    expect((await waiting).deliveryCount).toBe(1)
  })
})

test('peeking shows messages in order and locks nothing', async () => {
  await send('plain', { body: 1 }, { body: 2 }, { body: 3 })
  const receiver = client.createReceiver('plain')
  expect(bodies(await receiver.peekMessages(2))).toEqual([1, 2])
  expect(bodies(await receiver.peekMessages(2))).toEqual([3])
  expect(await receiver.peekMessages(2)).toEqual([])
  expect((await one(receiver)).deliveryCount).toBe(0)
})

describe('scheduled messages', () => {
  test('become visible at their time, on a queue', async () => {
    const sender = client.createSender('plain')
    const [number] = await sender.scheduleMessages(
      { messageId: 'm', body: 'later' },
      new Date(clock.now() + 60_000),
    )
    const receiver = client.createReceiver('plain')
    expect((await receiver.peekMessages(1))[0]).toMatchObject({ state: 'scheduled', sequenceNumber: number })
    expect(await receiver.receiveMessages(1, QUICK)).toEqual([])
    const waiting = one(receiver)
    clock.advance(60_000)
    expect((await waiting).body).toBe('later')
  })

  test('become visible at their time, on a topic', async () => {
    const at = new Date(clock.now() + 60_000)
    await send('facts', { body: 'later', scheduledEnqueueTimeUtc: at })
    const receiver = client.createReceiver('facts', 'all')
    expect(await receiver.peekMessages(1)).toEqual([])
    clock.advance(60_000)
    expect((await one(receiver)).body).toBe('later')
  })

  test('can be cancelled before', async () => {
    const sender = client.createSender('plain')
    const numbers = await sender.scheduleMessages([{ body: 1 }, { body: 2 }], new Date(clock.now() + 60_000))
    await sender.cancelScheduledMessages(numbers)
    await expect(sender.cancelScheduledMessages(numbers)).rejects.toMatchObject({ code: 'MessageNotFound' })
    clock.advance(60_000)
    expect(await client.createReceiver('plain').peekMessages(1)).toEqual([])
  })
})

describe('sessions', () => {
  const sendTo = (...messages: [sessionId: string, body: string][]): Promise<void> =>
    send('sessions', ...messages.map(([sessionId, body]) => ({ sessionId, body })))

  test('are accepted one after the other, each with its own messages in order', async () => {
    await sendTo(['x', 'x1'], ['y', 'y1'], ['x', 'x2'])
    const first = await client.acceptNextSession('sessions')
    const second = await client.acceptNextSession('sessions')
    expect([first.sessionId, second.sessionId]).toEqual(['x', 'y'])
    expect(first.sessionLockedUntilUtc).toEqual(new Date(clock.now() + LOCK_MS))
    expect(bodies(await first.receiveMessages(5, QUICK))).toEqual(['x1', 'x2'])
    expect(bodies(await second.receiveMessages(5, QUICK))).toEqual(['y1'])
  })

  test('that are held cannot be taken until they are let go', async () => {
    const first = await client.acceptSession('sessions', 'x')
    await expect(client.acceptSession('sessions', 'x')).rejects.toMatchObject({
      code: 'SessionCannotBeLocked',
    })
    await first.close()
    await client.acceptSession('sessions', 'x')
  })

  test('are waited for, and given to the one who waits', async () => {
    const waiting = client.acceptNextSession('sessions')
    await sendTo(['x', 'x1'])
    const session = await waiting
    expect(session.sessionId).toBe('x')
    expect((await one(session)).body).toBe('x1')
  })

  test('that do not come in time end the wait', async () => {
    const waiting = client.acceptNextSession('sessions')
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'ServiceTimeout' })
    await client.createReceiver('plain').peekMessages(1)
    clock.advance(1_500)
    await outcome
  })

  test('keep a state, which may be cleared', async () => {
    const session = await client.acceptSession('sessions', 'x')
    expect(await session.getSessionState()).toBeNull()
    await session.setSessionState({ step: 2 })
    await session.close()
    const again = await client.acceptSession('sessions', 'x')
    expect(await again.getSessionState()).toEqual({ step: 2 })
  })

  test('have a lock that is renewed, and lost when it is not', async () => {
    await sendTo(['x', 'x1'])
    const session = await client.acceptSession('sessions', 'x')
    const message = await one(session)
    clock.advance(LOCK_MS - 1)
    expect(await session.renewSessionLock()).toEqual(new Date(clock.now() + LOCK_MS))
    clock.advance(LOCK_MS)
    await expect.poll(() => session.isClosed).toBe(true)
    await expect(session.completeMessage(message)).rejects.toMatchObject({ code: 'SessionLockLost' })
    const next = await client.acceptNextSession('sessions')
    expect((await one(next)).deliveryCount).toBe(1)
  })

  test('defer and dead-letter within the session', async () => {
    await sendTo(['x', 'x1'], ['x', 'x2'])
    const session = await client.acceptSession('sessions', 'x')
    const [a, b] = await session.receiveMessages(2, { maxWaitTimeInMs: 5_000 })
    if (!a?.sequenceNumber || !b) throw new Error('two messages were sent')
    await session.deferMessage(a)
    await session.deadLetterMessage(b)
    const [deferred] = await session.receiveDeferredMessages(a.sequenceNumber)
    if (!deferred) throw new Error('one is deferred')
    await session.completeMessage(deferred)
    expect(await session.peekMessages(5)).toEqual([])
  })

  test('are needed where the entity wants them, and refused where it does not', async () => {
    await expect(client.createSender('sessions').sendMessages({ body: 'none' })).rejects.toThrow(
      'SessionId was not set',
    )
    await expect(client.createReceiver('sessions').receiveMessages(1, QUICK)).rejects.toThrow(
      'requires sessions',
    )
    await expect(client.acceptNextSession('plain')).rejects.toThrow('does not require sessions')
  })
})

test('duplicate detection drops a message id seen within the window', async () => {
  const sender = client.createSender('unique')
  for (const body of ['first', 'second']) await sender.sendMessages({ messageId: 'same', body })
  clock.advance(60_000)
  await sender.sendMessages({ messageId: 'same', body: 'third' })
  expect(bodies(await client.createReceiver('unique').receiveMessages(5, QUICK))).toEqual(['first', 'third'])
})

describe('a topic', () => {
  test('gives each subscription what its rules want, once', async () => {
    for (const colour of ['red', 'blue'])
      await send('FACTS', { body: colour, applicationProperties: { colour } })
    expect(bodies(await client.createReceiver('facts', 'all').receiveMessages(5, QUICK))).toEqual([
      'red',
      'blue',
    ])
    expect(bodies(await client.createReceiver('facts', 'red').receiveMessages(5, QUICK))).toEqual(['red'])
  })

  test('has rules that are listed, added and removed', async () => {
    const rules = client.createRuleManager('facts', 'red')
    await rules.createRule('big', { sqlExpression: "size > 10 AND sys.label = 'box'" })
    await rules.createRule('from', { correlationId: 'c', applicationProperties: { origin: 'here' } })
    const listed = []
    for await (const rule of rules.listRules()) listed.push(rule)
    expect(listed).toMatchObject([
      { name: 'red', filter: { applicationProperties: { colour: 'red' } } },
      { name: 'big', filter: { sqlExpression: "size > 10 AND sys.label = 'box'" } },
      { name: 'from', filter: { correlationId: 'c', applicationProperties: { origin: 'here' } } },
    ])
    await rules.deleteRule('red')
    await send(
      'facts',
      ...[
        { body: 'small', subject: 'box', applicationProperties: { size: 10, colour: 'red' } },
        { body: 'big', subject: 'box', applicationProperties: { size: 11 } },
      ],
    )
    expect(bodies(await client.createReceiver('facts', 'red').receiveMessages(5, QUICK))).toEqual(['big'])
    await expect(rules.deleteRule('red')).rejects.toThrow('could not be found')
    await expect(rules.createRule('big', { sqlExpression: '1=1' })).rejects.toThrow('exists already')
  })

  test('refuses a SQL filter or a rule action that it would have to ignore', async () => {
    const rules = client.createRuleManager('facts', 'red')
    await expect(rules.createRule('sum', { sqlExpression: 'size + 1 > 2' })).rejects.toThrow('not supported')
    await expect(
      rules.createRule('act', { sqlExpression: '1=1' }, { sqlExpression: 'SET a = 1' }),
    ).rejects.toThrow('no action')
  })
})

describe('access', () => {
  test('a wrong key is refused in clear words', async () => {
    const stranger = connect(broker.connectionString.replace('=secret', '=guess'))
    await expect(stranger.createSender('plain').sendMessages({ body: 1 })).rejects.toMatchObject({
      code: 'UnauthorizedAccess',
      message: expect.stringContaining('Invalid signature') as string,
    })
    await stranger.close()
  })

  test('an entity that is not there is not found', async () => {
    await expect(client.createSender('nowhere').sendMessages({ body: 1 })).rejects.toMatchObject({
      code: 'MessagingEntityNotFound',
    })
    await expect(client.createReceiver('facts', 'nobody').receiveMessages(1, QUICK)).rejects.toMatchObject({
      code: 'MessagingEntityNotFound',
    })
  })
})

test('faults lose, double and reorder events as asked, and spare queues', async () => {
  const faulty = await startBroker({
    config: CONFIG,
    key: 'secret',
    faults: { drop: 0.1, duplicate: 0.1, reorder: 0.2, random: seeded(1) },
  })
  const other = connect(faulty.connectionString)
  const messages = Array.from({ length: 200 }, (_, i) => ({ messageId: String(i), body: i }))
  await other.createSender('facts').sendMessages(messages)
  await other.createSender('plain').sendMessages(messages)
  const events = bodies(await other.createReceiver('facts', 'all').receiveMessages(400, QUICK)).map(Number)
  const commands = bodies(await other.createReceiver('plain').receiveMessages(400, QUICK)).map(Number)
  expect(new Set(events).size).toBeLessThan(200)
  expect(events.length).toBeGreaterThan(new Set(events).size)
  expect(events).not.toEqual(events.toSorted((a, b) => a - b))
  expect(commands).toEqual(messages.map(({ body }) => body))
  await other.close()
  await faulty.stop()
})

test('a port that is taken is reported', async () => {
  await expect(startBroker({ config: CONFIG, key: 'k', port: broker.port })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  })
})

test('the deployed configuration starts', async () => {
  const config: unknown = JSON.parse(
    readFileSync(new URL('../../../deploy/servicebus/config.json', import.meta.url), 'utf8'),
  )
  await (await startBroker({ config, key: 'secret' })).stop()
})
