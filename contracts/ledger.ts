/*
 * The bytes of the ledger: canonical text, leaf, link, tree, and the walk that verifies a chain.
 * Imports nothing and takes the hash function as a parameter, so that the same lines run in the services, in the
 * command line and in the single-file verifier of a browser.
 */

/** SHA-256 of the bytes given, as 32 bytes. Synchronous. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array

/** The link before the first event: 32 zero bytes. */
export const GENESIS_LINK: Uint8Array = new Uint8Array(32)

/** The largest envelope in bytes: half of what the bus's Standard tier carries. Larger facts are split. */
export const MAX_ENVELOPE_BYTES = 131_072

/** How deep a value may nest; deeper is a mistake (or a cycle), never a fact. */
const MAX_DEPTH = 64

const utf8 = new TextEncoder()
const fromUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A value that has no canonical text, and where it sits. */
export class NotCanonical extends Error {
  override readonly name = 'NotCanonical'
  readonly path: string
  constructor(path: string, why: string) {
    super(`${path === '' ? 'the value' : path} ${why}`)
    this.path = path
  }
}

const ASCII_KEY = /^[\x20-\x7e]*$/

/** Checks a value against the rules and says whether every object's keys already stand in order. */
const inspect = (value: unknown, path: string, depth: number): boolean => {
  switch (typeof value) {
    case 'boolean':
      return true
    case 'string':
      if (!value.isWellFormed()) throw new NotCanonical(path, 'holds a lone surrogate')
      return true
    case 'number':
      if (!Number.isSafeInteger(value) || Object.is(value, -0))
        throw new NotCanonical(
          path,
          `is ${Object.is(value, -0) ? '-0' : value}; only safe integers are allowed`,
        )
      return true
    case 'object':
      break
    case 'undefined':
    case 'bigint':
    case 'symbol':
    case 'function':
      throw new NotCanonical(path, `is ${typeof value}`)
  }
  if (value === null) return true
  if (depth >= MAX_DEPTH) throw new NotCanonical(path, `nests deeper than ${MAX_DEPTH}`)
  let ordered = true
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) ordered = inspect(value[i], `${path}[${i}]`, depth + 1) && ordered
    return ordered
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if ((prototype !== Object.prototype && prototype !== null) || 'toJSON' in value)
    throw new NotCanonical(path, 'is not a plain object')
  let last: string | undefined
  for (const [key, member] of Object.entries(value)) {
    if (!ASCII_KEY.test(key))
      throw new NotCanonical(path, `has the key ${JSON.stringify(key)}; keys are ASCII`)
    if (last !== undefined && key < last) ordered = false
    last = key
    ordered = inspect(member, path === '' ? key : `${path}.${key}`, depth + 1) && ordered
  }
  return ordered
}

/** Writes an inspected value with sorted keys. Not by a sorted copy: engines move keys like "10" to the front. */
const write = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${write(member)}`).join(',')}}`
}

/**
 * The canonical JSON text of a value: RFC 8785, narrowed to ASCII keys and safe integers.
 * @throws {NotCanonical} naming the path of the first float, -0, lone surrogate, undefined, foreign key or object
 * @see RFC 8785 section 3.2
 */
export const canonical = (value: unknown): string =>
  // Most values are built in order: the native writer is then several times faster than ours.
  inspect(value, '', 0) ? JSON.stringify(value) : write(value)

/** Whether a text is the canonical text of what it says: no spaces, no doubled or unsorted keys, no floats. */
export const isCanonical = (text: string): boolean => {
  try {
    return canonical(JSON.parse(text)) === text
  } catch (error) {
    if (error instanceof NotCanonical || error instanceof SyntaxError) return false
    throw error
  }
}

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

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
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
  return {
    push(leaf) {
      let node = leaf
      let level = 0
      for (let left = edge[0]; left; left = edge[level]) {
        node = nodeOf(sha256, left, node)
        edge[level] = null
        level++
      }
      edge[level] = node
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

export interface ChainVerifier {
  /** Takes the next event; answers the first bad one, from then on always the same. */
  push(line: ChainLine): BadEvent | null
  result(): GoodChain | BadEvent
}

export interface VerifyOptions {
  readonly start?: ChainStart
  /** The tenant that the chain must be of; otherwise that of its first envelope. */
  readonly tenant?: string
  /** Parse each envelope and check that its text is canonical. @default true (about five times slower) */
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

const HEAD = /^\{"at":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z)","event":\{/
const TAIL =
  /\},"position":([1-9]\d*),"seq":([1-9]\d*),"stream":"([^"\\]+)","tenant":"([^"\\]+)","type":"([^"\\]+)"\}$/

