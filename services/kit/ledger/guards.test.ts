import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { unprotectedTables } from '../migrate.ts'
import { rows, transaction } from '../postgres.ts'
import { AppendDenied, appendIn } from './append.ts'
import { createAppender } from './coalesce.ts'
import { type Erase, erase, tenantChains } from './open.ts'
import { readAfter } from './read.ts'
import { by, cause, fact, ids, type LedgerFixture, ledgerFixture, request } from './testing.ts'
import { verifyLedger } from './verify.ts'

const DISCOVERY = 'attestry_discovery'
let fixture: LedgerFixture
beforeAll(async () => {
  fixture = await ledgerFixture('acme', 'beta')
  const appender = createAppender({ pool: fixture.pool, role: DISCOVERY })
  for (const tenant of ['acme', 'beta'])
    await appender.append(request({ tenant, events: [fact({}, { private: '[["/data/name","00","x"]]' })] }))
})
afterAll(() => fixture[Symbol.asyncDispose]())

const as = (role: string, sql: string, tenant?: string) =>
  transaction(fixture.pool, { role, ...(tenant ? { tenant } : {}) }, (client) =>
    rows<Record<string, unknown>>(client, sql),
  )

describe('append-only', () => {
  const changes = [
    `update ledger.event set private = 'x'`,
    `update ledger.event set private = null`,
    `update ledger.event set envelope = envelope`,
    'delete from ledger.event where seq = 1',
    'delete from ledger.event where false',
    'truncate ledger.event',
    'update ledger.head set seq = seq - 1',
    "update ledger.head set seq = seq + 1, at = at - interval '1 s'",
    'delete from ledger.head',
    'truncate ledger.head',
    `update ledger.tenant set origin = 'demo'`,
    'delete from ledger.tenant',
    'truncate ledger.tenant',
  ]
  for (const change of changes)
    test(`the owner and a superuser are refused: ${change}`, async () => {
      await expect(as('attestry_owner', change)).rejects.toMatchObject({ code: 'LG001' })
      await expect(fixture.pool.query(change)).rejects.toMatchObject({ code: 'LG001' })
      const replica = transaction(fixture.pool, {}, async (client) => {
        await client.query('set local session_replication_role = replica')
        await client.query(change)
      })
      await expect(replica).rejects.toMatchObject({ code: 'LG001' })
    })

  test('a service and the kit have no right to write at all', async () => {
    for (const role of [DISCOVERY, 'attestry_ledger'])
      for (const sql of [
        'update ledger.event set private = null',
        'delete from ledger.event',
        'truncate ledger.event',
        'update ledger.head set seq = seq + 1',
        `insert into ledger.head (tenant, seq, link, at) values ('evil', 0, '', now())`,
        'alter table ledger.event disable trigger all',
      ])
        await expect(as(role, sql, 'acme')).rejects.toMatchObject({ code: '42501' })
  })
})

