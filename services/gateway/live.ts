import { contextOf } from '@attestry/contracts'

/** That something happened: what pages need to ask again, and nothing of its content. */
export interface Happening {
  readonly seq: number
  readonly type: string
}

/** What happens in a tenant from now on, until the signal. */
export type Feed = (tenant: string, signal: AbortSignal) => AsyncIterable<Happening>

/** How many missed happenings are told one by one; beyond them a page asks for everything anew. */
export const MOST_MISSED = 500

/** One server-sent event. */
export interface Sent {
  readonly id?: string
  readonly event?: string
  readonly data:
    | { readonly type: string; readonly seq: number; readonly context: string }
    | { readonly missed: true }
}

const sent = ({ seq, type }: Happening): Sent => ({
  id: String(seq),
  data: { type, seq, context: contextOf(type) },
})

/** The place that a page says it has seen: the header of a reconnecting EventSource. */
export function lastSeen(headers: Headers): number | null {
  const text = headers.get('last-event-id') ?? ''
  return /^\d{1,15}$/.test(text) ? Number(text) : null
}

/**
 * Happenings as server-sent events. Listening starts before what was missed is read, so nothing falls between;
 * what comes twice is told once.
 * @param missedSince the newest happenings, newest first, at most `limit`
 */
export async function* tell(options: {
  readonly feed: AsyncIterable<Happening>
  readonly after: number | null
  readonly newest: (limit: number) => Promise<readonly Happening[]>
  /** Tell only of types that begin so. @default '' */
  readonly only?: string
}): AsyncGenerator<Sent, void, void> {
  const { feed, after, newest, only = '' } = options
  const iterator = feed[Symbol.asyncIterator]()
  try {
    // Asking for the first happening starts the listening; it is awaited below.
    let next = iterator.next()
    // A failure of the feed is met where it is awaited, not while the ledger is read.
    next.catch(() => undefined)
    let told = after ?? 0
    if (after !== null) {
      const missed = (await newest(MOST_MISSED)).filter((h) => h.seq > after).toReversed()
      const first = missed[0]
      if (first && first.seq > after + 1) yield { event: 'reset', data: { missed: true } }
      for (const happening of missed) {
        told = Math.max(told, happening.seq)
        if (happening.type.startsWith(only)) yield sent(happening)
      }
    }
    for (;;) {
      const { done, value } = await next
      if (done) return
      next = iterator.next()
      next.catch(() => undefined)
      if (value.seq > told && value.type.startsWith(only)) yield sent(value)
    }
  } finally {
    await iterator.return?.()
  }
}
