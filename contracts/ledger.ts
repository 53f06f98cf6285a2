import { isCanonicalBytes } from './canonical-bytes.ts'
import { canonical } from './canonical.ts'

export * from './canonical.ts'

/*
 * The bytes of the ledger: leaf, link, tree, and the walk that verifies a chain.
 * Imports canonical text alone and takes the hash function as a parameter, so that the same lines run in the
 * services, in the command line and in the single-file verifier of a browser.
 */

/** SHA-256 of the bytes given, as 32 bytes. Synchronous. */
export interface Sha256 {
  (bytes: Uint8Array): Uint8Array
  /** The same, written to a place of the caller's. Where given, walks use it: making a small array costs more. */
  readonly into?: (bytes: Uint8Array, output: Uint8Array, at: number) => void
}

/** The link before the first event: 32 zero bytes. */
export const GENESIS_LINK: Uint8Array = new Uint8Array(32)

/** The largest envelope in bytes: half of what the bus's Standard tier carries. Larger facts are split. */
export const MAX_ENVELOPE_BYTES = 131_072

const utf8 = new TextEncoder()

/** The parts of an envelope; `event` is already canonical text. */
export interface EnvelopeParts {
  readonly at: string
  readonly event: string
  readonly position: number
  readonly seq: number
  readonly stream: string
  readonly tenant: string
  readonly type: string
}

/** The exact text that is hashed. Its keys are in canonical order, so with a canonical `event` the whole is. */
export const envelopeText = (p: EnvelopeParts): string =>
  `{"at":${JSON.stringify(p.at)},"event":${p.event},"position":${p.position},"seq":${p.seq},"stream":${JSON.stringify(p.stream)},"tenant":${JSON.stringify(p.tenant)},"type":${JSON.stringify(p.type)}}`

/** `H(0x00 ‖ envelope)`: an event's leaf, in the chain and in the RFC 6962 tree alike. */
export const leafOf = (sha256: Sha256, envelope: string | Uint8Array): Uint8Array => {
  const bytes = typeof envelope === 'string' ? utf8.encode(envelope) : envelope
  const input = new Uint8Array(bytes.length + 1)
  input.set(bytes, 1)
  return sha256(input)
}

/** The hash written to a place of the caller's, whatever the platform offers. */
const hashing = (sha256: Sha256): NonNullable<Sha256['into']> =>
  sha256.into ?? ((bytes, output, at) => output.set(sha256(bytes), at))

const paired = (sha256: Sha256, left: Uint8Array, right: Uint8Array): Uint8Array => {
  const input = new Uint8Array(65)
  input[0] = 1
  input.set(left, 1)
  input.set(right, 33)
  return sha256(input)
}

/** `H(0x01 ‖ previous link ‖ leaf)`: what seals an event to all before it. */
export const linkOf = (sha256: Sha256, previous: Uint8Array, leaf: Uint8Array): Uint8Array =>
  paired(sha256, previous, leaf)

/** An inner node of the tree. @see RFC 6962 section 2.1 */
export const nodeOf = (sha256: Sha256, left: Uint8Array, right: Uint8Array): Uint8Array =>
  paired(sha256, left, right)

