import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startPostgres } from './embedded.ts'
import { exists } from './files.ts'
import { isAlive, readPostmaster, waitUntil } from './postmaster.ts'

/** The state directory of a Postgres that was made and stopped: to make one takes longer than most of these tests. */
let made: string
let stateDir: string
let running: EmbeddedPostgres[]
let children: ChildProcess[]
beforeAll(async () => {
  made = await mkdtemp(join(tmpdir(), 'attestry-embedded-'))
  await (await startPostgres({ stateDir: made, durable: false })).stop()
})
afterAll(() => rm(made, { recursive: true, force: true }))
/** With its owners and modes, which Postgres looks at. */
const takeMade = () => promisify(execFile)('cp', ['-a', join(made, 'postgres'), stateDir])
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'attestry-embedded-'))
  running = []
  children = []
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  for (const server of running) await server.stop()
  await rm(stateDir, { recursive: true, force: true })
})

const start = async (more: { port?: number; durable?: boolean } = {}): Promise<EmbeddedPostgres> => {
  const server = await startPostgres({ stateDir, durable: false, ...more })
  running.push(server)
  return server
}

const query = async (server: EmbeddedPostgres, sql: string): Promise<unknown[]> => {
  const client = new Client({ connectionString: server.url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

/** A process of its own that starts Postgres and says when it stands. */
const startElsewhere = async (): Promise<{ child: ChildProcess; pid: number; port: number }> => {
  const script = `import { startPostgres } from ${JSON.stringify(new URL('./embedded.ts', import.meta.url).href)}
    const server = await startPostgres({ stateDir: ${JSON.stringify(stateDir)}, durable: false })
    console.log(JSON.stringify({ pid: server.pid, port: server.port }))
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const line = await new Promise<string>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the other process ended')))
    child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString()))
  })
  return { child, ...(JSON.parse(line) as { pid: number; port: number }) }
}

describe('startPostgres()', { timeout: 120_000 }, () => {
  test('keeps its data between runs, though the state directory is one that only its owner may enter', async () => {
    await chmod(stateDir, 0o700)
    const first = await start()
    await query(first, 'create table kept as select 1 as n')
    await first.stop()
    expect(isAlive(first.pid)).toBe(false)
    const second = await start()
    expect(await query(second, 'select n from kept')).toEqual([{ n: 1 }])
    expect(await query(second, 'show data_checksums')).toEqual([{ data_checksums: 'on' }])
  })

  test('starts again after kill -9 of Postgres', async () => {
    await takeMade()
    const first = await start({ durable: true })
    await query(first, 'create table kept as select 1 as n')
    process.kill(first.pid, 'SIGKILL')
    const second = await start({ port: first.port })
    expect(second.pid).not.toBe(first.pid)
    expect(await query(second, 'select n from kept')).toEqual([{ n: 1 }])
  })

  test('takes over a server that is still there, or moves it to the port asked for', async () => {
    await takeMade()
    const first = await start()
    const second = await start()
    expect(second).toMatchObject({ attached: true, pid: first.pid, port: first.port })
    expect(await query(second, 'select 1 as one')).toEqual([{ one: 1 }])
    const free = await new Promise<number>((resolve) => {
      const probe = createServer().listen(0, '127.0.0.1', () => {
        const address = probe.address()
        probe.close(() => resolve(address && typeof address === 'object' ? address.port : 0))
      })
    })
    const third = await start({ port: free })
    expect(third).toMatchObject({ attached: false, port: free })
    expect(await query(third, 'select 1 as one')).toEqual([{ one: 1 }])
  })

  test('shuts Postgres down when the process that started it is killed', async () => {
    await takeMade()
    const { child, pid } = await startElsewhere()
    child.kill('SIGKILL')
    const data = join(stateDir, 'postgres', 'data')
    expect(await waitUntil(async () => (await readPostmaster(data)) === null, 10_000)).toBe(true)
    expect(await waitUntil(() => !isAlive(pid), 10_000)).toBe(true)
    expect(await query(await start(), 'select 1 as one')).toEqual([{ one: 1 }])
  })

  test('a state directory that another running process uses is refused', async () => {
    await takeMade()
    const { child } = await startElsewhere()
    await expect(start()).rejects.toThrow(`another process (${child.pid}) runs Postgres`)
  })

  test('a port in use is a clear error', async () => {
    await takeMade()
    const other = createServer()
    await new Promise<void>((resolve) => {
      other.listen(0, '127.0.0.1', resolve)
    })
    const address = other.address()
    const port = address && typeof address === 'object' ? address.port : 0
    try {
      await expect(start({ port })).rejects.toThrow(`port ${port} for Postgres is in use`)
    } finally {
      other.close()
    }
  })

  test('what an interrupted first start left behind is made anew', async () => {
    const home = join(stateDir, 'postgres')
    await mkdir(join(home, 'data.partial', 'global'), { recursive: true })
    await writeFile(join(home, 'data.partial', 'PG_VERSION'), '18\n')
    expect(await query(await start(), 'select 1 as one')).toEqual([{ one: 1 }])
    expect(await exists(join(home, 'data.partial'))).toBe(false)
  })

  test('a data directory that is damaged or foreign is refused and left alone', async () => {
    const data = join(stateDir, 'postgres', 'data')
    await mkdir(data, { recursive: true })
    await writeFile(join(data, 'precious'), 'x')
    await expect(start()).rejects.toThrow('no Postgres data directory, or a damaged one')
    expect(await readdir(data)).toEqual(['precious'])
    await mkdir(join(data, 'global'))
    await writeFile(join(data, 'global', 'pg_control'), '')
    await writeFile(join(data, 'PG_VERSION'), '15\n')
    await expect(start()).rejects.toThrow('was written by Postgres 15')
  })

  test('a postmaster.pid whose process is somebody else is not believed', async () => {
    await takeMade()
    const file = join(stateDir, 'postgres', 'data', 'postmaster.pid')
    await writeFile(file, `${process.pid}\n`)
    expect(await query(await start(), 'select 1 as one')).toEqual([{ one: 1 }])
  })
})
