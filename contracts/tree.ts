import { nodeOf, sameBytes, type Sha256 } from './ledger.ts'

/*
 * Proofs over the RFC 6962 tree of a chain's leaves: that an event is in it, and that a later tree holds an earlier
 * one. Which hashes a proof needs is told apart from fetching them, so that they may come from anywhere.
 */

/** A complete subtree: `2^level` leaves from `index · 2^level` on. */
export interface Subtree {
  readonly level: number
  readonly index: number
}

/** Leaves from `from` up to, not including, `to`. */
interface Span {
  readonly from: number
  readonly to: number
}

/** The largest power of two below `n`, for n of at least two. */
const splitOf = (n: number): number => {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}

/** The complete subtrees of a span that begins at a multiple of its own size, largest first. */
const subtreesOf = ({ from, to }: Span): Subtree[] => {
  const found: Subtree[] = []
  // Ends: each step takes at least one leaf, and at most 53 of them are needed.
  for (let at = from; at < to; ) {
    let level = 0
    while (at + 2 ** (level + 1) <= to && at % 2 ** (level + 1) === 0) level++
    found.push({ level, index: at / 2 ** level })
    at += 2 ** level
  }
  return found
}

/** The subtrees of each hash of a proof; a hash of several is folded from its last to its first. */
export type ProofPlan = readonly (readonly Subtree[])[]

/** The subtrees whose fold is the root over the first `size` leaves. */
export const rootPlan = (size: number): readonly Subtree[] => subtreesOf({ from: 0, to: size })

/**
 * What the inclusion proof of a leaf needs, from the leaf's sibling up.
 * @param index counted from 0
 * @throws RangeError when the leaf is not in the tree
 * @see RFC 6962 section 2.1.1
 */
export const inclusionPlan = (index: number, size: number): ProofPlan => {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size)
    throw new RangeError(`leaf ${index} is not in a tree of ${size}`)
  const path: Span[] = []
  let from = 0
  let to = size
  while (to - from > 1) {
    const middle = from + splitOf(to - from)
    if (index < middle) {
      path.push({ from: middle, to })
      to = middle
    } else {
      path.push({ from, to: middle })
      from = middle
    }
  }
  return path.toReversed().map(subtreesOf)
}

/**
 * What the proof needs that a tree of `size` leaves begins with the one of `earlier`.
 * @throws RangeError when the earlier tree is empty or the larger one
 * @see RFC 6962 section 2.1.2
 */
export const consistencyPlan = (earlier: number, size: number): ProofPlan => {
  if (!Number.isSafeInteger(earlier) || earlier < 1 || earlier > size)
    throw new RangeError(`a tree of ${size} cannot begin with one of ${earlier}`)
  const proof: Span[] = []
  let from = 0
  let to = size
  let whole = true
  while (to > earlier) {
    const middle = from + splitOf(to - from)
    if (earlier <= middle) {
      proof.push({ from: middle, to })
      to = middle
    } else {
      proof.push({ from, to: middle })
      from = middle
      whole = false
    }
  }
  if (!whole) proof.push({ from, to })
  return proof.toReversed().map(subtreesOf)
}

/** One hash of a proof from those of its subtrees. */
export const foldSubtrees = (sha256: Sha256, hashes: readonly Uint8Array[]): Uint8Array =>
  hashes.length === 0
    ? sha256(new Uint8Array(0))
    : hashes.reduceRight((right, left) => nodeOf(sha256, left, right))

/**
 * Whether a leaf stands at a place of the tree with this root.
 * @see RFC 9162 section 2.1.3.2
 */
export const inclusionHolds = (
  sha256: Sha256,
  claim: {
    readonly leaf: Uint8Array
    readonly index: number
    readonly size: number
    readonly root: Uint8Array
  },
  proof: readonly Uint8Array[],
): boolean => {
  if (!Number.isSafeInteger(claim.index) || claim.index < 0 || claim.index >= claim.size) return false
  let place = claim.index
  let last = claim.size - 1
  let hash = claim.leaf
  for (const sibling of proof) {
    if (last === 0) return false
    if (place % 2 === 1 || place === last) {
      hash = nodeOf(sha256, sibling, hash)
      while (place % 2 === 0 && place !== 0) {
        place = Math.floor(place / 2)
        last = Math.floor(last / 2)
      }
    } else hash = nodeOf(sha256, hash, sibling)
    place = Math.floor(place / 2)
    last = Math.floor(last / 2)
  }
  return last === 0 && sameBytes(hash, claim.root)
}

/** A tree as a checkpoint tells it. */
export interface TreeHead {
  readonly size: number
  readonly root: Uint8Array
}

/**
 * Whether the later tree begins with the earlier one.
 * @see RFC 9162 section 2.1.4.2
 */
export const consistencyHolds = (
  sha256: Sha256,
  earlier: TreeHead,
  later: TreeHead,
  proof: readonly Uint8Array[],
): boolean => {
  if (earlier.size < 1 || earlier.size > later.size) return false
  if (earlier.size === later.size) return proof.length === 0 && sameBytes(earlier.root, later.root)
  // A complete earlier tree is a node of the later one, and the proof leaves it out.
  const whole = 2 ** Math.floor(Math.log2(earlier.size)) === earlier.size
  const [first, ...rest] = whole ? [earlier.root, ...proof] : proof
  if (first === undefined) return false
  let place = earlier.size - 1
  let last = later.size - 1
  while (place % 2 === 1) {
    place = Math.floor(place / 2)
    last = Math.floor(last / 2)
  }
  let before = first
  let after = first
  for (const hash of rest) {
    if (last === 0) return false
    if (place % 2 === 1 || place === last) {
      before = nodeOf(sha256, hash, before)
      after = nodeOf(sha256, hash, after)
      while (place % 2 === 0 && place !== 0) {
        place = Math.floor(place / 2)
        last = Math.floor(last / 2)
      }
    } else after = nodeOf(sha256, after, hash)
    place = Math.floor(place / 2)
    last = Math.floor(last / 2)
  }
  return last === 0 && sameBytes(before, earlier.root) && sameBytes(after, later.root)
}
