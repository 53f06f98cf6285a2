import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { envelopeText, GENESIS_LINK, leafOf, linkOf, toHex } from '@attestry/contracts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { transaction } from '../postgres.ts'
import { appendIn } from './append.ts'
import { createAppender } from './coalesce.ts'
import { readAfter, type Stored } from './read.ts'
import { fact, type LedgerFixture, ledgerFixture, request } from './testing.ts'
import { sha256, verifyFile, verifyLedger } from './verify.ts'

const fill = async (fixture: LedgerFixture, count = 30): Promise<void> => {
  const appender = createAppender({ pool: fixture.pool, role: 'attestry_discovery' })
  for (let n = 0; n < count; n++)
    await appender.append(request({ stream: `vault-${n % 3}`, events: [fact({ n, text: 'é"\\\n' })] }))
}

/** What an intruder with all rights does: switches the guards off, and on again behind him. */
const intrude = async (fixture: LedgerFixture, ...statements: string[]): Promise<void> => {
  await transaction(fixture.pool, {}, async (client) => {
    for (const table of ['event', 'head'])
      await client.query(`alter table ledger.${table} disable trigger all`)
    for (const statement of statements) await client.query(statement)
    for (const table of ['event', 'head'])
      await client.query(`alter table ledger.${table} enable trigger all`)
  })
}

