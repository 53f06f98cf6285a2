import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { leafOf, nodeOf, type Sha256, treeFrontier } from './ledger.ts'
import {
  consistencyHolds,
  consistencyPlan,
  foldSubtrees,
  inclusionHolds,
  inclusionPlan,
  type ProofPlan,
  rootPlan,
  type Subtree,
} from './tree.ts'

const sha256: Sha256 = (bytes) => Uint8Array.from(createHash('sha256').update(bytes).digest())
const leaves = Array.from({ length: 34 }, (_, i) => leafOf(sha256, `event ${i}`))

const nodeAt = ({ level, index }: Subtree): Uint8Array =>
  level === 0
    ? (leaves[index] ?? new Uint8Array())
    : nodeOf(
        sha256,
        nodeAt({ level: level - 1, index: 2 * index }),
        nodeAt({ level: level - 1, index: 2 * index + 1 }),
      )
const fold = (subtrees: readonly Subtree[]) => foldSubtrees(sha256, subtrees.map(nodeAt))
const made = (plan: ProofPlan) => plan.map(fold)
const rootOf = (size: number) => {
  const tree = treeFrontier(sha256)
  for (const leaf of leaves.slice(0, size)) tree.push(leaf)
  return tree.root()
}
const flipped = (hash: Uint8Array) => hash.map((octet, i) => (i === 0 ? octet ^ 1 : octet))

test('the root of any size is the fold of its complete subtrees, the empty one included', () => {
  for (let size = 0; size <= 34; size++) expect(fold(rootPlan(size))).toEqual(rootOf(size))
})

describe('an inclusion proof', () => {
  test('holds for every leaf of every tree, and for no other leaf, place, size or hash', () => {
    for (let size = 1; size <= 34; size++) {
      const root = rootOf(size)
      for (let index = 0; index < size; index++) {
        const leaf = leaves[index] ?? root
        const proof = made(inclusionPlan(index, size))
        expect(inclusionHolds(sha256, { leaf, index, size, root }, proof), `${index} of ${size}`).toBe(true)
        expect(inclusionHolds(sha256, { leaf: flipped(leaf), index, size, root }, proof)).toBe(false)
        expect(inclusionHolds(sha256, { leaf, index, size, root: flipped(root) }, proof)).toBe(false)
        expect(inclusionHolds(sha256, { leaf, index, size, root }, [...proof, root])).toBe(false)
        const other = index === 0 ? size - 1 : index - 1
        // A tree of one leaf has no other place and no shorter proof.
        expect(inclusionHolds(sha256, { leaf, index: other, size, root }, proof)).toBe(size === 1)
        expect(inclusionHolds(sha256, { leaf, index, size, root }, proof.slice(1))).toBe(size === 1)
      }
    }
  })

  test('is refused where there is no such leaf', () => {
    expect(() => inclusionPlan(5, 5)).toThrow('not in a tree of 5')
    expect(() => inclusionPlan(-1, 5)).toThrow(RangeError)
    const root = rootOf(5)
    expect(inclusionHolds(sha256, { leaf: root, index: 5, size: 5, root }, [])).toBe(false)
  })
})

describe('a consistency proof', () => {
  test('holds between every two trees of one log, and for no fork of it', () => {
    for (let size = 1; size <= 34; size++) {
      for (let earlier = 1; earlier <= size; earlier++) {
        const before = { size: earlier, root: rootOf(earlier) }
        const after = { size, root: rootOf(size) }
        const proof = made(consistencyPlan(earlier, size))
        expect(consistencyHolds(sha256, before, after, proof), `${earlier} of ${size}`).toBe(true)
        const forked = { ...before, root: flipped(before.root) }
        expect(consistencyHolds(sha256, forked, after, proof)).toBe(false)
        expect(consistencyHolds(sha256, before, { ...after, root: flipped(after.root) }, proof)).toBe(false)
        expect(consistencyHolds(sha256, before, after, [...proof, after.root])).toBe(false)
        expect(consistencyHolds(sha256, before, after, proof.slice(1))).toBe(earlier === size)
      }
    }
  })

  test('is refused from an empty tree and from a larger one', () => {
    expect(() => consistencyPlan(0, 5)).toThrow(RangeError)
    expect(() => consistencyPlan(6, 5)).toThrow('cannot begin')
    const head = { size: 5, root: rootOf(5) }
    expect(consistencyHolds(sha256, { size: 6, root: rootOf(6) }, head, [])).toBe(false)
  })
})

test('the proofs of RFC 6962 section 2.1.3 name the same nodes', () => {
  // Seven leaves: the audit path of d3 is c, g, l; consistency of 3 with 7 is c, d, g, l; of 4 with 7 is l.
  const [c, d, g, l] = [
    { level: 0, index: 2 },
    { level: 0, index: 3 },
    { level: 1, index: 0 },
    [
      { level: 1, index: 2 },
      { level: 0, index: 6 },
    ],
  ]
  expect(inclusionPlan(3, 7)).toEqual([[c], [g], l])
  expect(consistencyPlan(3, 7)).toEqual([[c], [d], [g], l])
  expect(consistencyPlan(4, 7)).toEqual([l])
})
