import {
  canonical,
  type Drift,
  type PlanCounts,
  type PlanNeeds,
  type RouteSettings,
} from '@attestry/contracts'
import type { Copy } from './copy.ts'
import { carried, foldedName, mapNames, saysBase64, targetName } from './mapping.ts'
import { selects } from './selector.ts'
import { type Capabilities, markOf, type RemoteEntry, type SourceItem } from './targets/target.ts'

/*
 * What a run would do, worked out from listings alone: no value is read for a plan, and a plan holds none. Pure.
 */

/** What is done with one item. */
export type Action = 'create' | 'update' | 'noop' | 'conflict' | 'prune' | 'skip'

/** Why. A conflict waits for a person; a skip is left alone until its reason is gone. */
export type Reason =
  // create
  | 'new'
  | 'gone'
  // update
  | 'source-changed'
  | 'metadata'
  | 'interrupted'
  | 'adopted'
  | 'reasserted'
  | 'restored'
  | 'source-enabled'
  | 'source-disabled'
  // noop
  | 'unchanged'
  | 'disabled-already'
  // conflict
  | 'unmanaged'
  | 'owned-by-another-route'
  | 'holds-another-secret'
  | 'collision'
  | 'drifted'
  | 'unmarked'
  | 'pending-deletion'
  // prune
  | 'source-gone'
  | 'not-selected'
  // skip
  | 'bad-name'
  | 'certificate-backed'
  | 'not-a-certificate'
  | 'loop'
  | 'not-yet-valid'
  | 'binary-not-taken'
  | 'target-cannot-disable'
  | 'listing-incomplete'
  | 'listing-empty'
  | 'kept'
  | 'retrying'
  | 'set-aside'

/** What a write consists of, in order. */
export type Step = 'restore' | 'create' | 'put' | 'mark' | 'disable' | 'remove'

/** One line of a plan. Names and versions, never a value. */
export interface PlanEntry {
  readonly secret: string
  readonly copy: string
  readonly sourceName: string
  readonly targetName: string
  readonly action: Action
  readonly reason: Reason
  readonly steps: readonly Step[]
  /** Null before the first write, or where only the write itself will tell. */
  readonly sourceVersion: string | null
  readonly targetVersion: string | null
  /** What is there and was not written by us, where that is new. */
  readonly drift: Drift | null
  /** Tags of the source that the target does not take. */
  readonly droppedTags: number
}

export interface Plan {
  readonly entries: readonly PlanEntry[]
  readonly counts: PlanCounts
  readonly needs: PlanNeeds | null
  /** Covers the route, its settings, and what is written where; not the versions, which may move on meanwhile. */
  readonly hash: string
}

export interface PlanInput {
  readonly route: string
  readonly settings: RouteSettings
  /** Whether a person accepted the route's writes before. */
  readonly accepted: boolean
  readonly vault: { readonly id: string; readonly name: string }
  /** The target's own vault, where it is one that can be a source too. */
  readonly targetVault: string | null
  readonly can: Capabilities
  readonly sources: { readonly items: readonly SourceItem[]; readonly complete: boolean }
  readonly remotes: readonly RemoteEntry[]
  /** Copies of this route, by secret. */
  readonly known: ReadonlyMap<string, Copy>
  /** Who holds a folded name of this target: the route and the secret. */
  readonly claims: ReadonlyMap<string, { readonly route: string; readonly secret: string }>
  /** Newest versions of the items that `suspects` named, by secret. */
  readonly versions: ReadonlyMap<string, string>
  readonly idOf: (name: string) => { readonly secret: string; readonly copy: string }
  readonly now: Temporal.Instant
  readonly sha256: (text: string) => string
}

/** Vaults tell times to the second: what was written this soon after its source moved may hide a second move. */
const SETTLED_MS = 60_000

/** Whether a look at `at` came late enough after a change to have seen all of its second. */
export const isSettled = (changed: string, at: string): boolean =>
  Date.parse(at) - Date.parse(changed) >= SETTLED_MS

/** Whether what is known of the source's newest version still holds, by the listing alone. */
function sourceUnmoved(item: SourceItem, copy: Copy): boolean {
  const written = copy.written
  if (!written || item.updated === null || item.updated !== written.sourceUpdated) return false
  if (item.created !== written.sourceCreated) return false
  return copy.confirmed === item.updated || isSettled(item.updated, written.at)
}

const remotesByName = (input: Pick<PlanInput, 'remotes' | 'can'>): Map<string, RemoteEntry> =>
  new Map(input.remotes.map((entry) => [foldedName(entry.name, input.can), entry]))

