import {
  type BadEvent,
  type BundleManifest,
  bundlePaths,
  canonical,
  chainLine,
  commitment,
  DisclosureLine,
  fromHex,
  GENESIS_LINK,
  type GoodChain,
  isCanonical,
  LogStart,
  type Sha256,
  toHex,
  verifyChain,
} from '@attestry/contracts'
import type { Files } from './zip.ts'

/** A place in the chain that the auditor knows from elsewhere: an earlier bundle, a checkpoint he kept. */
export interface KnownPlace {
  readonly seq: number
  /** Hexadecimal link. */
  readonly link: string
}

/** What the walk found; every problem is a sentence, null means it holds, undefined that it could not be asked. */
export interface LogFindings {
  readonly chain: string | null
  readonly head: string | null
  readonly origin: string | null | undefined
  readonly disclosures: string | null
  readonly known: string | null | undefined
  readonly disclosed: number
  readonly events: number
  readonly hidden: number
}

const sentences: Readonly<Record<BadEvent['reason'], string>> = {
  'seq-gap': 'is not the next one: something is missing before it',
  'leaf-mismatch': 'was changed',
  'link-mismatch': 'does not continue the chain',
  'not-canonical': 'is not in canonical form',
  malformed: 'is not an event',
  'wrong-tenant': 'belongs to another tenant',
  'seq-mismatch': 'gives another number than its place',
  'position-gap': 'breaks the order of its stream',
  'time-backwards': 'lies before the event in front of it',
  'head-mismatch': 'is not the head',
  'column-mismatch': 'is stored under other columns than it says',
  'body-missing': 'has lost its body, and no pruning accounts for it',
}

/** Walks the ledger export of a bundle and compares what it finds with the manifest. Never throws for bad input. */
export function verifyLog(
  files: Files,
  manifest: BundleManifest,
  sha256: Sha256,
  known: readonly KnownPlace[],
): LogFindings {
  const nothing = {
    head: null,
    origin: undefined,
    disclosures: null,
    known: undefined,
    disclosed: 0,
    events: 0,
    hidden: 0,
  }
  const start = readStart(files, manifest)
  if ('problem' in start) return { ...nothing, chain: start.problem }
  const lines = readLines(files, bundlePaths.events)
  if ('problem' in lines) return { ...nothing, chain: lines.problem }
  const verifier = verifyChain(sha256, { start: start.place, tenant: manifest.tenant })
  const wanted = new Map(known.map(({ seq, link }) => [seq, link]))
  const links = new Map([[start.place.seq, toHex(start.place.link)]])
  let seq = start.place.seq
  for (const line of lines) {
    seq += 1
    const bad = verifier.push(chainLine(line))
    if (bad !== null) return { ...nothing, chain: `event ${bad.seq} ${sentences[bad.reason]}` }
    if (wanted.has(seq)) links.set(seq, linkAt(verifier.result()))
  }
  const walked = verifier.result()
  if (!walked.ok) return { ...nothing, chain: `event ${walked.seq} ${sentences[walked.reason]}` }
  const opened = openDisclosures(files, lines, start.place.seq, sha256)
  return {
    chain: null,
    head: headProblem(walked, lines, manifest),
    origin: originProblem(lines, start.place.seq, manifest),
    disclosures: 'problem' in opened ? opened.problem : null,
    disclosed: 'problem' in opened ? 0 : opened.count,
    known: knownProblem(known, links),
    events: walked.events,
    hidden: walked.hidden,
  }
}

type Place = { readonly seq: number; readonly link: Uint8Array; readonly frontier: (Uint8Array | null)[] }

function readStart(files: Files, manifest: BundleManifest): { place: Place } | { problem: string } {
  const text = utf8(files.get(bundlePaths.start))
  if (text === null) return { problem: `${bundlePaths.start} is absent or not UTF-8` }
  const parsed = LogStart.safeParse(json(text.trimEnd()))
  if (!parsed.success || !isCanonical(text.trimEnd())) {
    return { problem: `${bundlePaths.start} does not say where the chain starts` }
  }
  const { size, prev, frontier } = parsed.data
  const held = frontier.reduce((sum, node, level) => sum + (node === null ? 0 : 2 ** level), 0)
  if (held !== size) return { problem: 'the frontier of the start does not fit its size' }
  if (size === 0 && prev !== toHex(GENESIS_LINK))
    return { problem: 'the chain starts with a link before its first event' }
  const told = manifest.ledger.start
  if (told.seq !== size || told.link !== prev)
    return { problem: 'the log starts elsewhere than the manifest says' }
  const nodes = frontier.map((node) => (node === null ? null : fromHex(node)))
  return { place: { seq: size, link: fromHex(prev) ?? GENESIS_LINK, frontier: nodes } }
}

