/**
 * Eventual consistency of lists: for `lagMs` after a change, a list goes on showing what it showed before. Kept beside
 * the estate, never in it.
 */
export interface ListingLag<T extends object, V> {
  /** To be called before an item changes; `before` is what lists show of it, null for nothing. */
  changing(item: T, before: V | null): void
  /** What a list shows of the item now; null when it shows nothing. */
  shown(item: T, current: V | null): V | null
}

export function listingLag<T extends object, V>(now: () => number, lagMs: () => number): ListingLag<T, V> {
  const held = new WeakMap<T, { readonly before: V | null; until: number }>()
  return {
    changing(item, before) {
      if (lagMs() === 0) return
      const active = held.get(item)
      const until = now() + lagMs()
      if (active !== undefined && active.until > now()) active.until = until
      else held.set(item, { before, until })
    },
    shown(item, current) {
      const active = held.get(item)
      return active !== undefined && active.until > now() ? active.before : current
    },
  }
}
