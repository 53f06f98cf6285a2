import { type Application, type Fact, type ScanCounts, type Unreachable } from '@attestry/contracts'
import { type Host, type Job, pause, Transient } from '@attestry/kit'
import { isAbort } from '@attestry/kit/azure'
import type { Cloud, ListedResource, ListedVault } from './cloud.ts'
import {
  decideApplications,
  decideGone,
  decideHidden,
  decideResource,
  decideResourceGone,
  decideVault,
  type Sighting,
} from './difference.ts'
import type { Environment } from './environment.ts'
import { forEachOf, inFlight } from './in-flight.ts'
import { applicationLine, resourceLine, vaultLine } from './inventory.ts'
import { type Known, knownApplications, knownResource, knownVault, remembered } from './known.ts'

/*
 * The steps of a scan: each looks at one part of the cloud, compares it with what is known, and appends what differs
 * before it goes on.
 */

/** Vaults walked at once. The requests in flight are bounded by the cloud; this bounds what is held in memory. */
export const VAULTS_AT_ONCE = 32
/** Looks at what is known at once: vaults that begin together would open a connection each, a process of Postgres. */
const LOOKS_AT_ONCE = 4
/** Facts an append: a handful of events of at most 128 kB each. */
const FACTS_PER_APPEND = 8
/** Somebody else's scan may see the same vault: look and decide again so often. */
const CONFLICTS = 5
/** Looks at our own view, a tenth of a second apart, before what is missing may be judged. */
const VIEW_TURNS = 200

/** Where a scan is, for pages that watch it. */
export interface Progress {
  readonly phase: 'queued' | 'subscriptions' | 'vaults' | 'items' | 'applications' | 'resources' | 'done'
  readonly vaultsDone: number
  readonly vaultsTotal: number
  readonly items: number
  readonly calls: number
}

export const noCounts = (): { -readonly [K in keyof ScanCounts]: number } => ({
  subscriptions: 0,
  vaults: 0,
  secrets: 0,
  keys: 0,
  certificates: 0,
  applications: 0,
  credentials: 0,
  resources: 0,
  edges: 0,
})

/** What a walk gathers on its way. Of items it keeps counts and digests, never the items. */
export interface Tally {
  readonly counts: ReturnType<typeof noCounts>
  readonly unreachable: { vault: string; why: Unreachable }[]
  readonly refused: Set<'applications' | 'resources' | 'settings'>
  readonly lines: string[]
}

/** What every step of a walk works with. */
export interface Step {
  readonly host: Host
  readonly job: Pick<Job<unknown>, 'tenant' | 'signal' | 'by' | 'cause'>
  readonly cloud: Cloud
  readonly environment: Environment
  readonly where: Sighting
  readonly tally: Tally
  readonly show: (change: Partial<Progress>) => Promise<void>
}

const looks = inFlight(LOOKS_AT_ONCE)

/** Decides and appends until nobody else was faster. Nothing is appended where nothing differs. */
async function record<T>(
  { host, job }: Step,
  stream: string,
  start: Known<T>,
  know: () => Promise<Known<T>>,
  decide: (known: T) => Fact[],
): Promise<void> {
  let { known, position } = start
  for (let turn = 0; turn < CONFLICTS; turn++) {
    const facts = decide(known)
    let conflict = false
    for (let from = 0; from < facts.length && !conflict; from += FACTS_PER_APPEND) {
      const page = facts.slice(from, from + FACTS_PER_APPEND)
      const result = await host.append(job.tenant, {
        stream,
        expected: position,
        facts: page,
        by: job.by,
        cause: job.cause,
      })
      if (result.ok) position = result.lastPosition
      else conflict = true
    }
    if (!conflict) return
    ;({ known, position } = await know())
  }
  throw new Transient(`Stream ${stream} moves faster than it can be written`)
}

/** Reads one vault and records what differs; returns how many items it saw. */
export async function scanVault(step: Step, listed: ListedVault): Promise<number> {
  const { host, job, cloud, where, tally } = step
  const { vault, facts } = listed
  const know = () => looks(() => knownVault(host, job.tenant, vault))
  const start = await know()
  const seen = await cloud.readVault(listed, start.known, job.signal)
  await record(step, vault, start, know, (known) => decideVault(known, seen, where))
  if (seen.unreachable !== null) {
    host.log.warn(
      { vault, why: seen.unreachable, problem: seen.why, scan: where.run },
      'A vault could not be read in full',
    )
    tally.unreachable.push({ vault, why: seen.unreachable })
  }
  for (const { kind } of seen.items) tally.counts[`${kind}s`]++
  tally.lines.push(vaultLine(vault, facts, seen.items))
  return seen.items.length
}

