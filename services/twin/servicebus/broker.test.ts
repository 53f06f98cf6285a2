import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { startBroker } from './broker.ts'
import { bodies, CONFIG, LOCK_MS, one, QUICK, workbench } from './workbench.ts'

const on = workbench()

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
    await on.send('plain', sent)
    const received = await one(on.client.createReceiver('plain'))
    expect(received).toMatchObject({ ...sent, deliveryCount: 0, state: 'active' })
    expect(received.sequenceNumber?.toNumber()).toBe(1)
    expect(received.enqueuedTimeUtc).toEqual(new Date(on.clock.now()))
    expect(received.lockedUntilUtc).toEqual(new Date(on.clock.now() + LOCK_MS))
  })

  test.each([
    ['text', 'grün'],
    ['bytes', Buffer.from([0, 255, 1])],
    ['a list', [1, 'two', null]],
  ])('carries %s', async (_kind, body) => {
    await on.send('plain', { body })
    expect((await one(on.client.createReceiver('plain'))).body).toEqual(body)
  })

  test('of several frames arrives whole', async () => {
    const body = Buffer.alloc(200_000, 'x')
    await on.send('plain', { body })
    expect((await one(on.client.createReceiver('plain'))).body).toEqual(body)
  })

  test('beyond the limit is refused, also by tryAddMessage', async () => {
    const sender = on.client.createSender('plain')
    const body = Buffer.alloc(262_145)
    await expect(sender.sendMessages({ body })).rejects.toMatchObject({ code: 'MessageSizeExceeded' })
    expect((await sender.createMessageBatch()).tryAddMessage({ body })).toBe(false)
  })
})

test('a batch arrives whole and in order', async () => {
  const sender = on.client.createSender('plain')
  const batch = await sender.createMessageBatch()
  for (let i = 0; i < 500; i++) expect(batch.tryAddMessage({ messageId: String(i), body: i })).toBe(true)
  await sender.sendMessages(batch)
  const receiver = on.client.createReceiver('plain')
  const received = await receiver.receiveMessages(500, { maxWaitTimeInMs: 5_000 })
  expect(bodies(received)).toEqual(Array.from({ length: 500 }, (_, i) => i))
})

test('deliveries go on past the 2,048 that one AMQP session buffers', async () => {
  const sender = on.client.createSender('plain')
  for (let lot = 0; lot < 5; lot++)
    await sender.sendMessages(
      Array.from({ length: 1_000 }, (_, i) => ({ messageId: randomUUID(), body: lot * 1_000 + i })),
    )
  const receiver = on.client.createReceiver('plain')
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
    await on.send('plain', { body: 'a' }, { body: 'b' })
    const receiver = on.client.createReceiver('plain')
    await receiver.completeMessage(await one(receiver))
    await receiver.abandonMessage(await one(receiver), { tried: 'once' })
    const again = await one(receiver)
    expect(again).toMatchObject({ body: 'b', deliveryCount: 1, applicationProperties: { tried: 'once' } })
  })

  test('a dead-lettered message lies in the dead-letter queue with reason and source', async () => {
    await on.send('plain', { body: 'a', applicationProperties: { kept: 1 } })
    const receiver = on.client.createReceiver('plain')
    await receiver.deadLetterMessage(await one(receiver), {
      deadLetterReason: 'bad',
      deadLetterErrorDescription: 'very bad',
      custom: 'more',
    })
    const dead = on.client.createReceiver('plain', { subQueueType: 'deadLetter' })
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
    await on.send('plain', { body: 'a' })
    const receiver = on.client.createReceiver('plain')
    for (let i = 0; i < 2; i++) await receiver.abandonMessage(await one(receiver))
    const dead = on.client.createReceiver('plain', { subQueueType: 'deadLetter' })
    expect((await one(dead)).deadLetterReason).toBe('MaxDeliveryCountExceeded')
  })

  test('a deferred message is received by its number and settled through the management node', async () => {
    await on.send('plain', { body: 'a' }, { body: 'b' })
    const receiver = on.client.createReceiver('plain')
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
    const dead = on.client.createReceiver('plain', { subQueueType: 'deadLetter' })
    expect((await one(dead)).deadLetterReason).toBe('late')
  })

  test('receive-and-delete leaves nothing', async () => {
    await on.send('plain', { body: 'a' }, { body: 'b' })
    const receiver = on.client.createReceiver('plain', { receiveMode: 'receiveAndDelete' })
    expect(bodies(await receiver.receiveMessages(2, { maxWaitTimeInMs: 5_000 }))).toEqual(['a', 'b'])
    expect(await on.client.createReceiver('plain').peekMessages(5)).toEqual([])
  })

  test('an error among successes is answered to the one it belongs to', async () => {
    await on.send('plain', { body: 'lapsed' }, { body: 'kept' }, { body: 'lapsed' })
    const receiver = on.client.createReceiver('plain')
    const received = await receiver.receiveMessages(3, { maxWaitTimeInMs: 5_000 })
    on.clock.advance(LOCK_MS / 2)
    if (received[1]) await receiver.renewMessageLock(received[1])
    on.clock.advance(LOCK_MS / 2)
    const outcomes = await Promise.allSettled(received.map((message) => receiver.completeMessage(message)))
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected'])
  })
})

