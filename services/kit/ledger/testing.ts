import { hash, randomBytes } from 'node:crypto'
import type { Pool } from 'pg'
import { testDatabase } from '../../twin/postgres/for-tests.ts'
import { systemClock } from '../clock.ts'
import { migrated } from '../for-tests.ts'
import { createIds } from '../ids.ts'
import { ledgerMigrations, type Migration } from '../migrate.ts'
import { connect } from '../postgres.ts'
import type { AppendRequest, NewEvent } from './append.ts'
import { openTenant } from './open.ts'

/** Event ids as the product makes them. */
export const ids = createIds(systemClock)

/** SHA-256 as the pure core takes it. */
export const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer')

/** Who and why, where a test does not care. */
export const by = { id: 'service-test', kind: 'service' }
export const cause = { causation: 'test', correlation: 'test' }

/** A service's schema, so that its role exists. */
export const serviceSchema = (schema: string): Migration => ({
  schema,
  number: 1,
  name: 'notes',
  sql: `create table ${schema}.note (tenant text not null, id text not null, text text, primary key (tenant, id));`,
})

export interface LedgerFixture extends AsyncDisposable {
  readonly pool: Pool
  readonly url: string
}

/** A fresh migrated database with the services discovery and compliance and the tenants named. */
export const ledgerFixture = async (...tenants: string[]): Promise<LedgerFixture> => {
  const steps = [...(await ledgerMigrations()), serviceSchema('discovery'), serviceSchema('compliance')]
  const database = await testDatabase(migrated(steps))
  const pool = connect({ url: database.url, max: 20 })
  for (const tenant of tenants) await open(pool, tenant)
  return {
    pool,
    url: database.url,
    [Symbol.asyncDispose]: async () => {
      await pool.end()
      await database.drop()
    },
  }
}

/** Opens a chain of real origin. */
export const open = (pool: Pool, tenant: string): Promise<void> =>
  openTenant(pool, {
    tenant,
    origin: 'real',
    productVersion: '0.1.0',
    id: ids.uuid(),
    streamKey: randomBytes(32),
    by,
    cause,
  })

/** A fact of discovery. */
export const fact = (data: unknown = { n: 1 }, more: Partial<NewEvent> = {}): NewEvent => ({
  type: 'discovery.vault-scanned',
  v: 1,
  id: ids.uuid(),
  data,
  by,
  cause,
  ...more,
})

/** An append of one fact to a stream of tenant `acme`. */
export const request = (more: Partial<AppendRequest> = {}): AppendRequest => ({
  tenant: 'acme',
  stream: 'vault-0001',
  expected: 'any',
  events: [fact()],
  ...more,
})
