import { expect, test } from 'vitest'
import { bytes, count, counted, percent } from './numbers.ts'

test('a percentage is cut, not rounded: what is not yet 90 does not show as 90', () => {
  expect([89.96, 90, 0, 100, 57.44].map(percent)).toEqual(['89.9', '90.0', '0.0', '100.0', '57.4'])
})

test('counts are grouped, and one is one', () => {
  expect(count(100_000)).toBe('100,000')
  expect([counted(1, 'finding'), counted(0, 'finding'), counted(2, 'entry', 'entries')]).toEqual([
    '1 finding',
    '0 findings',
    '2 entries',
  ])
})

test('bytes take the unit that fits', () => {
  expect([812, 1500, 1_482_113].map(bytes)).toEqual(['812 B', '1.5 kB', '1.5 MB'])
})
