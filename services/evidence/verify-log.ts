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
  isCanonical,
  leafOf,
  LogStart,
  logOrigin,
  MAX_ENVELOPE_BYTES,
  type Sha256,
  toHex,
  verifyChain,
} from '@attestry/contracts'
import { type BundleSource, linesOf, NotLines, wholeFile } from './bundle-source.ts'

/** A place in the chain that the auditor knows from elsewhere: an earlier bundle, a checkpoint he kept. */
export interface KnownPlace {
  readonly seq: number
  /** Hexadecimal link, tree root, or both. */
  readonly link?: string
  readonly root?: string
}

/** What the walk saw at a place. */
export interface PlaceSeen {
  readonly link: string
  readonly root: string
  /** Time of the event there, or of the last one before it that is shown. */
  readonly at: string | null
}

/** An event of the chain by which a checkpoint or its token was recorded. */
export interface AnchorSeen {
  readonly seq: number
  readonly at: string
  readonly size: number
  /** Null where the event only brings a late token. */
  readonly note: string | null
  readonly token: string | null
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
  readonly startSize: number
  /** Places that were asked for and lie inside the export. */
  readonly places: ReadonlyMap<number, PlaceSeen>
  readonly anchors: readonly AnchorSeen[]
  /** The name that the log has by its first event; null where the export does not begin there. */
  readonly logName: string | null
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

/** A disclosure line opens every field of an event, salts included (MAX_PRIVATE_BYTES), and says of which. */
const LONGEST_DISCLOSURE = 4 * MAX_ENVELOPE_BYTES
const LONGEST_START = 65_536
const fromUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const toUtf8 = new TextEncoder()
const LEAF = toUtf8.encode('{"leaf":')
const ANCHORED = toUtf8.encode('"type":"evidence.anchored"}')
const STAMPED = toUtf8.encode('"type":"evidence.anchor-stamped"}')

const beginsWith = (bytes: Uint8Array, part: Uint8Array): boolean => {
  for (let i = 0; i < part.length; i++) if (bytes[i] !== part[i]) return false
  return true
}
const endsWith = (bytes: Uint8Array, part: Uint8Array): boolean =>
  bytes.length >= part.length && beginsWith(bytes.subarray(bytes.length - part.length), part)

/** Thrown inside this file alone, to leave the walk; it never passes `verifyLog`. */
class Broken extends Error {}

/**
 * Walks the ledger export of a bundle once, line by line, and compares what it finds with the manifest. Memory does not
 * grow with the export. Never throws for bad input.
 */
export async function verifyLog(
  source: BundleSource,
  manifest: BundleManifest,
  sha256: Sha256,
  known: readonly KnownPlace[],
): Promise<LogFindings> {
  try {
    return await walk(source, manifest, sha256, known)
  } catch (error) {
    if (!(error instanceof Broken || error instanceof NotLines)) throw error
    const chain = error instanceof NotLines ? `${bundlePaths.events} ${error.message}` : error.message
    return {
      chain,
      head: null,
      origin: undefined,
      disclosures: null,
      known: undefined,
      disclosed: 0,
      events: 0,
      hidden: 0,
      startSize: 0,
      places: new Map(),
      anchors: [],
      logName: null,
    }
  }
}

async function walk(
  source: BundleSource,
  manifest: BundleManifest,
  sha256: Sha256,
  known: readonly KnownPlace[],
): Promise<LogFindings> {
  const start = await readStart(source, manifest)
  if (!source.paths.includes(bundlePaths.events)) throw new Broken(`${bundlePaths.events} is missing`)
  const verifier = verifyChain(sha256, { start, tenant: manifest.tenant })
  const wanted = new Set([...known.map(({ seq }) => seq), ...(manifest.ledger.anchors?.sizes ?? [])])
  const places = new Map<number, PlaceSeen>()
  const see = (at: number) => {
    const now = verifier.result()
    if (now.ok)
      places.set(at, { link: toHex(now.link), root: now.root ? toHex(now.root) : '', at: now.lastAt })
  }
  if (wanted.has(start.seq)) see(start.seq)
  const opening = new Disclosures(source, sha256)
  const anchors: AnchorSeen[] = []
  let seq = start.seq
  let first: Uint8Array | null = null
  let firstAt: string | null = null
  let lastShown = false
  for await (const lines of linesOf(source.chunks(bundlePaths.events), MAX_ENVELOPE_BYTES + 1)) {
    for (const line of lines) {
      seq += 1
      const hidden = beginsWith(line, LEAF)
      const bad = verifier.push(hidden ? chainLine(latin1(line)) : { envelope: line })
      if (bad !== null) throw new Broken(`event ${bad.seq} ${sentences[bad.reason]}`)
      if (seq === start.seq + 1) first = hidden ? null : line.slice()
      if (!hidden && firstAt === null) firstAt = instantOf(line)
      lastShown = !hidden
      if (wanted.has(seq)) see(seq)
      if (!hidden && (endsWith(line, ANCHORED) || endsWith(line, STAMPED))) anchors.push(anchorOf(line, seq))
      if (opening.next === seq) await opening.open(hidden ? null : line)
      else if (opening.next === null) await opening.begin(seq, hidden ? null : line)
    }
  }
  const walked = verifier.result()
  if (!walked.ok) throw new Broken(`event ${walked.seq} ${sentences[walked.reason]}`)
  await opening.end()
  const head = {
    seq: walked.seq,
    link: toHex(walked.link),
    root: walked.root ? toHex(walked.root) : '',
    at: lastShown ? walked.lastAt : undefined,
  }
  return {
    chain: null,
    head: headProblem(head, { events: walked.events, hidden: walked.hidden }, firstAt, manifest),
    origin: originProblem(first, start.seq, manifest),
    disclosures: opening.problem,
    disclosed: opening.problem === null ? opening.count : 0,
    known: knownProblem(known, places),
    events: walked.events,
    hidden: walked.hidden,
    startSize: start.seq,
    places,
    anchors,
    logName: start.seq === 0 && first !== null ? logOrigin(manifest.tenant, leafOf(sha256, first)) : null,
  }
}

type Place = { readonly seq: number; readonly link: Uint8Array; readonly frontier: (Uint8Array | null)[] }

async function readStart(source: BundleSource, manifest: BundleManifest): Promise<Place> {
  const bytes = source.paths.includes(bundlePaths.start)
    ? await wholeFile(source, bundlePaths.start, LONGEST_START)
    : null
  const text = bytes === null ? null : utf8(bytes)
  if (text === null) throw new Broken(`${bundlePaths.start} is absent or not UTF-8`)
  const parsed = LogStart.safeParse(json(text.trimEnd()))
  if (!parsed.success || !isCanonical(text.trimEnd()))
    throw new Broken(`${bundlePaths.start} does not say where the chain starts`)
  const { size, prev, frontier } = parsed.data
  const held = frontier.reduce((sum, node, level) => sum + (node === null ? 0 : 2 ** level), 0)
  if (held !== size) throw new Broken('the frontier of the start does not fit its size')
  if (size === 0 && prev !== toHex(GENESIS_LINK))
    throw new Broken('the chain starts with a link before its first event')
  const told = manifest.ledger.start
  if (told.seq !== size || told.link !== prev)
    throw new Broken('the log starts elsewhere than the manifest says')
  const nodes = frontier.map((node) => (node === null ? null : fromHex(node)))
  return { seq: size, link: fromHex(prev) ?? GENESIS_LINK, frontier: nodes }
}

/** The disclosures, opened in step with the events, because both are in order. */
class Disclosures {
  readonly #lines: AsyncGenerator<Uint8Array[], void, undefined> | null
  readonly #sha256: Sha256
  #batch: Uint8Array[] = []
  #current: DisclosureLine | null = null
  #begun = false
  #read = 0
  #last = 0
  problem: string | null = null
  count = 0

