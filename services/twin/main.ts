#!/usr/bin/env node
/**
 * Everything that a laptop lacks, in one command: Postgres, the local Service Bus broker, the cloud twin and a
 * local time-stamp authority. Prints one line of JSON, `{ "environment": { … } }`, with the variables that point
 * the product at them, and ends, with all that it started, when its standard input closes.
 *
 *     node main.ts --state DIR [--free-ports] [--estate contoso|clean|workshop|generated:VxSxKxC]
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { serve } from '@hono/node-server'
import * as z from 'zod'
import { startPostgres } from './postgres/embedded.ts'
import { createTsa, localAuthorityName, type SavedAuthority } from './tsa/index.ts'

const { values } = parseArgs({
  options: {
    state: { type: 'string' },
    estate: { type: 'string', default: 'contoso' },
    'free-ports': { type: 'boolean', default: false },
  },
})
const options = z
  .object({ state: z.string('--state names a folder to keep things in'), estate: z.string() })
  .parse(values)
const state = resolve(options.state)
const port = (fixed: number) => (values['free-ports'] ? 0 : fixed)
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Written whole and on the disk before it has its name, so that no crash leaves half of it. */
async function write(path: string, text: string): Promise<void> {
  {
    await using file = await open(`${path}.new`, 'w', 0o600)
    await file.writeFile(text)
    await file.sync()
  }
  await rename(`${path}.new`, path)
}

/** A file of this install: read if it is there, else made, and readable by its owner alone. */
async function kept(name: string, make: () => Promise<string>): Promise<string> {
  const path = join(state, name)
  try {
    const text = await readFile(path, 'utf8')
    if (text.trim() === '')
      throw new Error(`${path} is empty: restore it from a backup, or move ${state} away to begin anew`)
    return text
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  const text = await make()
  await write(path, text)
  return text
}

const PORTS = { 'the cloud twin': 4610, 'the time-stamp authority': 4611, 'the local broker': 4620 } as const

/**
 * Looks at the fixed ports before anything starts, so that what is wrong is said once. Postgres looks at its own:
 * a server of an earlier run is taken over.
 * @throws naming every port that is taken
 */
async function refuseTakenPorts(): Promise<void> {
  if (values['free-ports']) return
  const taken: string[] = []
  for (const [name, number] of Object.entries(PORTS)) {
    const server = createServer()
    const { promise, resolve: answer } = Promise.withResolvers<boolean>()
    server.once('error', () => answer(false))
    server.listen(number, '127.0.0.1', () => server.close(() => answer(true)))
    if (!(await promise)) taken.push(`${number} (${name})`)
  }
  if (taken.length > 0)
    throw new Error(
      `In use by another program, perhaps another Attestry: ${taken.length === 1 ? 'port' : 'ports'} ${taken.join(', ')}. End it, or start with --free-ports.`,
    )
}

const READY_MS = 60_000

/** Starts one of our programs, to be ended when we stop, and reads the line of JSON that says it is ready. */
function start<S extends z.ZodType>(
  name: string,
  args: readonly string[],
  ready: S,
  env: Record<string, string> = {},
): Promise<z.infer<S>> {
  const child = spawn(process.execPath, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  // From now on, and not only once it is ready: whoever stops us meanwhile must not leave it talking to nobody.
  endings.push(ended(child))
  return new Promise((done, failed) => {
    let text = ''
    const timer = setTimeout(() => failed(new Error(`${name} was not ready after a minute`)), READY_MS)
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      const end = text.indexOf('\n')
      if (end < 0) return
      clearTimeout(timer)
      const said = ready.safeParse(JSON.parse(text.slice(0, end)))
      if (said.success) done(said.data)
      else failed(new Error(`${name} said something else than where it is: ${said.error.message}`))
    })
    child.once('exit', (code) => {
      clearTimeout(timer)
      failed(new Error(`${name} ended with code ${code} before it was ready`))
      // What runs without one of its parts only confuses: end with it, and say which it was.
      if (!stopping) void stop(`${name} ended with code ${code}`)
    })
  })
}

let stopping = false
const over = new AbortController()
const endings: (() => Promise<void>)[] = []