/** Whether the target shows, without a value being read, that nobody wrote there since we did. */
const unwrittenSince = (remote: RemoteEntry, copy: Copy): boolean =>
  remote.stamp === null || copy.written?.targetStamp === null || remote.stamp === copy.written?.targetStamp

/**
 * Items whose newest version has to be asked for (by metadata) before a plan can tell what to do. In an unchanged
 * estate there are none.
 */
export function suspects(
  input: Omit<PlanInput, 'versions' | 'now' | 'sha256'>,
): { readonly name: string; readonly secret: string }[] {
  const remotes = remotesByName(input)
  return input.sources.items.flatMap((item) => {
    const { secret } = input.idOf(item.name)
    const target = targetName(input.settings, input.vault.name, item.name)
    const remote = remotes.get(foldedName(target, input.can))
    if (!remote || !item.enabled || !selects(input.settings.selector, item)) return []
    const copy = input.known.get(secret)
    const mark = remote.mark === 'unseen' ? null : remote.mark
    if (!copy?.written) return mark?.route === input.route ? [{ name: item.name, secret }] : []
    return sourceUnmoved(item, copy) && unwrittenSince(remote, copy) ? [] : [{ name: item.name, secret }]
  })
}

/**
 * Objects that have to be described before a plan can tell whose they are: the listing shows no marks, and the ledger
 * knows of no copy there.
 */
export function unseen(
  input: Pick<PlanInput, 'remotes' | 'can' | 'settings' | 'vault' | 'sources' | 'known' | 'idOf'>,
): string[] {
  const remotes = remotesByName(input)
  return input.sources.items.flatMap((item) => {
    if (!selects(input.settings.selector, item)) return []
    const target = targetName(input.settings, input.vault.name, item.name)
    const remote = remotes.get(foldedName(target, input.can))
    const written = input.known.get(input.idOf(item.name).secret)?.written
    return remote?.mark === 'unseen' && !written ? [remote.name] : []
  })
}

/**
 * Copies of which the listing does not show what was last written there. Listings of some providers lag behind, so
 * each is described before anything is concluded from it.
 */
export function doubtful(input: Pick<PlanInput, 'remotes' | 'can' | 'known'>): string[] {
  const remotes = remotesByName(input)
  return [...input.known.values()].flatMap((copy) => {
    if (!copy.written || copy.targetName === '') return []
    const remote = remotes.get(foldedName(copy.targetName, input.can))
    return remote?.state === 'live' && remote.mark !== null && unwrittenSince(remote, copy)
      ? []
      : [copy.targetName]
  })
}

type Verdict = Pick<PlanEntry, 'action' | 'reason'> & Partial<Pick<PlanEntry, 'steps' | 'drift'>>

const conflict = (reason: Reason, drift: Drift | null = null): Verdict => ({
  action: 'conflict',
  reason,
  drift,
})
const skip = (reason: Reason): Verdict => ({ action: 'skip', reason })
const update = (reason: Reason, steps: readonly Step[], drift: Drift | null = null): Verdict => ({
  action: 'update',
  reason,
  steps,
  drift,
})

/** Whether an item takes part at all, and why not. */
function barred(item: SourceItem, input: PlanInput): Verdict | null {
  const { can, settings, now, targetVault } = input
  if (item.managed && can.takes === 'secrets') return skip('certificate-backed')
  if (!item.managed && can.takes === 'certificates') return skip('not-a-certificate')
  const mark = markOf(Object.fromEntries(item.tags))
  if (mark && targetVault !== null && mark.vault === targetVault) return skip('loop')
  if (item.notBefore !== null && Temporal.Instant.compare(item.notBefore, now) > 0)
    return skip('not-yet-valid')
  if (settings.binary === 'decode' && !can.value.binary && saysBase64(item.contentType))
    return skip('binary-not-taken')
  return null
}

/** A copy whose source is there but serves nothing. */
function whileDisabled(input: PlanInput, copy: Copy | undefined, remote: RemoteEntry | undefined): Verdict {
  if (input.settings.onDisabled === 'skip' || !copy?.written) return skip('source-disabled')
  if (!input.can.disables) return skip('target-cannot-disable')
  if (!remote || remote.state === 'pending-deletion') return skip('source-disabled')
  if (copy.state === 'disabled' || remote.state === 'disabled')
    return { action: 'noop', reason: 'disabled-already' }
  return isOurs(remote, copy, input.route) ? update('source-disabled', ['disable']) : conflict('unmarked')
}

/** Whether an object carries this route's mark for this copy, or carries none where a listing shows none. */
const isOurs = (remote: RemoteEntry, copy: Copy | undefined, route: string): boolean =>
  remote.mark === 'unseen' ? copy?.written != null : remote.mark?.route === route