  constructor(source: BundleSource, sha256: Sha256) {
    this.#sha256 = sha256
    this.#lines = source.paths.includes(bundlePaths.disclosures)
      ? linesOf(source.chunks(bundlePaths.disclosures), LONGEST_DISCLOSURE)
      : null
    if (this.#lines === null) this.problem = `${bundlePaths.disclosures} is missing`
  }

  /** The event that the next line is of; null before the first line was read, infinity after the last. */
  get next(): number | null {
    if (this.problem !== null) return Number.POSITIVE_INFINITY
    return this.#begun ? (this.#current?.seq ?? Number.POSITIVE_INFINITY) : null
  }

  async begin(seq: number, event: Uint8Array | null): Promise<void> {
    this.#begun = true
    await this.#advance()
    if (this.next === seq) await this.open(event)
    else if ((this.next ?? 0) < seq) this.problem = `event ${this.next} is disclosed but not shown`
  }

  /** Opens the current line against its event. */
  async open(event: Uint8Array | null): Promise<void> {
    const line = this.#current
    if (line === null) return
    const stored = event === null ? undefined : at(json(utf8(event) ?? ''), ['event'])
    if (stored === undefined) {
      this.problem = `event ${line.seq} is disclosed but not shown`
      return
    }
    for (const [path, salt, value] of line.open) {
      const bytes = fromHex(salt)
      const stated = at(stored, path.slice(1).split('/'))
      if (bytes === null || stated !== commitment(this.#sha256, bytes, path, value)) {
        this.problem = `event ${line.seq} does not commit to the value disclosed at ${path}: ${canonical(value).slice(0, 60)}`
        return
      }
      this.count += 1
    }
    await this.#advance()
  }

  async end(): Promise<void> {
    if (!this.#begun && this.problem === null) await this.begin(1, null)
    if (this.problem === null && this.#current !== null)
      this.problem = `event ${this.#current.seq} is disclosed but not shown`
  }

  async #advance(): Promise<void> {
    this.#current = null
    try {
      if (this.#batch.length === 0) {
        const more = await this.#lines?.next()
        // Read backwards, so that taking the next one is cheap.
        if (more?.value) this.#batch = more.value.toReversed()
      }
    } catch (error) {
      if (!(error instanceof NotLines)) throw error
      this.problem = `${bundlePaths.disclosures} ${error.message}`
      return
    }
    const bytes = this.#batch.pop()
    if (bytes === undefined) return
    this.#read += 1
    const text = utf8(bytes)
    const parsed = DisclosureLine.safeParse(text === null ? undefined : json(text))
    if (!parsed.success || text === null || !isCanonical(text))
      this.problem = `line ${this.#read} of the disclosures cannot be read`
    else if (parsed.data.seq <= this.#last)
      this.problem = `the disclosures of event ${parsed.data.seq} are out of order or stand twice`
    else {
      this.#last = parsed.data.seq
      this.#current = parsed.data
    }
  }
}

function headProblem(
  found: { seq: number; link: string; root: string; at: string | null | undefined },
  counted: { events: number; hidden: number },
  firstAt: string | null,
  manifest: BundleManifest,
): string | null {
  const { head, start, events, hidden } = manifest.ledger
  if (found.seq !== head.seq) return `the log ends at event ${found.seq}, the manifest says ${head.seq}`
  if (found.link !== head.link) return 'the log ends in another link than the manifest says'
  if (found.root !== head.root) return 'the log has another tree root than the manifest says'
  if (counted.events !== events || counted.hidden !== hidden)
    return 'the log holds another number of events than the manifest says'
  if (found.at !== undefined && found.at !== head.at)
    return 'the last event is of another time than the manifest says'
  if (start.at !== null && firstAt !== null && Date.parse(firstAt) < Date.parse(start.at))
    return 'the log begins earlier than the manifest says'
  return null
}

function originProblem(
  first: Uint8Array | null,
  before: number,
  manifest: BundleManifest,
): string | null | undefined {
  if (before !== 0 || first === null) return undefined
  const envelope: unknown = json(utf8(first) ?? '')
  if (at(envelope, ['type']) !== 'ledger.opened') return 'the chain does not begin with its opening'
  const origin = at(envelope, ['event', 'data', 'origin'])
  return origin === manifest.origin
    ? null
    : `the chain is of origin ${String(origin)}, the manifest says ${manifest.origin}`
}

function knownProblem(
  known: readonly KnownPlace[],
  places: ReadonlyMap<number, PlaceSeen>,
): string | null | undefined {
  const inside = known.filter(({ seq }) => places.has(seq))
  if (inside.length === 0) return undefined
  const wrong = inside.find(({ seq, link, root }) => {
    const seen = places.get(seq)
    return (link !== undefined && seen?.link !== link) || (root !== undefined && seen?.root !== root)
  })
  return wrong === undefined
    ? null
    : `event ${wrong.seq} is not the one you knew: the ledger was rewritten or forked`
}

function anchorOf(line: Uint8Array, seq: number): AnchorSeen {
  const envelope = json(utf8(line) ?? '')
  const text = (keys: readonly string[]) => {
    const value = at(envelope, keys)
    return typeof value === 'string' ? value : null
  }
  const size = at(envelope, ['event', 'data', 'size'])
  return {
    seq,
    at: text(['at']) ?? '',
    size: typeof size === 'number' ? size : -1,
    note: text(['event', 'data', 'note']),
    token: text(['event', 'data', 'token']),
  }
}

const latin1 = (bytes: Uint8Array): string => {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}

function utf8(bytes: Uint8Array): string | null {
  try {
    return fromUtf8.decode(bytes)
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

function instantOf(line: Uint8Array): string | null {
  const time = at(json(utf8(line) ?? ''), ['at'])
  return typeof time === 'string' ? time : null
}
