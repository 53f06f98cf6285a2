import { canonical, type EventOf } from '@attestry/contracts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seeded } from '../twin/servicebus/faults.ts'
import { catchUp, type Consumer, type ConsumerHost, deliver, plan, replay } from './consume.ts'
import { Transient } from './failure.ts'
import { testHost, type TestHost } from './for-tests.ts'
import { silentLog } from './log.ts'
import type { Placed } from './message.ts'
import type { Host, Outcome, Tx } from './service.ts'

describe('plan()', () => {
  const after = (cursor: number, ...events: [prevSeq: number, seq: number][]) =>
    plan(
      cursor,
      events.map(([prevSeq, seq]) => ({ prevSeq, seq })),
    )

  test.each([
    ['nothing is at hand', after(3), [], null],
    ['the first event of all', after(0, [0, 1]), [0], null],
    ['the next one', after(3, [3, 4]), [0], null],
    ['the next one, seqs of other contexts between', after(3, [3, 9]), [0], null],
    ['an event that was applied', after(4, [3, 4]), [], null],
    ['an older event that was applied', after(9, [3, 4]), [], null],
    ['a run', after(3, [3, 4], [4, 6], [6, 7]), [0, 1, 2], null],
    ['a run of which the beginning was applied', after(4, [3, 4], [4, 6], [6, 7]), [1, 2], null],
    ['an event twice', after(3, [3, 4], [3, 4], [4, 6]), [0, 2], null],
    ['a hole before the first', after(3, [6, 7]), [], { after: 3, upTo: 6 }],
    ['a hole within', after(3, [3, 4], [6, 7]), [0], { after: 4, upTo: 6 }],
    ['a hole, then more: all behind it waits', after(3, [6, 7], [7, 8]), [], { after: 3, upTo: 6 }],
    // A cursor between two events of the context: a sweep moved it past events that were not ours to act on.
    ['an event whose predecessor lies before the cursor', after(5, [3, 7]), [0], null],
  ])('%s', (_, planned, apply, gap) => {
    expect(planned).toEqual({ apply, gap })
  })
})

/** Events of one context as the ledger has them, at seqs with others' between. */
const SEQS = [2, 3, 5, 8, 13, 21]
const TYPES = ['discovery.edge-confirmed', 'discovery.edge-rejected']
const DATA = { resource: 'resource-00000001', edge: 'edge-00000001' }
const placed = (seq: number, i: number, data: unknown = DATA): Placed => {
  const type = TYPES[i % 2] ?? ''
  return {
    tenant: 'acme',
    context: 'discovery',
    seq,
    prevSeq: SEQS[i - 1] ?? 0,
    envelope: canonical({
      at: '2026-05-01T10:00:00.000Z',
      event: {
        by: { kind: 'operator', id: 'operator-1' },
        cause: { correlation: 'c', causation: 'c' },
        data,
        id: `01890a5d-ac96-774b-bcce-0000000000${String(seq).padStart(2, '0')}`,
        v: 1,
      },
      position: i + 1,
      seq,
      stream: 'resource-00000001',
      tenant: 'acme',
      type,
    }),
    private: null,
    trace: null,
  }
}
const ledger = SEQS.map((seq, i) => placed(seq, i))
const at = (...seqs: number[]) => ledger.filter((e) => seqs.includes(e.seq))

let hosted: TestHost
let service: Host
beforeAll(async () => {
  hosted = await testHost({
    sweepMs: null,
    services: [
      {
        name: 'discovery',
        make: (host) => {
          service = host
          return {
            name: 'discovery',
            schema: new URL('./schema-for-tests/', import.meta.url),
            fetch: () => new Response(null, { status: 404 }),
            commands: [],
            reactions: [],
            views: [],
            schedules: [],
          }
        },
      },
    ],
  })
})
afterAll(() => hosted[Symbol.asyncDispose]())

let made = 0

