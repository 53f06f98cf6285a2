import type { Counter } from '@attestry/contracts'
import { type FleetHealth, type InstallRow, isSilent, type TrendDay } from '@attestry/contracts/http'
import { installOf, seenPrefix } from './seen.ts'

/** Where a licence has no limit of its own, so many installs have a place. */
export const MOST_SEATS = 1000
/** After so long without a word an install gives its place up to a new one. */
const SEAT_LASTS_MS = 30 * 86_400_000

/** Whether a place may be given to somebody else: its install was neither seated nor heard of within a month. */
export const isSilentSince = (
  seat: { readonly install: string; readonly since: string },
  seen: readonly InstallRow[],
  now: Date,
): boolean => {
  const last = seen.find((i) => i.install === seat.install)?.seenAt ?? seat.since
  return now.getTime() - Math.max(Date.parse(last), Date.parse(seat.since)) > SEAT_LASTS_MS
}

const PAGE = 1000
/** A look at the fleet lists at most so many pages: 200,000 installs. */
const MOST_PAGES = 200

/** Every install of a licence, or of all; `complete` is false where there are more than one look covers. */
export async function listSeen(
  kv: KVNamespace,
  license?: string,
): Promise<{ installs: InstallRow[]; complete: boolean }> {
  const installs: InstallRow[] = []
  let cursor: string | undefined
  for (let page = 0; page < MOST_PAGES; page++) {
    const found = await kv.list({
      prefix: seenPrefix(license),
      limit: PAGE,
      ...(cursor === undefined ? {} : { cursor }),
    })
    for (const { name, metadata } of found.keys) {
      const install = installOf(name, metadata)
      if (install) installs.push(install)
    }
    if (found.list_complete) return { installs, complete: true }
    cursor = found.cursor
  }
  return { installs, complete: false }
}

export interface InstallFilter {
  readonly license?: string | undefined
  readonly version?: string | undefined
  readonly silent?: boolean | undefined
}

/** A search for installs looks at so many pages of KV before it answers with what it has. */
const PAGES_A_SEARCH = 20

/**
 * The next installs that match, at most so many. KV finds by name alone, so that whole pages of it are looked
 * through; the place to go on from is a page of KV and how many entries of it were looked at. Null: no such place.
 */
export async function findInstalls(
  kv: KVNamespace,
  f: InstallFilter,
  page: { readonly after?: string | undefined; readonly limit: number; readonly now: Date },
): Promise<{ items: InstallRow[]; next: string | null } | null> {
  const [, skipped = '0', from = ''] = /^(\d{1,4}) (.*)$/.exec(page.after ?? '0 ') ?? []
  if (page.after !== undefined && !page.after.startsWith(`${skipped} `)) return null
  const items: InstallRow[] = []
  let cursor = from
  let skip = Number(skipped)
  for (let turn = 0; turn < PAGES_A_SEARCH; turn++) {
    const found = await kv.list({
      prefix: seenPrefix(f.license),
      limit: PAGE,
      ...(cursor === '' ? {} : { cursor }),
    })
    for (const [i, { name, metadata }] of found.keys.entries()) {
      if (i < skip) continue
      if (items.length === page.limit) return { items, next: `${i} ${cursor}` }
      const install = installOf(name, metadata)
      if (!install) continue
      if (f.version !== undefined && install.version !== f.version) continue
      if (f.silent !== undefined && isSilent(install, page.now.getTime()) !== f.silent) continue
      items.push(install)
    }
    if (found.list_complete) return { items, next: null }
    cursor = found.cursor ?? ''
    skip = 0
  }
  return { items, next: `0 ${cursor}` }
}

const counted = (names: readonly string[]): { name: string; installs: number }[] => {
  const by = new Map<string, number>()
  for (const name of names) by.set(name, (by.get(name) ?? 0) + 1)
  return [...by]
    .map(([name, installs]) => ({ name, installs }))
    .sort((a, b) => b.installs - a.installs || (a.name < b.name ? -1 : 1))
}

/** Sums of counts; a sum that no reader could hold exactly stays at the largest that one can. */
function totalsOf(installs: readonly InstallRow[]): FleetHealth['totals'] {
  const totals: Partial<Record<Counter, number>> = {}
  // The keys are those of COUNTERS; Object.entries forgets it.
  for (const { counts } of installs)
    for (const [name, n] of Object.entries(counts ?? {}) as [Counter, number][])
      totals[name] = Math.min(Number.MAX_SAFE_INTEGER, (totals[name] ?? 0) + n)
  return totals
}

/** The health of a fleet, from what was seen of its installs and what the registry says of licences. Pure. */
export function healthOf(
  seen: { readonly installs: readonly InstallRow[]; readonly complete: boolean },
  licenses: FleetHealth['licenses'],
  tierOf: ReadonlyMap<string, string>,
  now: Date,
): FleetHealth {
  const { installs, complete } = seen
  return {
    at: now.toISOString(),
    installs: installs.length,
    complete,
    silent: installs.filter((i) => isSilent(i, now.getTime())).length,
    sendCounts: installs.filter((i) => i.counts !== null).length,
    versions: counted(installs.map((i) => i.version)),
    tiers: counted(installs.map((i) => tierOf.get(i.license) ?? 'unknown')),
    licenses,
    totals: totalsOf(installs),
  }
}

/** A day's point of the trends: sums over the installs that were heard of lately. */
export const dayOf = (installs: readonly InstallRow[], now: Date): TrendDay => {
  const heard = installs.filter((i) => !isSilent(i, now.getTime()))
  return { day: now.toISOString().slice(0, 10), installs: heard.length, totals: totalsOf(heard) }
}
