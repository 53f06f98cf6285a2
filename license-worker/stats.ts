import { COUNTERS, type Counter, type Counters, STATS_BYTES, type StatsOutcome } from '@attestry/contracts'

const KNOWN: ReadonlySet<string> = new Set(COUNTERS)
const isCounter = (name: string): name is Counter => KNOWN.has(name)

/** One member, with the comma or the end behind it. No sign, fraction, exponent or leading zero fits. */
const MEMBER = /[\t\n\r ]*"([^"\\]{1,40})"[\t\n\r ]*:[\t\n\r ]*(0|[1-9]\d{0,15})[\t\n\r ]*([,}])/y

type Read = { readonly counts: Counters } | { readonly refused: Exclude<StatsOutcome, 'accepted' | 'none'> }

/**
 * Reads the text of counts. It is untrusted and only one shape is wanted, so it is not given to a JSON parser, which
 * would make floats of what does not fit, forget repeated names and build whatever else is written there: a
 * plain object of known names and safe integers from 0 is read, into an object without a prototype.
 */
export function readStats(stats: unknown): Read {
  if (typeof stats !== 'string') return { refused: 'not-text' }
  // A UTF-16 unit has at least one byte, so that the encoder never sees more than a few times what may pass.
  if (stats.length > STATS_BYTES || new TextEncoder().encode(stats).byteLength > STATS_BYTES)
    return { refused: 'too-large' }
  const counts: Partial<Record<Counter, number>> = Object.create(null)
  if (/^[\t\n\r ]*\{[\t\n\r ]*\}[\t\n\r ]*$/.test(stats)) return { counts }
  const open = /^[\t\n\r ]*\{/.exec(stats)
  if (!open) return { refused: 'not-an-object-of-counts' }
  // Shared, because making one anew costs more than all the rest; nothing here waits, so that nobody else uses it.
  MEMBER.lastIndex = open[0].length
  // Each turn takes a known name that was not taken before.
  for (let turn = 0; turn <= COUNTERS.length; turn++) {
    const found = MEMBER.exec(stats)
    const [, name = '', digits = '', end] = found ?? []
    if (!found) return { refused: 'not-an-object-of-counts' }
    if (!isCounter(name)) return { refused: 'unknown-counter' }
    if (name in counts) return { refused: 'repeated-counter' }
    const count = Number(digits)
    if (!Number.isSafeInteger(count)) return { refused: 'not-an-object-of-counts' }
    counts[name] = count
    if (end === '}')
      return /^[\t\n\r ]*$/.test(stats.slice(MEMBER.lastIndex))
        ? { counts }
        : { refused: 'not-an-object-of-counts' }
  }
  return { refused: 'repeated-counter' }
}
