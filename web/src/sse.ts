import { offline, ProblemError, problemFrom } from './problem.ts'

/** One server-sent event (WHATWG HTML 9.2). */
export interface ServerEvent {
  readonly event: string
  readonly data: string
  readonly id: string | null
}

/**
 * Cuts a text/event-stream into events. Pure: takes the text that is there and gives back the events that are
 * complete and the rest to put before the next piece.
 */
export function cutEvents(text: string): { events: ServerEvent[]; rest: string } {
  const blocks = text.replaceAll('\r\n', '\n').replaceAll('\r', '\n').split('\n\n')
  const rest = blocks.pop() ?? ''
  const events: ServerEvent[] = []
  for (const block of blocks) {
    let event = 'message'
    let id: string | null = null
    const data: string[] = []
    for (const line of block.split('\n')) {
      if (line.startsWith(':')) continue
      const colon = line.indexOf(':')
      const field = colon === -1 ? line : line.slice(0, colon)
      const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
      if (field === 'data') data.push(value)
      else if (field === 'event') event = value
      else if (field === 'id') id = value
    }
    if (data.length > 0) events.push({ event, data: data.join('\n'), id })
  }
  return { events, rest }
}

/** A stream that stays silent longer than this is taken for dead, milliseconds. Servers send a comment sooner. */
const SILENCE_MS = 75_000

/**
 * Opens a stream of server-sent events with fetch, so that a refusal arrives as its problem document (EventSource
 * hides it). `after` is the id of the last event seen before; the server tells what was missed since. Ends when the server ends it or the signal is aborted; throws `ProblemError` otherwise.
 */
export async function* openEvents(
  address: string,
  signal: AbortSignal,
  options: { opened?: () => void; after?: string | null } = {},
): AsyncGenerator<ServerEvent> {
  const quiet = new AbortController()
  let timer = setTimeout(() => quiet.abort(), SILENCE_MS)
  try {
    const response = await fetch(address, {
      credentials: 'same-origin',
      headers: {
        accept: 'text/event-stream',
        ...(options.after ? { 'last-event-id': options.after } : {}),
      },
      signal: AbortSignal.any([signal, quiet.signal]),
    })
    if (!response.ok || !response.body) {
      const json = (response.headers.get('content-type') ?? '').includes('json')
      throw new ProblemError(problemFrom(response.status, json ? await response.json() : undefined))
    }
    options.opened?.()
    const decoder = new TextDecoder()
    const reader = response.body.getReader()
    let rest = ''
    for (;;) {
      const { value, done } = await reader.read()
      clearTimeout(timer)
      timer = setTimeout(() => quiet.abort(), SILENCE_MS)
      if (done) return
      const cut = cutEvents(rest + decoder.decode(value, { stream: true }))
      rest = cut.rest
      yield* cut.events
    }
  } catch (cause) {
    if (signal.aborted) return
    throw cause instanceof ProblemError ? cause : new ProblemError(offline(), { cause })
  } finally {
    clearTimeout(timer)
  }
}

/** How long to wait before the n-th attempt to reconnect (from 0), milliseconds: doubling to 30 s, with jitter in [0,1). */
export const backoffMs = (attempt: number, jitter: number): number =>
  Math.min(30_000, 1000 * 2 ** Math.min(attempt, 5)) * (0.75 + jitter / 2)
