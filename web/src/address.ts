import { useSearchParams } from '@solidjs/router'
import { queryOf } from './operation.ts'

/** What a page is asked to show, kept in its address: names of the parameters it reads. */
export interface Address<N extends string> {
  get(name: N): string
  /** Changes some; an empty value removes one. Typing replaces the address instead of adding to history. */
  set(changes: Partial<Record<N, string>>, replace?: boolean): void
  /** The address with some changed. */
  with(changes: Partial<Record<N, string>>): string
}

export function useAddress<const N extends string>(path: string, names: readonly N[]): Address<N> {
  const [search, setSearch] = useSearchParams<Record<string, string>>()
  const get = (name: N): string => search[name] ?? ''
  return {
    get,
    set: (changes, replace = true) => setSearch(changes, { replace, scroll: false }),
    with: (changes) => path + queryOf({ ...Object.fromEntries(names.map((n) => [n, get(n)])), ...changes }),
  }
}