/** What to do about an object that is there. */
function facing(item: SourceItem, remote: RemoteEntry, copy: Copy | undefined, input: PlanInput): Verdict {
  const { secret } = input.idOf(item.name)
  const { mark } = remote
  const adopted = copy?.adopted
  const adoptedNow =
    adopted !== null &&
    adopted !== undefined &&
    (adopted.targetVersion === null || remote.version === null || adopted.targetVersion === remote.version)
  if (remote.state === 'pending-deletion') {
    const ours = isOurs(remote, copy, input.route)
    return (ours || adoptedNow) && input.can.restores
      ? update('restored', ['restore', 'put'], ours ? 'pending-deletion' : null)
      : conflict('pending-deletion')
  }
  if (adoptedNow) return update('adopted', ['put'])
  if (mark === null || (mark === 'unseen' && !copy?.written)) {
    if (!copy?.written) return conflict('unmanaged')
    // Where a mark is part of a version, a new version by somebody else carries none.
    if (input.settings.onDrift === 'reassert' && input.can.marks === 'version')
      return update('reasserted', ['put'], 'changed')
    return conflict('unmarked', input.can.marks === 'version' ? 'changed' : 'unmarked')
  }
  if (mark !== 'unseen') {
    if (mark.route !== input.route) return conflict('owned-by-another-route')
    if (mark.secret !== secret) return conflict('holds-another-secret')
  }
  return owned(item, remote, copy, input)
}

/** What to do about an object that this route owns for this very secret. */
function owned(item: SourceItem, remote: RemoteEntry, copy: Copy | undefined, input: PlanInput): Verdict {
  const { secret } = input.idOf(item.name)
  const marked = remote.mark === null || remote.mark === 'unseen' ? null : remote.mark.sourceVersion
  const written = copy?.written ?? null
  const newest = input.versions.get(secret) ?? written?.sourceVersion ?? null
  const served = remote.servedSource ?? marked
  if (written === null)
    // Marked by this route, and the ledger does not tell of it: interrupted between writing and recording.
    return newest !== null && served === newest && remote.state === 'live'
      ? update('interrupted', ['mark'])
      : update('interrupted', ['put'])
  if (copy && !unwrittenSince(remote, copy)) {
    // The provider ties what it serves to the source's newest version, or the mark does: that was us, interrupted.
    if (newest !== null && newest !== written.sourceVersion && served === newest)
      return update('interrupted', ['mark'])
    if (remote.state === 'disabled' && copy?.state === 'disabled') return update('source-enabled', ['put'])
    const drift = remote.state === 'disabled' ? 'disabled' : 'changed'
    return input.settings.onDrift === 'reassert'
      ? update('reasserted', ['put'], drift)
      : conflict('drifted', drift)
  }
  if (copy?.state === 'disabled') return update('source-enabled', ['put'])
  if (newest !== written.sourceVersion) return update('source-changed', ['put'])
  if (item.updated !== written.sourceUpdated) return update('metadata', ['mark'])
  return { action: 'noop', reason: 'unchanged' }
}

/** A copy that failed waits for its time or for a person, unless its source moved since. */
function waiting(item: SourceItem, copy: Copy | undefined, now: Temporal.Instant): Verdict | null {
  if (!copy?.failedAt || (copy.state !== 'retrying' && copy.state !== 'failed')) return null
  const moved = copy.failedUpdated !== null && item.updated !== copy.failedUpdated
  if (copy.state === 'failed') return moved ? null : skip('set-aside')
  return copy.retryAt !== null && Temporal.Instant.compare(copy.retryAt, now) > 0 ? skip('retrying') : null
}

/** Copies whose source is no longer there or no longer selected. */
function left(copy: Copy, input: PlanInput, remote: RemoteEntry | undefined, there: boolean): Verdict | null {
  const { sources, settings, route } = input
  if (!copy.written || copy.state === 'pruned' || !remote || remote.state === 'pending-deletion') return null
  if (settings.deletePolicy === 'keep') return skip('kept')
  if (!there && !sources.complete) return skip('listing-incomplete')
  if (!there && sources.items.length === 0) return skip('listing-empty')
  const { mark } = remote
  if (mark === null) return conflict('unmarked')
  if (mark !== 'unseen' && (mark.route !== route || mark.secret !== copy.secret))
    return conflict(mark.route === route ? 'holds-another-secret' : 'owned-by-another-route')
  return { action: 'prune', reason: there ? 'not-selected' : 'source-gone', steps: ['remove'] }
}

