import type { EventOf } from '@attestry/contracts'

/**
 * A field of an event's data as a cell: texts, whole numbers and yes or no as they are, anything else as empty. Lets a
 * report tell every event of a context, also those of types that came after it.
 */
export function told(event: EventOf, field: string): string {
  const value: unknown = (event.data as Readonly<Record<string, unknown>>)[field]
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : ''
}

/** The first of several fields that an event tells. */
export const firstTold = (event: EventOf, fields: readonly string[]): string =>
  fields.map((field) => told(event, field)).find((cell) => cell !== '') ?? ''
