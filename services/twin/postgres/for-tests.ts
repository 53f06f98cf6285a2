import { hash, randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ClientBase, Pool } from 'pg'
import { startPostgres } from './embedded.ts'
import { exists } from './files.ts'

/** Where the tests' server is asked for; set by the global setup, read in the workers. */
export const TEST_SERVER_VARIABLE = 'ATTESTRY_TEST_POSTGRES'

/** A Postgres for the tests of one run. */
export interface TestServer {
  /** Of a superuser, or of a role that may create databases and roles. */
  readonly url: string
  readonly kind: 'given' | 'container' | 'embedded'
  stop(): Promise<void>
}

const IMAGE = 'postgres:18-alpine'

/** Containers are tried only where an engine's socket is named or lies: asking for one that is not there is slow. */
const engineIsThere = async (): Promise<boolean> =>
  Boolean(process.env['DOCKER_HOST']) || (await exists('/var/run/docker.sock'))

const containerServer = async (): Promise<TestServer> => {
  // Loaded only here: the module costs half a second, and a machine without an engine never needs it.
  const { GenericContainer, Wait } = await import('testcontainers')
  const password = randomUUID()
  const container = await new GenericContainer(IMAGE)
    .withEnvironment({ POSTGRES_PASSWORD: password })
    .withCommand(['postgres', '-c', 'fsync=off', '-c', 'max_connections=200'])
    .withExposedPorts(5432)
    .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/, 2))
    .withStartupTimeout(60_000)
    .start()
  return {
    url: `postgres://postgres:${password}@${container.getHost()}:${container.getMappedPort(5432)}/postgres`,
    kind: 'container',
    stop: async () => {
      await container.stop()
    },
  }
}

const embeddedServer = async (): Promise<TestServer> => {
  const stateDir = await mkdtemp(join(tmpdir(), 'attestry-test-postgres-'))
  const server = await startPostgres({ stateDir, durable: false })
  return {
    url: server.url,
    kind: 'embedded',
    stop: async () => {
      await server.stop()
      await rm(stateDir, { recursive: true, force: true })
    },
  }
}

/** `DATABASE_URL` if set, else a container where an engine answers, else Postgres from the npm package. */
export const startTestServer = async (): Promise<TestServer> => {
  const given = process.env['DATABASE_URL']
  if (given) return { url: given, kind: 'given', stop: async () => {} }
  if (await engineIsThere()) {
    try {
      return await containerServer()
    } catch (error) {
      // An engine without rights or without the image is as good as none; which one served is worth a line.
      process.stderr.write(`no container for the tests (${String(error)}): using embedded Postgres\n`)
    }
  }
  return await embeddedServer()
}

let own: Promise<TestServer> | null = null

/** The server of this run, started on the first request; a worker without the global setup starts its own. */
const serverUrl = async (): Promise<string> => {
  const address = process.env[TEST_SERVER_VARIABLE]
  if (address) {
    const response = await fetch(address, { signal: AbortSignal.timeout(120_000) })
    const text = await response.text()
    if (!response.ok) throw new Error(`no Postgres for the tests: ${text}`)
    return text
  }
  own ??= startTestServer().then((server) => {
    // The embedded server's watcher stops it when this process ends; its directory is removed by the system.
    return server
  })
  return (await own).url
}

/** A database of one test's own. */
export interface TestDatabase extends AsyncDisposable {
  /** With the rights to create roles: what `DATABASE_ADMIN_URL` is in production. */
  readonly url: string
  readonly name: string
  drop(): Promise<void>
}

/** What databases of one kind hold from the start: it is made once a run, and then copied. */
export interface Model {
  /** Equal for models of equal content only. */
  readonly key: string
  readonly fill: (url: string) => Promise<void>
}

const admins = new Map<string, Pool>()

/** One connection of a process makes and drops its databases: to open one costs the server more than that. */
const asAdmin = async <T>(url: string, work: (client: ClientBase) => Promise<T>): Promise<T> => {
  let pool = admins.get(url)
  if (!pool) {
    pool = new Pool({ connectionString: url, max: 1, connectionTimeoutMillis: 10_000, allowExitOnIdle: true })
    // Idle when the server is stopped at the end of the run: nothing is lost, and who asks next is told.
    pool.on('error', () => {})
    admins.set(url, pool)
  }
  const client = await pool.connect()
  try {
    return await work(client)
  } finally {
    client.release()
  }
}

const addressOf = (admin: string, name: string): string => {
  const url = new URL(admin)
  url.pathname = `/${name}`
  return url.href
}

const freshName = () => `test_${randomUUID().replaceAll('-', '')}`

/** The name of a model's database, which the first that needs it makes while the others wait. */
const modelDatabase = async (admin: string, client: ClientBase, { key, fill }: Model): Promise<string> => {
  const name = `model_${hash('sha256', key).slice(0, 32)}`
  await client.query('select pg_advisory_lock(hashtext($1))', [name])
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name])
    if (rowCount === 0) {
      // Named at the end: what was half filled is nobody's model.
      const unfinished = freshName()
      await client.query(`create database ${unfinished} template template0`)
      await fill(addressOf(admin, unfinished))
      await client.query(`alter database ${unfinished} rename to ${name}`)
    }
  } finally {
    await client.query('select pg_advisory_unlock(hashtext($1))', [name])
  }
  return name
}

/**
 * A name for a database and what makes it, empty or after a model: for those who know what it is to hold only later.
 * A server that outlives the run gets no models, since nobody would drop them.
 */
export const plannedDatabase = async (): Promise<
  TestDatabase & { readonly create: (model?: Model) => Promise<void> }
> => {
  const admin = await serverUrl()
  const name = freshName()
  const url = addressOf(admin, name)
  const outlives = Boolean(process.env['DATABASE_URL'])
  const create = async (model?: Model) => {
    await asAdmin(admin, async (client) => {
      const template = model && !outlives ? await modelDatabase(admin, client, model) : 'template0'
      // Copied as files: through the write-ahead log, which is the default, it costs half as much again.
      await client.query(`create database ${name} template ${template} strategy file_copy`)
    })
    if (outlives) await model?.fill(url)
  }
  const drop = async () => {
    await asAdmin(admin, (client) => client.query(`drop database if exists ${name} with (force)`))
  }
  return { url, name, create, drop, [Symbol.asyncDispose]: drop }
}

/**
 * Creates an empty database for one test file, or a copy of a model: tens of milliseconds. Drop it afterwards, or hold
 * it with `await using`; dropping ends connections that are still open.
 */
export const testDatabase = async (model?: Model): Promise<TestDatabase> => {
  const { create, ...database } = await plannedDatabase()
  await create(model)
  return database
}