describe('row-level security', () => {
  test('is forced on every table of the product', async () => {
    expect(await unprotectedTables(fixture.pool)).toEqual([])
    await fixture.pool.query('create table discovery.forgotten (tenant text not null)')
    expect(await unprotectedTables(fixture.pool)).toEqual(['discovery.forgotten'])
    await fixture.pool.query('drop table discovery.forgotten')
  })

  test('a table without a tenant is refused', async () => {
    const attempt = transaction(fixture.pool, { role: 'attestry_owner' }, async (client) => {
      await client.query('create table discovery.loose (id text)')
      await client.query(`select ledger.protect('discovery', '${DISCOVERY}')`)
    })
    await expect(attempt).rejects.toThrow('has no column "tenant text not null"')
  })

  test('a service sees and writes the tenant of its transaction alone, and without one nothing', async () => {
    const count = async (table: string, tenant?: string) =>
      (await as(DISCOVERY, `select distinct tenant from ${table}`, tenant)).map((row) => row['tenant'])
    for (const table of ['ledger.event', 'ledger.head', 'ledger.tenant']) {
      expect(await count(table, 'acme')).toEqual(['acme'])
      expect(await count(table)).toEqual([])
    }
    const write = (tenant: string, other: string) =>
      as(DISCOVERY, `insert into discovery.note values ('${other}', '1', 'x')`, tenant)
    await write('acme', 'acme')
    await expect(write('acme', 'beta')).rejects.toMatchObject({ code: '42501' })
    expect(await as(DISCOVERY, 'delete from discovery.note returning tenant', 'beta')).toEqual([])
    expect(await as(DISCOVERY, 'delete from discovery.note returning tenant', 'acme')).toEqual([
      { tenant: 'acme' },
    ])
    const read = transaction(fixture.pool, { role: DISCOVERY, tenant: 'acme' }, (client) =>
      readAfter(client, { tenant: 'beta', after: 0, limit: 10 }),
    )
    expect(await read).toEqual([])
  })

  test('a transaction of one tenant appends to no other', async () => {
    const attempt = transaction(fixture.pool, { role: DISCOVERY, tenant: 'acme' }, (client) =>
      appendIn(client, [request({ tenant: 'beta' })]),
    )
    await expect(attempt).rejects.toMatchObject({ name: 'AppendDenied', code: 'foreign-context' })
  })

  test('a service does not see another service’s tables', async () => {
    await expect(as(DISCOVERY, 'select * from compliance.note', 'acme')).rejects.toMatchObject({
      code: '42501',
    })
  })

  test('the kit lists all tenants, each with a key of its own', async () => {
    const chains = await tenantChains(fixture.pool)
    expect(chains.map((c) => [c.tenant, c.origin, c.streamKey.length])).toEqual([
      ['acme', 'real', 32],
      ['beta', 'real', 32],
    ])
    expect(chains[0]?.streamKey).not.toEqual(chains[1]?.streamKey)
  })
})

describe('erase()', () => {
  const ask = (more: Partial<Erase> = {}): Erase => ({
    tenant: 'acme',
    seqs: [2],
    why: 'asked for by the person',
    duty: 'GDPR Art. 17',
    by,
    cause,
    id: ids.uuid(),
    ...more,
  })

  test('the duty to keep wins unless it was approved', async () => {
    expect(await erase(fixture.pool, ask())).toEqual({ ok: false, refused: 'duty-to-keep', seqs: [2] })
  })

  test('first says so in the chain, then removes the value; every hash stays', async () => {
    const before = await as(
      'attestry_ledger',
      `select envelope, leaf, link from ledger.event where seq = 2 order by 1`,
    )
    expect(await erase(fixture.pool, ask({ approved: true }))).toEqual({ ok: true, erased: 1 })
    const [erased, newest] = await transaction(fixture.pool, { role: DISCOVERY, tenant: 'acme' }, (client) =>
      readAfter(client, { tenant: 'acme', after: 1, limit: 10 }),
    )
    expect(erased?.private).toBeNull()
    expect(newest).toMatchObject({ type: 'ledger.erased' })
    expect(JSON.parse(newest?.envelope ?? '')).toMatchObject({
      event: { data: { duty: 'GDPR Art. 17', seqs: [2], why: 'asked for by the person' } },
    })
    expect(
      await as('attestry_ledger', `select envelope, leaf, link from ledger.event where seq = 2 order by 1`),
    ).toEqual(before)
    expect(await verifyLedger(fixture.pool, { tenant: 'acme' })).toMatchObject({ ok: true, events: 3 })
    const other = await as('attestry_ledger', `select private from ledger.event where seq = 2`, 'beta')
    expect(other).toContainEqual({ private: '[["/data/name","00","x"]]' })
  })

  test('a service may not erase, and the event must name exactly the rows', async () => {
    await expect(
      as(DISCOVERY, `select ledger.erase('acme', '{2}', gen_random_uuid(), '{}', null)`, 'acme'),
    ).rejects.toMatchObject({ code: '42501' })
    await expect(
      as(
        'attestry_ledger',
        `select ledger.erase('acme', '{2}', gen_random_uuid(), '{"data":{"seqs":[1]}}', null)`,
      ),
    ).rejects.toMatchObject({ code: 'LG002' })
    await expect(erase(fixture.pool, ask({ tenant: 'nobody', approved: true }))).rejects.toBeInstanceOf(
      AppendDenied,
    )
  })
})
