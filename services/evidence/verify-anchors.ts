import {
  type BundleManifest,
  bundlePaths,
  type NoteVerifier,
  openNote,
  originTenant,
  readVerifier,
  type Sha256,
  toHex,
} from '@attestry/contracts'
import type { LogFindings } from './verify-log.ts'
import type { Files } from './zip.ts'

/** A token that was looked at, or why it does not hold. */
export type StampOfNote = { readonly genTime: string } | { readonly problem: string }

export interface AnchorFindings {
  /** Every checkpoint is of this chain, at its place. */
  readonly places: string | null
  /** Signed with the log's key; undefined: no key was given. */
  readonly signed: string | null | undefined
  /** The tokens are over these notes, fit the times of the events around them, and stand in the chain. */
  readonly times: string | null
  /** Checkpoints whose time is vouched for. */
  readonly stamped: readonly { readonly size: number; readonly genTime: string }[]
}

/** Clocks of database and authority may differ by so much. */
const skewMs = 5 * 60_000
const utf8 = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true })

/** The verifiers' lines that were given; a line that is none counts as a problem. */
export function readVerifiers(sha256: Sha256, text: string): NoteVerifier[] | null {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '')
  const verifiers = lines.map((line) => readVerifier(sha256, line.trim()))
  return lines.length > 0 && verifiers.every((v) => v !== null) ? verifiers : null
}

/** Whether one of the keys signed the text of the note (C2SP signed-note: a known key that fails refuses the note). */
export async function noteSigned(note: string, verifiers: readonly NoteVerifier[]): Promise<boolean> {
  const opened = openNote(note)
  if ('problem' in opened) return false
  let held = false
  for (const { name, keyId, signature } of opened.signatures) {
    const verifier = verifiers.find((v) => v.name === name && v.keyId === keyId)
    if (verifier === undefined || verifier.name !== opened.checkpoint.origin) continue
    const key = await crypto.subtle.importKey('raw', Uint8Array.from(verifier.publicKey), 'Ed25519', false, [
      'verify',
    ])
    const text = new TextEncoder().encode(opened.text)
    if (!(await crypto.subtle.verify('Ed25519', key, Uint8Array.from(signature), text))) return false
    held = true
  }
  return held
}

/** Checks the checkpoints of a bundle against its chain. Never throws for bad input. */
export async function verifyAnchors(
  files: Files,
  manifest: BundleManifest,
  log: LogFindings,
  trust: {
    readonly verifiers: readonly NoteVerifier[] | null
    readonly stampOf: (token: Uint8Array, over: Uint8Array) => Promise<StampOfNote>
  },
): Promise<AnchorFindings> {
  const told = manifest.ledger.anchors
  const present = [...files.keys()].filter((path) => path.startsWith(bundlePaths.anchors))
  const nothing = { signed: undefined, times: null, stamped: [] }
  if (told === null)
    return { ...nothing, places: present.length === 0 ? null : 'the manifest knows of no checkpoint' }
  const expected = new Set(told.sizes.flatMap((size) => [pathOf(size, 'checkpoint'), pathOf(size, 'tsr')]))
  const stray = present.find((path) => !expected.has(path))
  if (stray !== undefined)
    return { ...nothing, places: `${stray} is not of a checkpoint that the manifest names` }
  if (told.sizes.some((size, i) => i > 0 && size <= (told.sizes[i - 1] ?? 0)))
    return { ...nothing, places: 'the checkpoints are not in order' }
  if (originTenant(told.origin) !== manifest.tenant)
    return {
      ...nothing,
      places: `the checkpoints are of the log ${told.origin}, not of tenant ${manifest.tenant}`,
    }
  if (log.logName !== null && log.logName !== told.origin)
    return { ...nothing, places: `the checkpoints are of the log ${told.origin}, this one is ${log.logName}` }

  let places: string | null = null
  let signed: string | null | undefined = trust.verifiers === null ? undefined : null
  let times: string | null = null
  const stamped: { size: number; genTime: string }[] = []
  for (const size of told.sizes) {
    const bytes = files.get(pathOf(size, 'checkpoint'))
    if (bytes === undefined) places ??= `the checkpoint of ${size} events is missing`
    if (bytes === undefined) continue
    const note = utf8.decode(bytes)
    places ??= placeProblem(note, size, told.origin, log)
    if (trust.verifiers !== null && !(await noteSigned(note, trust.verifiers)))
      signed ??= `the checkpoint of ${size} events is not signed with the log’s key that you were given`
    const token = files.get(pathOf(size, 'tsr'))
    const recorded = recordedProblem(note, token, size, log)
    times ??= recorded
    if (token === undefined) continue
    const stamp = await trust.stampOf(token, bytes)
    if ('problem' in stamp) times ??= `the token of checkpoint ${size}: ${stamp.problem}`
    else {
      times ??= timeProblem(stamp.genTime, size, log)
      stamped.push({ size, genTime: stamp.genTime })
    }
  }
  return { places, signed, times, stamped: places === null && times === null ? stamped : [] }
}

