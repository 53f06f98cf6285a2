import { COUNTERS, type Counters, OpaqueId } from '@attestry/contracts'
import type { InstallRow } from '@attestry/contracts/http'
import * as z from 'zod'
import { isPlainMetadata } from './plain.ts'
import type { CountList } from './stats.ts'

/**
 * When an install was last seen, with its last counts: the metadata of `fs:<licence>:<install>`, at most 1,024 bytes,
 * so that the health of a fleet is a list and no read of single values. Overwritten, never added to.
 */
export interface Seen {
  /** Seconds since 1970. */
  readonly at: number
  readonly version: string
  /** Null where none are sent. */
  readonly counts: CountList | null
  /** When the validation log was last written for this install, seconds. */
  readonly loggedAt: number
}

export const Metadata = z.object({
  a: z.int(),
  v: z.string(),
  c: z.array(z.int().nullable()).nullable(),
  l: z.int(),
})

export type Metadata = z.infer<typeof Metadata>

export const toMetadata = (s: Seen) => ({ a: s.at, v: s.version, c: s.counts, l: s.loggedAt })

/** What stands in the metadata; null for what an older version of the service wrote, which the next write mends. */
export const fromMetadata = (metadata: unknown): Seen | null => {
  const data = isPlainMetadata(metadata) ? metadata : Metadata.safeParse(metadata).data
  return data ? { at: data.a, version: data.v, counts: data.c, loggedAt: data.l } : null
}

const countersOf = (list: CountList): Counters =>
  Object.fromEntries(COUNTERS.flatMap((name, i) => (typeof list[i] === 'number' ? [[name, list[i]]] : [])))

/**
 * What stays the same is written again after this many seconds: eight hours, three writes a day. With one line a day
 * in the validation log that makes four at most, where each heartbeat would make 24.
 */
export const SEEN_EVERY_SECONDS = 8 * 3600
const LOG_EVERY_SECONDS = 24 * 3600

const sameCounts = (a: Seen['counts'], b: Seen['counts']): boolean =>
  a === b || (a !== null && b !== null && a.length === b.length && a.every((n, i) => n === b[i]))

/** What a heartbeat writes: nothing, when nothing changed and the last write is not old. Pure. */
export function nextWrite(
  before: Seen | null,
  heard: { readonly at: number; readonly version: string; readonly counts: CountList | null },
): { readonly seen: Seen; readonly log: boolean } | null {
  const same = before !== null && before.version === heard.version && sameCounts(before.counts, heard.counts)
  if (same && heard.at - before.at < SEEN_EVERY_SECONDS) return null
  const log =
    before === null || before.version !== heard.version || heard.at - before.loggedAt >= LOG_EVERY_SECONDS
  return {
    seen: {
      at: heard.at,
      version: heard.version,
      counts: heard.counts,
      loggedAt: log ? heard.at : before.loggedAt,
    },
    log,
  }
}

/** After a year of silence an install is forgotten. */
export const FORGET_AFTER_SECONDS = 366 * 86_400

const SEEN = 'fs:'
export const seenName = (license: string, install: string): string => `${SEEN}${license}:${install}`
export const seenPrefix = (license?: string): string => (license === undefined ? SEEN : `${SEEN}${license}:`)

/** Of the name and metadata of an entry, the install; null for an entry that is none. */
export function installOf(name: string, metadata: unknown): InstallRow | null {
  const [, license = '', install = ''] = /^fs:([^:]+):([^:]+)$/.exec(name) ?? []
  const seen = fromMetadata(metadata)
  if (!seen || !OpaqueId.safeParse(license).success || !z.uuid().safeParse(install).success) return null
  return {
    license,
    install,
    version: seen.version,
    seenAt: new Date(seen.at * 1000).toISOString(),
    counts: seen.counts && countersOf(seen.counts),
  }
}