/** A consumer of its own, with a real cursor, real rows and real transactions; the ledger is the array above. */
function consuming(
  kind: 'fold' | 'reaction',
  options: {
    gapReads?: boolean
    fail?: (event: EventOf) => Error | null
    version?: number
    name?: string
  } = {},
) {
  const name = options.name ?? `${kind}-${++made}`
  const read: number[] = []
  const carriedOut: number[] = []
  const seen: number[] = []
  const note = async (event: EventOf, tx: Tx) => {
    const failure = options.fail?.(event)
    if (failure) throw failure
    // In the transaction, to see that it is undone with it.
    await tx.rows(
      `insert into stuck (tenant, id, consumer, reason, since) values ($1, $2, 'seen', '', now())`,
      [tx.tenant, `seen:${name}:${event.seq}`],
    )
    seen.push(event.seq)
  }
  const consumer: Consumer =
    kind === 'fold'
      ? {
          kind,
          fold: {
            name,
            contexts: ['discovery'],
            version: options.version ?? 1,
            apply: async (events, tx) => {
              for (const event of events) await note(event, tx)
            },
            clear: async (tx) => {
              await tx.rows(`delete from stuck where tenant = $1 and id like $2`, [
                tx.tenant,
                `seen:${name}:%`,
              ])
            },
          },
        }
      : {
          kind,
          reaction: {
            name,
            on: ['discovery.edge-confirmed'],
            react: async (event, tx) => {
              await note(event, tx)
              return {}
            },
          },
        }
  const host: ConsumerHost = {
    tx: service.tx,
    readContext: (_tenant, _context, after, limit) => {
      read.push(after)
      return Promise.resolve(ledger.filter((e) => e.seq > after).slice(0, limit))
    },
    carryOut: (_tx: Tx, _outcome: Outcome, cause) => {
      carriedOut.push(cause.seq)
      return Promise.resolve()
    },
    log: silentLog,
    gapReads: options.gapReads ?? true,
    now: () => '2026-05-01T10:00:00Z',
  }
  const rows = <R extends object>(sql: string, ...values: unknown[]) =>
    service.tx('acme', (tx) => tx.rows<R>(sql, ['acme', ...values]))
  return {
    name,
    consumer,
    host,
    read,
    carriedOut,
    deliver: (events: readonly Placed[]) => deliver(host, consumer, 'discovery', events),
    catchUp: () => catchUp(host, consumer, 'acme', 'discovery'),
    replay: (seq: number) => replay(host, consumer, 'acme', 'discovery', seq),
    /** What its committed transactions applied, in order. */
    applied: async () =>
      (
        await rows<{ seq: number }>(
          `select split_part(id, ':', 3)::bigint as seq from stuck where tenant = $1 and id like $2 order by 1`,
          `seen:${name}:%`,
        )
      ).map((r) => r.seq),
    /** In the order of work, also of what was rolled back. */
    seen,
    cursor: async () =>
      (await rows<{ seq: number }>('select seq from cursor where tenant = $1 and consumer = $2', name))[0]
        ?.seq,
    stuck: () =>
      rows<{ seq: number; attempts: number; reason: string }>(
        'select seq, attempts, reason from stuck where tenant = $1 and consumer = $2 order by seq',
        name,
      ),
  }
}

describe('deliver()', () => {
  test('applies a run once, however often it comes', async () => {
    const c = consuming('fold')
    expect(await c.deliver(at(2, 3))).toBe(true)
    expect(await c.deliver(at(2, 3))).toBe(true)
    expect(await c.deliver(at(3, 5))).toBe(true)
    expect(await c.applied()).toEqual([2, 3, 5])
    expect(c.seen).toEqual([2, 3, 5])
    expect(await c.cursor()).toBe(5)
    expect(c.read).toEqual([])
  })

  test('closes a hole from the ledger, in order', async () => {
    const c = consuming('fold')
    await c.deliver(at(2))
    expect(await c.deliver(at(13))).toBe(true)
    expect(c.seen.slice(0, 5)).toEqual([2, 3, 5, 8, 13])
    expect(c.read).toEqual([2])
  })

  test('with gap reads denied applies what stands before the hole, and asks for the rest again', async () => {
    const c = consuming('fold', { gapReads: false })
    expect(await c.deliver(at(2, 3, 8))).toBe(false)
    expect(await c.cursor()).toBe(3)
    expect(await c.deliver(at(5, 8))).toBe(true)
    expect(c.seen).toEqual([2, 3, 5, 8])
    expect(c.read).toEqual([])
  })

  test('comes to the same end when messages are lost, doubled and reordered', async () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const random = seeded(seed)
      const c = consuming('fold')
      const messages = ledger
        .flatMap((e) => (random() < 0.3 ? [] : random() < 0.3 ? [e, e] : [e]))
        .map((e) => ({ e, order: random() }))
        .toSorted((a, b) => a.order - b.order)
      for (const { e } of messages) expect(await c.deliver([e])).toBe(true)
      await c.catchUp()
      expect(await c.applied()).toEqual(SEQS)
      expect(c.seen).toEqual(SEQS)
    }
  })

  test('says that nothing is left to do when there is nothing', async () => {
    expect(await consuming('fold').deliver([])).toBe(true)
  })
})

