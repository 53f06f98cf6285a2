import { randomBytes } from 'node:crypto'
import {
  canonical,
  envelopeText,
  GENESIS_LINK,
  leafOf,
  linkOf,
  toHex,
  treeFrontier,
} from '@attestry/contracts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rows, transaction } from '../postgres.ts'
import { createAppender } from './coalesce.ts'
import { prune } from './prune.ts'
import { firstSince, readAfter, readLines } from './read.ts'
import { by, cause, fact, ids, type LedgerFixture, ledgerFixture, request, sha256 } from './testing.ts'
import { verifyLedger } from './verify.ts'

/* A chain that is two years old, and what retention may and may not take of it. */

const TENANT = 'old'
const operator = 'operator-0001'
const acts: readonly [type: string, stream: string, daysAgo: number][] = [
  ['ledger.opened', 'ledger', 800],
  ['gateway.operator-added', operator, 799],
  ['gateway.signed-in', operator, 700],
  ['gateway.action-refused', operator, 699],
  ['discovery.vault-scanned', 'vault-0001', 698],
  ['gateway.signed-in', operator, 600],
  ['gateway.signed-out', operator, 599],
  // The newest of its stream: the stream is continued from it.
  ['evidence.bundle-downloaded', 'bundle-0001', 598],
  ['evidence.anchored', 'anchors', 597],
  // Behind no checkpoint.
  ['gateway.signed-out', operator, 500],
  ['gateway.signed-in', operator, 10],
  ['gateway.reauthenticated', operator, 9],
  ['gateway.signed-out', operator, 8],
]
/** Of these acts, those that go: the first sign-in is superseded, the last before the year stands behind no checkpoint. */
const GOING = [3, 4, 6, 7]

let fixture: LedgerFixture
let root = ''

