import { describe, expect, test } from 'vitest'
import { type Filter, matches, sqlFilter } from './filter.ts'
import type { Message } from './message.ts'

const MESSAGE: Message = {
  messageId: 'm1',
  correlationId: 'c1',
  subject: 'order.placed',
  to: undefined,
  replyTo: undefined,
  sessionId: undefined,
  replyToSessionId: undefined,
  contentType: undefined,
  timeToLive: undefined,
  scheduledFor: undefined,
  properties: { colour: 'red', size: 12, "it's": true, ratio: -1.5 },
  annotations: {},
  bytes: 1,
  sections: { bare: new Uint8Array(), properties: undefined, body: new Uint8Array() },
}

describe('a SQL filter', () => {
  test.each([
    ['1=1', true],
    ['1 = 0', false],
    ["colour = 'red'", true],
    ["colour = 'Red'", false],
    ["COLOUR = 'red'", false],
    ["user.colour IN ('blue', 'red')", true],
    ["colour not in ('blue', 'red')", false],
    ['size > 11 AND size <= 12', true],
    ['size <> 12 OR ratio = -1.5', true],
    ["size = '12'", false],
    ["sys.Label LIKE 'order.%'", true],
    ["sys.label LIKE 'order_placed'", true],
    ["sys.label LIKE 'order!_%' ESCAPE '!'", false],
    ["[it's] = TRUE", true],
    ['missing IS NULL', true],
    ['missing IS NOT NULL', false],
    ['EXISTS(colour) AND NOT EXISTS(missing)', true],
    ["missing = 'x' OR colour = 'red'", true],
    ["NOT (missing = 'x')", false],
    ["(colour = 'blue' OR size = 12) AND sys.CorrelationId = 'c1'", true],
  ])('%s is %s', (text, expected) => {
    expect(matches(sqlFilter(text), MESSAGE)).toBe(expected)
  })

  test.each([
    ['size + 1 = 13', 'character 6'],
    ["colour = 'red", 'character'],
    ['colour = @wanted', 'character'],
    ["newid() = 'x'", 'comparison'],
    ["sys.Nonsense = 'x'", 'no property'],
    ["other.colour = 'x'", 'no property'],
    ['colour', 'comparison'],
    ['', 'value'],
    ["colour = 'red' SET x = 1", 'the end'],
  ])('%s is refused and says why', (text, reason) => {
    expect(() => sqlFilter(text)).toThrow(reason)
  })

  test('has bounds to its length and depth', () => {
    expect(() => sqlFilter(`colour = '${'x'.repeat(2_000)}'`)).toThrow('longer')
    expect(() => sqlFilter(`${'('.repeat(100)}1=1${')'.repeat(100)}`)).toThrow('nested')
  })
})

describe('a correlation filter', () => {
  const filter = (correlation: object): Filter => ({
    kind: 'correlation',
    correlation: { properties: {}, ...correlation },
  })

  test('wants all of its fields equal', () => {
    expect(matches(filter({ subject: 'order.placed', properties: { colour: 'red' } }), MESSAGE)).toBe(true)
    expect(matches(filter({ subject: 'order.placed', properties: { colour: 'blue' } }), MESSAGE)).toBe(false)
    expect(matches(filter({ correlationId: 'other' }), MESSAGE)).toBe(false)
  })

  test('does not take an inherited name for a property', () => {
    expect(matches(filter({ properties: { toString: undefined } }), MESSAGE)).toBe(false)
  })
})
