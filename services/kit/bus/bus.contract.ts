import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Bus, type BusMessage, LockLost, type Received } from './bus.ts'

/** A bus to try, over a broker with the deployed topology. */
export interface Subject {
  readonly bus: Bus
  /** Another bus on the same broker with a key that is not the broker's; it must not get in. */
  readonly stranger: Bus
  /** Stops the broker and starts it again at the same place, empty. Called only of a restartable one. */
  readonly restart: () => Promise<void>
  close(): Promise<void>
}

const TOPIC = 'events'
/** Takes the contexts discovery and compliance, not ledger. */
const SUBSCRIPTION = 'evidence'
const QUEUE = 'alerts-commands'
const OPTIONS = { maxBatch: 100, maxWaitMs: 10 }

/** What every broker behind the bus must do, for the product to be right on it. */
export function busContract(open: () => Promise<Subject>, { restartable }: { restartable: boolean }): void {
  let subject: Subject
  let bus: Bus
  let run: string
  let ending: AbortController
  let stopped: Promise<void>[]

  beforeEach(async () => {
    subject = await open()
    bus = subject.bus
    run = randomUUID()
    ending = new AbortController()
    stopped = []
  })

  afterEach(async () => {
    ending.abort()
    await Promise.all(stopped)
    await subject.close()
  })

  const event = (id: string, changes: Partial<BusMessage> = {}): BusMessage => ({
    id: `${run}-${id}`,
    subject: 'discovery.scan-completed',
    body: id,
    ...changes,
    properties: { context: 'discovery', run, ...changes.properties },
  })
  const command = (id: string, sessionId: string, changes: Partial<BusMessage> = {}): BusMessage => ({
    ...event(id, changes),
    sessionId: `${run}-${sessionId}`,
  })
  const nameOf = (message: BusMessage): string => message.id.slice(run.length + 1)

  /** Hands the messages of this test to `handle`; what an earlier run has left is completed unseen. */
  function listen(handle: (batch: Received[]) => Promise<void>): AbortController {
    const own = new AbortController()
    const signal = AbortSignal.any([own.signal, ending.signal])
    const running = bus.subscribe(
      TOPIC,
      SUBSCRIPTION,
      OPTIONS,
      async (batch) => {
        const ours = batch.filter((message) => message.properties['run'] === run)
        await Promise.all(batch.filter((m) => !ours.includes(m)).map((m) => m.complete()))
        if (ours.length > 0) await handle(ours)
      },
      signal,
    )
    stopped.push(running.stopped)
    return own
  }

  /** Handles commands in sessions of this test. */
  function serve(
    handle: (message: Received, session: { id: string; renew(): Promise<void> }) => Promise<void>,
    concurrency = 2,
  ): void {
    const running = bus.acceptSessions(
      QUEUE,
      { concurrency },
      (message, session) =>
        message.properties['run'] === run ? handle(message, session) : message.complete(),
      ending.signal,
    )
    stopped.push(running.stopped)
  }

  const publish = (...messages: BusMessage[]): Promise<void> => bus.publish(TOPIC, messages, ending.signal)
  const send = (...messages: BusMessage[]): Promise<void> => bus.send(QUEUE, messages, ending.signal)

  /** Collects until `count` different names have come. */
  function gather(count: number): { add(message: BusMessage): void; readonly all: Promise<string[]> } {
    const names: string[] = []
    const { promise, resolve } = Promise.withResolvers<string[]>()
    return {
      add: (message) => {
        names.push(nameOf(message))
        if (new Set(names).size >= count) resolve(names)
      },
      all: promise,
    }
  }

  describe('an event', () => {
    test('arrives as it was sent, to those who take its context', async () => {
      const came = Promise.withResolvers<Received>()
      listen(async ([first]) => {
        if (!first) return
        await first.complete()
        came.resolve(first)
      })
      const properties = { context: 'discovery', seq: 12, share: 0.5, first: true, traceparent: '00-a-b-01' }
      await publish(event('untaken', { properties: { context: 'ledger' } }))
      await publish(event('taken', { correlationId: 'cause', body: '{"grün":1}', properties }))
      const received = await came.promise
      expect(received).toMatchObject({
        id: `${run}-taken`,
        subject: 'discovery.scan-completed',
        correlationId: 'cause',
        body: '{"grün":1}',
        properties: { ...properties, run },
        deliveryCount: 0,
      })
      expect(Date.parse(received.lockedUntil)).toBeGreaterThan(0)
    })

    test('of bytes arrives as bytes', async () => {
      const came = Promise.withResolvers<unknown>()
      listen(async (batch) => {
        for (const message of batch) {
          await message.complete()
          came.resolve(message.body)
        }
      })
      await publish(event('bytes', { body: new Uint8Array([123, 125, 0, 255]) }))
      expect(Buffer.from((await came.promise) as Uint8Array)).toEqual(Buffer.from([123, 125, 0, 255]))
    })

    test('comes with hundreds of others, more than one batch holds', async () => {
      const gathered = gather(400)
      listen(async (batch) => {
        expect(batch.length).toBeLessThanOrEqual(OPTIONS.maxBatch)
        await Promise.all(batch.map((message) => message.complete()))
        for (const message of batch) gathered.add(message)
      })
      // 400 bodies of 2,000 bytes do not fit into one batch of 256 KB.
      await publish(...Array.from({ length: 400 }, (_, i) => event(String(i), { body: 'x'.repeat(2_000) })))
      expect((await gathered.all).length).toBe(400)
    })

    test('that is too large is refused and named', async () => {
      await expect(publish(event('large', { body: 'x'.repeat(300_000) }))).rejects.toMatchObject({
        name: 'Denied',
        code: 'message-too-large',
        message: expect.stringContaining(`${run}-large`) as string,
      })
    })

    test('to nowhere is refused', async () => {
      await expect(bus.publish('nowhere', [event('a')], ending.signal)).rejects.toMatchObject({
        name: 'Denied',
        code: 'MessagingEntityNotFound',
      })
    })

    test('that is scheduled comes, and not at once', async () => {
      const at = Date.now() + 1_500
      const came = Promise.withResolvers<number>()
      listen(async (batch) => {
        const now = Date.now()
        await Promise.all(batch.map((message) => message.complete()))
        came.resolve(now)
      })
      await publish(event('later', { scheduledFor: new Date(at).toISOString() }))
      expect(await came.promise).toBeGreaterThanOrEqual(at)
    })
  })

  describe('what is not completed', () => {
    test('comes again, counted: abandoned, left, or failed', async () => {
      const gathered = gather(3)
      listen(async (batch) => {
        const fresh = batch.filter((message) => message.deliveryCount === 0)
        for (const message of batch.filter((each) => each.deliveryCount > 0)) {
          await message.complete()
          gathered.add(message)
        }
        for (const message of fresh) if (nameOf(message) === 'abandoned') await message.abandon('not yet')
        if (fresh.some((message) => nameOf(message) === 'failed')) throw new Error('a handler in trouble')
      })
      await publish(event('abandoned'), event('left'), event('failed'))
      expect((await gathered.all).toSorted()).toEqual(['abandoned', 'failed', 'left'])
    })

    test('comes to the next consumer when this one stops', async () => {
      const held = Promise.withResolvers<void>()
      const first = listen(() => {
        held.resolve()
        return Promise.resolve()
      })
      await publish(event('kept'))
      await held.promise
      first.abort()
      await Promise.all(stopped)
      const gathered = gather(1)
      listen(async (batch) => {
        for (const message of batch) {
          await message.complete()
          gathered.add(message)
        }
      })
      expect(await gathered.all).toEqual(['kept'])
    })
  })

  test('a lock can be renewed', async () => {
    const came = Promise.withResolvers<{ before: string; after: string }>()
    listen(async (batch) => {
      for (const message of batch) {
        const before = message.lockedUntil
        await message.renew()
        const after = message.lockedUntil
        await message.complete()
        came.resolve({ before, after })
      }
    })
    await publish(event('long'))
    const { before, after } = await came.promise
    expect(Date.parse(after)).toBeGreaterThanOrEqual(Date.parse(before))
  })

  test('a dead letter keeps its reason, and can be sent again', async () => {
    const dead = Promise.withResolvers<void>()
    const again = Promise.withResolvers<Received>()
    let first = true
    listen(async (batch) => {
      for (const message of batch) {
        if (first) {
          first = false
          await message.deadLetter('poison', 'cannot be read')
          dead.resolve()
        } else {
          await message.complete()
          again.resolve(message)
        }
      }
    })
    await publish(event('bad', { properties: { context: 'discovery', seq: 7 } }))
    await dead.promise
    const entity = { topic: TOPIC, subscription: SUBSCRIPTION }
    const letters = await bus.deadLetters(entity, { limit: 1_000 }, ending.signal)
    const letter = letters.find(({ id }) => id === `${run}-bad`)
    expect(letter).toMatchObject({ reason: 'poison', description: 'cannot be read', body: 'bad' })
    expect(await bus.resubmit(entity, letter?.sequence ?? '', ending.signal)).toBe(true)
    expect(await again.promise).toMatchObject({
      id: `${run}-bad`,
      body: 'bad',
      properties: { context: 'discovery', run, seq: 7 },
    })
    expect(await bus.resubmit(entity, letter?.sequence ?? '', ending.signal)).toBe(false)
  })

  describe('commands', () => {
    test('of one session are handled in order and never two at a time, whatever fails', async () => {
      const gathered = gather(20)
      const busy = new Set<string>()
      let overlaps = 0
      let failed = false
      serve(async (message, session) => {
        if (busy.has(session.id)) overlaps++
        busy.add(session.id)
        await session.renew()
        busy.delete(session.id)
        if (nameOf(message) === 'a3' && !failed) {
          failed = true
          throw new Error('a handler in trouble')
        }
        await message.complete()
        gathered.add(message)
      })
      for (let i = 0; i < 10; i++) await send(command(`a${i}`, 'a'), command(`b${i}`, 'b'))
      const names = await gathered.all
      for (const session of ['a', 'b'])
        expect(names.filter((name) => name.startsWith(session))).toEqual(
          Array.from({ length: 10 }, (_, i) => `${session}${i}`),
        )
      expect(overlaps).toBe(0)
    })

    test('sent twice under one id are handled once', async () => {
      const gathered = gather(2)
      serve(async (message) => {
        await message.complete()
        gathered.add(message)
      })
      await send(command('same', 's'))
      await send(command('same', 's'))
      await send(command('last', 's'))
      expect(await gathered.all).toEqual(['same', 'last'])
    })

    test('without a session are refused', async () => {
      await expect(send(event('homeless'))).rejects.toMatchObject({
        name: 'Denied',
        message: expect.stringContaining('SessionId was not set') as string,
      })
    })

    test('that were dead-lettered can be sent again at once, in spite of duplicate detection', async () => {
      const dead = Promise.withResolvers<void>()
      const again = Promise.withResolvers<Received>()
      let first = true
      serve(async (message) => {
        if (first) {
          first = false
          await message.deadLetter('refused')
          dead.resolve()
        } else {
          await message.complete()
          again.resolve(message)
        }
      })
      await send(command('bad', 's'))
      await dead.promise
      const letters = await bus.deadLetters({ queue: QUEUE }, { limit: 1_000 }, ending.signal)
      const letter = letters.find(({ id }) => id === `${run}-bad`)
      await bus.resubmit({ queue: QUEUE }, letter?.sequence ?? '', ending.signal)
      expect(await again.promise).toMatchObject({ id: `${run}-bad`, sessionId: `${run}-s`, body: 'bad' })
    })
  })

  test('a wrong key is refused in clear words', async () => {
    await expect(subject.stranger.publish(TOPIC, [event('a')], ending.signal)).rejects.toMatchObject({
      name: 'Denied',
      code: 'UnauthorizedAccess',
    })
  })

  test('a call ends with its signal', async () => {
    await expect(bus.publish(TOPIC, [event('a')], AbortSignal.abort())).rejects.toMatchObject({
      name: 'AbortError',
    })
  })

  test.runIf(restartable)(
    'a broker that is restarted in the middle is found again, by all that use it',
    async () => {
      const events = gather(2)
      const first = Promise.withResolvers<void>()
      const commands = gather(2)
      const lost = Promise.withResolvers<unknown>()
      let restarted = false
      listen(async (batch) => {
        for (const message of batch) {
          if (!restarted) {
            await subject.restart()
            restarted = true
            // What was held when the broker went is nobody's any more.
            await message.complete().catch(lost.resolve)
          } else await message.complete()
          events.add(message)
        }
      })
      serve(async (message) => {
        await message.complete()
        commands.add(message)
        first.resolve()
      })
      await send(command('before', 's'))
      await first.promise
      await publish(event('before'))
      expect(await lost.promise).toBeInstanceOf(LockLost)
      await publish(event('after'))
      await send(command('after', 's'))
      expect(await events.all).toEqual(['before', 'after'])
      expect(await commands.all).toEqual(['before', 'after'])
    },
  )
}
