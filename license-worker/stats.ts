import { COUNTERS, STATS_BYTES, type StatsOutcome } from '@attestry/contracts'
import { utf8 } from './projection.ts'

/** Counts in the order of COUNTERS, null for one that was not sent. */
export type CountList = readonly (number | null)[]

type Read = { readonly counts: CountList } | { readonly refused: Exclude<StatsOutcome, 'accepted' | 'none'> }

const NO_COUNTS: Read = { refused: 'not-an-object-of-counts' }
const PLACES: ReadonlyMap<string, number> = new Map(COUNTERS.map((name, place) => [name, place]))

const codeOf = (character: string): number => character.charCodeAt(0)
const [QUOTE, COLON, COMMA, OPEN, CLOSE] = [codeOf('"'), codeOf(':'), codeOf(','), codeOf('{'), codeOf('}')]
const [TAB, LINE, RETURN, SPACE, ZERO] = [codeOf('\t'), codeOf('\n'), codeOf('\r'), codeOf(' '), codeOf('0')]

function afterSpace(text: string, from: number): number {
  for (let at = from; ; at++) {
    const code = text.charCodeAt(at)
    if (code !== SPACE && code !== LINE && code !== RETURN && code !== TAB) return at
  }
}

/** A UTF-16 unit has from one to three bytes, so that most texts need not be encoded to be counted. */
const isTooLarge = (text: string): boolean =>
  text.length > STATS_BYTES || (text.length * 3 > STATS_BYTES && utf8.encode(text).byteLength > STATS_BYTES)

/**
 * Reads the text of counts. It is untrusted and only one shape is wanted, so it is not given to a JSON parser, which
 * would make floats of what does not fit, forget repeated names and build whatever else is written there: a
 * plain object of known names and safe integers from 0 is read, into a list that has a place for each known name.
 */
export function readStats(stats: unknown): Read {
  if (typeof stats !== 'string') return { refused: 'not-text' }
  if (isTooLarge(stats)) return { refused: 'too-large' }
  const counts: (number | null)[] = COUNTERS.map(() => null)
  let at = afterSpace(stats, 0)
  if (stats.charCodeAt(at) !== OPEN) return NO_COUNTS
  at = afterSpace(stats, at + 1)
  if (stats.charCodeAt(at) === CLOSE) return isEnd(stats, at + 1) ? { counts } : NO_COUNTS
  let expected = 0
  // Each turn takes a known name that was not taken before.
  for (let turn = 0; turn <= COUNTERS.length; turn++) {
    const name = readName(stats, at, expected)
    const read = name && readCount(stats, name.end)
    if (!name || !read) return NO_COUNTS
    at = afterSpace(stats, read.end) + 1
    const mark = stats.charCodeAt(at - 1)
    if (mark !== COMMA && mark !== CLOSE) return NO_COUNTS
    const { place } = name
    if (place === undefined) return { refused: 'unknown-counter' }
    if (counts[place] !== null) return { refused: 'repeated-counter' }
    counts[place] = read.count
    if (mark === CLOSE) return isEnd(stats, at) ? { counts } : NO_COUNTS
    expected = place + 1
  }
  return { refused: 'repeated-counter' }
}

const isEnd = (text: string, at: number): boolean => afterSpace(text, at) === text.length

/** Installs write the names in the order of the list, without spaces: so the next one is told at a look. */
const BEGINNINGS = COUNTERS.map((name) => `"${name}":`)

/** The place of a name that begins here, undefined for one that is not in the list, and where its colon ends. */
function readName(text: string, from: number, expected: number) {
  const beginning = BEGINNINGS[expected]
  if (beginning !== undefined && text.startsWith(beginning, from))
    return { place: expected, end: from + beginning.length }
  const open = afterSpace(text, from)
  if (text.charCodeAt(open) !== QUOTE) return null
  const quote = text.indexOf('"', open + 1)
  const name = text.slice(open + 1, quote)
  const colon = afterSpace(text, quote + 1)
  if (quote < 0 || name.includes('\\') || text.charCodeAt(colon) !== COLON) return null
  return { place: PLACES.get(name), end: colon + 1 }
}

/** A count, and where it ends; no sign, fraction, exponent or leading zero fits. */
function readCount(text: string, from: number) {
  const first = afterSpace(text, from)
  let count = 0
  let at = first
  for (; ; at++) {
    const digit = text.charCodeAt(at) - ZERO
    if (!(digit >= 0 && digit <= 9)) break
    count = count * 10 + digit
  }
  const digits = at - first
  // A number that is not safe stays so, whatever digits follow.
  const isCount =
    digits > 0 && (digits === 1 || text.charCodeAt(first) !== ZERO) && Number.isSafeInteger(count)
  return isCount ? { count, end: at } : null
}
