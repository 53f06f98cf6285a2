import { describe, expect, test } from 'vitest'
import { RouteSettings } from '@attestry/contracts'
import { settings } from './plan.fixture.ts'
import { nextRun } from './schedule.ts'

const at = (time: string, zone = 'Europe/Berlin') => ({ at: time, zone })

/** Given the last run, when the next one is due. */
test.each<[string, Parameters<typeof nextRun>[0], string, string | null]>([
  ['never by time', { everyMinutes: null }, '2026-03-01T12:00:00Z', null],
  ['every hour', { everyMinutes: 60 }, '2026-03-01T12:00:00Z', '2026-03-01T13:00:00Z'],
  ['later today', { everyMinutes: null, daily: at('14:30') }, '2026-03-01T12:00:00Z', '2026-03-01T13:30:00Z'],
  ['tomorrow', { everyMinutes: null, daily: at('12:30') }, '2026-03-01T12:00:00Z', '2026-03-02T11:30:00Z'],
  [
    'not twice at the same moment',
    { everyMinutes: null, daily: at('13:00') },
    '2026-03-01T12:00:00Z',
    '2026-03-02T12:00:00Z',
  ],
  [
    'the zone’s day, not that of UTC',
    { everyMinutes: null, daily: at('02:00', 'Asia/Tokyo') },
    '2026-03-01T12:00:00Z',
    '2026-03-01T17:00:00Z',
  ],
  [
    'an hour that summer time skips',
    { everyMinutes: null, daily: at('02:30') },
    '2026-03-28T12:00:00Z',
    '2026-03-29T01:30:00Z',
  ],
  [
    'an hour that comes twice, at the first of both',
    { everyMinutes: null, daily: at('02:30') },
    '2026-10-24T12:00:00Z',
    '2026-10-25T00:30:00Z',
  ],
  [
    'and not at the second',
    { everyMinutes: null, daily: at('02:30') },
    '2026-10-25T00:30:00Z',
    '2026-10-26T01:30:00Z',
  ],
  [
    'whichever comes first',
    { everyMinutes: 360, daily: at('14:30') },
    '2026-03-01T12:00:00Z',
    '2026-03-01T13:30:00Z',
  ],
])('%s', (_, given, last, due) => {
  const next = nextRun(given, Temporal.Instant.from(last))
  expect(next?.toString() ?? null).toBe(due)
})

describe('a schedule that cannot be', () => {
  test.each([
    ['25:00', 'Europe/Berlin', 'at'],
    ['2:30', 'Europe/Berlin', 'at'],
    ['02:30', 'Middle/Earth', 'zone'],
  ])('%s in %s is refused by its field', (time, zone, field) => {
    const read = RouteSettings.safeParse({ ...settings, daily: { at: time, zone } })
    expect(read.error?.issues.map((issue) => issue.path)).toEqual([['daily', field]])
  })
})
