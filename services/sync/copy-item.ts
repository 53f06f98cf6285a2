import { type Actor, type Cause, type Fact, fact, type RouteSettings } from '@attestry/contracts'
import { Denied, type Host, isRefused, type Refused, Secret, Transient } from '@attestry/kit'
import { type Copy, retryAt } from './copy.ts'
import { carried, saysBase64 } from './mapping.ts'
import type { PlanEntry } from './plan.ts'
import { unfit } from './targets/fit.ts'
import type {
  Mark,
  Metadata,
  RemoteEntry,
  Source,
  SourceValue,
  Target,
  Value,
  Write,
  Written,
} from './targets/target.ts'

/*
 * One line of a plan carried out: read, written, marked, looked at, recorded. The value lives in memory for these few
 * steps and is wiped at their end, whatever comes.
 */

export interface CopyWork {
  readonly host: Host
  readonly tenant: string
  readonly by: Actor
  readonly cause: Cause
  readonly route: string
  readonly run: string
  readonly connector: string
  readonly plan: string
  readonly vault: string
  readonly settings: RouteSettings
  readonly source: Source
  readonly target: Target
  readonly mac: (bytes: Uint8Array) => string
  /** From 0 up to 1. */
  readonly random: () => number
  readonly signal: AbortSignal
  /** Told of each value that was read. */
  readonly read: () => void
}

/** `overtaken`: done, and another run recorded something of the same copy meanwhile. */
export type CopyEnd = 'done' | 'overtaken' | 'nothing' | 'conflict' | 'failed'

/** Looks at a write until the target shows it: some tell the old state for a moment. */
const LOOKS = 4
const LOOK_PAUSE_MS = 250

const unreadable = new TextDecoder('utf-8', { fatal: true })

/** The value as it is written. @refuses 'not-base64', 'not-text' */
export function valueOf(
  read: SourceValue,
  settings: Pick<RouteSettings, 'binary'>,
): Value | Refused<'not-base64' | 'not-text'> {
  if (settings.binary === 'as-text' || !saysBase64(read.item.contentType)) {
    try {
      unreadable.decode(read.value.reveal())
    } catch {
      // The decoder's own error would hold nothing else than that.
      return { refused: 'not-text', detail: 'The value is not text.' }
    }
    return { bytes: read.value, form: 'text' }
  }
  const text = read.value.text()
  const bytes = Buffer.from(text, 'base64')
  const compact = text.replaceAll(/[\s=]/g, '')
  if (bytes.toString('base64').replaceAll('=', '') !== compact)
    return { refused: 'not-base64', detail: 'Its content type says base64, and the value is none.' }
  return { bytes: new Secret(bytes), form: 'binary' }
}

/** Refusals after which trying again the same way is of no use before somebody changes something. */
const PERMANENT = new Set(['too-large', 'too-small', 'not-text', 'not-base64', 'bad-name', 'bad-certificate'])

class Stopped extends Error {
  override readonly name = 'Stopped'
  readonly refusal: Refused
  constructor(refusal: Refused) {
    super(refusal.detail)
    this.refusal = refusal
  }
}

const orStop = <T extends object>(answer: T | Refused): T => {
  if (isRefused(answer)) throw new Stopped(answer)
  return answer
}

/**
 * Carries out one line that writes. Failures of this one copy are recorded and answered, not thrown.
 * @param position how long the copy's stream was when `copy` was read
 */
