import { describe, expect, test } from 'vitest'
import { heatMap, heatMapSays, levelOf } from './heat-map.ts'

describe('the calendar of expiries', () => {
  test('begins in the week of today and holds 90 days', () => {
    // 22 November 2026 is a Sunday.
    const weeks = heatMap([], '2026-11-22')
    expect(weeks[0]?.days.map((d) => d?.day ?? null)).toEqual([
      null,
      null,
      null,
      null,
      null,
      null,
      '2026-11-22',
    ])
    const days = weeks.flatMap((w) => w.days).filter((d) => d !== null)
    expect(days).toHaveLength(90)
    expect(days.at(-1)?.day).toBe('2027-02-19')
    expect(weeks.every((w) => w.days.length === 7)).toBe(true)
  })

  test('puts every count on its day, and nothing elsewhere', () => {
    const weeks = heatMap([{ day: '2026-12-24', count: 3 }], '2026-11-22')
    const full = weeks.flatMap((w) => w.days).filter((d) => d !== null && d.count > 0)
    expect(full).toEqual([{ day: '2026-12-24', count: 3, level: 2, distance: 32 }])
  })

  test('crosses a change of clocks and a leap day without losing one', () => {
    const days = heatMap([], '2028-02-20', 60)
      .flatMap((w) => w.days)
      .flatMap((d) => (d ? [d.day] : []))
    expect(days).toContain('2028-02-29')
    expect(new Set(days).size).toBe(60)
  })

  test('names a month once, where it begins', () => {
    const months = heatMap([], '2026-11-22').flatMap((w) => w.month ?? [])
    expect(months).toEqual(['Nov', 'Dec', 'Jan', 'Feb'])
  })

  test('tells one from a few from many', () => {
    expect([0, 1, 2, 4, 5, 9, 10, 400].map(levelOf)).toEqual([0, 1, 2, 2, 3, 3, 4, 4])
  })

  test('can be said in a sentence', () => {
    expect(heatMapSays([])).toBe('Nothing expires in the next 90 days.')
    expect(
      heatMapSays([
        { day: '2026-12-01', count: 1 },
        { day: '2026-12-24', count: 5 },
      ]),
    ).toContain('6 credentials expire in the next 90 days, most of them (5) on 2026-12-24')
  })
})
