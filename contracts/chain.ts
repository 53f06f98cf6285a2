import { isCanonicalBytes } from './canonical-bytes.ts'
import { type Ends, endsOf, type Facts, factsOf } from './envelope-facts.ts'
import { fromHex, GENESIS_LINK, hashing, sameBytes, type Sha256, standsAt, treeFrontier } from './hashes.ts'
import { streamPlaces } from './stream-places.ts'

/*
 * The walk that verifies a chain, from a database or a file, and finds the first bad event.
 */

const utf8 = new TextEncoder()
const AT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/

/** Where link and leaf stand in what a link hashes, behind the 0x01. */
const LINK = 1
const LEAF = 33

/** One event of a walk. A filtered export keeps the leaf and drops the envelope. */
export interface ChainLine {
  readonly envelope?: string | Uint8Array
  readonly leaf?: Uint8Array
  /** The link as stored; compared where given. */
  readonly link?: Uint8Array
  /** The seq as stored; compared where given. */
  readonly seq?: number
}

/** Why an event is bad. */
export type BadReason =
  | 'seq-gap'
  | 'leaf-mismatch'
  | 'link-mismatch'
  | 'not-canonical'
  | 'malformed'
  | 'wrong-tenant'
  | 'seq-mismatch'
  | 'position-gap'
  | 'time-backwards'
  | 'head-mismatch'
  | 'column-mismatch'
  | 'body-missing'

/** The first bad event of a chain. */
export interface BadEvent {
  readonly ok: false
  readonly seq: number
  readonly reason: BadReason
}

/** A chain that holds. */
export interface GoodChain {
  readonly ok: true
  /** Events walked, and how many of them as a leaf only. */
  readonly events: number
  readonly hidden: number
  readonly tenant: string | null
  readonly seq: number
  readonly link: Uint8Array
  readonly root: Uint8Array | null
  readonly lastAt: string | null
}

/** Where a walk begins: the state before its first line. Omitted, it begins at the genesis. */
export interface ChainStart {
  readonly seq: number
  readonly link: Uint8Array
  readonly frontier: readonly (Uint8Array | null)[]
}

/** An event where it stands among other bytes, as a file or a database hands it over. */
export interface ChainRow {
  readonly bytes: Uint8Array
  /** The seq as stored; -1 where none is, as in a file. */
  readonly seq: number
  /** Where the stored leaf and link begin, 32 bytes each; -1 where none is. */
  readonly leaf: number
  readonly link: number
  /** Where the envelope begins, with the 0x00 that a leaf hashes right before it; -1 where the body is gone. */
  readonly from: number
  readonly to: number
}

export interface ChainVerifier {
  /** Takes the next event; answers the first bad one, from then on always the same. */
  push(line: ChainLine): BadEvent | null
  /** The same for an event whose bytes are read where they stand. */
  pushRow(row: ChainRow): BadEvent | null
  result(): GoodChain | BadEvent
}

export interface VerifyOptions {
  readonly start?: ChainStart
  /** The tenant that the chain must be of; otherwise that of its first envelope. */
  readonly tenant?: string
  /** Read each envelope whole and check that its text is canonical. @default true */
  readonly canonical?: boolean
  /** Compute the RFC 6962 root as well. @default true */
  readonly tree?: boolean
}

/**
 * Walks a chain event by event and finds the first bad one. Checks leaf, link, gap-free seq, the position within
 * each stream, time never running backwards, one tenant, and (unless told otherwise) canonical text.
 * Holds one number a stream in memory. After a line whose body was dropped a stream may skip positions, since the
 * dropped events may be its own.
 */
