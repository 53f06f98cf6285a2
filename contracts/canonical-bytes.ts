/*
 * Whether bytes are canonical JSON, read once from left to right and without making a value of them: the walk over a
 * chain asks this of every event, and parsing and writing each again takes several times as long.
 */

/** How deep a value may nest, as `canonical()` has it. */
const MAX_DEPTH = 64

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const SMALL_U = 0x75

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0))
const WORDS = ['true', 'false', 'null'].map(ascii)
/** A member of this name changes how a value is written, so no fact has one. */
const TO_JSON = ascii('toJSON')
/** The escapes of one letter: `" \ b f n r t`. All other control characters are written as `\u00xx`. */
const LETTERS = new Set(Array.from('"\\bfnrt', (c) => c.charCodeAt(0)))
/** The control characters that those letters stand for. */
const LETTERED = new Set([0x08, 0x09, 0x0a, 0x0c, 0x0d])
const LARGEST = Number.MAX_SAFE_INTEGER

/** The value of a lower-case hexadecimal digit, or -1: canonical text knows no upper-case ones. */
const hexOf = (byte: number): number => {
  if (byte >= ZERO && byte <= NINE) return byte - ZERO
  return byte >= 0x61 && byte <= 0x66 ? byte - 0x61 + 10 : -1
}

/** Where the escape that begins at `at` ends, or -1 where canonical text writes that character otherwise. */
const escapeEnd = (bytes: Uint8Array, at: number, to: number): number => {
  if (at + 1 >= to) return -1
  const letter = bytes[at + 1] ?? 0
  if (LETTERS.has(letter)) return at + 2
  if (letter !== SMALL_U || at + 6 > to) return -1
  if (bytes[at + 2] !== ZERO || bytes[at + 3] !== ZERO) return -1
  const high = hexOf(bytes[at + 4] ?? 0)
  const low = hexOf(bytes[at + 5] ?? 0)
  const code = high * 16 + low
  return high < 0 || low < 0 || code >= 0x20 || LETTERED.has(code) ? -1 : at + 6
}

/** Where the UTF-8 sequence of two bytes or more that begins at `at` ends, or -1. @see RFC 3629 section 4 */
const sequenceEnd = (bytes: Uint8Array, at: number, to: number): number => {
  const first = bytes[at] ?? 0
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
  if (first < 0xc2 || first > 0xf4 || at + length > to) return -1
  const second = bytes[at + 1] ?? 0
  // No overlong forms, no surrogates, nothing above U+10FFFF.
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  if (second < least || second > most) return -1
  for (let i = at + 2; i < at + length; i++) if (((bytes[i] ?? 0) & 0xc0) !== 0x80) return -1
  return at + length
}

/** Where the string that begins at `at` ends, or -1. */
const stringEnd = (bytes: Uint8Array, at: number, to: number): number => {
  let i = at + 1
  while (i < to) {
    const byte = bytes[i] ?? 0
    if (byte === QUOTE) return i + 1
    if (byte === BACKSLASH) i = escapeEnd(bytes, i, to)
    else if (byte < 0x20) return -1
    else if (byte < 0x80) i++
    else i = sequenceEnd(bytes, i, to)
    if (i < 0) return -1
  }
  return -1
}

/** Where the key that begins at `at` ends, or -1: keys are printable ASCII, and so hold at most `\"` and `\\`. */
const keyEnd = (bytes: Uint8Array, at: number, to: number): number => {
  if (bytes[at] !== QUOTE) return -1
  for (let i = at + 1; i < to; i++) {
    let byte = bytes[i] ?? 0
    if (byte === QUOTE) return i + 1
    if (byte === BACKSLASH) {
      i++
      byte = bytes[i] ?? 0
      if (byte !== QUOTE && byte !== BACKSLASH) return -1
    }
    if (byte < 0x20 || byte > 0x7e) return -1
  }
  return -1
}

