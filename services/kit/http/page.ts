import * as z from 'zod'
import { iso } from '../clock.ts'
import { problem } from './problem.ts'
import { isStorable } from './storable.ts'

/** The place of a row in a sorted list: the text of what it is sorted by, and its id. */
export interface Cursor {
  readonly key: string
  readonly id: string
}

const Shape = z.tuple([z.string(), z.string()])

/** A cursor as an opaque text for the wire. */
export const cursorText = ({ key, id }: Cursor): string =>
  Buffer.from(JSON.stringify([key, id])).toString('base64url')

/** The cursor in a text, or null where the text is none of ours: then the list begins at its start. */
export function cursorOf(text: string | undefined): Cursor | null {
  if (text === undefined) return null
  try {
    const [key, id] = Shape.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
    return isStorable(key) && isStorable(id) ? { key, id } : null
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return null
    throw error
  }
}

/** Years that Postgres reads and the contracts can write. */
const FIRST = Temporal.Instant.from('0001-01-01T00:00:00Z')
const END = Temporal.Instant.from('+010000-01-01T00:00:00Z')

/** A timestamp from outside in a spelling that Postgres takes, to its last digit; null for a text that is none. */
export function timeOf(text: string): string | null {
  try {
    const at = Temporal.Instant.from(text)
    return Temporal.Instant.compare(at, FIRST) < 0 || Temporal.Instant.compare(at, END) >= 0
      ? null
      : at.toString()
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** A cursor whose key is a timestamp, as Postgres or the contracts write it; any other begins at the start, as a text that is none does. */
export function timeCursorOf(text: string | undefined): Cursor | null {
  const cursor = cursorOf(text)
  if (!cursor || /^-?infinity$/.test(cursor.key)) return cursor
  const key = timeOf(cursor.key)
  return key === null ? null : { key, id: cursor.id }
}

/** A whole number in a text from outside, such as where a page ended that is sorted by one; null for any other text. */
export const wholeNumber = (text: string): number | null => (/^\d{1,15}$/.test(text) ? Number(text) : null)

/** The answer to a place that is none, where a list does not begin anew. */
export const badPlace = (): Response =>
  problem('invalid', 'bad-query', 'The place to go on from is none that this list gave.', {
    errors: [{ field: 'query.after', message: 'not a place in this list' }],
  })

/** A timestamp of a row, as Postgres writes it, in the contracts' spelling. */
export function instantOf(text: string): string
export function instantOf(text: string | null): string | null
export function instantOf(text: string | null): string | null {
  return text === null ? null : iso(Temporal.Instant.from(text))
}

/** A text to be looked for as it stands, in a LIKE pattern. */
export const literally = (text: string): string => text.replaceAll(/[\\%_]/g, (c) => `\\${c}`)
