import { describe, expect, test } from 'vitest'
import { createLanes } from './lane.ts'
import { type Bucket, sourceOf, spend } from './rate-limit.ts'

/** A limit of three a minute, and the way to let time pass. */
const limited = () => {
  let now = Temporal.Instant.from('2026-11-22T10:00:00Z')
  const buckets = new Map<string, Bucket>()
  return {
    take: (address: string) => {
      const source = sourceOf(address)
      const { bucket, waitSeconds } = spend(buckets.get(source) ?? null, 3, now)
      buckets.set(source, bucket)
      return waitSeconds
    },
    wait: (seconds: number) => {
      now = now.add({ seconds })
    },
  }
}

describe('spend()', () => {
  test('lets so many through at once, then one as time passes, and says how long to wait', () => {
    const { take, wait } = limited()
    expect([1, 2, 3, 4].map(() => take('192.0.2.1'))).toEqual([0, 0, 0, 20])
    wait(5)
    expect(take('192.0.2.1')).toBe(15)
    wait(15)
    expect([take('192.0.2.1'), take('192.0.2.1')]).toEqual([0, 20])
    wait(3600)
    expect([1, 2, 3, 4].map(() => take('192.0.2.1'))).toEqual([0, 0, 0, 20])
  })

  test('counts the addresses of one IPv6 line as one, and those of IPv4 each', () => {
    const { take } = limited()
    const line = ['2001:db8:1:2::1', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::ffff', '2001:db8:1:2:9::']
    expect(line.map(take)).toEqual([0, 0, 0, 20])
    expect(take('2001:db8:1:3::1')).toBe(0)
    expect(['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'].map(take)).toEqual([0, 0, 0, 0])
    expect(['::1', '::2', '::3', '::4'].map(take)).toEqual([0, 0, 0, 20])
  })

  test('refills nothing when the clock is set back', () => {
    const { take, wait } = limited()
    for (let i = 0; i < 3; i++) take('192.0.2.1')
    wait(-3600)
    expect(take('192.0.2.1')).toBeGreaterThan(0)
  })
})

describe('createLanes()', () => {
  test('runs work of one key in turn, of several keys side by side, and goes on after a failure', async () => {
    const lanes = createLanes(10)
    const steps: string[] = []
    const work = (name: string, until: Promise<void>) => async () => {
      steps.push(`${name} begins`)
      await until
      steps.push(`${name} ends`)
    }
    const { promise: first, resolve: endFirst } = Promise.withResolvers<void>()
    const a = lanes.run('a', work('a1', first))
    const failing = lanes.run('a', () => Promise.reject(new Error('a2 failed')))
    const last = lanes.run('a', work('a3', Promise.resolve()))
    await lanes.run('b', work('b1', Promise.resolve()))
    endFirst()
    await a
    await expect(failing).rejects.toThrow('a2 failed')
    await last
    expect(steps).toEqual(['a1 begins', 'b1 begins', 'b1 ends', 'a1 ends', 'a3 begins', 'a3 ends'])
  })

  test('turns away what would wait behind too many', async () => {
    const lanes = createLanes(2)
    const { promise, resolve } = Promise.withResolvers<string>()
    const waiting = [lanes.run('a', () => promise), lanes.run('a', async () => 'second')]
    expect(await lanes.run('a', async () => 'third')).toBeNull()
    resolve('first')
    expect(await Promise.all(waiting)).toEqual(['first', 'second'])
    expect(await lanes.run('a', async () => 'fourth')).toBe('fourth')
  })
})
