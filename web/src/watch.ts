import { type Accessor, createEffect, createSignal, onCleanup } from 'solid-js'
import type * as z from 'zod'
import { problemOf } from './problem.ts'
import { backoffMs, openEvents } from './sse.ts'

/** Attempts to reach a progress stream before leaving it to the live feed. */
const ATTEMPTS = 20

/**
 * Follows the progress of one job: each event of the stream is the job's row. Opens when `address` answers one,
 * closes when it answers undefined, reconnects by itself, so a reload of the page just picks it up again.
 */
export function createWatch<S extends z.ZodType>(
  address: Accessor<string | undefined>,
  row: S,
): Accessor<z.output<S> | undefined> {
  const [latest, setLatest] = createSignal<z.output<S>>()
  createEffect(() => {
    const from = address()
    setLatest(undefined)
    if (from === undefined) return
    const end = new AbortController()
    onCleanup(() => end.abort())
    void (async () => {
      for (let attempt = 0; attempt < ATTEMPTS && !end.signal.aborted; attempt += 1) {
        try {
          for await (const event of openEvents(from, end.signal)) {
            const parsed = row.safeParse(parse(event.data))
            if (parsed.success) setLatest(() => parsed.data)
          }
        } catch (thrown) {
          // Gone or refused: the list that names the job says why; only a lost line is worth another attempt.
          if (problemOf(thrown).status >= 400) return
        }
        await new Promise((done) => setTimeout(done, backoffMs(attempt, Math.random())))
      }
    })()
  })
  return latest
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
