import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { LicenseStatus } from '@attestry/contracts/http'
import { connect } from '@attestry/kit/postgres'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import topology from '../deploy/servicebus/config.json' with { type: 'json' }
import { alive, descendantsOf, freePort, type Program, startProgram, until } from './program.fixture.ts'
import { testDatabase, type TestDatabase } from './twin/postgres/for-tests.ts'
import { type Broker, startBroker } from './twin/servicebus/broker.ts'

// Every one of these starts whole processes, and another run may share the machine.
vi.setConfig({ testTimeout: 120_000 })

const programs: Program[] = []
const main = (args: readonly string[], variables: Readonly<Record<string, string>> = {}): Program => {
  const program = startProgram('./main.ts', args, { ATTESTRY_END_WITH_STDIN: 'true', ...variables })
  programs.push(program)
  return program
}
afterEach(async () => {
  await Promise.all(programs.splice(0).map((program) => program.end()))
})

/** What a start that fails says, and that it shows no stack: it is for an operator. */
async function refusal(args: readonly string[], variables: Readonly<Record<string, string>> = {}) {
  const program = main(args, variables)
  const code = await program.ended
  expect(program.complained()).not.toMatch(/^\s+at /m)
  return { code, says: program.complained() }
}

let broker: Broker
let state: string
beforeAll(async () => {
  broker = await startBroker({ config: topology, key: randomBytes(32).toString('base64') })
  state = await mkdtemp(join(tmpdir(), 'attestry-start-'))
})
afterAll(async () => {
  await broker?.stop()
  if (state) await rm(state, { recursive: true, force: true })
})

const variablesFor = (database: Pick<TestDatabase, 'url'>): Record<string, string> => ({
  DATABASE_URL: database.url,
  SERVICE_BUS_CONNECTION: broker.connectionString,
  SECRET_KEY: 'a key of the tests, not of anybody else',
  ATTESTRY_STATE_DIR: state,
  ATTESTRY_PORT: '0',
  ATTESTRY_METRICS_PORT: '0',
})
const DEMO = { ATTESTRY_AZURE_ENDPOINT: 'http://127.0.0.1:9' }

const stopped = async (program: Program) => {
  await program.says(/^Attestry \S+ /m)
  return program.end()
}

describe('a start that is told too little or something wrong', () => {
  test('names every missing variable at once, with what it is for', async () => {
    const { code, says } = await refusal([])
    expect(code).toBe(1)
    expect(says).toMatch(/DATABASE_URL: is missing\. Postgres 16 or newer/)
    expect(says).toMatch(/SECRET_KEY: is missing\. At least 32 characters/)
    expect(says).toMatch(/SERVICE_BUS_NAMESPACE: is missing, and so is SERVICE_BUS_CONNECTION/)
    expect(says).toContain('npm run attestry -- config')
  })

  test('names every wrong variable at once, with what would be right, and shows no secret', async () => {
    const { code, says } = await refusal([], {
      DATABASE_URL: 'mysql://root:hunter2@db/x',
      SERVICE_BUS_NAMESPACE: 'not a host',
      SECRET_KEY: 'hunter3',
      ATTESTRY_PORT: '99999',
      ATTESTRY_LOG_LEVEL: 'loud',
      ATTESTRY_AZURE_ENDPOINT: 'https://cloud.example',
      ATTESTRY_SWEEP_SECONDS: 'often',
    })
    expect(code).toBe(1)
    expect(says).toContain('DATABASE_URL: must be a postgres:// address')
    expect(says).toContain('SERVICE_BUS_NAMESPACE: must be a host name')
    expect(says).toContain('SECRET_KEY: must have at least 32 characters')
    expect(says).toContain('ATTESTRY_PORT: must be a port number')
    expect(says).toContain('ATTESTRY_LOG_LEVEL: must be debug, info, warn or error')
    expect(says).toContain('ATTESTRY_AZURE_ENDPOINT: must be a loopback address')
    expect(says).toMatch(/ATTESTRY_SWEEP_SECONDS: .*number/)
    expect(says).not.toMatch(/hunter[23]/)
  })

  test('names the services there are, and the options, when asked for another', async () => {
    const [service, option] = await Promise.all([refusal(['discoverry']), refusal(['--embeded'])])
    expect(service.code).toBe(2)
    expect(service.says).toMatch(
      /no service discoverry\. Services: licensing, discovery, compliance, rotation, sync, evidence, gateway/,
    )
    expect(option.code).toBe(2)
    expect(option.says).toContain("'--embeded'")
  })
})

