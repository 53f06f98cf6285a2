import { readdirSync, readFileSync } from 'node:fs'
import { type Actor, canonical, commitment, definitionOf, ERASED, fact, type Fact } from '@attestry/contracts'
import { afterEach, describe, expect, test, vi } from 'vitest'
import * as z from 'zod'
import { commit, open } from './committed.ts'
import type { NewEvent } from './ledger/append.ts'
import { sha256 } from './ledger/verify.ts'

// Two more versions of an event that there is not, beside those that there are.
vi.mock(import('@attestry/contracts'), async (original) => {
  const contracts = await original()
  return {
    ...contracts,
    definitionOf: (type: string) =>
      type === 'discovery.sample-renamed'
        ? {
            v: 3,
            says: 'A sample was renamed.',
            data: z.object({ names: z.array(contracts.committed(z.string())), count: z.int() }),
            upcast: {
              1: (data: unknown) => ({ names: [z.object({ name: z.string() }).parse(data).name] }),
              2: (data: unknown) => {
                const { names } = z.object({ names: z.array(z.string()) }).parse(data)
                return { names, count: names.length }
              },
            },
          }
        : contracts.definitionOf(type),
  }
})
afterEach(() => vi.restoreAllMocks())

const cause = { correlation: 'request-1', causation: 'request-1' }
const by: Actor = { kind: 'operator', id: 'operator-3f9a', address: '203.0.113.7', reason: 'audit of May' }
const ID = '01890a5d-ac96-774b-bcce-b302099a8057'

/** Salts 0101…, 0202…: each its own, and known to the test. */
const counting = () => {
  let n = 0
  return (bytes: number) => new Uint8Array(bytes).fill(++n)
}

/** An event as the ledger gives it back. */
const recorded = (event: NewEvent, change: { v?: number; data?: unknown; private?: string | null } = {}) => ({
  envelope: canonical({
    at: '2026-05-01T10:00:00.000Z',
    event: {
      by: event.by,
      cause: event.cause,
      data: change.data ?? event.data,
      ...(event.env === undefined ? {} : { env: event.env }),
      id: event.id,
      ...(event.run === undefined ? {} : { run: event.run }),
      v: change.v ?? event.v,
    },
    position: 1,
    seq: 7,
    stream: 'stream-0001',
    tenant: 'acme',
    type: event.type,
  }),
  private: change.private === undefined ? (event.private ?? null) : change.private,
})

const connected = fact('discovery.environment-connected', {
  environment: 'env-00000001',
  cloud: 'azure',
  name: 'Production of Müller & Söhne',
  scope: { subscriptions: [] },
  settingsScan: false,
  everyHours: 24,
})

const Disclosures = z.array(z.tuple([z.string(), z.string(), z.unknown()]))

const goldens = readdirSync(new URL('../../contracts/golden/', import.meta.url)).map((name) => {
  const text = readFileSync(new URL(`../../contracts/golden/${name}`, import.meta.url), 'utf8')
  return [
    name,
    z.object({ type: z.string(), v: z.int(), data: z.unknown() }).parse(JSON.parse(text)),
  ] as const
})
const present = goldens.filter(([, { type, v }]) => definitionOf(type)?.v === v)

