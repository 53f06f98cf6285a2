import { beforeEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../manual-clock.ts'
import type { Message } from './message.ts'
import { Queue, type QueueSettings } from './queue.ts'

const SETTINGS: QueueSettings = {
  name: 'orders',
  lockDuration: 60_000,
  maxDeliveryCount: 3,
  requiresSession: false,
  timeToLive: 3_600_000,
  deadLetterOnExpiration: false,
  duplicateWindow: undefined,
  maxBytes: 1_000,
}

let clock: ManualClock
let tokens = 0

function queueOf(settings: Partial<QueueSettings> = {}): Queue {
  const sources = { now: () => clock.now(), newToken: () => `token-${++tokens}` }
  const dead = new Queue({ ...SETTINGS, requiresSession: false, timeToLive: Infinity }, sources)
  return new Queue({ ...SETTINGS, ...settings }, sources, dead)
}

function message(messageId: string, changes: Partial<Message> = {}): Message {
  return {
    messageId,
    correlationId: undefined,
    subject: undefined,
    to: undefined,
    replyTo: undefined,
    sessionId: undefined,
    replyToSessionId: undefined,
    contentType: undefined,
    timeToLive: undefined,
    scheduledFor: undefined,
    properties: {},
    annotations: {},
    bytes: 10,
    sections: { bare: new Uint8Array(), properties: undefined, body: new Uint8Array() },
    ...changes,
  }
}

function token(queue: Queue): string {
  const delivery = queue.take()
  if (!delivery) throw new Error('the queue has nothing to give')
  return delivery.token
}

beforeEach(() => {
  clock = new ManualClock(Date.UTC(2026, 0, 1))
})

describe('a lock', () => {
  test('keeps a message from others until it lapses, and the lapse counts as a delivery', () => {
    const queue = queueOf()
    queue.enqueue(message('a'))
    expect(queue.take()).toMatchObject({ deliveryCount: 0, lockedUntil: clock.now() + 60_000 })
    expect(queue.take()).toBeUndefined()
    clock.advance(60_000)
    queue.sweep()
    expect(queue.take()).toMatchObject({ deliveryCount: 1 })
  })

  test('that lapsed settles nothing, even before anybody swept', () => {
    const queue = queueOf()
    queue.enqueue(message('a'))
    const held = token(queue)
    clock.advance(60_000)
    expect(() => queue.complete(held)).toThrow('lock supplied is invalid')
    expect(queue.size).toBe(1)
  })

  test('can be renewed, and then ends later', () => {
    const queue = queueOf()
    queue.enqueue(message('a'))
    const held = token(queue)
    clock.advance(59_999)
    expect(queue.renew(held)).toBe(clock.now() + 60_000)
    clock.advance(59_999)
    queue.sweep()
    queue.complete(held)
    expect(queue.size).toBe(0)
  })
})

test('abandoned messages keep their place and are dead-lettered at the maximum', () => {
  const queue = queueOf()
  queue.enqueue(message('a'))
  queue.enqueue(message('b'))
  for (let delivery = 0; delivery < 3; delivery++) {
    const taken = queue.take()
    expect(taken).toMatchObject({ message: { messageId: 'a' }, deliveryCount: delivery })
    queue.abandon(taken?.token ?? '')
  }
  expect(queue.take()).toMatchObject({ message: { messageId: 'b' } })
  expect(queue.deadLetters?.take()).toMatchObject({
    deadLetterSource: 'orders',
    message: { messageId: 'a', properties: { DeadLetterReason: 'MaxDeliveryCountExceeded' } },
  })
})

test('a deferred message comes only by its number', () => {
  const queue = queueOf()
  const number = queue.enqueue(message('a'))
  queue.defer(token(queue), { why: 'early' })
  expect(queue.take()).toBeUndefined()
  const [again] = queue.takeDeferred([number], 'lock')
  expect(again).toMatchObject({ state: 'deferred', message: { properties: { why: 'early' } } })
  expect(() => queue.takeDeferred([number], 'lock')).toThrow('No deferred message')
  queue.complete(again?.token ?? '')
  expect(queue.size).toBe(0)
})

test('a scheduled message waits for its time, or is cancelled before it', () => {
  const queue = queueOf()
  const at = clock.now() + 5_000
  queue.enqueue(message('a'), { scheduledFor: at })
  const b = queue.enqueue(message('b'), { scheduledFor: at })
  expect(queue.peek(0, 10).map((held) => held.state)).toEqual(['scheduled', 'scheduled'])
  queue.cancel([b])
  expect(queue.take()).toBeUndefined()
  expect(queue.deadline).toBe(at)
  clock.advance(5_000)
  queue.sweep()
  expect(queue.take()).toMatchObject({ message: { messageId: 'a' } })
  expect(queue.take()).toBeUndefined()
  expect(() => queue.cancel([b])).toThrow('No scheduled message')
})

test('within the window a second message of the same id is dropped, after it not', () => {
  const queue = queueOf({ duplicateWindow: 20_000 })
  queue.enqueue(message('a'))
  queue.enqueue(message('a'))
  expect(queue.size).toBe(1)
  clock.advance(20_000)
  queue.enqueue(message('a'))
  expect(queue.size).toBe(2)
})

test('an expired message is dropped, or dead-lettered where the queue says so', () => {
  const dropping = queueOf()
  const keeping = queueOf({ deadLetterOnExpiration: true })
  for (const queue of [dropping, keeping]) {
    queue.enqueue(message('a', { timeToLive: 1_000 }))
    clock.advance(1_000)
    queue.sweep()
    expect(queue.size).toBe(0)
  }
  expect(dropping.deadLetters?.size).toBe(0)
  expect(keeping.deadLetters?.take()?.message.properties['DeadLetterReason']).toBe('TTLExpiredException')
})

test('a full queue refuses, and takes again when there is room', () => {
  const queue = queueOf()
  queue.enqueue(message('a', { bytes: 995 }))
  expect(() => queue.enqueue(message('b'))).toThrow('maximum entity size')
  queue.complete(token(queue))
  queue.enqueue(message('b'))
})

describe('sessions', () => {
  test('give each holder only its own messages, in order', () => {
    const queue = queueOf({ requiresSession: true })
    for (const [id, sessionId] of [
      ['1', 'x'],
      ['2', 'y'],
      ['3', 'x'],
    ] as const)
      queue.enqueue(message(id, { sessionId }))
    const x = queue.acceptSession(undefined)
    const y = queue.acceptSession(undefined)
    expect([x?.id, y?.id]).toEqual(['x', 'y'])
    expect(queue.acceptSession(undefined)).toBeUndefined()
    expect(() => queue.acceptSession('x')).toThrow('cannot be accepted')
    expect(queue.take(x)?.message.messageId).toBe('1')
    expect(queue.take(x)?.message.messageId).toBe('3')
    expect(queue.take(x)).toBeUndefined()
  })

  test('that are let go return their messages uncounted, that lapse counted', () => {
    const queue = queueOf({ requiresSession: true })
    queue.enqueue(message('a', { sessionId: 'x' }))
    const first = queue.acceptSession('x')
    queue.take(first)
    if (first) queue.releaseSession(first)
    const second = queue.acceptSession('x')
    const taken = queue.take(second)
    expect(taken?.deliveryCount).toBe(0)
    clock.advance(60_000)
    expect(queue.sweep()).toEqual([second])
    expect(() => queue.complete(taken?.token ?? '')).toThrow('lock')
    expect(queue.take(queue.acceptSession(undefined))?.deliveryCount).toBe(1)
  })

  test('refuse a message without a session', () => {
    expect(() => queueOf({ requiresSession: true }).enqueue(message('a'))).toThrow('SessionId was not set')
  })
})