/** The ends of an envelope are short and of a fixed form: they are read without parsing what lies between. */
const factsOf = (envelope: string | Uint8Array): Facts | null => {
  const [start, end] =
    typeof envelope === 'string'
      ? [envelope.slice(0, 64), envelope.slice(-512)]
      : [ascii(envelope.subarray(0, 64)), ascii(envelope.subarray(-512))]
  const head = HEAD.exec(start)
  const tail = TAIL.exec(end)
  const [at, position, seq, stream, tenant] = [head?.[1], tail?.[1], tail?.[2], tail?.[3], tail?.[4]]
  if (
    at === undefined ||
    position === undefined ||
    seq === undefined ||
    stream === undefined ||
    tenant === undefined
  )
    return null
  return { at, position: Number(position), seq: Number(seq), stream, tenant }
}

const oneByte = new TextDecoder('latin1')
const ascii = (bytes: Uint8Array): string => oneByte.decode(bytes)

const textOf = (envelope: string | Uint8Array): string | null => {
  if (typeof envelope === 'string') return envelope
  try {
    return fromUtf8.decode(envelope)
  } catch (error) {
    if (error instanceof TypeError) return null
    throw error
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
  // Reused for every event: the leaf's input, and the link's.
  let scratch = new Uint8Array(4096)
  const pair = new Uint8Array(65)
  pair[0] = 1

  let seq = start.seq
  let link = start.link
  let tenant = options.tenant ?? null
  let lastAt: string | null = null
  let hidden = 0
  let bad: BadEvent | null = null

  const leafFor = (envelope: string | Uint8Array): Uint8Array => {
    const needed = (typeof envelope === 'string' ? envelope.length * 3 : envelope.length) + 1
    if (needed > scratch.length) scratch = new Uint8Array(needed * 2)
    let length = envelope.length
    if (typeof envelope === 'string') length = utf8.encodeInto(envelope, scratch.subarray(1)).written
    else scratch.set(envelope, 1)
    return sha256(scratch.subarray(0, length + 1))
  }

  const judge = (line: ChainLine, expected: number): BadReason | null => {
    if (line.seq !== undefined && line.seq !== expected) return 'seq-gap'
    let leaf = line.leaf
    if (line.envelope === undefined) {
      if (leaf?.length !== 32) return 'malformed'
      hidden++
    } else {
      const computed = leafFor(line.envelope)
      if (leaf && !sameBytes(leaf, computed)) return 'leaf-mismatch'
      leaf = computed
      const facts = factsOf(line.envelope)
      if (!facts) return 'malformed'
      if (facts.seq !== expected)
        return line.seq === undefined && facts.seq > expected ? 'seq-gap' : 'seq-mismatch'
      tenant ??= facts.tenant
      if (facts.tenant !== tenant) return 'wrong-tenant'
      const before = positions.get(facts.stream)
      const whole = hidden === 0 && (before !== undefined || start.seq === 0)
      if (whole ? facts.position !== (before ?? 0) + 1 : facts.position <= (before ?? 0))
        return 'position-gap'
      positions.set(facts.stream, facts.position)
      // Instants of one form and length: order of text is order of time.
      if (lastAt !== null && facts.at < lastAt) return 'time-backwards'
      lastAt = facts.at
      if (checkText) {
        const text = textOf(line.envelope)
        if (text === null || !isCanonical(text)) return 'not-canonical'
      }
    }
    pair.set(link, 1)
    pair.set(leaf, 33)
    const next = sha256(pair)
    if (line.link && !sameBytes(line.link, next)) return 'link-mismatch'
    link = next
    tree?.push(leaf)
    seq = expected
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
    result: () =>
      bad ?? {
        ok: true,
        events: seq - start.seq,
        hidden,
        tenant,
        seq,
        link,
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
