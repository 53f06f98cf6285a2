import { describe, expect, test } from 'vitest'
import { inFlight } from './in-flight.ts'

/** Work that ends when it is told to, and what began so far. */
const bench = () => {
  const began: string[] = []
  const ends = new Map<string, () => void>()
  const work = (name: string) => () => {
    began.push(name)
    return new Promise<void>((end) => ends.set(name, end))
  }
  const end = async (name: string) => {
    ends.get(name)?.()
    await new Promise(setImmediate)
  }
  return { began, work, end }
}

describe('inFlight()', () => {
  test('runs so many at once, and of those that wait the lowest turn first, then who came first', async () => {
    const { began, work, end } = bench()
    const slots = inFlight(2)
    const all = [
      slots(work('a'), 5),
      slots(work('b'), 5),
      slots(work('late'), 3),
      slots(work('early'), 1),
      slots(work('early too'), 1),
      slots(work('at once')),
    ]
    await new Promise(setImmediate)
    expect(began).toEqual(['a', 'b'])
    for (const name of ['a', 'b', 'at once', 'early']) await end(name)
    expect(began).toEqual(['a', 'b', 'at once', 'early', 'early too', 'late'])
    for (const name of ['early too', 'late']) await end(name)
    await Promise.all(all)
  })

  test('hands a slot on when work fails', async () => {
    const slots = inFlight(1)
    const failed = slots(() => Promise.reject(new Error('no')))
    const next = slots(() => Promise.resolve('yes'))
    await expect(failed).rejects.toThrow('no')
    expect(await next).toBe('yes')
  })
})
