/**
 * Eventual consistency of lists: for `lagMs` after a change, a list goes on showing what it showed before. Kept beside
 * the estate, never in it.
 */
export interface ListingLag<T extends object, V> {
  /** To be called before an item changes; `before` is what lists show of it, null for nothing. */
  changing(item: T, before: V | null): void
  /** The items that lists show something of now. */
  visible(items: readonly T[]): T[]
  /** What a list shows of a visible item: what was before, or what `current` makes of it. */
  shown(item: T, current: (item: T) => V): V
}

export function listingLag<T extends object, V>(now: () => number, lagMs: () => number): ListingLag<T, V> {
  const held = new WeakMap<T, { readonly before: V | null; until: number }>()
  const active = (item: T) => {
    const one = held.get(item)
    return one !== undefined && one.until > now() ? one : undefined
  }
  return {
    changing(item, before) {
      if (lagMs() === 0) return
      const until = now() + lagMs()
      const one = active(item)
      if (one !== undefined) one.until = until
      else held.set(item, { before, until })
    },
    visible: (items) => items.filter((item) => active(item)?.before !== null),
    shown: (item, current) => active(item)?.before ?? current(item),
  }
}
