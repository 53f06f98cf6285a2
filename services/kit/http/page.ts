import * as z from 'zod'
import { iso } from '../clock.ts'

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
    return { key, id }
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return null
    throw error
  }
}

const TIME = /^(-?infinity|\d{4,6}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d(:\d\d)?))$/

/** A cursor whose key is a timestamp, as Postgres or the contracts write it; any other begins at the start, as a text that is none does. */
export const timeCursorOf = (text: string | undefined): Cursor | null => {
  const cursor = cursorOf(text)
  return cursor && TIME.test(cursor.key) ? cursor : null
}

/** A timestamp of a row, as Postgres writes it, in the contracts' spelling. */
export function instantOf(text: string): string
export function instantOf(text: string | null): string | null
export function instantOf(text: string | null): string | null {
  return text === null ? null : iso(Temporal.Instant.from(text))
}

/** A text to be looked for as it stands, in a LIKE pattern. */
export const literally = (text: string): string => text.replaceAll(/[\\%_]/g, (c) => `\\${c}`)
