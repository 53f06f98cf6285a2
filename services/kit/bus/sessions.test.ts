import type { ServiceBusClient, ServiceBusSessionReceiver } from '@azure/service-bus'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { runSessions } from './sessions.ts'

/** A queue that counts who waits at it, and gives out sessions when told. Its sessions never end by themselves. */
const countedQueue = (signal: AbortSignal) => {
  const waiting: ((receiver: ServiceBusSessionReceiver) => void)[] = []
  const ended = new Promise<never[]>((resolve) => {
    signal.addEventListener('abort', () => resolve([]))
  })
  const receiver = {
    sessionId: 'session',
    receiveMessages: () => ended,
    close: () => Promise.resolve(),
  }
  const client = {
    acceptNextSession: () =>
      new Promise<ServiceBusSessionReceiver>((resolve) => {
        waiting.push(resolve)
      }),
  }
  return {
    // Of the SDK's client and receiver the loop uses these members alone.
    client: client as unknown as ServiceBusClient,
    waiting: () => waiting.length,
    give: async () => {
      waiting.shift()?.(receiver as unknown as ServiceBusSessionReceiver)
      await wait(0)
    },
  }
}

describe('runSessions()', () => {
  test('an idle queue has one request waiting, and one more for each session that is served', async () => {
    const ending = new AbortController()
    const queue = countedQueue(ending.signal)
    const running = runSessions(
      queue.client,
      'commands',
      5,
      () => Promise.resolve(),
      ending.signal,
      () => {},
    )
    const seen = [queue.waiting()]
    for (let n = 0; n < 5; n++) {
      await queue.give()
      seen.push(queue.waiting())
    }
    // Never more at work and waiting together than were allowed.
    expect(seen).toEqual([1, 2, 3, 2, 1, 0])
    ending.abort()
    await running
  })
})
