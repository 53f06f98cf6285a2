import { describe, expect, test } from 'vitest'
import { isCanonicalBytes } from './canonical-bytes.ts'
import { canonical, isCanonical } from './canonical.ts'

const utf8 = new TextEncoder()

/** What the definition says of the same bytes: they decode, and their text is canonical. */
const byDefinition = (bytes: Uint8Array): boolean => {
  try {
    // A decoder of its own each time: Node's keeps bytes of an input that it refused.
    return isCanonical(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    return false
  }
}

/** Numbers that follow from a seed alone, so that a failure can be looked at again. */
const numbersFrom = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const CHARACTERS = [
  'a',
  'B',
  '9',
  '"',
  '\\',
  '/',
  '\n',
  '\t',
  '\b',
  '\f',
  '\r',
  '\0',
  '\u001f',
  '\u007f',
  'é',
  '€',
  '😀',
  '\ud7ff',
  '\ue000',
  '\u2028',
]
// No key ends in a quote: where another object had the same key but for a backslash in its place, JSON.parse of Node 26
// reads that one. The definition reads by JSON.parse, which is how this came to light.
const KEYS = [
  'a',
  'aa',
  'b',
  'A',
  '10',
  '9',
  '',
  '"x',
  'a"b',
  'a\\b',
  '~',
  ' ',
  '__proto__',
  'toJSO',
  'toJSONs',
]

const valueOf = (pick: (below: number) => number, depth = 0): unknown => {
  const kind = pick(depth > 3 ? 5 : 7)
  switch (kind) {
    case 0:
      return Array.from({ length: pick(6) }, () => CHARACTERS[pick(CHARACTERS.length)] ?? '').join('')
    case 1:
      return pick(3) - 1
    case 2:
      return [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0, 10, 123_456_789_012][pick(5)]
    case 3:
      return [true, false, null][pick(3)]
    case 4:
      return ''
    case 5:
      return Array.from({ length: pick(4) }, () => valueOf(pick, depth + 1))
    default:
      return Object.fromEntries(
        Array.from({ length: pick(5) }, () => [KEYS[pick(KEYS.length)] ?? '', valueOf(pick, depth + 1)]),
      )
  }
}

describe('isCanonicalBytes()', () => {
  test('holds for every canonical text, whatever it says', () => {
    const pick = numbersFrom(7)
    const texts = Array.from({ length: 3000 }, () => canonical(valueOf(pick)))
    expect(texts.filter((text) => !isCanonicalBytes(utf8.encode(text)))).toEqual([])
  })

  test('agrees with the definition on texts of which one byte was changed, taken out or put in', () => {
    const pick = numbersFrom(11)
    const bright = [...utf8.encode('"\\,:-0[]{}u \n'), 0xc0, 0xed, 0xf4]
    const changed = Array.from({ length: 40_000 }, () => {
      const bytes = [...utf8.encode(canonical(valueOf(pick)))]
      const byte = pick(2) === 0 ? pick(256) : (bright[pick(bright.length)] ?? 0)
      bytes.splice(pick(bytes.length), pick(2), ...(pick(3) === 0 ? [] : [byte]))
      return Uint8Array.from(bytes)
    })
    expect(changed.filter((bytes) => isCanonicalBytes(bytes) !== byDefinition(bytes))).toEqual([])
    // Both answers must have been asked for often.
    const canonicalStill = changed.filter(byDefinition).length
    expect(canonicalStill).toBeGreaterThan(1000)
    expect(canonicalStill).toBeLessThan(39_000)
  })

  const texts = [
    '',
    ' 1',
    '1 ',
    '-0',
    '-1',
    '01',
    '1.0',
    '1e2',
    '-',
    '+1',
    '9007199254740991',
    '9007199254740992',
    '-9007199254740991',
    '90071992547409910',
    'tru',
    'true',
    'nul',
    'null',
    'falsey',
    '"\\u0041"',
    '"\\u000A"',
    '"\\u000a"',
    '"\\u000b"',
    '"\\u001F"',
    '"\\u001f"',
    '"\\/"',
    '"\\ud800"',
    '"\\ud83d\\ude00"',
    '"\t"',
    '"\u007f"',
    '"',
    '"\\',
    '"\\u00',
    '{',
    '{}',
    '[',
    '[]',
    '[,]',
    '[1,]',
    '[1 ,2]',
    '{"a":1,"a":1}',
    '{"b":1,"a":2}',
    '{"a" :1}',
    '{"a":1,}',
    '{a:1}',
    '{"é":1}',
    '{"\\n":1}',
    '{"\\u0041":1}',
    '{"\\"":1,"#":2}',
    '{"#":1,"\\"":2}',
    '{"[":1,"\\\\":2,"]":3}',
    '{"toJSON":1}',
    '{"a":{"toJSON":[]}}',
    '{"10":1,"9":2}',
    '{"9":1,"10":2}',
    '{"a":1}{"b":2}',
    '[1]]',
    `${'['.repeat(64)}${']'.repeat(64)}`,
    `${'['.repeat(65)}${']'.repeat(65)}`,
    '\ufeff1',
  ]
  test.each(texts.map((text) => [text]))('agrees with the definition on %j', (text) => {
    expect(isCanonicalBytes(utf8.encode(text))).toBe(byDefinition(utf8.encode(text)))
  })

  test.each([
    ['an overlong quote', [0x22, 0xc0, 0xa2, 0x22]],
    ['an overlong of three bytes', [0x22, 0xe0, 0x80, 0x80, 0x22]],
    ['a surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['above the last code point', [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22]],
    ['a sequence cut short', [0x22, 0xe2, 0x82, 0x22]],
    ['a lone continuation', [0x22, 0x80, 0x22]],
  ])('refuses %s', (_, bytes) => {
    expect(isCanonicalBytes(Uint8Array.from(bytes))).toBe(false)
    expect(byDefinition(Uint8Array.from(bytes))).toBe(false)
  })

  test('looks at its part alone', () => {
    const bytes = utf8.encode('x{"a":1}y')
    expect(isCanonicalBytes(bytes, 1, 8)).toBe(true)
    expect(isCanonicalBytes(bytes, 1, 9)).toBe(false)
    expect(isCanonicalBytes(bytes, 1, 7)).toBe(false)
  })
})
