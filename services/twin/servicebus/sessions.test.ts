import { isServiceBusError } from '@azure/service-bus'
import { describe, expect, test } from 'vitest'
import { bodies, LOCK_MS, one, QUICK, workbench } from './workbench.ts'

const on = workbench()

describe('sessions', () => {
  const sendTo = (...messages: [sessionId: string, body: string][]): Promise<void> =>
    on.send('sessions', ...messages.map(([sessionId, body]) => ({ sessionId, body })))

  test('are accepted one after the other, each with its own messages in order', async () => {
    await sendTo(['x', 'x1'], ['y', 'y1'], ['x', 'x2'])
    const first = await on.client.acceptNextSession('sessions')
    const second = await on.client.acceptNextSession('sessions')
    expect([first.sessionId, second.sessionId]).toEqual(['x', 'y'])
    expect(first.sessionLockedUntilUtc).toEqual(new Date(on.clock.now() + LOCK_MS))
    expect(bodies(await first.receiveMessages(5, QUICK))).toEqual(['x1', 'x2'])
    expect(bodies(await second.receiveMessages(5, QUICK))).toEqual(['y1'])
  })

  test('that are held cannot be taken until they are let go', async () => {
    const first = await on.client.acceptSession('sessions', 'x')
    await expect(on.client.acceptSession('sessions', 'x')).rejects.toMatchObject({
      code: 'SessionCannotBeLocked',
    })
    await first.close()
    await on.client.acceptSession('sessions', 'x')
  })

  test('are waited for, and given to the one who waits', async () => {
    const waiting = on.client.acceptNextSession('sessions')
    await sendTo(['x', 'x1'])
    const session = await waiting
    expect(session.sessionId).toBe('x')
    expect((await one(session)).body).toBe('x1')
  })

  test('that do not come in time end the wait', async () => {
    const waiting = on.client.acceptNextSession('sessions')
    const outcome = waiting.then(
      () => 'accepted',
      (error: unknown) => (isServiceBusError(error) ? error.code : error),
    )
    await on.client.createReceiver('plain').peekMessages(1)
    on.clock.advance(1_500)
    expect(await outcome).toBe('ServiceTimeout')
  })

  test('keep a state, which may be cleared', async () => {
    const session = await on.client.acceptSession('sessions', 'x')
    expect(await session.getSessionState()).toBeNull()
    await session.setSessionState({ step: 2 })
    await session.close()
    const again = await on.client.acceptSession('sessions', 'x')
    expect(await again.getSessionState()).toEqual({ step: 2 })
  })

  test('have a lock that is renewed, and lost when it is not', async () => {
    await sendTo(['x', 'x1'])
    const session = await on.client.acceptSession('sessions', 'x')
    const message = await one(session)
    on.clock.advance(LOCK_MS - 1)
    expect(await session.renewSessionLock()).toEqual(new Date(on.clock.now() + LOCK_MS))
    on.clock.advance(LOCK_MS)
    await expect.poll(() => session.isClosed).toBe(true)
    await expect(session.completeMessage(message)).rejects.toMatchObject({ code: 'SessionLockLost' })
    const next = await on.client.acceptNextSession('sessions')
    expect((await one(next)).deliveryCount).toBe(1)
  })

  test('defer and dead-letter within the session', async () => {
    await sendTo(['x', 'x1'], ['x', 'x2'])
    const session = await on.client.acceptSession('sessions', 'x')
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
    await expect(on.client.createSender('sessions').sendMessages({ body: 'none' })).rejects.toThrow(
      'SessionId was not set',
    )
    await expect(on.client.createReceiver('sessions').receiveMessages(1, QUICK)).rejects.toThrow(
      'requires sessions',
    )
    await expect(on.client.acceptNextSession('plain')).rejects.toThrow('does not require sessions')
  })
})