describe('verifyLedger()', () => {
  test('walks a chain to its head and tells count, link and root', async () => {
    await using fixture = await ledgerFixture('acme')
    await fill(fixture)
    const full = await verifyLedger(fixture.pool, { tenant: 'acme' })
    expect(full).toMatchObject({ ok: true, events: 31, hidden: 0, seq: 31 })
    const quick = await verifyLedger(fixture.pool, { tenant: 'acme', canonical: false })
    expect(quick).toEqual(full)
  })

  test('a chain that is read in several pieces holds, and the first bad event is named in any of them', async () => {
    await using fixture = await ledgerFixture('acme')
    await transaction(fixture.pool, { role: 'attestry_discovery', tenant: 'acme' }, (client) =>
      appendIn(client, [request({ events: Array.from({ length: 700 }, (_, n) => fact({ n })) })]),
    )
    expect(await verifyLedger(fixture.pool, { tenant: 'acme' })).toMatchObject({ ok: true, seq: 701 })
    await intrude(fixture, `update ledger.event set leaf = substr(leaf, 1, 31) where seq = 600`)
    expect(await verifyLedger(fixture.pool, { tenant: 'acme' })).toEqual({
      ok: false,
      seq: 600,
      reason: 'leaf-mismatch',
    })
    await intrude(fixture, 'delete from ledger.event where seq between 257 and 512')
    expect(await verifyLedger(fixture.pool, { tenant: 'acme' })).toEqual({
      ok: false,
      seq: 257,
      reason: 'seq-gap',
    })
  })

  test('the lowest bad event is named wherever it lies: at the borders of what travels together, or outside of it', async () => {
    await using fixture = await ledgerFixture('acme')
    await transaction(fixture.pool, { role: 'attestry_discovery', tenant: 'acme' }, (client) =>
      appendIn(client, [request({ events: Array.from({ length: 299 }, (_, n) => fact({ n })) })]),
    )
    const verify = () => verifyLedger(fixture.pool, { tenant: 'acme', span: 128 })
    expect(await verify()).toMatchObject({ ok: true, events: 300, seq: 300 })
    const beyond = `insert into ledger.event select tenant, $, position + 1000, 300, at, gen_random_uuid(), context,
      stream, type, envelope, leaf, link from ledger.event where seq = 300`
    const found: [string[], { seq: number; reason: string }][] = [
      [[`update ledger.head set seq = 1000000000000000`], { seq: 301, reason: 'head-mismatch' }],
      [[beyond.replace('$', '5000')], { seq: 301, reason: 'seq-gap' }],
      [[beyond.replace('$', '301')], { seq: 301, reason: 'seq-mismatch' }],
      [[beyond.replace('$', '0')], { seq: 1, reason: 'seq-gap' }],
      [[`delete from ledger.event where seq > 128`], { seq: 129, reason: 'head-mismatch' }],
      [[`delete from ledger.event where seq between 129 and 256`], { seq: 129, reason: 'seq-gap' }],
      [[`delete from ledger.event where seq in (100, 200)`], { seq: 100, reason: 'seq-gap' }],
      [
        [`update ledger.event set envelope = null where seq in (140, 200)`],
        { seq: 140, reason: 'body-missing' },
      ],
      [
        // Together as long as two hashes are.
        [
          `update ledger.event set leaf = case seq when 70 then substr(leaf, 2) else leaf || '\\x00' end where seq in (70, 71)`,
        ],
        { seq: 70, reason: 'leaf-mismatch' },
      ],
      ...[300, 257, 256, 193, 129, 128, 33, 32, 1].map((seq): [string[], { seq: number; reason: string }] => [
        // A second one behind it, which must not be the one that is named.
        [`update ledger.event set link = leaf where seq in (${seq}, ${Math.min(seq + 70, 300)})`],
        { seq, reason: 'link-mismatch' },
      ]),
    ]
    for (const [statements, expected] of found) {
      await intrude(fixture, 'create table kept as select * from ledger.event', ...statements)
      expect({ statements, ...(await verify()) }).toEqual({ statements, ok: false, ...expected })
      await intrude(
        fixture,
        'delete from ledger.event',
        'insert into ledger.event select * from kept',
        'update ledger.head set seq = 300',
        'drop table kept',
      )
    }
    expect(await verify()).toMatchObject({ ok: true, events: 300 })
  })

  test('a tenant without a chain is an error, and an aborted walk ends', async () => {
    await using fixture = await ledgerFixture('acme')
    await expect(verifyLedger(fixture.pool, { tenant: 'beta' })).rejects.toThrow('has no chain')
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(verifyLedger(fixture.pool, { tenant: 'acme', signal })).rejects.toThrow('enough')
    await expect(verifyLedger(fixture.pool, { tenant: 'acme' })).resolves.toMatchObject({ ok: true })
  })

  test('a column that says something else than the hashed text is named, whichever it is', async () => {
    await using fixture = await ledgerFixture('acme')
    await fill(fixture, 12)
    const otherwise = {
      at: `at + interval '1 millisecond'`,
      position: 'position + 100',
      id: 'gen_random_uuid()',
      context: `'compliance'`,
      context_prev_seq: 'context_prev_seq - 1',
      stream: `'vault-9'`,
      type: `'discovery.other'`,
    }
    for (const [column, value] of Object.entries(otherwise)) {
      await intrude(
        fixture,
        'create table kept as select * from ledger.event where seq = 5',
        `update ledger.event set ${column} = ${value} where seq = 5`,
      )
      const found = await verifyLedger(fixture.pool, { tenant: 'acme' })
      expect({ column, ...found }).toEqual({ column, ok: false, seq: 5, reason: 'column-mismatch' })
      await intrude(
        fixture,
        `update ledger.event e set ${column} = k.${column} from kept k where e.seq = 5`,
        'drop table kept',
      )
    }
    // Not finer than a millisecond, either: the hashed text could not say it.
    await intrude(fixture, `update ledger.event set at = at + interval '1 microsecond' where seq = 13`)
    expect(await verifyLedger(fixture.pool, { tenant: 'acme' })).toMatchObject({ ok: false, seq: 13 })
  })

  test('an envelope that was emptied is not taken for one that was pruned', async () => {
    await using fixture = await ledgerFixture('acme')
    await fill(fixture, 5)
    await intrude(fixture, `update ledger.event set envelope = '' where seq = 3`)
    for (const canonical of [true, false])
      expect(await verifyLedger(fixture.pool, { tenant: 'acme', canonical })).toEqual({
        ok: false,
        seq: 3,
        reason: 'leaf-mismatch',
      })
  })

  const shift = `update ledger.event set seq = seq + 1000000 where seq in (7, 8)`
  const attacks: [string, string[], { seq: number; reason: string }][] = [
    [
      'an edited envelope',
      [`update ledger.event set envelope = replace(envelope, '"n":5', '"n":6') where seq = 7`],
      { seq: 7, reason: 'leaf-mismatch' },
    ],
    [
      'an edited envelope with its leaf made anew',
      [
        `update ledger.event set envelope = replace(envelope, '"n":5', '"n":6') where seq = 7`,
        `update ledger.event set leaf = sha256('\\x00'::bytea || convert_to(envelope, 'UTF8')) where seq = 7`,
      ],
      { seq: 7, reason: 'link-mismatch' },
    ],
    ['a deleted event', ['delete from ledger.event where seq = 9'], { seq: 9, reason: 'seq-gap' }],
    ['a deleted first event', ['delete from ledger.event where seq = 1'], { seq: 1, reason: 'seq-gap' }],
    ['a cut tail', ['delete from ledger.event where seq > 20'], { seq: 21, reason: 'head-mismatch' }],
    [
      'two events in the other order',
      [shift, `update ledger.event set seq = 15 - (seq - 1000000) where seq > 1000000`],
      { seq: 7, reason: 'seq-mismatch' },
    ],
    [
      'an event put in between',
      [
        `update ledger.event set seq = seq + 1000000 where seq > 9`,
        `update ledger.event set seq = seq - 999999 where seq > 1000000`,
        `insert into ledger.event (tenant, seq, position, context_prev_seq, at, id, context, stream, type, envelope,
           leaf, link) select tenant, 10, 99, 9, at, gen_random_uuid(), context, stream, type, envelope, leaf, link
           from ledger.event where seq = 9`,
      ],
      { seq: 10, reason: 'seq-mismatch' },
    ],
    [
      'a column that says another type than the hashed text',
      [`update ledger.event set type = 'discovery.other' where seq = 5`],
      { seq: 5, reason: 'column-mismatch' },
    ],
    [
      'a column that hides an event from its context’s readers',
      [`update ledger.event set context_prev_seq = 4 where seq = 6`],
      { seq: 6, reason: 'column-mismatch' },
    ],
    [
      'a rewound head',
      ['update ledger.head set seq = 20, link = (select link from ledger.event where seq = 20)'],
      { seq: 21, reason: 'head-mismatch' },
    ],
  ]
  for (const [what, statements, expected] of attacks)
    test(`${what} is named as the first bad event`, async () => {
      await using fixture = await ledgerFixture('acme')
      await fill(fixture)
      await intrude(fixture, ...statements)
      expect(await verifyLedger(fixture.pool, { tenant: 'acme' })).toEqual({ ok: false, ...expected })
    })
})

