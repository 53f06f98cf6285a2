import type { http } from '@attestry/contracts/http'
import type { Endpoint, PathParameters } from '@attestry/contracts/http'
import type * as z from 'zod'
import type { Account } from './world.fixture.ts'

/** A refusal as the server would answer it. */
export interface Refusal {
  readonly refuse: number
  readonly code: string
  readonly detail: string
  readonly errors?: readonly { readonly field: string; readonly message: string }[]
}
export const refuse = (status: number, code: string, detail: string): Refusal => ({
  refuse: status,
  code,
  detail,
})

export interface Given<E extends Endpoint> {
  readonly params: Readonly<Record<PathParameters<E['path']>, string>>
  readonly query: E['query'] extends z.ZodObject ? z.output<E['query']> : undefined
  readonly body: E['body'] extends z.ZodType ? z.output<E['body']> : undefined
  /** Text of the file that an upload brought. */
  readonly upload: E['upload'] extends string ? string : undefined
  readonly who: SignedIn
  readonly signIn: (account: Account | null) => void
}

export interface SignedIn {
  readonly account: Account
  reauthenticatedUntil: string | null
}

/** A stream that pushes rows until `done`. */
export interface Stream {
  readonly stream: (push: (row: unknown) => void, done: () => void) => () => void
}

type Answer<E extends Endpoint> =
  | Refusal
  | (E['reply'] extends z.ZodType
      ? z.input<E['reply']>
      : E['reply'] extends 'stream'
        ? Stream
        : E['reply'] extends 'file'
          ? Uint8Array
          : undefined)

export type Handlers = {
  readonly [S in keyof typeof http]: {
    readonly [N in keyof (typeof http)[S]]: (typeof http)[S][N] extends infer E extends Endpoint
      ? (given: Given<E>) => Answer<E>
      : never
  }
}

export const iso = (ms: number): string => new Date(ms).toISOString()
export const DAY = 86_400_000
/** One step of a job takes this long, so that somebody sees it move. */
export const STEP_MS = 220

/** A page of a list; the place to go on from is its index. */
export function page<T>(
  all: readonly T[],
  query: { after?: string | undefined; limit: number },
): { items: T[]; next: string | null; total: number } {
  const from = query.after === undefined ? 0 : Number(query.after)
  const items = all.slice(from, from + query.limit)
  return {
    items,
    next: from + items.length < all.length ? String(from + items.length) : null,
    total: all.length,
  }
}

/** A job's row pushed again and again until it is no longer open. */
export const watch = (find: () => { state: string } | undefined, open: readonly string[]) => (): Stream => ({
  stream(push, done) {
    const timer = setInterval(() => {
      const row = find()
      if (!row) return done()
      push(row)
      if (!open.includes(row.state)) done()
    }, STEP_MS / 2)
    return () => clearInterval(timer)
  },
})
