import type { Problem } from '@attestry/contracts/http'
import { batch, createEffect, createSignal, on, onCleanup, untrack } from 'solid-js'
import { type Live, useLive } from './live-context.ts'
import { problemOf } from './problem.ts'

/** One answer of a paged endpoint. */
export interface Page<T> {
  readonly items: readonly T[]
  readonly next: string | null
  readonly total: number
}

/** A long list that is read page by page as far as somebody looks. */
export interface Pages<T> {
  rows(): readonly T[]
  /** How many match in all; undefined before the first answer. */
  total(): number | undefined
  loading(): boolean
  /** Rows of the former filter are shown until the new ones are here. */
  settling(): boolean
  problem(): Problem | undefined
  /** Somebody looks at this row: read on until it is there. */
  reach(index: number): void
  again(): void
}

/** Rows asked for at a time: first few so that the page stands at once, then many. */
const FIRST = 200
const THEN = 1000

/**
 * Reads a cursor-paged list. `question` is anything that, when it changes, makes it another list; `read` asks one
 * page. The list reads itself again, as far as it was read, when the live feed, or what stands in for it, says that
 * `operationId` is stale.
 */
export function createPages<T>(
  operationId: string,
  question: () => unknown,
  read: (after: string | undefined, limit: number, signal: AbortSignal) => Promise<Page<T>>,
  live: Pick<Live, 'onStale'> = useLive(),
): Pages<T> {
  const [rows, setRows] = createSignal<readonly T[]>([])
  const [total, setTotal] = createSignal<number>()
  const [loading, setLoading] = createSignal(false)
  const [settling, setSettling] = createSignal(false)
  const [problem, setProblem] = createSignal<Problem>()
  let next: string | null = null
  let wanted = 0
  let walk = new AbortController()
  let walking = false
  /** Something happened since the walk began: what it brings may be old already. */
  let overtaken = false

  /** Reads on until `wanted` is there; from the start when `fresh`, and then what is shown is replaced at once. */
  async function go(fresh: boolean): Promise<void> {
    if (fresh) walk.abort()
    else if (walking) return
    const mine = fresh ? (walk = new AbortController()) : walk
    walking = true
    if (fresh) overtaken = false
    setLoading(true)
    let gathered: readonly T[] = fresh ? [] : untrack(rows)
    let after = fresh ? undefined : (next ?? undefined)
    try {
      do {
        const page = await read(after, gathered.length === 0 ? FIRST : THEN, mine.signal)
        if (mine.signal.aborted) return
        gathered = gathered.concat(page.items)
        after = page.next ?? undefined
        const enough = gathered.length > wanted || page.next === null
        if (!fresh || enough)
          batch(() => {
            next = page.next
            setRows(gathered)
            setTotal(page.total)
            setSettling(false)
            setProblem(undefined)
          })
      } while (after !== undefined && gathered.length <= wanted)
    } catch (thrown) {
      if (mine.signal.aborted) return
      batch(() => {
        setProblem(problemOf(thrown))
        setSettling(false)
      })
    } finally {
      if (!mine.signal.aborted) {
        walking = false
        setLoading(false)
        if (overtaken) void go(true)
      }
    }
  }

  /** A walk is let come to its end: while a scan goes on, events come faster than a slow line answers. */
  const overtake = (): void => {
    if (walking) overtaken = true
    else void go(true)
  }

  createEffect(
    on(question, () => {
      wanted = 0
      setSettling(true)
      void go(true)
    }),
  )
  onCleanup(live.onStale(operationId, overtake))
  onCleanup(() => walk.abort())

  return {
    rows,
    total,
    loading,
    settling,
    problem,
    reach(index) {
      wanted = Math.max(wanted, index)
      if (next !== null && untrack(rows).length <= wanted && !untrack(problem)) void go(false)
    },
    again: () => void go(true),
  }
}