describe('verifyFile()', () => {
  let folder: string
  let events: Stored[]
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'attestry-verify-'))
    await using fixture = await ledgerFixture('acme')
    await fill(fixture)
    events = await transaction(fixture.pool, { role: 'attestry_ledger', tenant: 'acme' }, (client) =>
      readAfter(client, { tenant: 'acme', after: 0, limit: 1000 }),
    )
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const verify = async (lines: readonly string[], options = {}, end = '\n') => {
    const path = join(folder, 'events.jsonl')
    await writeFile(path, lines.join('\n') + end)
    return await verifyFile(path, options)
  }
  const envelopes = () => events.map((e) => e.envelope)
  const leafLine = (e: Stored) => `{"leaf":"${toHex(e.leaf)}"}`

  test('an export verifies to the same link, with or without a last newline', async () => {
    const link = new Uint8Array(events.at(-1)?.link ?? [])
    expect(await verify(envelopes())).toMatchObject({ ok: true, events: 31, hidden: 0, link })
    expect(await verify(envelopes(), {}, '')).toMatchObject({ ok: true, events: 31, link })
  })

  test('a filtered export drops bodies and still verifies to the same link', async () => {
    const lines = events.map((e) => (e.seq % 3 === 0 ? leafLine(e) : e.envelope))
    expect(await verify(lines)).toMatchObject({
      ok: true,
      events: 31,
      hidden: 10,
      link: new Uint8Array(events.at(-1)?.link ?? []),
    })
  })

  test('edits, deletions, insertions, another order and cut tails are named', async () => {
    const lines = envelopes()
    const head = { seq: 31, link: events.at(-1)?.link ?? new Uint8Array() }
    const edited = lines.map((line, i) => (i === 11 ? line.replace('"n":10', '"n":11') : line))
    expect(await verify(edited, { head })).toEqual({ ok: false, seq: 32, reason: 'head-mismatch' })
    expect(await verify(lines.toSpliced(11, 1))).toEqual({ ok: false, seq: 12, reason: 'seq-gap' })
    expect(await verify(lines.toSpliced(11, 0, lines[10] ?? ''))).toEqual({
      ok: false,
      seq: 12,
      reason: 'seq-mismatch',
    })
    expect(await verify(lines.slice(0, 20), { head })).toEqual({
      ok: false,
      seq: 21,
      reason: 'head-mismatch',
    })
    expect(await verify(lines.toSpliced(3, 1, '{"leaf":"zz"}'))).toEqual({
      ok: false,
      seq: 4,
      reason: 'malformed',
    })
    expect(await verify(lines.toSpliced(3, 1, ''))).toEqual({ ok: false, seq: 4, reason: 'malformed' })
    expect(await verify(lines.toSpliced(3, 1, 'x'.repeat(3_000_000)))).toMatchObject({ ok: false, seq: 4 })
    const spaced = lines.toSpliced(3, 1, (lines[3] ?? '').replace('"n":2', '"n": 2'))
    expect(await verify(spaced)).toEqual({ ok: false, seq: 4, reason: 'not-canonical' })
  })

  test('lines of every length are read across the pieces in which a file is read', async () => {
    const lines: string[] = []
    let link: Uint8Array = GENESIS_LINK
    // About 8 MB: pieces end within lines, and lines of the largest size lie across them.
    for (let seq = 1; seq <= 2000; seq++) {
      const size = seq % 50 === 0 ? 130_000 : (seq * 37) % 3000
      const event = `{"data":{"text":"${'x'.repeat(size)}"},"v":1}`
      const line = envelopeText({
        at: new Date(Date.UTC(2026, 0, 1) + Math.floor(seq / 9) * 7).toISOString(),
        event,
        position: Math.ceil(seq / 7),
        seq,
        stream: `vault-${seq % 7}`,
        tenant: 'acme',
        type: 'discovery.seen',
      })
      lines.push(line)
      link = new Uint8Array(linkOf(sha256, link, leafOf(sha256, line)))
    }
    expect(await verify(lines)).toMatchObject({ ok: true, events: 2000, link })
    expect(await verify(lines, {}, '')).toMatchObject({ ok: true, events: 2000, link })
    const early = lines.with(1899, lines[1899]?.replace('"at":"2026', '"at":"2025') ?? '')
    expect(await verify(early)).toEqual({ ok: false, seq: 1900, reason: 'time-backwards' })
    for (const seq of [1, 350, 351, 1199, 2000]) {
      // And a second one behind it.
      const edited = lines.with(seq - 1, lines[seq - 1]?.replace(':1}', ': 1}') ?? '').with(1999, 'x')
      expect(await verify(edited)).toMatchObject({ ok: false, seq })
    }
  })
})
