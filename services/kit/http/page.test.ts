import { describe, expect, test } from 'vitest'
import { cursorOf, cursorText, timeCursorOf, timeOf, wholeNumber } from './page.ts'

/* What a client sends as the place to go on from goes to Postgres: nothing may pass that it does not read. */

describe('a cursor', () => {
  test('goes out and comes back', () => {
    const cursor = { key: 'Straße 😀', id: 'thing-0001' }
    expect(cursorOf(cursorText(cursor))).toEqual(cursor)
  })

  test.each(['', 'x', '%%%', 'W10', 'WzEsMl0', 'e30'])(
    'that no list gave begins at the start: %j',
    (text) => {
      expect(cursorOf(text)).toBeNull()
    },
  )

  test.each([
    { key: 'a\0b', id: 'x' },
    { key: 'x', id: 'a\0' },
    { key: '\ud800', id: 'x' },
  ])('with a text that Postgres cannot hold begins at the start: %j', (cursor) => {
    expect(cursorOf(cursorText(cursor))).toBeNull()
  })
})

describe('a cursor of times', () => {
  test.each([
    ['2026-02-03 04:05:06.123456+00', '2026-02-03T04:05:06.123456Z'],
    ['2026-02-03T04:05:06.123Z', '2026-02-03T04:05:06.123Z'],
    ['2028-02-29 00:00:00+05:30', '2028-02-28T18:30:00Z'],
    // A zone that Temporal reads and Postgres does not.
    ['2026-02-03T04:05:06+23:59', '2026-02-02T04:06:06Z'],
    ['infinity', 'infinity'],
    ['-infinity', '-infinity'],
  ])('%s is taken as %s', (key, taken) => {
    expect(timeCursorOf(cursorText({ key, id: 'x' }))).toEqual({ key: taken, id: 'x' })
  })

  test.each([
    '2026-13-45T99:99:99Z',
    '2026-02-30 00:00:00+00',
    '2026-02-03 00:00:00+99:99',
    '0000-01-01T00:00:00Z',
    '0001-01-01T00:00:00+10:00',
    '999999-01-01T00:00:00Z',
    '+010000-01-01T00:00:00Z',
    '2026-01-01T00:00:00.1234567890Z',
    'now',
    '',
  ])('%j is no time', (key) => {
    expect(timeOf(key)).toBeNull()
    expect(timeCursorOf(cursorText({ key, id: 'x' }))).toBeNull()
  })
})

test.each([
  ['0', 0],
  ['42', 42],
  ['999999999999999', 999_999_999_999_999],
  ['', null],
  ['-1', null],
  ['1.5', null],
  ['1e9', null],
  ['9999999999999999', null],
  ['x', null],
])('a whole number in the text %j is %j', (text, number) => {
  expect(wholeNumber(text)).toBe(number)
})
