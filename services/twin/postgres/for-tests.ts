import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { exists } from './files.ts'
import { startPostgres } from './embedded.ts'

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

/** A fresh, empty database. */
export interface TestDatabase extends AsyncDisposable {
  /** With the rights to create roles: what `DATABASE_ADMIN_URL` is in production. */
  readonly url: string
  readonly name: string
  drop(): Promise<void>
}

const asAdmin = async (url: string, statement: string): Promise<void> => {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

/**
 * Creates an empty database for one test file: tens of milliseconds. Drop it afterwards, or hold it with
 * `await using`; dropping ends connections that are still open.
 */
export const testDatabase = async (): Promise<TestDatabase> => {
  const admin = await serverUrl()
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await asAdmin(admin, `create database ${name} template template0`)
  const url = new URL(admin)
  url.pathname = `/${name}`
  const drop = () => asAdmin(admin, `drop database if exists ${name} with (force)`)
  return { url: url.href, name, drop, [Symbol.asyncDispose]: drop }
}
