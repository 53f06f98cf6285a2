/* Reads the command line, starts what it names, and stops it in order. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createLog, messageOf, readConfiguration } from '@attestry/kit'
import { EmbeddedFailed, startEmbedded } from './embedded.ts'
import { isServiceName, SERVICES, startProcess } from './process.ts'
import { whyNotStarted } from './why-not-started.ts'

const readArguments = () => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        embedded: { type: 'boolean', default: false },
        'free-ports': { type: 'boolean', default: false },
        state: { type: 'string' },
        estate: { type: 'string' },
      },
    })
  } catch (error) {
    console.error(messageOf(error))
    process.exit(2)
  }
}
const { values, positionals } = readArguments()

const wrong = positionals.find((name) => !isServiceName(name))
if (wrong) {
  console.error(`There is no service ${wrong}. Services: ${SERVICES.join(', ')}.`)
  process.exit(2)
}

const stopping = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.on(name, () => {
    if (stopping.signal.aborted) process.exit(130)
    stopping.abort(name)
  })
// A parent that holds our standard input open ends us by closing it.
if (process.env['ATTESTRY_END_WITH_STDIN'] === 'true') {
  process.stdin.on('end', () => stopping.abort('the parent ended'))
  process.stdin.resume()
}

const EMBEDDED_ENDED = 'the embedded services ended'

/** How long a stop may take before the process ends anyway. */
const STOP_WITHIN_MS = 15_000

const began = performance.now()
let stopEmbedded: () => Promise<void> = () => Promise.resolve()
try {
  const environment = { ...process.env }
  if (values.embedded) {
    const embedded = await startEmbedded({
      state: values.state ?? process.env['ATTESTRY_STATE_DIR'],
      freePorts: values['free-ports'],
      estate: values.estate,
      onExit: () => stopping.abort(EMBEDDED_ENDED),
      signal: stopping.signal,
    })
    stopEmbedded = embedded.stop
    // What names another database, bus or identity is meant for an install that brings none of its own.
    for (const name of Object.keys(environment))
      if (/^(DATABASE_|SERVICE_BUS_|AZURE_)/.test(name)) delete environment[name]
    if (embedded.unlicensed !== null)
      console.error(`This demonstration runs without a licence service. ${embedded.unlicensed}`)
    Object.assign(
      environment,
      embedded.environment,
      values['free-ports'] ? { ATTESTRY_PORT: '0', ATTESTRY_METRICS_PORT: '0' } : {},
    )
    // The identity library reads the machine's managed identity from here itself.
    for (const name of ['IDENTITY_ENDPOINT', 'IDENTITY_HEADER'] as const)
      process.env[name] = environment[name]
  }
  const configuration = readConfiguration(environment)
  const log = createLog({ level: configuration.ATTESTRY_LOG_LEVEL, pretty: process.stderr.isTTY })
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  const console_ = fileURLToPath(new URL('../web/dist', import.meta.url))
  const running = await startProcess({
    configuration,
    environment,
    services: positionals.filter(isServiceName),
    log,
    productVersion: version,
    staticDir: existsSync(console_) ? console_ : null,
    // A password belongs on a terminal; what is not one may be a log.
    announce: (text, file) =>
      process.stdout.write(`\n${process.stdout.isTTY ? text : `The first sign-in waits in ${file}`}\n\n`),
    signal: stopping.signal,
  })
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  if (running.url)
    process.stdout.write(
      `Attestry ${version} is ready at ${running.url} after ${seconds} s${values.embedded ? ' (DEMONSTRATION)' : ''}\n`,
    )
  else process.stdout.write(`Attestry ${version} runs ${positionals.join(', ')}\n`)
  await new Promise<void>((done) => {
    if (stopping.signal.aborted) return done()
    stopping.signal.addEventListener('abort', () => done(), { once: true })
  })
  setTimeout(() => {
    console.error('Stopping took too long; the process ends now.')
    process.exit(1)
  }, STOP_WITHIN_MS).unref()
  await running.stop()
  await stopEmbedded()
  process.exit(stopping.signal.reason === EMBEDDED_ENDED ? 1 : 0)
} catch (error) {
  await stopEmbedded()
  // Somebody ended it while it started: that is no failure.
  if (error === stopping.signal.reason || (stopping.signal.aborted && error instanceof EmbeddedFailed))
    process.exit(130)
  // What an operator can mend is a sentence; anything else shows where it broke.
  console.error(whyNotStarted(error) ?? (error instanceof Error ? error.stack : messageOf(error)))
  process.exit(1)
}