const pathOf = (size: number, kind: 'checkpoint' | 'tsr') => `${bundlePaths.anchors}${size}.${kind}`

function placeProblem(note: string, size: number, origin: string, log: LogFindings): string | null {
  const opened = openNote(note)
  if ('problem' in opened) return `the checkpoint of ${size} events: ${opened.problem}`
  const { checkpoint } = opened
  if (checkpoint.origin !== origin)
    return `the checkpoint of ${size} events is of the log ${checkpoint.origin}`
  if (checkpoint.size !== size) return `the checkpoint of ${size} events says ${checkpoint.size}`
  const seen = log.places.get(size)
  if (seen === undefined) return `the checkpoint of ${size} events lies outside the log`
  return seen.root === toHex(checkpoint.root)
    ? null
    : `the checkpoint of ${size} events has another root: events before it were rewritten`
}

/** What the chain itself says of the checkpoint, where that event is in the export. */
function recordedProblem(
  note: string,
  token: Uint8Array | undefined,
  size: number,
  log: LogFindings,
): string | null {
  const events = log.anchors.filter((anchor) => anchor.size === size)
  const [first] = events
  if (first === undefined) return null
  if (first.note !== null && first.note !== note)
    return `the chain records another checkpoint of ${size} events`
  const recorded = events.findLast((anchor) => anchor.token !== null)?.token ?? null
  const given = token === undefined ? null : token.toBase64()
  if (recorded !== null && given === null) return `the token of checkpoint ${size} was taken out`
  return recorded === given ? null : `the chain records another token of checkpoint ${size}`
}

/** An event that a token covers cannot be later than it, and what came after the token in the chain not earlier. */
function timeProblem(genTime: string, size: number, log: LogFindings): string | null {
  const time = Date.parse(genTime)
  const before = log.places.get(size)?.at ?? null
  if (before !== null && Date.parse(before) > time + skewMs)
    return `event ${size} claims ${before}, but its checkpoint was stamped at ${genTime}`
  const after = log.anchors.find((anchor) => anchor.size === size && anchor.token !== null)
  return after !== undefined && Date.parse(after.at) < time - skewMs
    ? `event ${after.seq} holds the token of ${genTime} and claims ${after.at}: later events were backdated`
    : null
}

/**
 * Whether the export holds everything that happened in a period: it begins at the chain's beginning or before a
 * checkpoint that was stamped before the period, and holds one that was stamped after it.
 * @returns the problem, null when complete, or undefined with a reason when nobody outside vouches for it
 */
export function periodCovered(
  period: { readonly from: string; readonly to: string },
  log: LogFindings,
  stamped: AnchorFindings['stamped'],
):
  | { readonly complete: true; readonly detail: string }
  | { readonly complete: false; readonly detail: string } {
  const [from, to] = [Date.parse(period.from), Date.parse(period.to)]
  const before = stamped.findLast(({ genTime }) => Date.parse(genTime) <= from)
  const after = stamped.find(({ genTime }) => Date.parse(genTime) >= to)
  if (log.startSize > 0 && before === undefined)
    return { complete: false, detail: 'no checkpoint that was stamped before the period lies in this log' }
  if (after === undefined)
    return {
      complete: false,
      detail: `no stamped checkpoint lies after the period’s end: events up to ${period.to} may still be missing`,
    }
  const low =
    log.startSize === 0 ? 'from the first event' : `from checkpoint ${before?.size} of ${before?.genTime}`
  return { complete: true, detail: `${low} to checkpoint ${after.size} of ${after.genTime}` }
}

/** A checkpoint that the auditor kept, as a place that he knows. Null when the note is none or not signed. */
export async function knownFromNote(
  note: string,
  verifiers: readonly NoteVerifier[] | null,
): Promise<{ readonly seq: number; readonly root: string } | null> {
  const opened = openNote(note)
  if ('problem' in opened) return null
  if (verifiers !== null && !(await noteSigned(note, verifiers))) return null
  return { seq: opened.checkpoint.size, root: toHex(opened.checkpoint.root) }
}
