import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startPostgres } from '../twin/postgres/embedded.ts'
import { type TestDatabase, testDatabase } from '../twin/postgres/for-tests.ts'
import { createAppender } from './ledger/coalesce.ts'
import { open, request, serviceSchema } from './ledger/testing.ts'
import { verifyLedger } from './ledger/verify.ts'
import { ledgerMigrations, type Migration, migrate } from './migrate.ts'
import { connect, type Pool, rows, transaction } from './postgres.ts'

let database: TestDatabase
let pool: Pool
beforeEach(async () => {
  database = await testDatabase()
  pool = connect({ url: database.url })
})
afterEach(async () => {
  await pool.end()
  await database.drop()
})

const wanted = async (): Promise<Migration[]> => [...(await ledgerMigrations()), serviceSchema('discovery')]

describe('migrate()', () => {
  test('takes each step once', async () => {
    const steps = await wanted()
    expect((await migrate(pool, steps)).map((s) => `${s.schema} ${s.number}`)).toEqual(
      steps.map((s) => `${s.schema} ${s.number}`),
    )
    expect(await migrate(pool, steps)).toEqual([])
    const next = {
      schema: 'discovery',
      number: 2,
      name: 'tags',
      sql: 'create table tag (tenant text not null)',
    }
    expect(await migrate(pool, [...steps, next])).toEqual([{ schema: 'discovery', number: 2, name: 'tags' }])
  })

  test('processes that start together take each step once between them', async () => {
    const steps = await wanted()
    const taken = await Promise.all(Array.from({ length: 5 }, () => migrate(pool, steps)))
    expect(taken.map((t) => t.length).sort((a, b) => a - b)).toEqual([0, 0, 0, 0, steps.length])
  })

  test('a step that fails leaves nothing behind', async () => {
    const steps = await wanted()
    const broken = {
      schema: 'discovery',
      number: 2,
      name: 'broken',
      sql: 'create table x (tenant text not null); nonsense',
    }
    await expect(migrate(pool, [...steps, broken])).rejects.toThrow('syntax error')
    expect(await rows(pool, `select from pg_namespace where nspname in ('ledger', 'discovery')`)).toEqual([])
  })

  test('refuses a database that a newer version has migrated', async () => {
    const steps = await wanted()
    const newer = { schema: 'discovery', number: 2, name: 'later', sql: 'select 1' }
    await migrate(pool, [...steps, newer])
    await expect(migrate(pool, steps)).rejects.toMatchObject({
      name: 'DatabaseRefused',
      code: 'newer-schema',
    })
  })

  test('refuses a step that was changed after it had run', async () => {
    const steps = await wanted()
    await migrate(pool, steps)
    const changed = steps.map((s) => (s.schema === 'discovery' ? { ...s, sql: `${s.sql} -- and more` } : s))
    await expect(migrate(pool, changed)).rejects.toMatchObject({ code: 'changed-migration' })
  })

  test('refuses the database of another product and leaves it as it was', async () => {
    await pool.query('create schema ledger; create table ledger.account (id int)')
    await expect(migrate(pool, await wanted())).rejects.toMatchObject({
      code: 'another-product',
      message: expect.stringContaining('schema "ledger"'),
    })
    await pool.query('drop schema ledger cascade; create schema discovery')
    await expect(migrate(pool, await wanted())).rejects.toMatchObject({ code: 'another-product' })
    expect(await rows(pool, `select from pg_namespace where nspname = 'ledger'`)).toEqual([])
  })

  test('refuses steps with a gap', async () => {
    const steps = (await wanted()).filter((s) => s.schema !== 'ledger' || s.number !== 3)
    await expect(migrate(pool, steps)).rejects.toMatchObject({ code: 'misnumbered' })
  })
})

describe('a managed server, where nobody is a superuser', { timeout: 120_000 }, () => {
  test('an administrator migrates, and a login of the services appends but takes no owner’s rights', async () => {
    // Roles belong to a server, so this needs one where they do not exist yet.
    const stateDir = await mkdtemp(join(tmpdir(), 'attestry-managed-'))
    const server = await startPostgres({ stateDir, durable: false })
    try {
      const root = new Client({ connectionString: server.url })
      await root.connect()
      await root.query(`create role boss login createrole createdb password 'b'`)
      await root.query(`create role app login password 'a'`)
      await root.query('create database product owner boss')
      await root.end()
      const as = (user: string, password: string) =>
        connect({ url: `postgres://${user}:${password}@127.0.0.1:${server.port}/product` })
      const admin = as('boss', 'b')
      const app = as('app', 'a')
      const steps = await wanted()
      expect(await migrate(admin, steps, { logins: ['app'] })).toHaveLength(steps.length)
      expect(await migrate(admin, steps, { logins: ['app'] })).toEqual([])
      await open(app, 'acme')
      const appender = createAppender({ pool: app, role: 'attestry_discovery' })
      expect(await appender.append(request())).toMatchObject({ ok: true, firstSeq: 2 })
      expect(await verifyLedger(app, { tenant: 'acme' })).toMatchObject({ ok: true, events: 2 })
      for (const sql of [
        'set role attestry_owner',
        'select * from ledger.event',
        'select * from discovery.note',
      ])
        await expect(app.query(sql)).rejects.toMatchObject({ code: '42501' })
      await app.end()
      await admin.end()
    } finally {
      await server.stop()
      await rm(stateDir, { recursive: true, force: true })
    }
  })
})

describe('transaction()', () => {
  test('leaves nothing in the session: a pooler may hand it to anybody', async () => {
    await migrate(pool, await wanted())
    const one = connect({ url: database.url, max: 1 })
    await transaction(one, { role: 'attestry_discovery', tenant: 'acme' }, (client) =>
      client.query('select 1'),
    )
    expect(
      await rows(
        one,
        `select current_user = session_user as same, current_setting('attestry.tenant', true) as tenant`,
      ),
    ).toEqual([{ same: true, tenant: '' }])
    await one.end()
  })

  test('rolls back what throws, and goes on with the next', async () => {
    await pool.query('create table t (n int)')
    const failing = transaction(pool, {}, async (client) => {
      await client.query('insert into t values (1)')
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await rows(pool, 'select * from t')).toEqual([])
  })

  test('a signal ends a statement that is running, and the pool goes on', async () => {
    const stop = new AbortController()
    const sleeping = transaction(pool, { signal: stop.signal }, (client) => {
      setTimeout(() => stop.abort(new Error('enough')), 50)
      return client.query('select pg_sleep(60)')
    })
    await expect(sleeping).rejects.toThrow('enough')
    expect(await rows(pool, 'select 1 as one')).toEqual([{ one: 1 }])
  })

  test('a serialization failure is tried again where the caller says so', async () => {
    let attempts = 0
    const work = () =>
      transaction(pool, { retries: 2 }, async (client) => {
        if (++attempts < 3)
          await client.query(`do $$ begin raise exception 'no' using errcode = '40001'; end $$`)
        return attempts
      })
    expect(await work()).toBe(3)
  })

  test('a server that does not answer is Transient', async () => {
    const away = connect({ url: 'postgres://nobody@127.0.0.1:1/none', connectTimeoutMs: 2000 })
    await expect(transaction(away, {}, (client) => client.query('select 1'))).rejects.toMatchObject({
      name: 'Transient',
      message: expect.stringContaining('the database is unavailable'),
    })
    await away.end()
  })
})
