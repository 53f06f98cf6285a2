import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, chown, mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { type Account, accountFor, canEnter } from './account.ts'
import { type Binaries, copyBinaries } from './binaries.ts'
import { exists, textAt } from './files.ts'
import {
  isAlive,
  type Postmaster,
  readPostmaster,
  servesDirectory,
  stopPostmaster,
  waitUntil,
} from './postmaster.ts'

/** A running Postgres on loopback. */
export interface EmbeddedPostgres {
  /** Of the superuser and the database `attestry`. Holds the password: never log it. */
  readonly url: string
  readonly port: number
  /** The postmaster's process id. */
  readonly pid: number
  /** Whether a Postgres of an earlier run was found alive and taken over. */
  readonly attached: boolean
  /** Fast shutdown: rolls back what is open, writes a checkpoint. */
  stop(): Promise<void>
}

export interface EmbeddedOptions {
  /** Kept between runs: programs, data, password and log lie in `<stateDir>/postgres`. */
  readonly stateDir: string
  /** Loopback port; omitted or 0 takes a free one. */
  readonly port?: number
  readonly signal?: AbortSignal
  /** False trades durability for speed: for tests only. @default true */
  readonly durable?: boolean
}

const SUPERUSER = 'postgres'
const DATABASE = 'attestry'
/** Recovery after a crash of a busy server takes seconds; a machine that needs more has another trouble. */
const START_TIMEOUT_MS = 120_000
/** After kill -9 the old children hold shared memory for a moment, and the first starts fail. */
const START_ATTEMPTS = 10
const LOG_LIMIT_BYTES = 10_000_000

/**
 * Starts real Postgres from the npm package's programs, without a container and also as root.
 * Data survive between runs. When the starting process dies, Postgres is shut down by a small watcher; when that
 * failed too, the next start takes the running server over.
 * @throws with a message for the operator: a port in use, a directory that the account cannot enter, a damaged or
 * foreign data directory, a state directory that another running process uses
 */
export const startPostgres = async (options: EmbeddedOptions): Promise<EmbeddedPostgres> => {
  const { signal, durable = true } = options
  const stateDir = resolve(options.stateDir)
  const home = join(stateDir, 'postgres')
  const data = join(home, 'data')
  const account = await accountFor(data)
  await prepareHome(stateDir, home, account)
  await refuseSecondOwner(home, data)
  const binaries = await copyBinaries(home)
  const password = await passwordIn(home)
  await initialise({ home, data, account, binaries, password, durable })

  const found = await earlierServer(data, options.port, signal)
  const port = found?.port ?? (await portToUse(options.port))
  const started = found ? null : await launch({ home, data, account, binaries, port, durable, signal })
  const pid = found?.pid ?? started?.pid
  if (pid === undefined) throw new Error('Postgres has no process id')
  const watcher = watchParent(data, account)
  await writeFile(join(home, 'owner'), String(process.pid), { mode: 0o600 })

  const urlOf = (database: string) => `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${database}`
  const stop = async () => {
    await stopPostmaster(pid, data)
    watcher?.kill('SIGKILL')
    await rm(join(home, 'owner'), { force: true })
  }
  try {
    await createDatabase(urlOf('postgres'))
  } catch (cause) {
    await stop()
    throw new Error(
      `Postgres started, but its database could not be opened; see ${join(home, 'postgres.log')}`,
      {
        cause,
      },
    )
  }
  return { url: urlOf(DATABASE), port, pid, attached: found !== null, stop }
}

const prepareHome = async (stateDir: string, home: string, account: Account): Promise<void> => {
  if (!(await exists(stateDir))) await mkdir(stateDir, { recursive: true, mode: 0o711 })
  // The account must pass through, not look around: other files of the state directory keep their own modes.
  else if (account) await chmod(stateDir, (await stat(stateDir)).mode | 0o111)
  await mkdir(home, { recursive: true, mode: account ? 0o711 : 0o700 })
  if (account) await chown(home, account.uid, account.gid)
  if (!(await canEnter(account, home)))
    throw new Error(
      `Postgres runs as user ${account?.uid} here and cannot enter ${home}: set ATTESTRY_STATE_DIR to a directory that is not below one which only root may enter`,
    )
}