/** Most deletions that need no approval: the smaller of 5 and 10 % of what the route keeps, unless it says otherwise. */
export const pruneLimit = (settings: Pick<RouteSettings, 'pruneLimit'>, copies: number): number =>
  settings.pruneLimit ?? Math.min(5, Math.floor(copies / 10))

/** What a run would do. */
export function makePlan(input: PlanInput): Plan {
  const { settings, sources, can, known, now } = input
  const remotes = remotesByName(input)
  const selected = sources.items.filter((item) => selects(settings.selector, item))
  const names = mapNames(
    settings,
    input.vault.name,
    selected.map((item) => item.name),
    can,
  )
  const entries: PlanEntry[] = []
  const seen = new Set<string>()
  const add = (
    ids: { secret: string; copy: string },
    sourceName: string,
    target: string,
    verdict: Verdict,
    droppedTags = 0,
  ) => {
    const copy = known.get(ids.secret)
    entries.push({
      ...ids,
      sourceName,
      targetName: target,
      action: verdict.action,
      reason: verdict.reason,
      steps: verdict.steps ?? [],
      sourceVersion: input.versions.get(ids.secret) ?? copy?.written?.sourceVersion ?? null,
      targetVersion: remotes.get(foldedName(target, can))?.version ?? null,
      drift: verdict.drift ?? null,
      droppedTags,
    })
  }
  for (const item of selected) {
    const ids = input.idOf(item.name)
    seen.add(ids.secret)
    const mapped = names.get(item.name) ?? { target: '', problem: 'bad-name' as const }
    const copy = known.get(ids.secret)
    const folded = foldedName(mapped.target, can)
    const claim = input.claims.get(folded)
    const remote = remotes.get(folded)
    const verdict =
      barred(item, input) ??
      (mapped.problem === 'bad-name' ? skip('bad-name') : null) ??
      (mapped.problem === 'collision' ? conflict('collision') : null) ??
      (claim && claim.route !== input.route ? conflict('owned-by-another-route') : null) ??
      (claim && claim.route === input.route && claim.secret !== ids.secret
        ? conflict('holds-another-secret')
        : null) ??
      (isServing(item, now) ? null : whileDisabled(input, copy, remote)) ??
      waiting(item, copy, now) ??
      (remote ? facing(item, remote, copy, input) : absent(copy))
    add(ids, item.name, mapped.target, verdict, carried(settings.tags, item, can).dropped)
  }
  const there = new Set(sources.items.map((item) => input.idOf(item.name).secret))
  for (const copy of known.values()) {
    if (seen.has(copy.secret)) continue
    const remote = remotes.get(foldedName(copy.targetName, can))
    const verdict = left(copy, input, remote, there.has(copy.secret))
    if (verdict) add({ secret: copy.secret, copy: copy.copy }, copy.sourceName, copy.targetName, verdict)
  }
  entries.sort((a, b) => (a.secret < b.secret ? -1 : a.secret > b.secret ? 1 : 0))
  const counts = countsOf(entries)
  return { entries, counts, needs: needsOf(input, counts), hash: hashOf(input, entries) }
}

/** Nothing is there: new, or gone behind our back, which overwrites nothing and so is made again. */
const absent = (copy: Copy | undefined): Verdict =>
  copy?.written && copy.state !== 'pruned'
    ? { action: 'create', reason: 'gone', steps: ['create'], drift: 'gone' }
    : { action: 'create', reason: 'new', steps: ['create'] }

const isServing = (item: SourceItem, now: Temporal.Instant): boolean =>
  item.enabled && (item.expires === null || Temporal.Instant.compare(item.expires, now) > 0)

export function countsOf(entries: readonly Pick<PlanEntry, 'action'>[]): PlanCounts {
  const counts = { create: 0, update: 0, noop: 0, conflict: 0, prune: 0, skip: 0 }
  for (const { action } of entries) counts[action]++
  return counts
}

/** Whether anything would be written. */
export const writes = (counts: PlanCounts): number => counts.create + counts.update + counts.prune

function needsOf(input: PlanInput, counts: PlanCounts): PlanNeeds | null {
  if (writes(counts) === 0) return null
  if (!input.accepted) return 'first-run'
  const kept = [...input.known.values()].filter((c) => c.written && c.state !== 'pruned').length
  if (counts.prune > pruneLimit(input.settings, kept)) return 'prune-limit'
  return input.settings.approval === 'always' ? 'every-run' : null
}

const hashOf = ({ route, settings, sha256 }: PlanInput, entries: readonly PlanEntry[]): string =>
  sha256(
    canonical({
      route,
      settings,
      writes: entries
        .filter((e) => e.steps.length > 0)
        .map(({ secret, targetName, action, reason, steps }) => [secret, targetName, action, reason, steps]),
    }),
  )
