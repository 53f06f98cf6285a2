import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { escapeIdentifier, escapeLiteral, type Pool, type PoolClient } from 'pg'
import { rows, transaction } from './postgres.ts'

/** One step of a schema, forward only. Once released it is never edited: the next number corrects it. */
export interface Migration {
  /** The database schema, named as the service; its role is `attestry_<schema>`. */
  readonly schema: string
  /** Steps that come from elsewhere, such as the host's own tables in a service's schema, count by themselves. */
  readonly series?: string
  /** 1, 2, 3 … without a gap in a schema and series. */
  readonly number: number
  readonly name: string
  readonly sql: string
}

/** Why the database was refused. */
export type RefusedBecause = 'another-product' | 'newer-schema' | 'changed-migration' | 'misnumbered'

/** The database is not one that this version may touch. Nothing was changed. */
export class DatabaseRefused extends Error {
  override readonly name = 'DatabaseRefused'
  readonly code: RefusedBecause
  constructor(code: RefusedBecause, message: string) {
    super(message)
    this.code = code
  }
}

/** Owns every table and function; no login takes it at run time, so nobody there can switch protection off. */
const OWNER = 'attestry_owner'
/** The kit's own role: opens chains, relays and verifies. */
const KEEPER = 'attestry_ledger'

const roleOf = (schema: string): string => `attestry_${schema}`
const checksum = (sql: string): string => createHash('sha256').update(sql).digest('hex')

/** The migrations of a folder of files `NNN-name.sql`. */
export const migrationsIn = async (schema: string, folder: URL, series?: string): Promise<Migration[]> => {
  const base = folder.href.endsWith('/') ? folder : new URL(`${folder.href}/`)
  const files = (await readdir(base)).filter((file) => file.endsWith('.sql')).sort()
  return await Promise.all(
    files.map(async (file) => {
      const [, number, name] = /^(\d+)-(.+)\.sql$/.exec(file) ?? []
      if (number === undefined || name === undefined)
        throw new DatabaseRefused('misnumbered', `${file} of ${schema} is not named NNN-name.sql`)
      const sql = await readFile(new URL(file, base), 'utf8')
      return { schema, ...(series === undefined ? {} : { series }), number: Number(number), name, sql }
    }),
  )
}

/** The ledger's own migrations; always the first. */
export const ledgerMigrations = (): Promise<Migration[]> =>
  migrationsIn('ledger', new URL('./ledger/schema/', import.meta.url))

export interface MigrateOptions {
  /** Login roles of the services (of `DATABASE_URL`), which are granted the services' roles but not the owner's. */
  readonly logins?: readonly string[]
  readonly signal?: AbortSignal
}

/** A step that was taken. */
export interface Migrated {
  readonly schema: string
  readonly number: number
  readonly name: string
}

/**
 * Brings a database to the present schema: under one lock, in one transaction, each step once. Give the pool of
 * `DATABASE_ADMIN_URL`. Every table of a service's schema gets row-level security by tenant.
 * @returns the steps taken now; none when it was up to date
 * @throws {DatabaseRefused} for a database of another product, one that a newer version has migrated, or a step
 * whose text changed since
 */
export const migrate = async (
  pool: Pool,
  migrations: readonly Migration[],
  options: MigrateOptions = {},
): Promise<Migrated[]> => {
  const bySchema = inOrder(migrations)
  return await transaction(pool, options.signal ? { signal: options.signal } : {}, async (client) => {
    // Processes that start together wait here, and find the work done.
    await client.query(`select pg_advisory_xact_lock(hashtextextended('attestry.migrate', 0))`)
    const schemas = [...new Set([...bySchema.keys()].map(schemaOf))]
    const { done, present } = await recorded(client, schemas)
    refuseForeign(bySchema, done)
    await createRoles(client, [OWNER, KEEPER, ...schemas.map(roleOf)], options.logins ?? [])
    const taken: Migrated[] = []
    for (const [series, steps] of bySchema) {
      const schema = schemaOf(series)
      if (!present.has(schema)) await createSchema(client, schema)
      present.add(schema)
      const pending = steps.slice(done.get(series)?.length ?? 0)
      if (pending.length === 0) continue
      await client.query(`set local role ${OWNER}`)
      // A step names its tables without the schema.
      await client.query(`select set_config('search_path', $1, true)`, [schema])
      for (const { number, name, sql } of pending) {
        await client.query(sql)
        await client.query(
          'insert into ledger.migration (schema, number, name, checksum) values ($1, $2, $3, $4)',
          [series, number, name, checksum(sql)],
        )
        taken.push({ schema, number, name })
      }
      if (schema !== 'ledger')
        await client.query('select ledger.admit($1), ledger.protect($2, $1)', [roleOf(schema), schema])
      await client.query('reset search_path')
      await client.query('reset role')
    }
    return taken
  })
}