/** Lower-case hexadecimal. */
export const toHex = (bytes: Uint8Array): string => {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

/** The bytes of a lower-case hexadecimal text, or null where it is none. */
export const fromHex = (text: string): Uint8Array | null => {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) return null
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && standsAt(a, b, 0)

/** Whether `whole` holds `part` at a place. */
const standsAt = (part: Uint8Array, whole: Uint8Array, at: number): boolean => {
  for (let i = 0; i < part.length; i++) if (part[i] !== whole[at + i]) return false
  return true
}

/**
 * What stands in the envelope for a private value: `#` and the hex of
 * `SHA-256(salt ‖ utf8(path) ‖ 0x00 ‖ utf8(canonical(value)))`. The salt (16 random bytes, one a field) makes a
 * guessed name useless; the path keeps a commitment from being moved to another field.
 */
export const commitment = (sha256: Sha256, salt: Uint8Array, path: string, value: unknown): string => {
  if (salt.length !== 16) throw new RangeError('a commitment takes a salt of 16 bytes')
  const name = utf8.encode(path)
  const text = utf8.encode(canonical(value))
  const input = new Uint8Array(16 + name.length + 1 + text.length)
  input.set(salt)
  input.set(name, 16)
  input.set(text, 16 + name.length + 1)
  return `#${toHex(sha256(input))}`
}

/** A tree that grows by leaves and holds only its right edge: at most one node a level. */
export interface TreeFrontier {
  push(leaf: Uint8Array): void
  /** The root over all leaves so far. @see RFC 6962 section 2.1 */
  root(): Uint8Array
  /** The complete subtrees of the right edge, smallest first; null where a level has none. */
  nodes(): readonly (Uint8Array | null)[]
  readonly size: number
}

/** Starts a tree, or goes on from a frontier written down earlier. */
export const treeFrontier = (sha256: Sha256, from: readonly (Uint8Array | null)[] = []): TreeFrontier => {
  const edge: (Uint8Array | null)[] = [...from]
  let size = edge.reduce((sum, node, level) => sum + (node ? 2 ** level : 0), 0)
  const hashInto = hashing(sha256)
  const pair = new Uint8Array(65)
  pair[0] = 1
  return {
    push(leaf) {
      let level = 0
      let left = edge[0]
      if (!left) {
        edge[0] = leaf.slice()
        size++
        return
      }
      // The right child of the next level up, in the place that it is hashed from.
      pair.set(leaf, 33)
      for (; left; left = edge[level]) {
        pair.set(left, 1)
        hashInto(pair, pair, 33)
        edge[level] = null
        level++
      }
      edge[level] = pair.slice(33)
      size++
    },
    root() {
      let root: Uint8Array | null = null
      for (const node of edge) if (node) root = root ? nodeOf(sha256, node, root) : node
      return root ?? sha256(new Uint8Array(0))
    },
    nodes: () => [...edge],
    get size() {
      return size
    },
  }
}

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

/** Events that follow each other, as a database hands them over in one piece. */
export interface ChainBlock {
  /**
   * The envelopes with a byte 0x00 between them: what a leaf hashes stands there as it is. Empty where the body is
   * gone and only the leaf is left.
   */
  readonly envelopes: Uint8Array
  /** The stored leaves and links, 32 bytes an event. */
  readonly leaves: Uint8Array
  readonly links: Uint8Array
}

export interface ChainVerifier {
  /** Takes the next event; answers the first bad one, from then on always the same. */
  push(line: ChainLine): BadEvent | null
  /** Takes the next events at once; the same as one by one, but without an object for each. */
  pushBlock(block: ChainBlock): BadEvent | null
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

/** What the verifier reads of an envelope. */
interface Facts {
  readonly at: string
  readonly position: number
  readonly seq: number
  readonly stream: string
  readonly tenant: string
}

const HEAD = utf8.encode('{"at":"')
const AFTER_AT = utf8.encode('","event":{')
const BEFORE_POSITION = utf8.encode('},"position":')
const BEFORE_SEQ = utf8.encode(',"seq":')
const BEFORE_STREAM = utf8.encode(',"stream":"')
const BEFORE_TENANT = utf8.encode('","tenant":"')
const BEFORE_TYPE = utf8.encode('","type":"')
const END = utf8.encode('"}')
const QUOTE = 0x22
const AT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/

/** Where the literal that must end at `end` begins, or -1. */
const literalBefore = (bytes: Uint8Array, end: number, literal: Uint8Array): number => {
  const start = end - literal.length
  if (start < 0) return -1
  for (let i = 0; i < literal.length; i++) if (bytes[start + i] !== literal[i]) return -1
  return start
}

/** Where the plain ASCII text that ends at `end` begins: after the quote before it. -1 if empty or not plain. */
const textBefore = (bytes: Uint8Array, end: number): number => {
  let i = end - 1
  for (; i >= 0; i--) {
    const byte = bytes[i] ?? 0
    if (byte === QUOTE) break
    if (byte < 0x20 || byte > 0x7e || byte === 0x5c) return -1
  }
  return i < 0 || i + 1 === end ? -1 : i + 1
}

/** Where the digits that end at `end` begin; -1 where there are none, or a zero leads. */
const digitsBefore = (bytes: Uint8Array, end: number): number => {
  let i = end
  while (i > 0 && (bytes[i - 1] ?? 0) >= 0x30 && (bytes[i - 1] ?? 0) <= 0x39) i--
  return i === end || bytes[i] === 0x30 || end - i > 15 ? -1 : i
}

const numberAt = (bytes: Uint8Array, from: number, to: number): number => {
  let value = 0
  for (let i = from; i < to; i++) value = value * 10 + (bytes[i] ?? 0) - 0x30
  return value
}

/** The text of plain ASCII bytes. */
const asciiAt = (bytes: Uint8Array, from: number, to: number): string =>
  // Typed as an array alone, though any array-like is taken, and a typed array is spread ten times slower.
  String.fromCharCode.apply(null, bytes.subarray(from, to) as unknown as number[])

/** The ends of an envelope, which most events of a walk share with the one before. */
interface Ends {
  /** From `{"at":"` to the opening of the event, and the instant in it. */
  readonly head: Uint8Array
  readonly at: string
  /** From the end of the stream to the last brace, and the tenant in it. */
  readonly tail: Uint8Array
  readonly tenant: string
}

const readHead = (bytes: Uint8Array, from: number): Pick<Ends, 'head' | 'at'> | null => {
  const at = from + HEAD.length
  if (literalBefore(bytes, at, HEAD) !== from) return null
  const atEnd = bytes.indexOf(QUOTE, at)
  const end = atEnd + AFTER_AT.length
  if (atEnd < 0 || atEnd - at > 32 || literalBefore(bytes, end, AFTER_AT) !== atEnd) return null
  return { head: bytes.slice(from, end), at: asciiAt(bytes, at, atEnd) }
}

const readTail = (bytes: Uint8Array, to: number): Pick<Ends, 'tail' | 'tenant'> | null => {
  const typeEnd = literalBefore(bytes, to, END)
  const type = textBefore(bytes, typeEnd)
  const tenantEnd = literalBefore(bytes, type, BEFORE_TYPE)
  const tenant = textBefore(bytes, tenantEnd)
  const streamEnd = literalBefore(bytes, tenant, BEFORE_TENANT)
  if (streamEnd < 0) return null
  return { tail: bytes.slice(streamEnd, to), tenant: asciiAt(bytes, tenant, tenantEnd) }
}

/** The ends of an envelope; those given where they are the same. */
const endsOf = (bytes: Uint8Array, from: number, to: number, before: Ends | null): Ends | null => {
  const sameHead = before !== null && standsAt(before.head, bytes, from)
  const sameTail = before !== null && standsAt(before.tail, bytes, to - before.tail.length)
  if (sameHead && sameTail) return before
  const head = sameHead ? before : readHead(bytes, from)
  const tail = sameTail ? before : readTail(bytes, to)
  return head && tail && { head: head.head, at: head.at, tail: tail.tail, tenant: tail.tenant }
}

/** The ends of an envelope are of a fixed form: they are read backwards, without parsing what lies between. */
const factsOf = (bytes: Uint8Array, from: number, to: number, ends: Ends): Facts | null => {
  const streamEnd = to - ends.tail.length
  const stream = textBefore(bytes, streamEnd)
  const seqEnd = literalBefore(bytes, stream, BEFORE_STREAM)
  const seq = digitsBefore(bytes, seqEnd)
  const positionEnd = literalBefore(bytes, seq, BEFORE_SEQ)
  const position = digitsBefore(bytes, positionEnd)
  // A -1 anywhere above makes every later step -1.
  if (literalBefore(bytes, position, BEFORE_POSITION) < from + ends.head.length) return null
  return {
    at: ends.at,
    position: numberAt(bytes, position, positionEnd),
    seq: numberAt(bytes, seq, seqEnd),
    stream: asciiAt(bytes, stream, streamEnd),
    tenant: ends.tenant,
  }
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
  const positions = new Map<string, number>()
  const hashInto = hashing(sha256)
  // Reused for every event: the leaf's input, the link's (0x01, previous link, leaf), and the link.
  let scratch = new Uint8Array(4096)
  const pair = new Uint8Array(65)
  const sealedLeaf = pair.subarray(33)
  const link = new Uint8Array(32)
  pair[0] = 1
  link.set(start.link)
  const LEAF = 33

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

  const judgeFacts = (facts: Facts, toldSeq: boolean, expected: number): BadReason | null => {
    if (facts.seq !== expected) return !toldSeq && facts.seq > expected ? 'seq-gap' : 'seq-mismatch'
    tenant ??= facts.tenant
    if (facts.tenant !== tenant) return 'wrong-tenant'
    const before = positions.get(facts.stream)
    const whole = hidden === 0 && (before !== undefined || start.seq === 0)
    if (whole ? facts.position !== (before ?? 0) + 1 : facts.position <= (before ?? 0)) return 'position-gap'
    positions.set(facts.stream, facts.position)
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
    const reason = facts ? judgeFacts(facts, toldSeq, expected) : 'malformed'
    if (reason) return reason
    return checkText && !isCanonicalBytes(bytes, from, to) ? 'not-canonical' : null
  }

  /** Links the leaf that stands in `pair` to all before it. */
  const seal = (): void => {
    pair.set(link, 1)
    hashInto(pair, link, 0)
  }

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

  /** Judges the envelope from `from` to `to`, whose stored hashes stand at `at`. */
  const judgeWithin = (
    block: ChainBlock,
    from: number,
    to: number,
    at: number,
    expected: number,
  ): BadReason | null => {
    const { envelopes } = block
    if (from === to) {
      pair.set(block.leaves.subarray(at, at + 32), LEAF)
      hidden++
    }
    // The first has no 0x00 before it.
    else if (from === 0) hashInto(scratch.subarray(0, load(envelopes.subarray(0, to))), pair, LEAF)
    else hashInto(envelopes.subarray(from - 1, to), pair, LEAF)
    for (let i = 0; i < 32; i++) if (block.leaves[at + i] !== pair[LEAF + i]) return 'leaf-mismatch'
    const reason = from === to ? null : judgeEnvelope(envelopes, from, to, true, expected)
    if (reason) return reason
    seal()
    for (let i = 0; i < 32; i++) if (block.links[at + i] !== link[i]) return 'link-mismatch'
    sealed(expected)
    return null
  }

  return {
    push(line) {
      if (bad) return bad
      const expected = seq + 1
      const reason = judge(line, expected)
      if (reason) bad = { ok: false, seq: expected, reason }
      return bad
    },
    pushBlock(block) {
      const { envelopes, leaves, links } = block
      let at = 0
      for (let from = 0; from <= envelopes.length && !bad; at += 32) {
        const next = envelopes.indexOf(0, from)
        const to = next < 0 ? envelopes.length : next
        const expected = seq + 1
        const reason = judgeWithin(block, from, to, at, expected)
        if (reason) bad = { ok: false, seq: expected, reason }
        from = to + 1
      }
      if (!bad && (leaves.length !== at || links.length !== at))
        bad = { ok: false, seq: seq + 1, reason: leaves.length === at ? 'link-mismatch' : 'leaf-mismatch' }
      return bad
    },
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
