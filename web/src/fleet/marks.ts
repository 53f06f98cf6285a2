import type { Asked } from '../operation.ts'

/**
 * Marks for requests that change something (`Idempotency-Key`). A request keeps its mark until an answer is heard, so
 * that trying again after a lost answer does nothing twice; the next one that says the same has a mark of its own.
 */
export interface Marks {
  /** The mark that goes with a request; undefined for one that changes nothing. */
  of(asked: Asked): string | undefined
  /** An answer came: what was asked is settled, unless the server itself was in trouble. */
  heard(asked: Asked, status: number): void
}

const textOf = ({ method, address, body }: Asked): string => `${method} ${address} ${body ?? ''}`

/** `make` gives a new UUID. */
export function createMarks(make: () => string): Marks {
  const open = new Map<string, string>()
  return {
    of(asked) {
      if (asked.method === 'GET') return undefined
      const mark = open.get(textOf(asked)) ?? make()
      open.set(textOf(asked), mark)
      return mark
    },
    heard(asked, status) {
      if (status < 500) open.delete(textOf(asked))
    },
  }
}
