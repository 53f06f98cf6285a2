import { useQueryClient } from '@tanstack/solid-query'
import { createSignal, onCleanup, onMount, type ParentProps } from 'solid-js'
import * as z from 'zod'
import { api } from './api.ts'
import { isStale, staleAfter } from './freshness.ts'
import { type Live, LiveContext, type LiveState } from './live-context.ts'
import { problemOf } from './problem.ts'
import { backoffMs, openEvents } from './sse.ts'

export { useLive } from './live-context.ts'

/** What the feed says of an event: its type and place, never its content. */
const Note = z.object({ type: z.string(), seq: z.number() })

const EVERYTHING = ['discovery', 'compliance', 'evidence', 'gateway'] as const

/** Events that come together are answered with one round of reads. */
const GATHER_MS = 200
/** Folds write their rows a moment after the event: everything is read a second time. */
const SETTLE_MS = 1000

const wait = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((done) => {
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      done()
    })
  })

/** Follows /api/live for as long as it is mounted, and makes stale what the events say. */
export function LiveFeed(props: ParentProps) {
  const queries = useQueryClient()
  const [state, setState] = createSignal<LiveState>('connecting')
  const [seq, setSeq] = createSignal(0)
  const listeners = new Set<{ operationId: string; listener: () => void }>()
  const end = new AbortController()
  let gathered = new Set<string>()
  let timer: ReturnType<typeof setTimeout> | undefined

  const refresh = (stale: ReadonlySet<string>): void => {
    void queries.invalidateQueries({ predicate: (query) => isStale(String(query.queryKey[0]), stale) })
    for (const { operationId, listener } of listeners) if (isStale(operationId, stale)) listener()
  }
  const touch = (reads: Iterable<string>): void => {
    for (const read of reads) gathered.add(read)
    timer ??= setTimeout(() => {
      const stale = gathered
      gathered = new Set()
      timer = undefined
      refresh(stale)
      void wait(SETTLE_MS, end.signal).then(() => (end.signal.aborted ? undefined : refresh(stale)))
    }, GATHER_MS)
  }

  const follow = async (): Promise<void> => {
    let last: string | null = null
    for (let attempt = 0; !end.signal.aborted; attempt += 1) {
      try {
        const events = openEvents(api.gateway.live.address({}), end.signal, {
          after: last,
          opened: () => {
            // Before the first event there is no place to go on from: after a gap, everything is read again.
            if (attempt > 0 && last === null) touch(EVERYTHING)
            attempt = 0
            setState('live')
          },
        })
        for await (const event of events) {
          last = event.id ?? last
          const note = readNote(event.data)
          // `reset`: more was missed than the feed tells one by one.
          if (event.event === 'reset') touch(EVERYTHING)
          if (!note) continue
          setSeq(note.seq)
          touch(staleAfter(note.type))
        }
      } catch (thrown) {
        if (problemOf(thrown).status === 401)
          void queries.invalidateQueries({ queryKey: [api.gateway.session.id] })
      }
      if (end.signal.aborted) return
      setState('reconnecting')
      await wait(backoffMs(attempt, Math.random()), end.signal)
    }
  }

  onMount(() => void follow())
  onCleanup(() => {
    end.abort()
    clearTimeout(timer)
  })

  const live: Live = {
    state,
    seq,
    touch,
    onStale(operationId, listener) {
      const entry = { operationId, listener }
      listeners.add(entry)
      return () => listeners.delete(entry)
    },
  }
  return <LiveContext.Provider value={live}>{props.children}</LiveContext.Provider>
}

/** An event's note, or undefined for what this version does not understand (a newer server may say more). */
function readNote(data: string): z.infer<typeof Note> | undefined {
  try {
    return Note.safeParse(JSON.parse(data)).data
  } catch {
    return undefined
  }
}
