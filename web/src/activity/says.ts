import { catalog } from '@attestry/contracts'

/** Every event type that this version knows, sorted. */
export const TYPES: readonly string[] = Object.keys(catalog).toSorted()

const SAYS: ReadonlyMap<string, string> = new Map(Object.entries(catalog).map(([type, d]) => [type, d.says]))

/** What an event means, from the contract's own sentence; an unknown type is told by its name. */
export const says = (type: string): string => {
  const known = SAYS.get(type)
  if (known) return known.replace(/\.$/, '')
  const words = type.slice(type.indexOf('.') + 1).replaceAll('-', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}
