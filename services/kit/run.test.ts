import { setTimeout as pause } from 'node:timers/promises'
import { fact, type EventOf } from '@attestry/contracts'
import { afterEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { type Bus, type BusMessage, MESSAGE_TOO_LARGE } from './bus/bus.ts'
import { Denied, Transient } from './failure.ts'
import { folded } from './folded.ts'
import { losingBus, testHost, type TestHost } from './for-tests.ts'
import { command, type Host, type Service } from './service.ts'

const by = { kind: 'service', id: 'test' } as const
const cause = { correlation: 'test', causation: 'test' }
const SCAN = 'scan-00000001'
const schema = new URL('./schema-for-tests/', import.meta.url)

/** Counts scans in a table, and sends itself a command when one starts; the command completes the scan. */
function counting(
  name: string,
  options: { fail?: (event: EventOf) => Error | null; work?: () => Promise<void>; gate?: Promise<void> } = {},
) {
  return {
    name,
    make: (host: Host): Service => ({
      name,
      schema,
      fetch: () => new Response(null, { status: 404 }),
      schedules: [],
      views: [
        {
          name: 'seen',
          contexts: ['discovery'],
          version: 1,
          apply: async (events, tx) => {
            await options.gate
            for (const e of events)
              await tx.rows('insert into seen (tenant, seq, type) values ($1, $2, $3)', [
                tx.tenant,
                e.seq,
                e.type,
              ])
          },
          clear: async (tx) => {
            await tx.rows('delete from seen where tenant = $1', [tx.tenant])
          },
        },
      ],
      reactions: [
        {
          name: 'finish',
          on: ['discovery.scan-started'],
          react: (event: EventOf) => {
            const failure = options.fail?.(event)
            if (failure) return Promise.reject(failure)
            return Promise.resolve({
              send: [
                {
                  command: 'finish',
                  id: `finish-${event.seq}`,
                  session: 'scans',
                  body: { scan: SCAN },
                  by,
                  cause: { correlation: event.cause.correlation, causation: event.id },
                },
              ],
            })
          },
        },
      ],
      commands: [
        command({
          name: 'finish',
          body: z.object({ scan: z.string() }),
          work: async (job) => {
            await options.work?.()
            await job.progress({ half: true })
            await host.append(job.tenant, {
              stream: 'scan-00000001',
              expected: 'any',
              facts: [
                fact('discovery.scan-failed', {
                  scan: job.body.scan,
                  environment: 'env-00000001',
                  reason: 'error',
                  detail: 'Contoso vault away',
                }),
              ],
              by,
              cause: job.cause,
            })
          },
        }),
      ],
    }),
  }
}

const started = fact('discovery.scan-started', {
  scan: SCAN,
  environment: 'env-00000001',
  trigger: 'operator',
  scope: { subscriptions: [] },
})

const start = (host: Host) =>
  host.append('acme', { stream: SCAN, expected: 'any', facts: [started], by, cause })

const seen = (host: Host) =>
  host.tx('acme', (tx) =>
    tx.rows<{ seq: number; type: string }>('select seq, type from seen where tenant = $1 order by seq', [
      'acme',
    ]),
  )

let open: TestHost | null = null
const hosting = async (...args: Parameters<typeof testHost>) => {
  open = await testHost(...args)
  return open
}
afterEach(async () => {
  await open?.[Symbol.asyncDispose]()
  open = null
})

describe('a hosted service', () => {
  test('folds an event, reacts to it, does the work it sent itself, and opens committed fields again', async () => {
    const t = await hosting({ services: [counting('discovery')] })
    const host = t.host('discovery')
    await start(host)
    await t.settle()
    expect((await seen(host)).map((r) => r.type)).toEqual(['discovery.scan-started', 'discovery.scan-failed'])
    const events = await host.stream('acme', SCAN)
    expect(events.at(-1)?.data).toMatchObject({ detail: 'Contoso vault away' })
    const [command] = await host.tx('acme', (tx) => host.commands(tx, [`finish-${events[0]?.seq}`]))
    expect(command).toMatchObject({ state: 'done', progress: { half: true }, attempts: 1 })
  })

  test('is not settled while somebody has not begun to read', async () => {
    const { name, make } = counting('discovery')
    const begin = Promise.withResolvers<void>()
    const held = Promise.withResolvers<void>()
    let holding = Promise.resolve()
    const t = await hosting({
      connections: 6,
      services: [
        {
          name,
          make: (host) => ({
            ...make(host),
            // Another process is about to make the reaction's cursor, and takes its time.
            start: () => {
              holding = host.tx('acme', async (tx) => {
                await tx.rows(
                  `insert into cursor (tenant, consumer, context, seq, version) values ($1, 'finish', 'discovery', 0, 1)`,
                  [tx.tenant],
                )
                held.resolve()
                await begin.promise
              })
              return held.promise
            },
          }),
        },
      ],
    })
    const host = t.host('discovery')
    await start(host)
    await expect.poll(() => seen(host)).toHaveLength(1)
    const settled = t.settle()
    const before = await Promise.race([settled.then(() => 'settled'), pause(400, 'waits')])
    begin.resolve()
    await Promise.all([holding, settled])
    expect(before).toBe('waits')
    expect(await seen(host)).toHaveLength(2)
  })

  test('waits for rows that come late, says when they did not, and does not wait for what came after', async () => {
    const gate = Promise.withResolvers<void>()
    const t = await hosting({ services: [counting('discovery', { gate: gate.promise })] })
    const host = t.host('discovery')
    const fold = { name: 'seen', contexts: ['compliance', 'discovery'] }
    const { seq: before } = await host.head('acme')
    await start(host)
    const { seq } = await host.head('acme')
    const told = (upTo: number, ms: number) =>
      folded(host, 'acme', fold, upTo, ms, AbortSignal.timeout(20_000))
    expect(await told(before, 0)).toBe(true)
    expect(await told(seq, 150)).toBe(false)
    const waiting = told(seq, 10_000)
    gate.resolve()
    expect(await waiting).toBe(true)
    expect((await seen(host)).length).toBeGreaterThan(0)
  })

  test('closes a hole in its messages with the one connection it has: whoever holds one waits for no second', async () => {
    const holey: Bus = {
      ...losingBus,
      subscribe: (_topic, _subscription, _options, receive) => {
        hand = receive
        return { stopped: Promise.resolve() }
      },
      // Of each batch the last alone arrives.
      publish: (_topic, messages) => {
        const last = messages.at(-1)
        if (last) arrived.push(last)
        return Promise.resolve()
      },
    }
    let hand: Parameters<Bus['subscribe']>[3] = () => Promise.resolve()
    const arrived: BusMessage[] = []
    const t = await hosting({ services: [counting('discovery')], bus: holey, sweepMs: null, connections: 1 })
    const host = t.host('discovery')
    await start(host)
    await start(host)
    const { seq } = await host.head('acme')
    await expect.poll(() => arrived.find((message) => message.properties?.['seq'] === seq)).toBeDefined()
    const message = arrived.find(({ properties }) => properties?.['seq'] === seq)
    if (!message) throw new Error('no message came')
    const settled: string[] = []
    const settle = (as: string) => () => {
      settled.push(as)
      return Promise.resolve()
    }
    await hand([
      {
        ...message,
        deliveryCount: 0,
        lockedUntil: '2100-01-01T00:00:00Z',
        complete: settle('completed'),
        abandon: settle('abandoned'),
        deadLetter: settle('dead-lettered'),
        renew: () => Promise.resolve(),
      },
    ])
    expect(settled).toEqual(['completed'])
    expect((await seen(host)).filter(({ type }) => type === 'discovery.scan-started')).toHaveLength(2)
  })

  test('relays what comes behind an event that no message can carry', async () => {
    const published: string[] = []
    const narrow: Bus = {
      ...losingBus,
      // As the bus does: those before the one that is too large have gone.
      publish: (_topic, messages) => {
        for (const { body, id } of messages) {
          if (body.length > 262_144)
            return Promise.reject(new Denied(MESSAGE_TOO_LARGE, `${id} is too large`))
          published.push(id)
        }
        return Promise.resolve()
      },
    }
    const t = await hosting({ services: [counting('discovery')], bus: narrow, sweepMs: null })
    const host = t.host('discovery')
    const failed = fact('discovery.scan-failed', {
      scan: SCAN,
      environment: 'env-00000001',
      reason: 'error',
      // Committed, so its text stands beside the envelope, whose length alone the ledger bounds.
      detail: 'x'.repeat(300_000),
    })
    await host.append('acme', { stream: SCAN, expected: 'any', facts: [started, failed, started], by, cause })
    const [before, large, after] = await host.stream('acme', SCAN)
    await expect.poll(() => published).toContain(after?.id)
    expect(published).toContain(before?.id)
    expect(published).not.toContain(large?.id)
  })

  test('tries Transient work again and sets a bug aside where an operator can replay it', async () => {
    let fail: Error | null = new Error('poison')
    let tries = 0
    const t = await hosting({
      services: [
        counting('discovery', {
          fail: () => fail,
          work: () =>
            ++tries < 3 ? Promise.reject(new Transient('away', { retryAfterMs: 10 })) : Promise.resolve(),
        }),
      ],
    })
    const host = t.host('discovery')
    await start(host)
    await t.settle()
    const [stuck] = await t.running.stuck('acme')
    expect(stuck).toMatchObject({ service: 'discovery', consumer: 'finish', reason: 'poison' })
    fail = null
    expect(await t.running.replay('acme', 'discovery', stuck?.id ?? '')).toBe(true)
    await expect.poll(() => t.running.stuck('acme')).toEqual([])
    await t.settle()
    expect(tries).toBe(3)
    expect((await seen(host)).map((r) => r.type)).toEqual(['discovery.scan-started', 'discovery.scan-failed'])
  })

  test('stuck work that fails again says why now, and keeps nobody else’s from being tried', async () => {
    let poisoned: readonly number[] = []
    let reason = 'poison'
    const t = await hosting({
      services: [
        counting('discovery', {
          fail: (event) => (poisoned.includes(event.seq) ? new Error(`${reason} at ${event.seq}`) : null),
        }),
      ],
    })
    const host = t.host('discovery')
    const { seq } = await host.head('acme')
    poisoned = [seq + 1, seq + 2]
    await start(host)
    await start(host)
    await expect.poll(() => t.running.stuck('acme')).toHaveLength(2)
    await t.settle()
    const [first, second] = poisoned
    reason = 'still poison'
    poisoned = [first ?? 0]
    for (const { id } of await t.running.stuck('acme')) await t.running.replay('acme', 'discovery', id)
    await expect
      .poll(async () => (await t.running.stuck('acme')).map((s) => s.reason))
      .toEqual([`still poison at ${first}`])
    await t.settle()
    const done = await host.tx('acme', (tx) => host.commands(tx, [`finish-${first}`, `finish-${second}`]))
    expect(done).toMatchObject([{ id: `finish-${second}`, state: 'done' }])
  })

  test('refuses a fact that its schema does not know, and another context’s event', async () => {
    const t = await hosting({ services: [counting('discovery')] })
    const host = t.host('discovery')
    const odd = { ...started, data: { ...started.data, value: 'x' } } as typeof started
    await expect(
      host.append('acme', { stream: 's-00000001', expected: 0, facts: [odd], by, cause }),
    ).rejects.toThrow(/does not know/)
    const foreign = fact('licensing.entitled', { tier: 'pro', features: [], expiresAt: null })
    await expect(
      host.append('acme', { stream: 's-00000001', expected: 0, facts: [foreign], by, cause }),
    ).rejects.toMatchObject({ code: 'foreign-context' })
  })

  test('sees no row of another tenant', async () => {
    const t = await hosting({ services: [counting('discovery')] })
    const host = t.host('discovery')
    await start(host)
    await t.settle()
    const rows = await host.tx('other', (tx) => tx.rows('select * from seen'))
    expect(rows).toEqual([])
  })
})
