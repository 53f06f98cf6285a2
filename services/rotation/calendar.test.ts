import { describe, expect, test } from 'vitest'
import { calendarOf, type Freeze, windowProblem } from './calendar.ts'

const at = (text: string) => Temporal.Instant.from(text)
const freeze = (from: string, until: string, policies: readonly string[] = []): Freeze => ({
  freeze: 'freeze-0001',
  from,
  until,
  name: 'year end',
  policies,
})
const nightly = { cron: '0 2 * * *', zone: 'Europe/Berlin', minutes: 90 }

describe('a calendar', () => {
  test('without a window is open but for freezes', () => {
    const calendar = calendarOf(null, [freeze('2026-12-20T00:00:00Z', '2027-01-03T00:00:00Z')], 'policy-0001')
    expect(calendar.open(at('2026-12-19T23:59:59Z'))).toBe(true)
    expect(calendar.open(at('2026-12-20T00:00:00Z'))).toBe(false)
    expect(calendar.next(at('2026-12-24T00:00:00Z'))?.opensAt.toString()).toBe('2027-01-03T00:00:00Z')
  })

  test('opens by the wall clock of its zone, summer and winter', () => {
    const calendar = calendarOf(nightly, [], 'policy-0001')
    expect(calendar.next(at('2026-07-01T12:00:00Z'))?.opensAt.toString()).toBe('2026-07-02T00:00:00Z')
    expect(calendar.next(at('2026-12-01T12:00:00Z'))?.opensAt.toString()).toBe('2026-12-02T01:00:00Z')
  })

  test('still is open in the night whose hour daylight saving skips', () => {
    // On 29 March 2026 Berlin goes from 02:00 to 03:00.
    const opening = calendarOf(nightly, [], 'policy-0001').next(at('2026-03-28T12:00:00Z'))
    expect(opening?.opensAt.toString()).toBe('2026-03-29T01:00:00Z')
  })

  test('is open to the end of its window and not a moment longer', () => {
    const calendar = calendarOf(nightly, [], 'policy-0001')
    expect(calendar.open(at('2026-07-02T01:29:59Z'))).toBe(true)
    expect(calendar.open(at('2026-07-02T01:30:00Z'))).toBe(false)
  })

  test('begins after a freeze that covers the start of a window, and skips one that is covered wholly', () => {
    const half = calendarOf(nightly, [freeze('2026-07-01T23:00:00Z', '2026-07-02T00:30:00Z')], 'policy-0001')
    expect(half.next(at('2026-07-01T12:00:00Z'))?.opensAt.toString()).toBe('2026-07-02T00:30:00Z')
    const whole = calendarOf(nightly, [freeze('2026-07-01T23:00:00Z', '2026-07-02T02:00:00Z')], 'policy-0001')
    expect(whole.next(at('2026-07-01T12:00:00Z'))?.opensAt.toString()).toBe('2026-07-03T00:00:00Z')
  })

  test('knows a freeze of others from one of its own, and a window that never opens', () => {
    const held = [freeze('2026-01-01T00:00:00Z', '2029-01-01T00:00:00Z', ['policy-0001'])]
    expect(calendarOf(nightly, held, 'policy-0001').next(at('2026-07-01T12:00:00Z'))).toBeNull()
    expect(calendarOf(nightly, held, 'policy-0002').next(at('2026-07-01T12:00:00Z'))).not.toBeNull()
    // The thirtieth of February.
    const never = calendarOf({ cron: '0 2 30 2 *', zone: 'UTC', minutes: 60 }, [], 'policy-0001')
    expect(never.next(at('2026-07-01T12:00:00Z'))).toBeNull()
  })
})

test.each([
  [{ ...nightly, cron: 'every night' }, 'cron'],
  [{ ...nightly, cron: '0 2 * *' }, 'cron'],
  [{ ...nightly, cron: '61 2 * * *' }, 'cron'],
  [{ ...nightly, zone: 'Europe/Atlantis' }, 'zone'],
  [{ ...nightly, zone: '2028-02-29T00:00:00Z' }, 'zone'],
  [{ ...nightly, zone: '2026-01-01T00:00:00+01:00[Europe/Berlin]' }, 'zone'],
  [nightly, null],
] as const)('a window %j is wrong in %s', (window, field) => {
  expect(windowProblem(window)?.field ?? null).toBe(field)
})