describe('a start that meets something else than it needs', () => {
  test('says which port is taken and which variable changes it', async () => {
    await using database = await testDatabase()
    const port = await freePort()
    const other = createServer().listen(port, '127.0.0.1')
    try {
      const { code, says } = await refusal(['gateway'], {
        ...variablesFor(database),
        ATTESTRY_PORT: String(port),
      })
      expect(code).toBe(1)
      expect(says).toContain(`127.0.0.1:${port} is already in use`)
      expect(says).toContain('ATTESTRY_PORT')
      const metrics = await refusal(['licensing'], {
        ...variablesFor(database),
        ATTESTRY_METRICS_PORT: String(port),
      })
      expect(metrics.code).toBe(1)
      expect(metrics.says).toContain(`127.0.0.1:${port} is already in use`)
      expect(metrics.says).toContain('ATTESTRY_METRICS_PORT')
    } finally {
      other.close()
    }
  })

  test('says that SECRET_KEY is another one than the install was made with', async () => {
    await using database = await testDatabase()
    expect(await stopped(main(['gateway'], variablesFor(database)))).toBe(0)
    const { code, says } = await refusal(['gateway'], {
      ...variablesFor(database),
      SECRET_KEY: 'another key of the tests, as long as it must be',
    })
    expect(code).toBe(1)
    expect(says).toMatch(/SECRET_KEY is not the one this install was made with. Set that one again\.\n$/)
  })

  test('says that the database cannot be reached, or refuses the password', async () => {
    await using database = await testDatabase()
    const wrong = new URL(database.url)
    wrong.password = 'wrong'
    const nowhere = new URL(database.url)
    nowhere.port = String(await freePort())
    const [refused, away] = await Promise.all([
      refusal(['licensing'], { ...variablesFor(database), DATABASE_URL: wrong.href }),
      refusal(['licensing'], { ...variablesFor(database), DATABASE_URL: nowhere.href }),
    ])
    expect(refused.code).toBe(1)
    expect(refused.says).toMatch(/DATABASE_URL: Postgres refuses the connection: .*password/)
    expect(away.code).toBe(1)
    expect(away.says).toMatch(/the database is unavailable: .*ECONNREFUSED/)
  })

  test('leaves a database of another product alone, and one that a newer version has migrated', async () => {
    await using foreign = await testDatabase()
    await using newer = await testDatabase()
    const inForeign = connect({ url: foreign.url, max: 1 })
    const inNewer = connect({ url: newer.url, max: 1 })
    try {
      await inForeign.query('create schema ledger create table account (id int primary key)')
      const { code, says } = await refusal(['licensing'], variablesFor(foreign))
      expect(code).toBe(1)
      expect(says).toMatch(/already holds a schema "ledger" which is not Attestry's/)
      const { rows } = await inForeign.query(
        `select nspname from pg_namespace where nspname in ('licensing', 'discovery')`,
      )
      expect(rows).toEqual([])

      expect(await stopped(main(['licensing'], variablesFor(newer)))).toBe(0)
      await inNewer.query(
        `insert into ledger.migration (schema, number, name, checksum)
         select schema, max(number) + 1, 'of-tomorrow', 'x' from ledger.migration where schema = 'ledger' group by schema`,
      )
      const later = await refusal(['licensing'], variablesFor(newer))
      expect(later.code).toBe(1)
      expect(later.says).toMatch(/this database is newer: .*start the newer version/)
    } finally {
      await inForeign.end()
      await inNewer.end()
    }
  })

  test('keeps demonstrations and real installs apart, whichever was there first', async () => {
    await using demo = await testDatabase()
    await using real = await testDatabase()
    const asDemo = { ...variablesFor(demo), ...DEMO }
    const asReal = variablesFor(real)
    expect(
      await Promise.all([stopped(main(['licensing'], asDemo)), stopped(main(['licensing'], asReal))]),
    ).toEqual([0, 0])
    const [nowReal, nowDemo] = await Promise.all([
      refusal(['licensing'], variablesFor(demo)),
      refusal(['licensing'], { ...variablesFor(real), ...DEMO }),
    ])
    expect(nowReal.code).toBe(1)
    expect(nowReal.says).toMatch(/was opened as demo, for ever; it does not become real/)
    expect(nowReal.says).toContain('DATABASE_URL')
    expect(nowDemo.code).toBe(1)
    expect(nowDemo.says).toMatch(/was opened as real, for ever; it does not become demo/)
  })
})

describe('an embedded start', () => {
  test('survives kill -9 at any moment, refuses a second one, goes on without a licence service, and leaves no process behind', async () => {
    const home = await mkdtemp(join(tmpdir(), 'attestry-embedded-'))
    const start = (variables: Readonly<Record<string, string>> = {}) =>
      main(['--embedded', '--free-ports', '--state', home, '--estate', 'workshop'], {
        ATTESTRY_LOG_LEVEL: 'warn',
        ...variables,
      })
    const family = new Set<number>()
    const look = async (program: Program) => {
      for (const pid of await descendantsOf(program.pid)) family.add(pid)
    }
    const gone = () =>
      until('every process that was started ends', async () =>
        (await alive([...family])).length === 0 ? true : null,
      )
    try {
      // In the middle of writing its first files, of making the database, of the first start.
      for (const ms of [400, 1200, 2500]) {
        const early = start()
        await wait(ms)
        await look(early)
        await early.kill()
        await gone()
      }
      // Of another install, in the shell that it is started from.
      const whole = start({
        SERVICE_BUS_NAMESPACE: 'elsewhere.servicebus.windows.net',
        DATABASE_ADMIN_URL: 'postgres://elsewhere@127.0.0.1:9/elsewhere',
        AZURE_TENANT_ID: 'elsewhere',
        AZURE_CLIENT_ID: 'elsewhere',
        AZURE_CLIENT_SECRET: 'elsewhere',
      })
      await whole.says(/is ready at http:\/\/127\.0\.0\.1:\d+ .*\(DEMONSTRATION\)/)
      // In a file for its owner alone, and not where a service manager would log it.
      const firstSignIn = join(home, 'first-sign-in.txt')
      expect(whole.said()).toContain(`first sign-in waits in ${firstSignIn}`)
      expect(whole.said()).not.toContain('password')
      expect((await stat(firstSignIn)).mode & 0o777).toBe(0o600)
      const password = await readFile(firstSignIn, 'utf8')
      // Its licence came from the Worker, which signed it: an evaluation that nobody was asked for has no end.
      const [, url] = /is ready at (http:\/\/127\.0\.0\.1:\d+)/.exec(whole.said()) ?? []
      const license = await until('the licence service has answered', async () => {
        const answer = await fetch(`${url}/api/license/status`, { signal: AbortSignal.timeout(10_000) })
        const status = LicenseStatus.parse(await answer.json())
        return status.expiresAt === null ? null : status
      })
      expect(license).toMatchObject({ tier: 'evaluation', state: 'valid' })
      await look(whole)
      const second = await refusal(['--embedded', '--free-ports', '--state', home])
      expect(second.code).toBe(1)
      expect(second.says).toMatch(
        /another process \(\d+\) runs Postgres in .*: stop it, or set ATTESTRY_STATE_DIR/,
      )
      expect(await whole.end('SIGTERM')).toBe(0)
      expect(await alive([...family])).toEqual([])

      // Where the licence service keeps its state there is now something else.
      await rm(join(home, 'license'), { recursive: true })
      await writeFile(join(home, 'license'), '')
      const again = start()
      await again.says(/is ready at/)
      expect(again.complained()).toMatch(/runs without a licence service\. .* ended with code 1: [^]*EEXIST/)
      // It is the same install: nobody is made administrator a second time.
      expect(await readFile(firstSignIn, 'utf8')).toBe(password)
      await look(again)
      await again.kill()
      await gone()
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  }, 180_000)

  test('ends at once, and with everything that it had begun, when it is stopped while it starts', async () => {
    const home = await mkdtemp(join(tmpdir(), 'attestry-embedded-'))
    try {
      const program = main(['--embedded', '--free-ports', '--state', home])
      await until('it has children', async () =>
        (await descendantsOf(program.pid)).length > 2 ? true : null,
      )
      const family = await descendantsOf(program.pid)
      expect(await program.end('SIGTERM')).toBe(130)
      await until('its children end', async () => ((await alive(family)).length === 0 ? true : null))
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  })
})