export async function copyItem(
  work: CopyWork,
  entry: PlanEntry,
  copy: Copy | undefined,
  position: number,
): Promise<CopyEnd> {
  const { host, tenant, signal } = work
  const ids = { route: work.route, copy: entry.copy, secret: entry.secret }
  const names = { sourceName: entry.sourceName, targetName: entry.targetName }
  let overtaken = false
  const record = async (facts: readonly Fact[]) => {
    const { by, cause } = work
    const at = { stream: entry.copy, facts, by, cause }
    const answer = await host.append(tenant, { ...at, expected: position })
    if (answer.ok) return
    // It happened all the same, so it is told.
    overtaken = true
    await host.append(tenant, { ...at, expected: 'any' })
  }
  let held: SourceValue | null = null
  let side: Side = 'target'
  try {
    if (entry.steps.includes('remove')) return await prune(work, entry, ids, record)
    if (entry.steps.includes('disable')) return await disable(work, entry, ids, record)
    work.read()
    side = 'source'
    const answer = await work.source.read(entry.sourceName, signal)
    side = 'target'
    // It went or was disabled since it was listed: the next plan says what that means.
    if (isRefused(answer)) return 'nothing'
    held = answer
    const { version, item } = held
    const value = orStop(valueOf(held, work.settings))
    const misfit = unfit(value, work.target.can, 'The target')
    if (misfit) throw new Stopped(misfit)
    const sourceMac = work.mac(held.value.reveal())
    const targetMac = value.bytes === held.value ? sourceMac : work.mac(value.bytes.reveal())
    const mark: Mark = {
      route: work.route,
      secret: entry.secret,
      vault: work.vault,
      sourceVersion: version,
      mac: targetMac,
    }
    const { metadata } = carried(work.settings.tags, item, work.target.can)
    const only = entry.steps.length === 1 && entry.steps[0] === 'mark'
    const written =
      only && (copy?.written?.sourceVersion === version || entry.reason === 'interrupted')
        ? await markOnly(work, entry, mark, metadata, version)
        : await write(work, entry, { value, mark, metadata })
    await record([
      fact('sync.copied', {
        ...ids,
        ...names,
        sourceVersion: version,
        targetVersion: written.version,
        sourceMac,
        targetMac,
        run: work.run,
        connector: work.connector,
        plan: work.plan,
        what: entry.action === 'create' ? 'create' : 'update',
        recovered: written.found,
        sourceCreated: item.created,
        sourceUpdated: item.updated,
        targetStamp: written.stamp,
      }),
    ])
    return overtaken ? 'overtaken' : 'done'
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof Stopped && CONFLICTS.has(error.refusal.refused)) return 'conflict'
    await record([
      failureOf(error, work, { ...ids, ...names, side, sourceUpdated: held?.item.updated ?? null }, copy),
    ])
    if (!(error instanceof Stopped || error instanceof Denied || error instanceof Transient))
      host.log.error({ error, copy: entry.copy, route: work.route }, 'A copy broke')
    return 'failed'
  } finally {
    held?.value.wipe()
  }
}

/** Somebody was faster: the next plan shows it as what it is. */
const CONFLICTS = new Set(['exists', 'gone'])

interface Landed {
  readonly version: string
  readonly stamp: string | null
  /** Whether it was there already and not written now. */
  readonly found: boolean
}

/** The object now, or a stop: it went since it was listed. */
async function present({ target, signal }: CopyWork, name: string): Promise<RemoteEntry> {
  const entry = await target.describe(name, signal)
  if (!entry) throw new Stopped({ refused: 'gone', detail: 'The object is not there any more.' })
  return entry
}

async function write(work: CopyWork, entry: PlanEntry, one: Write): Promise<Landed> {
  const { target, signal, settings } = work
  if (entry.steps.includes('restore')) {
    const refusal = await target.restore(await present(work, entry.targetName), signal)
    if (refusal) throw new Stopped(refusal)
  }
  const making = entry.steps.includes('create')
  const before = making ? null : await present(work, entry.targetName)
  const answer: Written = orStop(
    before ? await target.put(before, one, signal) : await target.create(entry.targetName, one, signal),
  )
  let { stamp } = answer
  if (!answer.marked)
    ({ stamp } = orStop(
      await target.mark(await present(work, entry.targetName), one.mark, one.metadata, signal),
    ))
  const seen = await shown(work, entry.targetName, answer.version)
  if (settings.keepVersions > 0 && !making) await target.trim(seen, settings.keepVersions, signal)
  return { version: answer.version, stamp: stamp ?? seen.stamp, found: false }
}

/** Waits until the target shows a version as the served one. @throws Transient where it does not in time */
async function shown(work: CopyWork, name: string, version: string): Promise<RemoteEntry> {
  for (let look = 0; look < LOOKS; look++) {
    const entry = await work.target.describe(name, work.signal)
    if (entry && (entry.version === null || entry.version === version)) return entry
    await new Promise((resolve) => setTimeout(resolve, LOOK_PAUSE_MS * 2 ** look))
    work.signal.throwIfAborted()
  }
  throw new Transient('The target took a version and does not show it yet')
}