function headProblem(walked: GoodChain, lines: readonly string[], manifest: BundleManifest): string | null {
  const { head, start, events, hidden } = manifest.ledger
  if (walked.seq !== head.seq) return `the log ends at event ${walked.seq}, the manifest says ${head.seq}`
  if (toHex(walked.link) !== head.link) return 'the log ends in another link than the manifest says'
  if (walked.root === null || toHex(walked.root) !== head.root)
    return 'the log has another tree root than the manifest says'
  if (walked.events !== events || walked.hidden !== hidden)
    return 'the log holds another number of events than the manifest says'
  const last = lines.at(-1)
  const lastShown = last !== undefined && !last.startsWith('{"leaf":')
  if (lastShown && walked.lastAt !== head.at)
    return 'the last event is of another time than the manifest says'
  const first = lines.find((line) => !line.startsWith('{"leaf":'))
  const firstAt = first === undefined ? null : instantOf(first)
  if (start.at !== null && firstAt !== null && firstAt < Date.parse(start.at)) {
    return 'the log begins earlier than the manifest says'
  }
  return null
}

function originProblem(
  lines: readonly string[],
  before: number,
  manifest: BundleManifest,
): string | null | undefined {
  const [first] = lines
  if (before !== 0 || first === undefined || first.startsWith('{"leaf":')) return undefined
  const envelope: unknown = json(first)
  if (at(envelope, ['type']) !== 'ledger.opened') return 'the chain does not begin with its opening'
  const origin = at(envelope, ['event', 'data', 'origin'])
  return origin === manifest.origin
    ? null
    : `the chain is of origin ${String(origin)}, the manifest says ${manifest.origin}`
}

function knownProblem(
  known: readonly KnownPlace[],
  links: ReadonlyMap<number, string>,
): string | null | undefined {
  const inside = known.filter(({ seq }) => links.has(seq))
  if (inside.length === 0) return undefined
  const wrong = inside.find(({ seq, link }) => links.get(seq) !== link)
  return wrong === undefined
    ? null
    : `event ${wrong.seq} is not the one you knew: the ledger was rewritten or forked`
}

function openDisclosures(
  files: Files,
  events: readonly string[],
  before: number,
  sha256: Sha256,
): { count: number } | { problem: string } {
  const lines = readLines(files, bundlePaths.disclosures)
  if ('problem' in lines) return lines
  let count = 0
  let last = 0
  for (const line of lines) {
    const parsed = DisclosureLine.safeParse(json(line))
    if (!parsed.success || !isCanonical(line))
      return { problem: `line ${count + 1} of the disclosures cannot be read` }
    const { seq, open } = parsed.data
    if (seq <= last) return { problem: `the disclosures of event ${seq} are out of order or stand twice` }
    last = seq
    const text = events[seq - before - 1]
    if (text === undefined || text.startsWith('{"leaf":'))
      return { problem: `event ${seq} is disclosed but not shown` }
    const event = at(json(text), ['event'])
    for (const [path, salt, value] of open) {
      const bytes = fromHex(salt)
      const stated = at(event, path.slice(1).split('/'))
      if (bytes === null || stated !== commitment(sha256, bytes, path, value)) {
        return {
          problem: `event ${seq} does not commit to the value disclosed at ${path}: ${canonical(value).slice(0, 60)}`,
        }
      }
      count += 1
    }
  }
  return { count }
}

function linkAt(result: GoodChain | BadEvent): string {
  return result.ok ? toHex(result.link) : ''
}

/** The lines of a file; each ends with a line feed, none is empty. */
function readLines(files: Files, path: string): string[] | { problem: string } {
  const text = utf8(files.get(path))
  if (text === null) return { problem: `${path} is absent or not UTF-8` }
  if (text === '') return []
  if (!text.endsWith('\n')) return { problem: `the last line of ${path} does not end` }
  const lines = text.slice(0, -1).split('\n')
  return lines.includes('') ? { problem: `${path} has an empty line` } : lines
}

function utf8(bytes: Uint8Array | undefined): string | null {
  if (bytes === undefined) return null
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    // The decoder's only way to say that it is not UTF-8.
    return null
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON: undefined is no JSON value, so every schema refuses it.
    return undefined
  }
}

function at(value: unknown, keys: readonly string[]): unknown {
  return keys.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key)
        ? Reflect.get(inner, key)
        : undefined,
    value,
  )
}

function instantOf(envelope: string): number | null {
  const time = at(json(envelope), ['at'])
  return typeof time === 'string' ? Date.parse(time) : null
}