const inOrder = (migrations: readonly Migration[]): Map<string, Migration[]> => {
  const bySchema = new Map<string, Migration[]>([['ledger', []]])
  for (const step of migrations) {
    if (!/^[a-z][a-z_]*$/.test(step.schema))
      throw new DatabaseRefused('misnumbered', `"${step.schema}" is no name for a schema`)
    bySchema.set(seriesOf(step), [...(bySchema.get(seriesOf(step)) ?? []), step])
  }
  for (const [schema, steps] of bySchema) {
    steps.sort((a, b) => a.number - b.number)
    if (steps.some((step, index) => step.number !== index + 1))
      throw new DatabaseRefused('misnumbered', `the migrations of ${schema} are not numbered 1, 2, 3 …`)
  }
  if (bySchema.get('ledger')?.length === 0)
    throw new DatabaseRefused('misnumbered', 'the ledger comes first: its migrations are missing')
  return bySchema
}

interface Recorded {
  readonly schema: string
  readonly number: number
  readonly name: string
  readonly checksum: string
}

/** `schema`, or `schema/series`: what a step is recorded under. */
const seriesOf = (step: Migration): string =>
  step.series === undefined ? step.schema : `${step.schema}/${step.series}`

const schemaOf = (series: string): string => series.split('/', 1)[0] ?? series

/** What was migrated before, by schema; a schema that exists without a record belongs to somebody else. */
const recorded = async (
  client: PoolClient,
  schemas: readonly string[],
): Promise<{ done: Map<string, Recorded[]>; present: Set<string> }> => {
  const present = await rows<{ schema: string; ours: boolean }>(
    client,
    `select nspname as schema, obj_description(oid, 'pg_namespace') = $2 as ours from pg_namespace
      where nspname = any ($1)`,
    [schemas, MARK],
  )
  const foreign = present.find((schema) => !schema.ours)
  if (foreign)
    throw new DatabaseRefused(
      'another-product',
      `this database already holds a schema "${foreign.schema}" which is not Attestry's: give Attestry a database of its own`,
    )
  const names = new Set(present.map(({ schema }) => schema))
  if (!names.has('ledger')) return { done: new Map(), present: names }
  await client.query(`set local role ${OWNER}`)
  const steps = await rows<Recorded>(
    client,
    'select schema, number, name, checksum from ledger.migration order by schema, number',
  )
  await client.query('reset role')
  return { done: Map.groupBy(steps, (step) => step.schema), present: names }
}

/** Written on each schema as its comment: how Attestry knows its own. */
const MARK = 'Attestry'

const refuseForeign = (bySchema: Map<string, Migration[]>, done: Map<string, Recorded[]>): void => {
  for (const [schema, steps] of bySchema) {
    for (const [index, step] of (done.get(schema) ?? []).entries()) {
      const ours = steps[index]
      if (!ours)
        throw new DatabaseRefused(
          'newer-schema',
          `this database is newer: schema "${schema}" is at step ${(done.get(schema) ?? []).length} and this version of Attestry knows ${steps.length}; start the newer version`,
        )
      if (checksum(ours.sql) !== step.checksum)
        throw new DatabaseRefused(
          'changed-migration',
          `step ${step.number} (${step.name}) of schema "${schema}" was changed after it had run here: this database was made by a version that was never released, and nothing leads from it to this one; give Attestry a new database (for npm start: another state folder, ATTESTRY_STATE_DIR)`,
        )
    }
  }
}

/** Roles belong to the whole server: another database may be creating the same ones at this moment. */
const createRoles = async (
  client: PoolClient,
  roles: readonly string[],
  logins: readonly string[],
): Promise<void> => {
  const grants = [
    ...roles.map((role) => [role, 'current_user'] as const),
    ...logins.flatMap((login) =>
      roles.filter((role) => role !== OWNER).map((role) => [role, escapeLiteral(login)] as const),
    ),
  ]
  const creations = roles.map(
    (role) => `begin
      if not exists (select from pg_roles where rolname = '${role}') then create role ${role} nologin; end if;
      exception when duplicate_object or unique_violation then null;
    end;`,
  )
  // Not inherited: a login has a role's rights only in a transaction that takes it.
  const memberships = grants.map(
    ([role, member]) => `begin
      if not pg_has_role(${member}, '${role}', 'set') then
        execute format('grant ${role} to %I with inherit false, set true', ${member});
      end if;
      exception when unique_violation then null;
    end;`,
  )
  await client.query(`do $roles$ begin ${creations.join('\n')} ${memberships.join('\n')} end $roles$`)
}

const createSchema = async (client: PoolClient, schema: string): Promise<void> => {
  const name = escapeIdentifier(schema)
  await client.query(`create schema ${name} authorization ${OWNER}`)
  await client.query(`set local role ${OWNER}`)
  await client.query(`comment on schema ${name} is '${MARK}'`)
  if (schema === 'ledger')
    await client.query(`create table ledger.migration (
      tenant text not null default 'install' check (tenant = 'install'),
      schema text not null, number int not null, name text not null, checksum text not null,
      at timestamptz not null default now(),
      primary key (schema, number))`)
  await client.query('reset role')
}

/** Tables of our schemas without forced row-level security or without a policy: there must be none. */
export const unprotectedTables = async (pool: Pool): Promise<string[]> =>
  (
    await rows<{ name: string }>(
      pool,
      `select format('%I.%I', n.nspname, c.relname) as name
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where obj_description(n.oid, 'pg_namespace') = $1 and c.relkind in ('r', 'p')
          and not (c.relrowsecurity and c.relforcerowsecurity
            and exists (select from pg_policy p where p.polrelid = c.oid))
        order by name`,
      [MARK],
    )
  ).map((row) => row.name)