/** Puts the chain into the database as it would lie there: the ledger stamps the present, so it cannot be appended. */
async function writeOldChain(): Promise<void> {
  const tree = treeFrontier(sha256)
  const contexts = new Map<string, number>()
  const positions = new Map<string, number>()
  let link = GENESIS_LINK
  let at = ''
  await transaction(fixture.pool, {}, async (client) => {
    await client.query('insert into ledger.tenant (tenant, origin, stream_key) values ($1, $2, $3)', [
      TENANT,
      'real',
      randomBytes(32),
    ])
    for (const [index, [type, stream, daysAgo]] of acts.entries()) {
      const seq = index + 1
      at = new Date(Date.now() - daysAgo * 86_400_000).toISOString()
      const position = (positions.get(stream) ?? 0) + 1
      positions.set(stream, position)
      const id = ids.uuid()
      const data = type === 'evidence.anchored' ? { root, size: index } : { n: seq }
      const event = canonical({ by, cause, data, id, v: 1 })
      const envelope = envelopeText({ at, event, position, seq, stream, tenant: TENANT, type })
      const leaf = leafOf(sha256, envelope)
      link = linkOf(sha256, link, leaf)
      tree.push(leaf)
      root = toHex(tree.root())
      const context = type.slice(0, type.indexOf('.'))
      await client.query(
        `insert into ledger.event (tenant, seq, position, context_prev_seq, at, id, context, stream, type, envelope,
           leaf, link, private) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
        [
          TENANT,
          seq,
          position,
          contexts.get(context) ?? 0,
          at,
          id,
          context,
          stream,
          type,
          envelope,
          leaf,
          link,
          '[["/by/address","00","192.0.2.1"]]',
        ],
      )
      contexts.set(context, seq)
    }
    await client.query(
      'insert into ledger.head (tenant, seq, link, at, contexts, context_seqs) values ($1, $2, $3, $4, $5, $6)',
      [TENANT, acts.length, link, at, [...contexts.keys()], [...contexts.values()]],
    )
  })
}

const now = Temporal.Now.instant()
const pruned = (retentionDays = 365) =>
  prune(fixture.pool, { tenant: TENANT, retentionDays, now, by, cause, id: ids.uuid() })
const bodiless = async () =>
  (
    await rows<{ seq: number }>(
      fixture.pool,
      'select seq from ledger.event where tenant = $1 and envelope is null order by seq',
      [TENANT],
    )
  ).map((row) => row.seq)

beforeAll(async () => {
  fixture = await ledgerFixture('young')
  await writeOldChain()
})
afterAll(() => fixture[Symbol.asyncDispose]())

describe('firstSince()', () => {
  test.each([
    ['before the chain', 900, 1],
    ['between two events', 650, 6],
    ['exactly after the last', 0, acts.length + 1],
  ])('%s', async (_what, daysAgo, seq) => {
    const instant = new Date(Date.now() - daysAgo * 86_400_000).toISOString()
    expect(await firstSince(fixture.pool, TENANT, instant)).toBe(seq)
  })
})

describe('pruning', () => {
  test('is refused below a year, and for a chain without a checkpoint', async () => {
    expect(await pruned(364)).toEqual({ ok: false, refused: 'retention-too-short' })
    const young = { tenant: 'young', retentionDays: 365, now, by, cause, id: ids.uuid() }
    expect(await prune(fixture.pool, young)).toEqual({ ok: false, refused: 'no-checkpoint' })
    expect(await bodiless()).toEqual([])
  })

  test('is refused by the database itself beyond the checkpoint, within the year, and for another role', async () => {
    const call = (role: string, data: object, seqs: string) =>
      transaction(fixture.pool, { role, tenant: TENANT }, (client) => {
        const id = ids.uuid()
        return client.query('select ledger.prune($1, $2, $3, $4)', [
          TENANT,
          seqs,
          id,
          canonical({ by, cause, data, id, v: 1 }),
        ])
      })
    const good = {
      before: now.subtract({ hours: 24 * 365 }).toString({ smallestUnit: 'millisecond' }),
      checkpoint: { root: await rootOfAnchor(), size: 8 },
      events: 1,
      retentionDays: 365,
      through: 3,
      types: ['gateway.signed-in'],
    }
    const beyond = { ...good, through: 10, types: ['gateway.signed-out'] }
    await expect(call('attestry_ledger', beyond, '{10}')).rejects.toMatchObject({ code: 'LG008' })
    const forged = { ...good, checkpoint: { root: 'f'.repeat(64), size: 8 } }
    await expect(call('attestry_ledger', forged, '{3}')).rejects.toMatchObject({ code: 'LG008' })
    const miscounted = { ...good, events: 2 }
    await expect(call('attestry_ledger', miscounted, '{3}')).rejects.toMatchObject({ code: 'LG002' })
    const kept = { ...good, types: ['gateway.signed-out'] }
    await expect(call('attestry_ledger', kept, '{3}')).rejects.toMatchObject({ code: 'LG001' })
    await expect(call('attestry_discovery', good, '{3}')).rejects.toMatchObject({ code: '42501' })
    // Only what the event says may go, and never what is younger than a year, whatever it says.
    const young = { ...good, before: '2999-01-01T00:00:00Z', through: 8, types: ['gateway.signed-out'] }
    await expect(call('attestry_ledger', young, '{13}')).rejects.toMatchObject({ code: 'LG001' })
    expect(await bodiless()).toEqual([])
  })

  test('takes superseded acts behind the checkpoint and nothing else, and says so in the chain first', async () => {
    expect(await pruned()).toEqual({ ok: true, events: GOING.length, more: false })
    expect(await bodiless()).toEqual(GOING)
    const told = (await readAfter(fixture.pool, { tenant: TENANT, after: acts.length, limit: 10 })).at(-1)
    expect(told?.type).toBe('ledger.pruned')
    expect(told?.envelope).toContain('"events":4')
    expect(await pruned()).toEqual({ ok: true, events: 0, more: false })
  })

  test('leaves a chain that verifies to the same root, with the leaves of what went', async () => {
    const result = await verifyLedger(fixture.pool, { tenant: TENANT })
    expect(result).toMatchObject({ ok: true, events: acts.length + 1, hidden: GOING.length })
    const lines = await readLines(fixture.pool, { tenant: TENANT, after: 0, upTo: acts.length, limit: 100 })
    const tree = treeFrontier(sha256)
    for (const line of lines) tree.push(line.leaf)
    expect(toHex(tree.root())).toBe(root)
    expect(lines.filter((l) => l.envelope === null && l.private !== null)).toEqual([])
  })

  test('leaves streams that go on, and readers that never see what went', async () => {
    const read = await readAfter(fixture.pool, {
      tenant: TENANT,
      after: 0,
      contexts: ['gateway'],
      limit: 100,
    })
    expect(read.map((e) => e.seq)).toEqual([2, 10, 11, 12, 13])
    const appender = createAppender({ pool: fixture.pool, role: 'attestry_discovery' })
    const appended = await appender.append(
      request({ tenant: TENANT, stream: 'vault-0001', expected: 1, events: [fact()] }),
    )
    expect(appended).toMatchObject({ ok: true })
    expect(await verifyLedger(fixture.pool, { tenant: TENANT })).toMatchObject({ ok: true })
  })

  test('does not cover for a body that somebody took by hand', async () => {
    const taken = `update ledger.event set envelope = null, private = null where tenant = 'old' and seq = 5`
    await expect(fixture.pool.query(taken)).rejects.toMatchObject({ code: 'LG001' })
    await transaction(fixture.pool, {}, async (client) => {
      await client.query('alter table ledger.event disable trigger only_erasure')
      await client.query(taken)
      await client.query('alter table ledger.event enable always trigger only_erasure')
    })
    expect(await verifyLedger(fixture.pool, { tenant: TENANT })).toEqual({
      ok: false,
      seq: 5,
      reason: 'body-missing',
    })
  })
})

/** The root that the chain's own checkpoint names. */
async function rootOfAnchor(): Promise<string> {
  const [anchor] = await rows<{ root: string }>(
    fixture.pool,
    `select envelope::json #>> '{event,data,root}' as root from ledger.event where tenant = $1 and type = 'evidence.anchored'`,
    [TENANT],
  )
  if (!anchor) throw new Error('the fixture has no checkpoint')
  return anchor.root
}