export const verifyChain = (sha256: Sha256, options: VerifyOptions = {}): ChainVerifier => {
  const start = options.start ?? { seq: 0, link: GENESIS_LINK, frontier: [] }
  const checkText = options.canonical ?? true
  const tree = (options.tree ?? true) ? treeFrontier(sha256, start.frontier) : null
  const placeOf = streamPlaces()
  const hashInto = hashing(sha256)
  // Reused for every event: the leaf's input, and the link's (0x01, previous link, leaf), which the link itself replaces.
  let scratch = new Uint8Array(4096)
  const pair = new Uint8Array(65)
  const link = pair.subarray(LINK, LEAF)
  const sealedLeaf = pair.subarray(LEAF)
  pair[0] = 1
  link.set(start.link)

  let seq = start.seq
  let tenant = options.tenant ?? null
  let lastAt: string | null = null
  let ends: Ends | null = null
  let hidden = 0
  let bad: BadEvent | null = null

  /** Puts 0x00 and the envelope into the scratch; answers where they end. */
  const load = (envelope: string | Uint8Array): number => {
    const needed = (typeof envelope === 'string' ? envelope.length * 3 : envelope.length) + 1
    if (needed > scratch.length) scratch = new Uint8Array(needed * 2)
    if (typeof envelope === 'string') return utf8.encodeInto(envelope, scratch.subarray(1)).written + 1
    scratch.set(envelope, 1)
    return envelope.length + 1
  }

  const judgeFacts = (
    bytes: Uint8Array,
    facts: Facts,
    toldSeq: boolean,
    expected: number,
  ): BadReason | null => {
    if (facts.seq !== expected) return !toldSeq && facts.seq > expected ? 'seq-gap' : 'seq-mismatch'
    tenant ??= facts.tenant
    if (facts.tenant !== tenant) return 'wrong-tenant'
    const stream = placeOf(bytes, facts.stream, facts.streamEnd)
    const whole = hidden === 0 && (stream.position > 0 || start.seq === 0)
    if (whole ? facts.position !== stream.position + 1 : facts.position <= stream.position)
      return 'position-gap'
    stream.position = facts.position
    if (facts.at !== lastAt) {
      if (!AT.test(facts.at)) return 'malformed'
      // Instants of one form and length: order of text is order of time.
      if (lastAt !== null && facts.at < lastAt) return 'time-backwards'
      lastAt = facts.at
    }
    return null
  }

  /** Whether the event's facts and text hold; its leaf already stands in `pair`. */
  const judgeEnvelope = (
    bytes: Uint8Array,
    from: number,
    to: number,
    toldSeq: boolean,
    expected: number,
  ): BadReason | null => {
    ends = endsOf(bytes, from, to, ends)
    const facts = ends && factsOf(bytes, from, to, ends)
    const reason = facts ? judgeFacts(bytes, facts, toldSeq, expected) : 'malformed'
    if (reason) return reason
    return checkText && !isCanonicalBytes(bytes, from, to) ? 'not-canonical' : null
  }

  /** Links the leaf that stands in `pair` to all before it. */
  const seal = (): void => hashInto(pair, pair, LINK)

  const sealed = (expected: number): void => {
    tree?.push(sealedLeaf)
    seq = expected
  }

  const judge = (line: ChainLine, expected: number): BadReason | null => {
    if (line.seq !== undefined && line.seq !== expected) return 'seq-gap'
    if (line.envelope === undefined) {
      if (line.leaf?.length !== 32) return 'malformed'
      pair.set(line.leaf, LEAF)
      hidden++
    } else {
      const end = load(line.envelope)
      hashInto(scratch.subarray(0, end), pair, LEAF)
      if (line.leaf && !(line.leaf.length === 32 && standsAt(line.leaf, pair, LEAF))) return 'leaf-mismatch'
      const reason = judgeEnvelope(scratch, 1, end, line.seq !== undefined, expected)
      if (reason) return reason
      // A text that is no well-formed Unicode was changed when it was encoded.
      if (checkText && typeof line.envelope === 'string' && !line.envelope.isWellFormed())
        return 'not-canonical'
    }
    seal()
    if (line.link && !sameBytes(line.link, link)) return 'link-mismatch'
    sealed(expected)
    return null
  }

  const judgeRow = (row: ChainRow, expected: number): BadReason | null => {
    const { bytes, from, to } = row
    if (row.seq >= 0 && row.seq !== expected) return 'seq-gap'
    if (from < 0) {
      pair.set(bytes.subarray(row.leaf, row.leaf + 32), LEAF)
      hidden++
    } else {
      hashInto(bytes.subarray(from - 1, to), pair, LEAF)
      if (row.leaf >= 0 && !standsAt(sealedLeaf, bytes, row.leaf)) return 'leaf-mismatch'
      const reason = judgeEnvelope(bytes, from, to, row.seq >= 0, expected)
      if (reason) return reason
    }
    seal()
    if (row.link >= 0 && !standsAt(link, bytes, row.link)) return 'link-mismatch'
    sealed(expected)
    return null
  }

  const judged = (reason: BadReason | null, expected: number): BadEvent | null => {
    if (reason) bad = { ok: false, seq: expected, reason }
    return bad
  }

  return {
    push: (line) => bad ?? judged(judge(line, seq + 1), seq + 1),
    pushRow: (row) => bad ?? judged(judgeRow(row, seq + 1), seq + 1),
    result: () =>
      bad ?? {
        ok: true,
        events: seq - start.seq,
        hidden,
        tenant,
        seq,
        link: link.slice(),
        root: tree?.root() ?? null,
        lastAt,
      },
  }
}

/** Reads one line of `events.jsonl`: an exact envelope, or `{"leaf":"<hex>"}` where the body was dropped. */
export const chainLine = (text: string): ChainLine => {
  if (!text.startsWith('{"leaf":')) return { envelope: text }
  const leaf = /^\{"leaf":"([0-9a-f]{64})"\}$/.exec(text)?.[1]
  const bytes = leaf === undefined ? null : fromHex(leaf)
  return bytes ? { leaf: bytes } : {}
}
