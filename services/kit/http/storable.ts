/*
 * Texts that nothing behind us can keep: Postgres takes no U+0000, neither in a text nor in JSON that it opens, and half
 * of a surrogate pair has no canonical text. One that came into a fact would stay in the chain for ever, and every fold
 * and every list that meets it would stop there.
 */

export const NOT_STORABLE = 'holds U+0000 or half of a surrogate pair, which no text here may hold'

export const isStorable = (text: string): boolean => !text.includes('\0') && text.isWellFormed()

/** Where such texts stand in what a schema let through, which has no depth but the schema's. */
export function notStorable(value: unknown, at: string): { field: string; message: string }[] {
  if (typeof value === 'string') return isStorable(value) ? [] : [{ field: at, message: NOT_STORABLE }]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => notStorable(inner, `${at}.${key}`))
}
