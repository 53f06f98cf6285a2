import type { Drift, EventOf } from '@attestry/contracts'
import { iso } from '@attestry/kit'
import { type Pace, paced } from './quota.ts'

/*
 * One item of a source on its way along one route, as the ledger tells it.
 *
 *   planned ─▶ copied: in-sync ─▶ (source moves) ─▶ copied …
 *      │          │
 *      │          └─▶ drifted ─▶ (reassert or adoption) copied
 *      └─▶ copy-failed with a time: retrying ─▶ … ─▶ without one: failed ─▶ replayed ─▶ retrying
 *   and at the end: disabled, pruned
 */

export type CopyState = 'planned' | 'in-sync' | 'drifted' | 'retrying' | 'failed' | 'disabled' | 'pruned'

/** What is known of a copy. Instants are ISO texts. */
export interface Copy {
  readonly copy: string
  readonly route: string
  readonly secret: string
  readonly state: CopyState
  readonly sourceName: string
  readonly targetName: string
  /** What was last written; null before the first write. */
  readonly written: {
    readonly at: string
    readonly sourceVersion: string
    readonly sourceCreated: string | null
    readonly sourceUpdated: string | null
    readonly targetVersion: string
    readonly targetStamp: string | null
    readonly sourceMac: string
    readonly targetMac: string
  } | null
  /** Tries that failed since the last success, and when the next is due; null: set aside, or nothing failed. */
  readonly attempt: number
  readonly retryAt: string | null
  readonly failedAt: string | null
  /** When the source that failed had last changed, by its vault’s own clock; null where it could not be read. */
  readonly failedUpdated: string | null
  readonly reason: string | null
  readonly drift: { readonly what: Drift; readonly found: string | null } | null
  /** What a person gave to the route: the version that was there. */
  readonly adopted: { readonly targetVersion: string | null } | null
  /**
   * The source's last change that was looked at once it was long past, so that a second change within the same second
   * cannot hide behind it. Not a fact: kept beside the ledger, and found again if lost.
   */
  readonly confirmed: string | null
  /** For targets that bear only so many versions of one object: see `quota.ts`. */
  readonly pace: Pace | null
}

type CopyEvent = EventOf<
  | 'sync.copied'
  | 'sync.copy-failed'
  | 'sync.copy-replayed'
  | 'sync.copy-disabled'
  | 'sync.drifted'
  | 'sync.adopted'
  | 'sync.pruned'
>

const COPY_EVENTS: readonly string[] = [
  'sync.copied',
  'sync.copy-failed',
  'sync.copy-replayed',
  'sync.copy-disabled',
  'sync.drifted',
  'sync.adopted',
  'sync.pruned',
] satisfies CopyEvent['type'][]

/** Whether an event tells of one copy. */
export const isCopyEvent = (event: EventOf): event is CopyEvent => COPY_EVENTS.includes(event.type)

/** A copy of which nothing is known yet. */
export const plannedCopy = ({ copy, route, secret }: Pick<Copy, 'copy' | 'route' | 'secret'>): Copy => ({
  copy,
  route,
  secret,
  state: 'planned',
  sourceName: '',
  targetName: '',
  written: null,
  attempt: 0,
  retryAt: null,
  failedAt: null,
  failedUpdated: null,
  reason: null,
  drift: null,
  adopted: null,
  confirmed: null,
  pace: null,
})

/** The copy after one more event. Pure: folding a stream from null gives what is known. */
export function evolveCopy(before: Copy | null, event: CopyEvent): Copy {
  const known = before ?? plannedCopy(event.data)
  switch (event.type) {
    case 'sync.copied': {
      const { data, at } = event
      return {
        ...known,
        state: 'in-sync',
        sourceName: data.sourceName ?? known.sourceName,
        targetName: data.targetName ?? known.targetName,
        written: {
          at,
          sourceVersion: data.sourceVersion,
          sourceCreated: data.sourceCreated ?? null,
          sourceUpdated: data.sourceUpdated ?? null,
          targetVersion: data.targetVersion,
          targetStamp: data.targetStamp ?? null,
          sourceMac: data.sourceMac,
          targetMac: data.targetMac,
        },
        attempt: 0,
        retryAt: null,
        reason: null,
        drift: null,
        adopted: null,
        pace: data.recovered ? known.pace : paced(known.pace, at),
      }
    }
    case 'sync.copy-failed': {
      const { data, at } = event
      return {
        ...known,
        state: data.retryAt === null ? 'failed' : 'retrying',
        sourceName: data.sourceName ?? known.sourceName,
        targetName: data.targetName ?? known.targetName,
        attempt: data.attempt,
        retryAt: data.retryAt,
        failedAt: at,
        failedUpdated: data.sourceUpdated ?? null,
        reason: data.reason,
      }
    }
    case 'sync.copy-replayed':
      return { ...known, state: 'retrying', attempt: 0, retryAt: event.at, reason: known.reason }
    case 'sync.copy-disabled':
      return { ...known, state: 'disabled', attempt: 0, retryAt: null, reason: null, drift: null }
    case 'sync.drifted':
      return { ...known, state: 'drifted', drift: { what: event.data.drift, found: event.data.found } }
    case 'sync.adopted':
      return {
        ...known,
        targetName: event.data.targetName,
        adopted: { targetVersion: event.data.targetVersion },
      }
    case 'sync.pruned':
      return {
        ...known,
        state: 'pruned',
        written: null,
        attempt: 0,
        retryAt: null,
        drift: null,
        adopted: null,
      }
  }
}

/** Tries of one copy before it is set aside. */
export const TRIES = 8
const LONGEST_MINUTES = 30

/**
 * When a copy that failed is tried again: after 1, 2, 4 … minutes, 30 at most, spread by up to a quarter either way so
 * that copies which failed together do not come back together, and never before the provider said.
 * @param attempt which try failed, 1 at first
 * @param random from 0 up to 1
 * @returns null where it was the last try
 */
export function retryAt(
  attempt: number,
  now: Temporal.Instant,
  { random, retryAfterMs }: { readonly random: number; readonly retryAfterMs: number | null },
): string | null {
  if (attempt >= TRIES) return null
  const minutes = Math.min(LONGEST_MINUTES, 2 ** (attempt - 1))
  const spread = minutes * 60_000 * (0.75 + random / 2)
  const wait = Math.max(Math.min(spread, LONGEST_MINUTES * 60_000), retryAfterMs ?? 0)
  return iso(now.add({ milliseconds: Math.round(wait) }))
}