describe('commit()', () => {
  test('leaves no committed value in the envelope, and each commitment is true of its salt, path and value', () => {
    const event = commit(connected, by, cause, ID, counting())
    const { envelope } = recorded(event)
    for (const value of ['Müller', '203.0.113.7', 'audit of May']) expect(envelope).not.toContain(value)
    const disclosures = Disclosures.parse(JSON.parse(event.private ?? '[]'))
    expect(disclosures.map(([path, , value]) => [path, value])).toEqual([
      ['/data/name', 'Production of Müller & Söhne'],
      ['/by/address', '203.0.113.7'],
      ['/by/reason', 'audit of May'],
    ])
    const parts = { data: event.data, by: event.by }
    for (const [path, salt, value] of disclosures) {
      const [, part, field] = path.split('/')
      const stands = z
        .record(z.string(), z.unknown())
        .parse(z.object({ data: z.unknown(), by: z.unknown() }).parse(parts)[part === 'by' ? 'by' : 'data'])[
        field ?? ''
      ]
      expect(stands).toBe(commitment(sha256, Buffer.from(salt, 'hex'), path, value))
    }
  })

  test('salts every field anew, so that equal values cannot be told to be equal', () => {
    const twice = fact('discovery.environment-connected', { ...connected.data, name: 'same' })
    const event = commit(twice, { ...by, address: 'same', reason: 'same' }, cause, ID, counting())
    const hashes = canonical([event.data, event.by]).match(/#[0-9a-f]{64}/g) ?? []
    expect(hashes).toHaveLength(3)
    expect(new Set(hashes).size).toBe(3)
  })

  test('has nothing beside the envelope where nothing is committed', () => {
    const plain = fact('licensing.entitled', { tier: 'pro', features: [], expiresAt: null })
    expect(commit(plain, { kind: 'service', id: 'licensing' }, cause, ID, counting()).private).toBeNull()
  })

  test('refuses what the schema does not know, would change, or does not have', () => {
    // A caller without TypeScript, or with a stale one.
    const wrong = (data: object, type: string = connected.type) => ({ type, data }) as Fact
    expect(() => commit(wrong({ ...connected.data, value: 'x' }), by, cause, ID, counting())).toThrow(
      /field that its schema does not know/,
    )
    expect(() => commit(wrong({}), by, cause, ID, counting())).toThrow(z.ZodError)
    expect(() => commit(wrong({}, 'discovery.never-was'), by, cause, ID, counting())).toThrow(
      'no event is called discovery.never-was',
    )
  })
})

describe('open()', () => {
  test.each(present)('gives back what was committed: %s', (_, { type, data }) => {
    // A golden file holds data of the type it names.
    const event = commit({ type, data } as Fact, by, cause, ID, counting())
    const opened = open(recorded(event))
    expect(opened?.data).toEqual(data)
    expect(opened?.by).toEqual(by)
    expect(opened).toMatchObject({ tenant: 'acme', seq: 7, stream: 'stream-0001', position: 1, type, id: ID })
  })

  test.each(present)(
    'with the values erased shows none of them, and still fits the schema: %s',
    (_, { type, data }) => {
      const event = commit({ type, data } as Fact, by, cause, ID, counting())
      const opened = open(recorded(event, { private: null }))
      expect(opened?.by).toEqual({ ...by, address: ERASED, reason: ERASED })
      expect(JSON.stringify(opened)).not.toMatch(/#[0-9a-f]{64}/)
      const shown = JSON.stringify(opened?.data)
      const lists = Disclosures.parse(JSON.parse(event.private ?? '[]'))
        .filter(([path, , value]) => path.startsWith('/data/') && Array.isArray(value))
        .map(([, , value]) => canonical(value))
      expect(lists.filter((list) => shown.includes(list))).toEqual([])
    },
  )

  test('an erased text reads as a mark, an erased list as an empty one', () => {
    const golden = goldens.find(([name]) => name === 'discovery.vault-scanned.1.json')
    const event = commit(golden?.[1] as Fact, by, cause, ID, counting())
    const opened = open(recorded(event, { private: null }))
    expect(opened?.data).toMatchObject({
      facts: { name: ERASED, tags: [] },
      found: [{ name: ERASED, tags: [] }],
    })
  })

  test('one erased field leaves the others readable', () => {
    const event = commit(connected, by, cause, ID, counting())
    const kept = Disclosures.parse(JSON.parse(event.private ?? '[]')).filter(
      ([path]) => path !== '/by/address',
    )
    const opened = open(recorded(event, { private: canonical(kept) }))
    expect(opened?.by).toEqual({ ...by, address: ERASED })
    expect(opened?.data).toMatchObject({ name: 'Production of Müller & Söhne' })
  })

  test('ignores a type of a later version of the product', () => {
    const event = commit(connected, by, cause, ID, counting())
    expect(open(recorded({ ...event, type: 'discovery.of-tomorrow' }))).toBeNull()
  })

  test('brings an old version to today step by step, its committed values with it', () => {
    const salt = counting()(16)
    const path = '/data/name'
    const old: NewEvent = {
      type: 'discovery.sample-renamed',
      v: 1,
      id: ID,
      data: { name: commitment(sha256, salt, path, 'Contoso') },
      private: canonical([[path, Buffer.from(salt).toString('hex'), 'Contoso']]),
      by: { kind: 'service', id: 'discovery' },
      cause,
    }
    expect(open(recorded(old))?.data).toEqual({ names: ['Contoso'], count: 1 })
    expect(open(recorded(old, { private: null }))?.data).toEqual({ names: [ERASED], count: 1 })
    expect(open(recorded(old, { v: 2, data: { names: ['a', 'b'] }, private: null }))?.data).toEqual({
      names: ['a', 'b'],
      count: 2,
    })
  })

  test('reads a field that it does not know as if it were not there', () => {
    const plain = fact('licensing.entitled', { tier: 'pro', features: [], expiresAt: null })
    const event = commit(plain, { kind: 'service', id: 'licensing' }, cause, ID, counting())
    expect(open(recorded(event, { data: { ...plain.data, seats: 5 } }))?.data).toEqual(plain.data)
  })

  test('a disclosure for a place that is not there changes nothing', () => {
    const event = commit(connected, by, cause, ID, counting())
    const more = canonical([
      ...Disclosures.parse(JSON.parse(event.private ?? '[]')),
      ['/data/__proto__/polluted', '00', 'x'],
      ['/data/nowhere/at/all', '00', 'x'],
    ])
    expect(open(recorded(event, { private: more }))?.data).toEqual(connected.data)
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })
})
