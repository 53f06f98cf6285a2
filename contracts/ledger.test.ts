import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  type BadReason,
  type ChainLine,
  canonical,
  chainLine,
  commitment,
  envelopeText,
  GENESIS_LINK,
  isCanonical,
  leafOf,
  linkOf,
  NotCanonical,
  nodeOf,
  toHex,
  treeFrontier,
  verifyChain,
} from './ledger.ts'

const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest())
const hexOf = (...parts: (string | Uint8Array)[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

describe('canonical()', () => {
  test('sorts keys by code unit, also those that engines move to the front', () => {
    expect(canonical({ b: 1, a: [{ d: null, c: true }], '10': 'x', '9': 'y', A: '' })).toBe(
      '{"10":"x","9":"y","A":"","a":[{"c":true,"d":null}],"b":1}',
    )
    // A key that sets no member of a literal, and one that stands in order by itself but not beside others.
    expect(canonical(JSON.parse('{"b":{"__proto__":{"d":1,"c":2}},"a":{"7":0," ":1}}'))).toBe(
      '{"a":{" ":1,"7":0},"b":{"__proto__":{"c":2,"d":1}}}',
    )
  })

  test('writes strings as RFC 8785 does', () => {
    expect(canonical('\u20ac$\u000f\nA\'B"\\\\"/\u0000\u007f')).toBe(
      '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\\u0000\u007f"',
    )
  })

  const refused: [string, unknown, string][] = [
    ['a float', { a: [1, { b: 1.5 }] }, 'a[1].b'],
    ['minus zero', { n: -0 }, 'n'],
    ['an unsafe integer', [2 ** 53], '[0]'],
    ['not a number', { n: Number.NaN }, 'n'],
    ['a lone surrogate', { s: '\ud800' }, 's'],
    ['undefined', { a: { b: undefined } }, 'a.b'],
    ['a hole', { a: [undefined] }, 'a[0]'],
    ['a key that is not ASCII', { o: { é: 1 } }, 'o'],
    ['a date', { at: new Date(0) }, 'at'],
    ['a map', { m: new Map() }, 'm'],
    ['a bigint', { n: 1n }, 'n'],
  ]
  for (const [what, value, path] of refused)
    test(`refuses ${what} and names where it stands`, () => {
      let thrown: unknown
      try {
        canonical(value)
      } catch (error) {
        thrown = error
      }
      expect(thrown).toBeInstanceOf(NotCanonical)
      expect(thrown).toMatchObject({ path })
    })

  test('refuses a cycle instead of running for ever', () => {
    const loop: Record<string, unknown> = {}
    loop['self'] = loop
    expect(() => canonical(loop)).toThrow('nests deeper')
  })
})

describe('isCanonical()', () => {
  test('is true of canonical text alone', () => {
    expect(isCanonical('{"a":1,"b":[]}')).toBe(true)
    const others = [
      '{"b":1,"a":2}',
      '{"a":1,"a":1}',
      '{"a": 1}',
      '{"a":1.0}',
      '{"a":1e2}',
      '"\\u0041"',
      '{',
      '-0',
    ]
    expect(others.filter(isCanonical)).toEqual([])
    expect(isCanonical('{"a":9007199254740993}')).toBe(false)
    expect(isCanonical('"\\ud800"')).toBe(false)
  })
})

describe('hashes', () => {
  test('leaf, link and commitment are what their definitions say', () => {
    const leaf = leafOf(sha256, 'ä')
    expect(toHex(leaf)).toBe(hexOf(Buffer.from([0]), 'ä'))
    expect(toHex(linkOf(sha256, GENESIS_LINK, leaf))).toBe(hexOf(Buffer.from([1]), Buffer.alloc(32), leaf))
    const salt = new Uint8Array(16).fill(7)
    expect(commitment(sha256, salt, 'data.name', 'Ä')).toBe(`#${hexOf(salt, 'data.name', '\0', '"Ä"')}`)
    expect(() => commitment(sha256, new Uint8Array(8), 'p', 1)).toThrow('16 bytes')
  })

  test('the tree’s root is that of RFC 6962 for every size, also when continued from a frontier', () => {
    // The definition, straight from section 2.1: split at the largest power of two below the size.
    const rootOf = (leaves: Uint8Array[]): Uint8Array => {
      const [first] = leaves
      if (!first) return sha256(new Uint8Array())
      if (leaves.length === 1) return first
      const k = 2 ** Math.floor(Math.log2(leaves.length - 1))
      return nodeOf(sha256, rootOf(leaves.slice(0, k)), rootOf(leaves.slice(k)))
    }
    const leaves: Uint8Array[] = []
    let tree = treeFrontier(sha256)
    for (let size = 0; size <= 40; size++) {
      expect(toHex(tree.root())).toBe(toHex(rootOf(leaves)))
      expect(tree.size).toBe(size)
      const leaf = leafOf(sha256, `event ${size}`)
      leaves.push(leaf)
      tree = treeFrontier(sha256, tree.nodes())
      tree.push(leaf)
    }
  })
})

/** A chain of `count` events in two streams. */
const chainOf = (
  count: number,
  change: (seq: number) => Partial<Parameters<typeof envelopeText>[0]> = () => ({}),
) => {
  let link = GENESIS_LINK
  return Array.from({ length: count }, (_, i) => {
    const seq = i + 1
    const envelope = envelopeText({
      at: `2026-01-01T00:00:${String(seq).padStart(2, '0')}.000Z`,
      event: canonical({ data: { n: seq }, id: `id-${seq}`, v: 1 }),
      position: Math.ceil(seq / 2),
      seq,
      stream: `scan-${seq % 2}`,
      tenant: 'acme',
      type: 'discovery.vault-scanned',
      ...change(seq),
    })
    const leaf = leafOf(sha256, envelope)
    link = linkOf(sha256, link, leaf)
    return { seq, envelope, leaf, link }
  })
}

const walk = (lines: readonly ChainLine[], options = {}) => {
  const verifier = verifyChain(sha256, options)
  for (const line of lines) verifier.push(line)
  return verifier.result()
}

describe('verifyChain()', () => {
  test('a whole chain holds, by text or by bytes, with and without stored hashes', () => {
    const lines = chainOf(20)
    const whole = walk(lines)
    expect(whole).toMatchObject({
      ok: true,
      events: 20,
      hidden: 0,
      tenant: 'acme',
      seq: 20,
      link: lines[19]?.link,
    })
    expect(walk(lines.map(({ envelope }) => ({ envelope: Buffer.from(envelope) })))).toEqual(whole)
    expect(walk(lines.map(({ envelope }) => chainLine(envelope)))).toEqual(whole)
    const tree = treeFrontier(sha256)
    for (const { leaf } of lines) tree.push(leaf)
    expect(whole).toMatchObject({ root: tree.root() })
  })

  test('a filtered chain ends at the same link and root', () => {
    const lines = chainOf(20)
    const whole = walk(lines)
    const filtered = walk(
      lines.map(({ seq, envelope, leaf }) => chainLine(seq % 4 ? envelope : `{"leaf":"${toHex(leaf)}"}`)),
    )
    expect(filtered).toEqual({ ...whole, hidden: 5, lastAt: filtered.ok ? filtered.lastAt : '' })
  })

  test('a later part of a chain verifies from the state before it', () => {
    const lines = chainOf(20)
    const tree = treeFrontier(sha256)
    for (const { leaf } of lines.slice(0, 9)) tree.push(leaf)
    const start = { seq: 9, link: lines[8]?.link ?? GENESIS_LINK, frontier: tree.nodes() }
    const whole = walk(lines)
    expect(walk(lines.slice(9), { start })).toEqual({ ...whole, events: 11 })
    expect(walk(lines.slice(9))).toMatchObject({ ok: false, seq: 1, reason: 'seq-gap' })
  })

  test('streams are told apart by their ids, also where somebody chose ids of one hash', () => {
    // Of these every two letters are worth the same in the hash by which a stream is found.
    const streams = ['s-AaAa', 's-AaBB', 's-BBAa', 's-BBBB']
    const place = (seq: number) => ({ stream: streams[seq % 4] ?? '', position: Math.ceil(seq / 4) })
    expect(walk(chainOf(20, place))).toMatchObject({ ok: true, events: 20 })
    for (const bad of [17, 18, 19, 20]) {
      const skipping = chainOf(20, (seq) => (seq === bad ? { ...place(seq), position: 6 } : place(seq)))
      expect(walk(skipping)).toEqual({ ok: false, seq: bad, reason: 'position-gap' })
    }
  })

  const good = chainOf(10)
  const at = (seq: number, line: ChainLine) => good.map((g) => (g.seq === seq ? line : g))
  const fifth = good[4]
  if (!fifth) throw new Error('the chain has ten events')
  const cases: [string, readonly ChainLine[], number, BadReason][] = [
    [
      'an edited text',
      at(5, { ...fifth, envelope: fifth.envelope.replace('"n":5', '"n":6') }),
      5,
      'leaf-mismatch',
    ],
    ['a foreign leaf', at(5, { ...fifth, leaf: GENESIS_LINK }), 5, 'leaf-mismatch'],
    ['a foreign link', at(5, { ...fifth, link: GENESIS_LINK }), 5, 'link-mismatch'],
    ['a missing event', good.toSpliced(4, 1), 5, 'seq-gap'],
    [
      'a missing event of a chain without stored seqs',
      good.toSpliced(4, 1).map(({ envelope }) => ({ envelope })),
      5,
      'seq-gap',
    ],
    ['a doubled event', good.toSpliced(4, 0, fifth).map(({ envelope }) => ({ envelope })), 6, 'seq-mismatch'],
    ['a stored seq that the text does not say', at(5, { ...good[5], seq: 5 }), 5, 'seq-mismatch'],
    ['a line of nothing', at(5, {}), 5, 'malformed'],
    ['a text that is no envelope', at(5, { envelope: '{"a":1}' }), 5, 'malformed'],
    ['another tenant', chainOf(10, (seq) => (seq === 5 ? { tenant: 'beta' } : {})), 5, 'wrong-tenant'],
    ['a skipped position', chainOf(10, (seq) => (seq === 5 ? { position: 4 } : {})), 5, 'position-gap'],
    [
      'a stream that does not begin at one',
      chainOf(10, (seq) => (seq === 5 ? { stream: 'x' } : {})),
      5,
      'position-gap',
    ],
    [
      'time running backwards',
      chainOf(10, (seq) => (seq === 5 ? { at: '2026-01-01T00:00:01.000Z' } : {})),
      5,
      'time-backwards',
    ],
    [
      'a body with spaces',
      chainOf(10, (seq) => (seq === 5 ? { event: '{"id": 1}' } : {})),
      5,
      'not-canonical',
    ],
    [
      'a doubled key',
      chainOf(10, (seq) => (seq === 5 ? { event: '{"id":1,"id":1}' } : {})),
      5,
      'not-canonical',
    ],
  ]
  for (const [what, lines, seq, reason] of cases)
    test(`${what} is the first bad event`, () => {
      expect(walk(lines)).toEqual({ ok: false, seq, reason })
    })

  test('the tenant may be given, and the first bad event stays the answer', () => {
    const verifier = verifyChain(sha256, { tenant: 'beta' })
    expect(verifier.push(good[0] ?? {})).toEqual({ ok: false, seq: 1, reason: 'wrong-tenant' })
    expect(verifier.push(good[1] ?? {})).toEqual({ ok: false, seq: 1, reason: 'wrong-tenant' })
  })
})
