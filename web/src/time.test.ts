import { describe, expect, test } from 'vitest'
import { duration, exact, relative, relativeShort, stamp } from './time.ts'

const now = Date.parse('2026-11-22T12:00:00Z')

describe('relative times', () => {
  test.each([
    ['2026-11-22T11:59:55Z', 'just now', 'now'],
    ['2026-11-22T11:59:00Z', '60 seconds ago', '60s ago'],
    ['2026-11-22T11:10:00Z', '50 minutes ago', '50m ago'],
    ['2026-11-22T07:00:00Z', '5 hours ago', '5h ago'],
    ['2026-11-20T12:00:00Z', '2 days ago', '2d ago'],
    ['2026-11-29T11:59:59Z', 'in 6 days', 'in 6d'],
    ['2026-11-29T12:00:00Z', 'in 7 days', 'in 7d'],
    ['2027-11-22T12:00:00Z', 'in 11 months', 'in 11mo'],
    ['2029-11-22T12:00:00Z', 'in 3 years', 'in 3y'],
  ])('%s is "%s"', (at, long, short) => {
    expect(relative(at, now)).toBe(long)
    expect(relativeShort(at, now)).toBe(short)
  })

  test('are cut, never rounded up: 6 days and 23 hours are not 7 days', () => {
    expect(relative('2026-11-29T11:00:00Z', now)).toBe('in 6 days')
  })
})

describe('exact times', () => {
  test('show UTC and local', () => {
    expect(exact('2026-11-22T23:30:05.123Z', 'Europe/Paris')).toBe(
      '2026-11-22 23:30:05 UTC\n2026-11-23 00:30:05 Europe/Paris',
    )
  })

  test('show UTC once where that is local', () => {
    expect(exact('2026-11-22T23:30:05Z', 'UTC')).toBe('2026-11-22 23:30:05 UTC')
  })

  test('know midnight as 00, not 24', () => {
    expect(stamp('2026-11-22T00:00:00Z', 'UTC')).toBe('2026-11-22 00:00:00')
  })
})

test('durations read in the unit that fits', () => {
  expect([46, 12_400, 200_000, 7_500_000].map(duration)).toEqual([
    '46 ms',
    '12.4 s',
    '3 min 20 s',
    '2 h 5 min',
  ])
})
