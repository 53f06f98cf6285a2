import { expect, test } from 'vitest'
import { testDatabase } from '../twin/postgres/for-tests.ts'
import { connect, look } from './postgres.ts'

test('look() answers each question within its role and schema, writes nothing, and leaves the connection as it was', async () => {
  await using database = await testDatabase()
  const pool = connect({ url: database.url, max: 1 })
  try {
    await pool.query(
      'create schema shop; create table shop.ware (name text); insert into shop.ware values (1)',
    )
    const asked = { tenant: "it's", searchPath: 'shop' }
    expect(
      await look(pool, asked, [
        'select name from ware',
        "select current_setting('attestry.tenant') as tenant",
      ]),
    ).toEqual([[{ name: '1' }], [{ tenant: "it's" }]])
    await expect(look(pool, asked, ['delete from ware', 'select 1'])).rejects.toThrow('read-only transaction')
    const { rows } = await pool.query(
      "select coalesce(current_setting('attestry.tenant', true), '') as tenant, (select count(*) from shop.ware) as wares",
    )
    expect(rows).toEqual([{ tenant: '', wares: 1 }])
    await pool.query('insert into shop.ware values (2)')
  } finally {
    await pool.end()
  }
})

test('an idle connection that breaks is told without the connection and its key', async () => {
  await using database = await testDatabase()
  const told: Error[] = []
  const pool = connect({ url: database.url, max: 1, onIdleError: (error) => told.push(error) })
  const other = connect({ url: database.url, max: 1 })
  try {
    const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid')
    await other.query('select pg_terminate_backend($1)', [rows[0]?.pid])
    await expect.poll(() => told.length).toBeGreaterThan(0)
    expect(told.map((error) => Object.keys(error)).flat()).not.toContain('client')
    expect(told[0]?.message).toContain('terminating connection')
  } finally {
    await Promise.all([pool.end(), other.end()])
  }
})
