import { canonical } from './canonical.ts'

/*
 * What the ledger hashes: envelope, leaf, link, commitment, tree.
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

/** What an event's opened fields hold at most beside the envelope, with their salts, in bytes. */
export const MAX_PRIVATE_BYTES = 3 * MAX_ENVELOPE_BYTES

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
export const hashing = (sha256: Sha256): NonNullable<Sha256['into']> =>
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

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Lower-case hexadecimal. */
export const toHex = (bytes: Uint8Array): string => {
  let text = ''
  for (const byte of bytes) text += HEX[byte]
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

/** A copy of the bytes between two places. Not by `slice()`: of a Buffer of Node's that is a view, which changes with it. */
export const copyOf = (bytes: Uint8Array, from: number, to: number): Uint8Array =>
  new Uint8Array(bytes.subarray(from, to))

/** Whether `whole` holds `part` at a place. Four bytes a turn: a walk asks it of some two hundred bytes an event. */
export const standsAt = (part: Uint8Array, whole: Uint8Array, at: number): boolean => {
  const length = part.length
  // Beyond the ends nothing is compared: a read there makes every later one slower.
  if (at < 0 || at + length > whole.length) return false
  let i = 0
  let j = at
  for (; i + 4 <= length; i += 4, j += 4)
    if (
      part[i] !== whole[j] ||
      part[i + 1] !== whole[j + 1] ||
      part[i + 2] !== whole[j + 2] ||
      part[i + 3] !== whole[j + 3]
    )
      return false
  for (; i < length; i++, j++) if (part[i] !== whole[j]) return false
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