const refuseSecondOwner = async (home: string, data: string): Promise<void> => {
  const owner = Number((await textAt(join(home, 'owner'))) ?? 0)
  if (!owner || owner === process.pid || !isAlive(owner)) return
  const postmaster = await readPostmaster(data)
  if (postmaster && (await servesDirectory(postmaster.pid, data)))
    throw new Error(
      `another process (${owner}) runs Postgres in ${home}: stop it, or set ATTESTRY_STATE_DIR to another directory`,
    )
}

const passwordIn = async (home: string): Promise<string> => {
  const file = join(home, 'password')
  const known = (await textAt(file))?.trim()
  if (known) return known
  const password = randomBytes(24).toString('base64url')
  await writeFile(file, password, { mode: 0o600 })
  return password
}

interface Cluster {
  readonly home: string
  readonly data: string
  readonly account: Account
  readonly binaries: Binaries
  readonly durable: boolean
}

/** Creates the data directory beside its place and moves it there when whole: half of one is never started. */
const initialise = async (cluster: Cluster & { readonly password: string }): Promise<void> => {
  const { home, data, account, binaries, password, durable } = cluster
  if (await exists(data)) {
    const version = (await textAt(join(data, 'PG_VERSION')))?.trim()
    if (version === undefined || !(await exists(join(data, 'global', 'pg_control'))))
      throw new Error(
        `${data} is no Postgres data directory, or a damaged one: move it away, or restore a backup`,
      )
    const [major] = binaries.version.split('.')
    if (version !== major)
      throw new Error(
        `${data} was written by Postgres ${version}, and this is Postgres ${major}: migrate it first`,
      )
    return
  }
  const partial = `${data}.partial`
  const passwordFile = join(home, 'password.initdb')
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { mode: 0o700 })
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  if (account) for (const path of [partial, passwordFile]) await chown(path, account.uid, account.gid)
  try {
    await promisify(execFile)(
      binaries.initdb,
      [
        `--pgdata=${partial}`,
        `--username=${SUPERUSER}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        // Postgres's own locale: sorts alike on every machine, and needs none installed.
        '--encoding=UTF8',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--locale=C',
        '--data-checksums',
        ...(durable ? [] : ['--no-sync']),
      ],
      { ...account, cwd: '/', env: programEnvironment(), timeout: START_TIMEOUT_MS },
    )
  } catch (cause) {
    const why = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : ''
    throw new Error(`Postgres could not create its data directory ${partial}: ${why}`, { cause })
  } finally {
    await rm(passwordFile, { force: true })
  }
  await rename(partial, data)
}

const programEnvironment = (): NodeJS.ProcessEnv => ({ PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' })

/** A Postgres of an earlier run that serves this very directory: attached if it fits, otherwise stopped. */
const earlierServer = async (
  data: string,
  port: number | undefined,
  signal: AbortSignal | undefined,
): Promise<Postmaster | null> => {
  const found = await readPostmaster(data)
  if (!found) return null
  if (!(await servesDirectory(found.pid, data))) {
    // The file of a dead server, whose id a stranger may have by now: Postgres itself would refuse to start.
    await rm(join(data, 'postmaster.pid'), { force: true })
    return null
  }
  const settled = async () => {
    const now = await readPostmaster(data)
    return now?.pid !== found.pid || now.status === 'ready' || now.status === 'stopping'
  }
  await waitUntil(settled, START_TIMEOUT_MS, signal)
  const now = await readPostmaster(data)
  const wanted = !port || now?.port === port
  if (now?.pid === found.pid && now.status === 'ready' && wanted) return now
  await stopPostmaster(found.pid, data)
  return null
}

const portToUse = async (port = 0): Promise<number> => {
  const server = createServer()
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  server.once('error', (cause: NodeJS.ErrnoException) => {
    reject(
      cause.code === 'EADDRINUSE'
        ? new Error(
            `port ${port} for Postgres is in use by another program: stop it, or choose another port`,
            { cause },
          )
        : cause,
    )
  })
  server.listen(port, '127.0.0.1', () => {
    const address = server.address()
    server.close(() => resolve(address && typeof address === 'object' ? address.port : port))
  })
  return await promise
}

interface Launch extends Cluster {
  readonly port: number
  readonly signal: AbortSignal | undefined
}

const launch = async (cluster: Launch): Promise<Postmaster> => {
  const log = join(cluster.home, 'postgres.log')
  const unsafe = ['-c', 'fsync=off', '-c', 'full_page_writes=off', '-c', 'synchronous_commit=off']
  const args = [
    ['-D', cluster.data, '-p', String(cluster.port)],
    ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
    ['-c', 'max_connections=200', '-c', 'timezone=UTC', '-c', 'log_timezone=UTC'],
    cluster.durable ? [] : unsafe,
  ].flat()
  for (let attempt = 1; attempt <= START_ATTEMPTS; attempt++) {
    if ((await exists(log)) && (await stat(log)).size > LOG_LIMIT_BYTES) await rename(log, `${log}.1`)
    await using output = await open(log, 'a', 0o600)
    const child = spawn(cluster.binaries.postgres, args, {
      ...cluster.account,
      cwd: '/',
      env: programEnvironment(),
      // A session of its own: Ctrl-C in the terminal reaches us alone, and we stop Postgres last.
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
    })
    const end = ended(child)
    child.unref()
    const ready = async () => {
      const postmaster = await readPostmaster(cluster.data)
      return end.done || (postmaster?.pid === child.pid && postmaster?.status === 'ready')
    }
    try {
      if (!(await waitUntil(ready, START_TIMEOUT_MS, cluster.signal)))
        throw new Error(`Postgres was not ready after ${START_TIMEOUT_MS / 1000} s; see ${log}`)
    } catch (error) {
      child.kill('SIGQUIT')
      throw error
    }
    const postmaster = await readPostmaster(cluster.data)
    if (!end.done && postmaster) return postmaster
    await sleep(200, undefined, { signal: cluster.signal })
  }
  throw new Error(`Postgres does not start; the last lines of ${log}:\n${await lastLines(log)}`)
}

const ended = (child: ChildProcess): { done: boolean } => {
  const state = { done: false }
  child.once('exit', () => {
    state.done = true
  })
  child.once('error', () => {
    state.done = true
  })
  return state
}

const lastLines = async (log: string): Promise<string> =>
  ((await textAt(log)) ?? '').trimEnd().split('\n').slice(-8).join('\n')

/**
 * Shuts Postgres down when our process ends in whatever way: a shell whose standard input is a pipe from us reads
 * its end. Windows has no such shell; there the next start takes the server over.
 */
const watchParent = (data: string, account: Account): ChildProcess | null => {
  if (process.platform === 'win32') return null
  const script = 'read -r _; pid=$(head -n 1 "$1/postmaster.pid") && kill -INT "$pid"'
  const watcher = spawn('/bin/sh', ['-c', script, 'sh', data], {
    ...account,
    cwd: '/',
    env: programEnvironment(),
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watcher.unref()
  // A child's pipe is a socket: without this it would keep our process from ending.
  if (watcher.stdin && 'unref' in watcher.stdin && typeof watcher.stdin.unref === 'function')
    watcher.stdin.unref()
  return watcher
}

const createDatabase = async (url: string): Promise<void> => {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  await client.connect()
  try {
    const known = await client.query('select 1 from pg_database where datname = $1', [DATABASE])
    if (known.rowCount === 0) await client.query(`create database ${DATABASE}`)
  } finally {
    await client.end()
  }
}
