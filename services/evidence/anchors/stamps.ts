import { pause } from '@attestry/kit'
import { requestTimestamp, type Stamp, type TimestampAuthority, type TimestampWorld } from '../timestamp.ts'

/** Stamps bytes, or says why not yet. */
export type Stamper = (bytes: Uint8Array, signal: AbortSignal) => Promise<Stamp>

export interface StampOptions {
  readonly world: TimestampWorld
  /** Least time between two requests to one authority that is not on this machine, in milliseconds. */
  readonly spacingMs: number
  /** Longest that a request waits for its turn at an authority before the next one is asked. */
  readonly patienceMs?: number
  readonly deadlineMs?: number
}

/**
 * One queue for everything of this process that wants a timestamp, because public authorities allow few requests: one
 * at a time, a spacing an authority, none before the time that an authority asked us to wait for, and the next
 * authority where one cannot be asked now. What could not be stamped is pending; nothing is made up.
 */
export function stampQueue(
  authorities: () => Promise<readonly TimestampAuthority[]>,
  { world, spacingMs, patienceMs = 20_000, deadlineMs }: StampOptions,
): Stamper {
  /** When an authority may be asked again, by its address. */
  const openAt = new Map<string, number>()
  let line: Promise<unknown> = Promise.resolve()
  const now = () => world.clock().getTime()

  async function turn(bytes: Uint8Array, signal: AbortSignal): Promise<Stamp> {
    const attempts: { authority: string; reason: string }[] = []
    let retryAt = Number.POSITIVE_INFINITY
    for (const authority of await authorities()) {
      signal.throwIfAborted()
      const opens = openAt.get(authority.url) ?? 0
      const wait = opens - now()
      if (wait > patienceMs) {
        const reason = `asked not to be asked before ${new Date(opens).toISOString()}`
        attempts.push({ authority: authority.name, reason })
        retryAt = Math.min(retryAt, opens)
        continue
      }
      if (wait > 0) await pause(wait, signal)
      const stamp = await requestTimestamp(
        {
          data: bytes,
          authorities: [authority],
          signal,
          ...(deadlineMs === undefined ? {} : { deadlineMs }),
        },
        world,
      )
      if (stamp.status === 'stamped') {
        openAt.set(authority.url, now() + (authority.independent ? spacingMs : 0))
        return stamp
      }
      attempts.push(...stamp.attempts)
      const again = Date.parse(stamp.retryAt)
      // A far side that said when is left alone until then; one that failed is only tried later than the others.
      openAt.set(authority.url, again)
      retryAt = Math.min(retryAt, again)
    }
    signal.throwIfAborted()
    const reasons = attempts.map(({ authority, reason }) => `${authority}: ${reason}`)
    return {
      status: 'pending',
      reason: reasons.length === 0 ? 'no timestamp authority is configured' : reasons.join('; '),
      retryAt: new Date(Number.isFinite(retryAt) ? retryAt : now() + 300_000).toISOString(),
      attempts,
    }
  }

  return (bytes, signal) => {
    const mine = line.then(() => {
      // Whoever left the queue meanwhile holds nobody up.
      signal.throwIfAborted()
      return turn(bytes, signal)
    })
    // The next one's turn comes however this one ends.
    line = mine.catch(() => undefined)
    return mine
  }
}