/** Whether one key comes strictly before another, as their characters stand without escapes. */
const before = (bytes: Uint8Array, a: number, aEnd: number, b: number, bEnd: number): boolean => {
  let i = a + 1
  let j = b + 1
  while (i < aEnd - 1 && j < bEnd - 1) {
    if (bytes[i] === BACKSLASH) i++
    if (bytes[j] === BACKSLASH) j++
    const x = bytes[i] ?? 0
    const y = bytes[j] ?? 0
    if (x !== y) return x < y
    i++
    j++
  }
  return i >= aEnd - 1 && j < bEnd - 1
}

const stands = (bytes: Uint8Array, at: number, to: number, word: Uint8Array): boolean => {
  if (at + word.length > to) return false
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word[i]) return false
  return true
}

/** Where the number that begins at `at` ends, or -1: a safe integer without a leading zero, and never -0. */
const numberEnd = (bytes: Uint8Array, at: number, to: number): number => {
  const negative = bytes[at] === MINUS
  const first = negative ? at + 1 : at
  let i = first
  let value = 0
  while (i < to) {
    const byte = bytes[i] ?? 0
    if (byte < ZERO || byte > NINE) break
    // A number of sixteen digits above the largest safe integer may be rounded, but never down to it.
    if (i - first >= 16) return -1
    value = value * 10 + (byte - ZERO)
    i++
  }
  if (i === first || value > LARGEST) return -1
  if (bytes[first] === ZERO && (i - first > 1 || negative)) return -1
  return i
}

const objectEnd = (bytes: Uint8Array, at: number, to: number, depth: number): number => {
  let i = at + 1
  if (bytes[i] === CLOSE_OBJECT && i < to) return i + 1
  let last = -1
  let lastEnd = -1
  for (;;) {
    const end = keyEnd(bytes, i, to)
    if (end < 0 || (last >= 0 && !before(bytes, last, lastEnd, i, end))) return -1
    if (end - i === TO_JSON.length + 2 && stands(bytes, i + 1, to, TO_JSON)) return -1
    last = i
    lastEnd = end
    if (end >= to || bytes[end] !== COLON) return -1
    i = valueEnd(bytes, end + 1, to, depth)
    if (i < 0 || i >= to) return -1
    const byte = bytes[i]
    if (byte === CLOSE_OBJECT) return i + 1
    if (byte !== COMMA) return -1
    i++
  }
}

const listEnd = (bytes: Uint8Array, at: number, to: number, depth: number): number => {
  let i = at + 1
  if (bytes[i] === CLOSE_LIST && i < to) return i + 1
  for (;;) {
    i = valueEnd(bytes, i, to, depth)
    if (i < 0 || i >= to) return -1
    const byte = bytes[i]
    if (byte === CLOSE_LIST) return i + 1
    if (byte !== COMMA) return -1
    i++
  }
}

/** Where the value that begins at `at` ends, or -1 where it is not canonical. `depth` counts what it stands in. */
const valueEnd = (bytes: Uint8Array, at: number, to: number, depth: number): number => {
  if (at >= to) return -1
  const byte = bytes[at] ?? 0
  if (byte === QUOTE) return stringEnd(bytes, at, to)
  if (byte === OPEN_OBJECT) return depth >= MAX_DEPTH ? -1 : objectEnd(bytes, at, to, depth + 1)
  if (byte === OPEN_LIST) return depth >= MAX_DEPTH ? -1 : listEnd(bytes, at, to, depth + 1)
  if (byte === MINUS || (byte >= ZERO && byte <= NINE)) return numberEnd(bytes, at, to)
  for (const word of WORDS) if (stands(bytes, at, to, word)) return at + word.length
  return -1
}

/**
 * Whether the bytes from `from` to `to` are the canonical text of what they say, in valid UTF-8: exactly those for
 * which `isCanonical()` of the decoded text holds.
 * @see RFC 8785 section 3.2, narrowed to ASCII keys and safe integers
 */
export const isCanonicalBytes = (bytes: Uint8Array, from = 0, to = bytes.length): boolean =>
  valueEnd(bytes, from, to, 0) === to