describe('a lock', () => {
  test('can be renewed', async () => {
    await on.send('plain', { body: 'a' })
    const receiver = on.client.createReceiver('plain')
    const message = await one(receiver)
    on.clock.advance(LOCK_MS - 1)
    expect(await receiver.renewMessageLock(message)).toEqual(new Date(on.clock.now() + LOCK_MS))
    on.clock.advance(LOCK_MS - 1)
    await receiver.completeMessage(message)
  })

  test('that is lost settles nothing, and the message goes to a waiting receiver', async () => {
    await on.send('plain', { body: 'a' })
    const receiver = on.client.createReceiver('plain')
    const message = await one(receiver)
    const waiting = one(on.client.createReceiver('plain'))
    await receiver.peekMessages(1)
    on.clock.advance(LOCK_MS)
    await expect(receiver.completeMessage(message)).rejects.toMatchObject({ code: 'MessageLockLost' })
    await expect(receiver.renewMessageLock(message)).rejects.toMatchObject({ code: 'MessageLockLost' })
    expect((await waiting).deliveryCount).toBe(1)
  })
})

test('peeking shows messages in order and locks nothing', async () => {
  await on.send('plain', { body: 1 }, { body: 2 }, { body: 3 })
  const receiver = on.client.createReceiver('plain')
  expect(bodies(await receiver.peekMessages(2))).toEqual([1, 2])
  expect(bodies(await receiver.peekMessages(2))).toEqual([3])
  expect(await receiver.peekMessages(2)).toEqual([])
  expect((await one(receiver)).deliveryCount).toBe(0)
})

describe('scheduled messages', () => {
  test('become visible at their time, on a queue', async () => {
    const sender = on.client.createSender('plain')
    const [number] = await sender.scheduleMessages(
      { messageId: 'm', body: 'later' },
      new Date(on.clock.now() + 60_000),
    )
    const receiver = on.client.createReceiver('plain')
    expect((await receiver.peekMessages(1))[0]).toMatchObject({ state: 'scheduled', sequenceNumber: number })
    expect(await receiver.receiveMessages(1, QUICK)).toEqual([])
    const waiting = one(receiver)
    on.clock.advance(60_000)
    expect((await waiting).body).toBe('later')
  })

  test('become visible at their time, on a topic', async () => {
    const at = new Date(on.clock.now() + 60_000)
    await on.send('facts', { body: 'later', scheduledEnqueueTimeUtc: at })
    const receiver = on.client.createReceiver('facts', 'all')
    expect(await receiver.peekMessages(1)).toEqual([])
    on.clock.advance(60_000)
    expect((await one(receiver)).body).toBe('later')
  })

  test('can be cancelled before', async () => {
    const sender = on.client.createSender('plain')
    const numbers = await sender.scheduleMessages(
      [{ body: 1 }, { body: 2 }],
      new Date(on.clock.now() + 60_000),
    )
    await sender.cancelScheduledMessages(numbers)
    await expect(sender.cancelScheduledMessages(numbers)).rejects.toMatchObject({ code: 'MessageNotFound' })
    on.clock.advance(60_000)
    expect(await on.client.createReceiver('plain').peekMessages(1)).toEqual([])
  })
})

test('duplicate detection drops a message id seen within the window', async () => {
  const sender = on.client.createSender('unique')
  for (const body of ['first', 'second']) await sender.sendMessages({ messageId: 'same', body })
  on.clock.advance(60_000)
  await sender.sendMessages({ messageId: 'same', body: 'third' })
  expect(bodies(await on.client.createReceiver('unique').receiveMessages(5, QUICK))).toEqual([
    'first',
    'third',
  ])
})

describe('access', () => {
  test('a wrong key is refused in clear words', async () => {
    const stranger = on.connect(on.broker.connectionString.replace('=secret', '=guess'))
    await expect(stranger.createSender('plain').sendMessages({ body: 1 })).rejects.toMatchObject({
      code: 'UnauthorizedAccess',
      message: expect.stringContaining('Invalid signature') as string,
    })
    await stranger.close()
  })

  test('an entity that is not there is not found', async () => {
    await expect(on.client.createSender('nowhere').sendMessages({ body: 1 })).rejects.toMatchObject({
      code: 'MessagingEntityNotFound',
    })
    await expect(on.client.createReceiver('facts', 'nobody').receiveMessages(1, QUICK)).rejects.toMatchObject(
      {
        code: 'MessagingEntityNotFound',
      },
    )
  })
})

test('a port that is taken is reported', async () => {
  await expect(startBroker({ config: CONFIG, key: 'k', port: on.broker.port })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  })
})
