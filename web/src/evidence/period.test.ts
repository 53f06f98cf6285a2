import { describe, expect, test } from 'vitest'
import { isDay, offsetWords, periodOf, presetDays, startOfDay, todayIn } from './period.ts'

describe('presets', () => {
  test.each([
    ['last-7', '2026-11-16', '2026-11-22'],
    ['last-30', '2026-10-24', '2026-11-22'],
    ['this-month', '2026-11-01', '2026-11-22'],
    ['last-month', '2026-10-01', '2026-10-31'],
    ['this-quarter', '2026-10-01', '2026-11-22'],
    ['last-quarter', '2026-07-01', '2026-09-30'],
    ['this-year', '2026-01-01', '2026-11-22'],
  ] as const)('%s, seen from 22 November 2026, is %s to %s', (preset, from, to) => {
    expect(presetDays(preset, '2026-11-22')).toEqual({ from, to })
  })

  test('in January the last month and quarter are of the year before', () => {
    expect(presetDays('last-month', '2027-01-03')).toEqual({ from: '2026-12-01', to: '2026-12-31' })
    expect(presetDays('last-quarter', '2027-01-03')).toEqual({ from: '2026-10-01', to: '2026-12-31' })
  })
})

describe('local days as instants', () => {
  test('begin where the zone begins them', () => {
    expect(startOfDay('2026-11-22', 'Europe/Paris')).toBe('2026-11-21T23:00:00.000Z')
    expect(startOfDay('2026-07-01', 'Europe/Paris')).toBe('2026-06-30T22:00:00.000Z')
    expect(startOfDay('2026-11-22', 'America/St_Johns')).toBe('2026-11-22T03:30:00.000Z')
    expect(startOfDay('2026-11-22', 'UTC')).toBe('2026-11-22T00:00:00.000Z')
  })

  test('are right on the days that the clocks change', () => {
    expect(startOfDay('2026-03-29', 'Europe/Paris')).toBe('2026-03-28T23:00:00.000Z')
    expect(startOfDay('2026-03-30', 'Europe/Paris')).toBe('2026-03-29T22:00:00.000Z')
    expect(startOfDay('2026-10-26', 'Europe/Paris')).toBe('2026-10-25T23:00:00.000Z')
  })

  test('begin at one where the clocks go forward at midnight, and at the first midnight where they go back', () => {
    expect(startOfDay('2026-03-08', 'America/Havana')).toBe('2026-03-08T05:00:00.000Z')
    expect(startOfDay('2026-09-06', 'America/Santiago')).toBe('2026-09-06T04:00:00.000Z')
    expect(startOfDay('2026-04-05', 'America/Santiago')).toBe('2026-04-05T04:00:00.000Z')
    expect(startOfDay('2026-11-01', 'America/Havana')).toBe('2026-11-01T04:00:00.000Z')
  })

  test.each([
    ['2026-11-22', true],
    ['', false],
    ['20260-11-22', false],
    ['2026-13-01', false],
    ['yesterday', false],
  ])('of "%s" there are some: %s', (text, is) => {
    expect(isDay(text)).toBe(is)
  })

  test('end with the last day’s end', () => {
    const now = Date.parse('2026-11-22T12:00:00Z')
    expect(periodOf({ from: '2026-10-01', to: '2026-10-31' }, 'Europe/Paris', now)).toEqual({
      from: '2026-09-30T22:00:00.000Z',
      to: '2026-10-31T23:00:00.000Z',
    })
  })

  test('never reach into the future', () => {
    const now = Date.parse('2026-11-22T12:00:00Z')
    expect(periodOf({ from: '2026-11-01', to: '2026-11-22' }, 'Europe/Paris', now).to).toBe(
      '2026-11-22T12:00:00.000Z',
    )
  })

  test('know what today is on the other side of midnight', () => {
    const late = Date.parse('2026-11-22T23:30:00Z')
    expect(todayIn('Europe/Paris', late)).toBe('2026-11-23')
    expect(todayIn('UTC', late)).toBe('2026-11-22')
    expect(todayIn('America/New_York', late)).toBe('2026-11-22')
  })

  test('show the zone’s offset', () => {
    const now = Date.parse('2026-11-22T12:00:00Z')
    expect(
      ['UTC', 'Europe/Paris', 'America/St_Johns', 'Asia/Kolkata'].map((z) => offsetWords(z, now)),
    ).toEqual(['UTC', 'UTC+1', 'UTC−3:30', 'UTC+5:30'])
  })
})