async function stop(why: string | null): Promise<void> {
  if (stopping) return
  stopping = true
  if (why) console.error(`The embedded services stop: ${why}`)
  over.abort(new Error('the embedded services stop'))
  const results = await Promise.allSettled(endings.map((end) => end()))
  for (const r of results) if (r.status === 'rejected') console.error('Stopping failed:', r.reason)
  process.exit(why ? 1 : 0)
}

const ended = (child: ChildProcess) => (): Promise<void> =>
  new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null) return done()
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
    child.once('exit', () => {
      clearTimeout(timer)
      done()
    })
    child.stdin?.end()
  })

async function startTsa(): Promise<{ url: string; rootFile: string }> {
  const clock = () => new Date()
  const random = (length: number) => new Uint8Array(randomBytes(length))
  const saved = await kept('tsa.json', async () => JSON.stringify((await createTsa({ clock, random })).saved))
  // Our own file, readable by its owner alone; loadAuthority checks what it says.
  const tsa = await createTsa({ clock, random, saved: JSON.parse(saved) as SavedAuthority })
  const rootFile = join(state, 'tsa-root.pem')
  await write(rootFile, tsa.rootPem)
  return new Promise((done, failed) => {
    const server = serve(
      { fetch: tsa.fetch, port: port(PORTS['the time-stamp authority']), hostname: '127.0.0.1' },
      (info) => {
        endings.push(
          () =>
            new Promise((closed) => {
              server.close(() => closed())
            }),
        )
        done({ url: `http://127.0.0.1:${info.port}/tsa`, rootFile })
      },
    )
    server.on('error', failed)
  })
}

process.stdin.on('end', () => void stop(null))
process.stdin.resume()
// The terminal sends its interrupt to the whole group: the parent decides when we stop.
process.on('SIGINT', () => {})

try {
  await refuseTakenPorts()
  await mkdir(state, { recursive: true, mode: 0o700 })
  await chmod(state, 0o711)
  const secretKey = await kept('secret-key', () => Promise.resolve(randomBytes(32).toString('base64url')))
  const busKey = await kept('bus-key', () => Promise.resolve(randomBytes(32).toString('base64')))
  const startingPostgres = startPostgres({ stateDir: state, port: port(4630), signal: over.signal })
  // Also when we stop while it starts: left alone, it would go on without us.
  endings.push(() =>
    startingPostgres.then(
      (p) => p.stop(),
      () => undefined,
    ),
  )
  const [postgres, broker, cloud, tsa] = await Promise.all([
    startingPostgres,
    start(
      'The local broker',
      [
        here('./servicebus/main.ts'),
        '--config',
        here('../../deploy/servicebus/config.json'),
        '--port',
        String(port(PORTS['the local broker'])),
      ],
      z.object({ connectionString: z.string() }),
      { SERVICE_BUS_KEY: busKey },
    ),
    start(
      'The cloud twin',
      [
        here('./cloud-main.ts'),
        '--port',
        String(port(PORTS['the cloud twin'])),
        '--estate',
        options.estate,
        '--state',
        join(state, 'estate.json'),
      ],
      z.object({
        url: z.string(),
        identityEndpoint: z.string(),
        identityHeader: z.string(),
        connectors: z.array(z.unknown()),
      }),
    ),
    startTsa(),
  ])
  console.log(
    JSON.stringify({
      environment: {
        DATABASE_URL: postgres.url,
        SERVICE_BUS_CONNECTION: broker.connectionString,
        SECRET_KEY: secretKey.trim(),
        ATTESTRY_STATE_DIR: state,
        ATTESTRY_AZURE_ENDPOINT: cloud.url,
        ATTESTRY_DEMO_CONNECTORS: JSON.stringify(cloud.connectors),
        IDENTITY_ENDPOINT: cloud.identityEndpoint,
        IDENTITY_HEADER: cloud.identityHeader,
        ATTESTRY_TSA: `${localAuthorityName.replaceAll(' ', '_')}=${tsa.url}`,
        ATTESTRY_TSA_ROOTS: tsa.rootFile,
      },
    }),
  )
} catch (error) {
  await stop(error instanceof Error ? error.message : String(error))
}
