import { describe, expect, test } from 'vitest'
import { createBell } from '../bell.ts'
import { createAppender } from './coalesce.ts'
import type { Stored } from './read.ts'
import { relay } from './relay.ts'
import { ledgerFixture, request } from './testing.ts'

/** Runs relays until `done`, then ends them. */
const until = async (
  done: Promise<unknown>,
  stop: AbortController,
  relays: Promise<void>[],
): Promise<void> => {
  await done
  stop.abort()
  await Promise.all(relays)
}

/** Collects what is published and tells when a count of different events was reached. */
const collector = (count: number) => {
  const seen: { by: string; tenant: string; seq: number }[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const distinct = new Set<string>()
  const publish = (by: string) => async (batch: readonly Stored[]) => {
    for (const { tenant, seq } of batch) {
      seen.push({ by, tenant, seq })
      distinct.add(`${tenant} ${seq}`)
    }
    if (distinct.size >= count) resolve()
  }
  return { seen, publish, reached: promise }
}

describe('relay()', () => {
  test('publishes each tenant’s events once and in order, while they are appended', async () => {
    await using fixture = await ledgerFixture('acme', 'beta')
    const stop = new AbortController()
    const { seen, publish, reached } = collector(82)
    const bell = createBell()
    const running = relay({ pool: fixture.pool, publish: publish('a'), signal: stop.signal, bell, batch: 7 })
    const appender = createAppender({
      pool: fixture.pool,
      role: 'attestry_discovery',
      onCommit: () => bell.ring(),
    })
    await Promise.all(
      Array.from({ length: 80 }, (_, n) => appender.append(request({ tenant: n % 2 ? 'acme' : 'beta' }))),
    )
    await until(reached, stop, [running])
    for (const tenant of ['acme', 'beta'])
      expect(seen.filter((e) => e.tenant === tenant).map((e) => e.seq)).toEqual(
        Array.from({ length: 41 }, (_, n) => n + 1),
      )
  })

  test('moves its cursor only after publish resolved: what failed is published again', async () => {
    await using fixture = await ledgerFixture('acme')
    const appender = createAppender({ pool: fixture.pool, role: 'attestry_discovery' })
    for (let n = 0; n < 4; n++) await appender.append(request())
    const stop = new AbortController()
    const { seen, publish, reached } = collector(5)
    const errors: unknown[] = []
    let attempts = 0
    const running = relay({
      pool: fixture.pool,
      signal: stop.signal,
      batch: 2,
      pollMs: 5,
      onError: (error) => errors.push(error),
      publish: async (batch) => {
        if (++attempts === 2) throw new Error('the bus is away')
        await publish('a')(batch)
      },
    })
    await until(reached, stop, [running])
    expect(seen.map((e) => e.seq)).toEqual([1, 2, 3, 4, 5])
    expect(errors).toMatchObject([{ message: 'the bus is away' }])
  })

  test('of several processes one publishes; when it ends the next goes on where it stood', async () => {
    await using fixture = await ledgerFixture('acme')
    const appender = createAppender({ pool: fixture.pool, role: 'attestry_discovery' })
    const first = new AbortController()
    const second = new AbortController()
    const before = collector(1)
    const after = collector(1)
    const a = relay({
      pool: fixture.pool,
      publish: before.publish('a'),
      signal: first.signal,
      pollMs: 5,
      holder: 'a',
    })
    await before.reached
    const b = relay({
      pool: fixture.pool,
      publish: after.publish('b'),
      signal: second.signal,
      pollMs: 5,
      holder: 'b',
    })
    await appender.append(request())
    await expect.poll(() => before.seen.length).toBe(2)
    first.abort()
    await a
    await appender.append(request())
    await until(after.reached, second, [b])
    expect(before.seen.map((e) => e.seq)).toEqual([1, 2])
    expect(after.seen).toEqual([{ by: 'b', tenant: 'acme', seq: 3 }])
  })

  test('a process that lost its lease while it published does not move the cursor', async () => {
    await using fixture = await ledgerFixture('acme')
    const stop = new AbortController()
    let published = 0
    const running = relay({
      pool: fixture.pool,
      signal: stop.signal,
      holder: 'slow',
      pollMs: 5,
      publish: async () => {
        published++
        // As another process would, after the slow one's lease had run out.
        await fixture.pool.query(
          `update ledger.lease set holder = 'other', until = clock_timestamp() + interval '1 hour'`,
        )
        setTimeout(() => stop.abort(), 50)
      },
    })
    await running
    expect(published).toBe(1)
    const cursors = await fixture.pool.query('select * from ledger.relay_cursor')
    expect(cursors.rows).toEqual([])
    const leases = await fixture.pool.query('select holder from ledger.lease')
    expect(leases.rows).toEqual([{ holder: 'other' }])
  })
})
