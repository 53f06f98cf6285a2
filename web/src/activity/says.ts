import { catalog } from '@attestry/contracts'

/** Every event type that this version knows, sorted. */
export const TYPES: readonly string[] = Object.keys(catalog).toSorted()

const SAYS: ReadonlyMap<string, string> = new Map(Object.entries(catalog).map(([type, d]) => [type, d.says]))

/** What an event of this type means, in the contract's own sentence; undefined for one of a newer version. */
export const says = (type: string): string | undefined => SAYS.get(type)

/** A type as a few words: `discovery.vault-scanned` is "Vault scanned". */
export function title(type: string): string {
  const words = type.slice(type.indexOf('.') + 1).replaceAll('-', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}
