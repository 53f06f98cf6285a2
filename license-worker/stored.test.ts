import { expect, test } from 'vitest'
import { LATER } from './for-tests.ts'
import { termsOf } from './judge.ts'
import { sayingOf } from './answer.ts'
import { readStored } from './stored.ts'

const record = {
  license: 'lic-00000001',
  tier: 'pro',
  suspended: false,
  expiresAt: LATER,
  installs: 3,
  seats: ['000000000001'],
}
const textOf = (more: Partial<Record<keyof typeof record, unknown>> = {}) =>
  JSON.stringify({ ...record, ...more })

test('the same text is read once; another one, however alike, says what it says', () => {
  const first = readStored(textOf())
  expect(first.record).toEqual(record)
  expect(readStored(textOf())).toBe(first)
  for (const more of [
    { suspended: true },
    { tier: 'enterprise' },
    { expiresAt: '2020-01-01T00:00:00Z' },
    { seats: ['000000000002'] },
    { installs: null },
  ])
    expect(readStored(textOf(more)).record).toEqual({ ...record, ...more })
  expect(readStored(null).record).toBeNull()
  expect(readStored(textOf())).toBe(first)
})

test('a text that is no record is refused each time', () => {
  for (const text of ['', 'null', '{}', textOf({ tier: 'gold' }), textOf({ seats: null }), `${textOf()}}`])
    for (const _again of [1, 2]) expect(() => readStored(text)).toThrow(/JSON|Invalid/)
})

test('what was said last is said again only of the same verdict, counts and newest version', () => {
  const stored = readStored(textOf())
  const newest = (version: string, notice = '') => ({ stats: 'none', latest: { version, notice } }) as const
  const said = stored.saying('VALID', newest('1.0.0'))
  expect(stored.saying('VALID', newest('1.0.0'))).toBe(said)
  for (const verdict of ['VALID', 'TOO_MANY_INSTALLS', 'EXPIRED', 'VALID'] as const)
    for (const rest of [
      newest('1.0.0'),
      newest('1.0.1'),
      newest('1.0.1', 'Mends a fault.'),
      { stats: 'accepted', latest: null } as const,
      { stats: 'none', latest: null } as const,
    ])
      expect(stored.saying(verdict, rest)).toEqual(sayingOf(termsOf(stored.record, verdict), rest))
})

test('two thousand are remembered at most, and none that is long', () => {
  const nth = (n: number) => textOf({ license: `lic-nth${n.toString().padStart(8, '0')}` })
  const [first, second] = [readStored(nth(0)), readStored(nth(1))]
  for (let n = 2; n <= 2000; n++) readStored(nth(n))
  expect(readStored(nth(1))).toBe(second)
  const again = readStored(nth(0))
  expect(again).not.toBe(first)
  expect(again).toEqual(first)
  const long = textOf({ seats: Array.from({ length: 200 }, (_, n) => n.toString().padStart(12, '0')) })
  expect(readStored(long)).not.toBe(readStored(long))
  expect(readStored(long).record?.seats).toHaveLength(200)
})