/** Marks what is there already. Where it turns out not to be what the plan saw, it is a conflict for the next plan. */
async function markOnly(
  work: CopyWork,
  entry: PlanEntry,
  mark: Mark,
  metadata: Metadata,
  version: string,
): Promise<Landed> {
  const now = await present(work, entry.targetName)
  const served = now.servedSource ?? (now.mark === 'unseen' ? null : (now.mark?.sourceVersion ?? null))
  if (served !== null && served !== version)
    throw new Stopped({ refused: 'gone', detail: 'What is there is not what was planned for.' })
  const { stamp } = orStop(await work.target.mark(now, mark, metadata, work.signal))
  const after = await present(work, entry.targetName)
  if (after.version === null) throw new Error('a target did not tell the version of an object it described')
  return { version: after.version, stamp: stamp ?? after.stamp, found: true }
}

/** Where something went wrong: who has to be looked at. */
type Side = 'source' | 'target'
type Ids = { readonly route: string; readonly copy: string; readonly secret: string }
type Recorder = (facts: readonly Fact[]) => Promise<void>

async function prune(work: CopyWork, entry: PlanEntry, ids: Ids, record: Recorder): Promise<CopyEnd> {
  const now = await work.target.describe(entry.targetName, work.signal)
  const mark = now?.mark === 'unseen' ? null : now?.mark
  // Looked at once more: only what still carries this very copy's mark is deleted.
  if (!now || now.state === 'pending-deletion' || mark?.route !== work.route || mark.secret !== ids.secret)
    return 'conflict'
  const refusal = await work.target.remove(now, work.signal)
  if (refusal && refusal.refused !== 'gone') throw new Stopped(refusal)
  await record([fact('sync.pruned', { ...ids, run: work.run, plan: work.plan, targetVersion: now.version })])
  return 'done'
}

async function disable(work: CopyWork, entry: PlanEntry, ids: Ids, record: Recorder): Promise<CopyEnd> {
  const now = await present(work, entry.targetName)
  orStop(await work.target.disable(now, work.signal))
  await record([fact('sync.copy-disabled', { ...ids, run: work.run, targetVersion: now.version })])
  return 'done'
}

function failureOf(
  error: unknown,
  work: CopyWork,
  about: Ids & {
    readonly sourceName: string
    readonly targetName: string
    readonly side: Side
    readonly sourceUpdated: string | null
  },
  copy: Copy | undefined,
): Fact {
  const { side, ...data } = about
  const attempt = (copy?.state === 'retrying' ? copy.attempt : 0) + 1
  const now = work.host.clock.now()
  const { reason, permanent, retryAfterMs } = said(error, side)
  return fact('sync.copy-failed', {
    ...data,
    attempt,
    reason,
    retryAt: permanent ? null : retryAt(attempt, now, { random: work.random(), retryAfterMs }),
    run: work.run,
  })
}

/** A failure as the chain keeps it: a code and a sentence without names. */
function said(
  error: unknown,
  side: Side,
): { reason: string; permanent: boolean; retryAfterMs: number | null } {
  if (error instanceof Stopped) {
    const { refused, detail } = error.refusal
    return { reason: `${refused}: ${detail}`, permanent: PERMANENT.has(refused), retryAfterMs: null }
  }
  if (error instanceof Denied)
    return { reason: `denied: ${error.code}, by the ${side}`, permanent: false, retryAfterMs: null }
  if (error instanceof Transient)
    return {
      reason: `unavailable: the ${side} could not answer`,
      permanent: false,
      retryAfterMs: error.retryAfterMs,
    }
  return { reason: 'broken: the log has it', permanent: false, retryAfterMs: null }
}

/** The drift that a plan saw and the ledger does not tell of yet. */
export const driftOf = (entry: PlanEntry, copy: Copy | undefined, route: string): Fact | null =>
  entry.drift === null ||
  !copy?.written ||
  (copy.drift?.what === entry.drift && copy.drift.found === entry.targetVersion)
    ? null
    : fact('sync.drifted', {
        route,
        copy: entry.copy,
        secret: entry.secret,
        drift: entry.drift,
        expected: copy.written.targetVersion,
        found: entry.targetVersion,
      })