describe('a fold', () => {
  test('stalls on an event that it cannot digest, keeps nothing of it, and goes on once it can', async () => {
    let poisoned = true
    const c = consuming('fold', { fail: (e) => (poisoned && e.seq === 5 ? new Error('poison') : null) })
    expect(await c.deliver(at(2, 3))).toBe(true)
    for (let n = 0; n < 7; n++) expect(await c.deliver(at(5, 8))).toBe(false)
    expect(await c.applied()).toEqual([2, 3])
    expect(await c.cursor()).toBe(3)
    expect(await c.stuck()).toEqual([{ seq: 5, attempts: 7, reason: 'poison' }])
    poisoned = false
    await c.replay(5)
    expect(await c.applied()).toEqual(SEQS)
    expect(await c.stuck()).toEqual([])
  })

  test('is not stuck when the database is away: it is simply tried again', async () => {
    let away = true
    const c = consuming('fold', { fail: () => (away ? new Transient('away') : null) })
    await expect(c.deliver(at(2))).rejects.toThrow(Transient)
    expect(await c.stuck()).toEqual([])
    away = false
    expect(await c.deliver(at(2))).toBe(true)
  })

  test('of a new version is cleared, and reads everything again', async () => {
    const old = consuming('fold', { name: 'versioned' })
    await old.catchUp()
    expect(await old.applied()).toEqual(SEQS)
    const renewed = consuming('fold', { name: 'versioned', version: 2 })
    expect(await renewed.deliver(at(21))).toBe(true)
    expect(renewed.seen).toEqual(SEQS)
    expect(await renewed.applied()).toEqual(SEQS)
    expect(await renewed.cursor()).toBe(21)
  })
})

describe('a reaction', () => {
  test('is handed the types that it asked for, and passes over the others', async () => {
    const c = consuming('reaction')
    expect(await c.deliver(ledger)).toBe(true)
    expect(await c.applied()).toEqual([2, 5, 13])
    expect(c.carriedOut).toEqual([2, 5, 13])
    expect(await c.cursor()).toBe(21)
  })

  test('that fails five times on an event has it set aside, and does not hold up those behind it', async () => {
    let poisoned = true
    const c = consuming('reaction', { fail: (e) => (poisoned && e.seq === 5 ? new Error('poison') : null) })
    for (let n = 0; n < 4; n++) expect(await c.deliver(ledger)).toBe(false)
    expect(await c.applied()).toEqual([2])
    expect(await c.deliver(ledger)).toBe(true)
    expect(await c.applied()).toEqual([2, 13])
    expect(await c.stuck()).toEqual([{ seq: 5, attempts: 5, reason: 'poison' }])
    poisoned = false
    await c.replay(5)
    expect(await c.applied()).toEqual([2, 5, 13])
    expect(await c.stuck()).toEqual([])
    expect(await c.cursor()).toBe(21)
  })

  test('that gets over an event at a later try leaves no stuck work behind, to be done a second time', async () => {
    let failures = 2
    const c = consuming('reaction', {
      fail: (e) => (e.seq === 5 && failures-- > 0 ? new Error('a moment’s trouble') : null),
    })
    for (let n = 0; n < 2; n++) expect(await c.deliver(ledger)).toBe(false)
    expect((await c.stuck()).map((s) => [s.seq, s.attempts])).toEqual([[5, 2]])
    expect(await c.deliver(ledger)).toBe(true)
    expect(await c.applied()).toEqual([2, 5, 13])
    expect(await c.stuck()).toEqual([])
  })

  test('sets aside an event that it cannot even read, and goes on behind it', async () => {
    const c = consuming('reaction')
    const unreadable = placed(5, 2, { resource: 7 })
    const events = [...at(2, 3), unreadable, ...at(8, 13)]
    for (let n = 0; n < 4; n++) expect(await c.deliver(events)).toBe(false)
    expect(await c.deliver(events)).toBe(true)
    expect(await c.applied()).toEqual([2, 13])
    expect((await c.stuck()).map((s) => [s.seq, s.attempts])).toEqual([[5, 5]])
  })

  test('that cannot be carried out leaves no row of its own, and its event is not forgotten', async () => {
    const c = consuming('reaction')
    const host: ConsumerHost = { ...c.host, carryOut: () => Promise.reject(new Transient('a stream moved')) }
    await expect(deliver(host, c.consumer, 'discovery', at(2))).rejects.toThrow('a stream moved')
    expect(await c.applied()).toEqual([])
    expect(await c.deliver(at(2))).toBe(true)
    expect(await c.applied()).toEqual([2])
  })

  test('cannot be replayed for an event that the ledger does not have', async () => {
    await expect(consuming('reaction').replay(4)).rejects.toThrow('event 4 is not in the ledger')
  })
})