/** A part of the cloud that the scan can do without: what it says is recorded, what it refuses is named. */
async function optional<T>(
  { host, job, tally, where }: Step,
  part: 'applications' | 'resources',
  read: () => Promise<T>,
): Promise<T | null> {
  try {
    return await read()
  } catch (error) {
    if (isAbort(error) || job.signal.aborted) throw error
    tally.refused.add(part)
    host.log.warn({ error, part, scan: where.run }, 'A part of the cloud could not be read')
    return null
  }
}

export async function scanApplications(step: Step, directoryName: string): Promise<void> {
  const { host, job, cloud, where, tally } = step
  const listing = await optional(step, 'applications', () => cloud.applications(job.signal))
  if (!listing) return
  const directory = (await host.opaque(job.tenant))('directory', directoryName)
  const know = () => knownApplications(host, job.tenant, directory)
  await record(step, directory, await know(), know, (known) =>
    decideApplications(directory, known, listing.items, listing.complete, where),
  )
  tally.counts.applications = listing.items.length
  const credentials = ({ credentials: held }: Application) => held.length
  tally.counts.credentials = listing.items.reduce((sum, one) => sum + credentials(one), 0)
  for (const one of listing.items) tally.lines.push(applicationLine(one))
}

export async function scanResources(
  step: Step,
  subscriptions: readonly string[],
  vaultIds: ReadonlyMap<string, string>,
): Promise<{ items: readonly ListedResource[]; complete: boolean } | null> {
  const { host, job, cloud, environment, where, tally } = step
  const { settingsScan } = environment
  const listing = await optional(step, 'resources', () =>
    cloud.resources(subscriptions, settingsScan, job.signal),
  )
  if (!listing) return null
  await forEachOf(listing.items, VAULTS_AT_ONCE, job.signal, async (listed) => {
    const { resource } = listed
    const know = () => looks(() => knownResource(host, job.tenant, resource))
    const start = await know()
    const seen = await optional(step, 'resources', () =>
      cloud.readResource(listed, vaultIds, settingsScan, job.signal),
    )
    if (!seen) return
    if (seen.edges === null) tally.refused.add('resources')
    if (settingsScan && seen.hardCoded === null) tally.refused.add('settings')
    await record(step, resource, start, know, (known) => decideResource(known, seen, where))
    tally.counts.edges += seen.edges?.length ?? 0
    tally.lines.push(resourceLine(resource, seen.edges ?? start.known.edges.values()))
  })
  tally.counts.resources = listing.items.length
  return listing
}

/**
 * Judges what was there before and is not listed now. Gone is only what a complete listing of its own, visible
 * subscription leaves out; what lies in a subscription that is no longer visible cannot be read; what was taken out
 * of the declared scope is left as it was.
 */
export async function missing(
  step: Step,
  subscriptions: readonly string[],
  vaults: { items: readonly ListedVault[]; complete: boolean },
  resources: { items: readonly ListedResource[]; complete: boolean } | null,
): Promise<void> {
  const { host, job, environment, where, tally } = step
  if (!(await viewCaughtUp(step))) {
    host.log.warn({ scan: where.run }, 'The view is behind: what vanished is judged by the next scan')
    return
  }
  const before = await remembered(host, job.tenant, environment.environment)
  const scanned = new Set(subscriptions)
  const declared = new Set(environment.scope.subscriptions)
  const inScope = (subscription: string) => declared.size === 0 || declared.has(subscription)
  const listedVaults = new Set(vaults.items.map((v) => v.vault))
  for (const { id, subscription } of before.vaults) {
    job.signal.throwIfAborted()
    if (listedVaults.has(id) || !inScope(subscription)) continue
    const isGone = scanned.has(subscription)
    if (isGone && !vaults.complete) continue
    const know = () => knownVault(host, job.tenant, id)
    await record(step, id, await know(), know, (known) =>
      isGone ? decideGone(id, known, where) : decideHidden(id, known, where),
    )
    tally.unreachable.push({ vault: id, why: isGone ? 'gone' : 'forbidden' })
  }
  if (!resources?.complete) return
  const listedResources = new Set(resources.items.map((r) => r.resource))
  for (const { id, subscription } of before.resources) {
    job.signal.throwIfAborted()
    if (listedResources.has(id) || !scanned.has(subscription)) continue
    const know = () => knownResource(host, job.tenant, id)
    await record(step, id, await know(), know, (known) => decideResourceGone(id, known, where))
  }
}

/**
 * Whether our own view has read at least to this scan's start, and so knows everything that earlier scans recorded:
 * folds go by seq. Nearly always so at once, because the walk took longer.
 */
async function viewCaughtUp({ host, job, where }: Step): Promise<boolean> {
  for (let turn = 0; turn < VIEW_TURNS; turn++) {
    const rows = await host.tx(job.tenant, (tx) =>
      tx.rows('select 1 from scans where tenant = $1 and scan = $2', [job.tenant, where.run]),
    )
    if (rows.length > 0) return true
    job.signal.throwIfAborted()
    await pause(100, job.signal)
  }
  return false
}
