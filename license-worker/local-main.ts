#!/usr/bin/env node
/**
 * The licence service on one's own machine: the Worker in workerd, with KV, registry, keys and one evaluation licence
 * that are kept in a folder.
 *
 *     node local-main.ts --state DIR [--port 4640]     for a person: says where it is and how to enter
 *     node local-main.ts --state DIR --child           for `npm start`: one line of JSON, and ends with its standard input
 */
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from 'miniflare'
import * as z from 'zod'

const { values } = parseArgs({
  options: {
    state: { type: 'string' },
    port: { type: 'string', default: '4640' },
    child: { type: 'boolean', default: false },
  },
})
const options = z
  .object({
    state: z.string('--state names a folder to keep things in'),
    port: z.coerce.number().int().min(0).max(65_535),
  })
  .parse(values)
const state = resolve(options.state)
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const DAY_MS = 86_400_000

/** A file of this machine: read if it is there, else made; readable by its owner alone. */
async function kept(name: string, make: () => string): Promise<string> {
  const path = join(state, name)
  if (existsSync(path)) return readFile(path, 'utf8')
  const text = make()
  await keep(name, text)
  return text
}

/** Written whole before it has its name, so that no crash leaves half of it. */
async function keep(name: string, text: string): Promise<void> {
  const path = join(state, name)
  await writeFile(`${path}.new`, text, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

const SigningKeys = z.array(z.object({ kid: z.string(), jwk: z.looseObject({ x: z.string() }) })).min(1)

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [here('./worker.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*'],
    logLevel: 'error',
  })
  const [file] = outputFiles
  if (!file) throw new Error('the Worker could not be bundled')
  return file.text
}

/** The evaluation licence of this machine: found by its key, prolonged when it ends soon, else issued anew. */
async function evaluationKey(url: URL, token: string): Promise<string> {
  const ask = async (method: string, path: string, body?: object): Promise<unknown> => {
    const response = await fetch(new URL(path, url), {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(10_000),
    })
    if (!response.ok)
      throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`)
    return response.json()
  }
  const inAYear = new Date(Date.now() + 365 * DAY_MS).toISOString()
  const key = existsSync(join(state, 'license-key'))
    ? await readFile(join(state, 'license-key'), 'utf8')
    : null
  if (key !== null) {
    const Found = z.object({
      items: z.array(z.object({ license: z.string(), state: z.string(), expiresAt: z.string() })),
    })
    const { items } = Found.parse(await ask('GET', `/v1/vendor/licenses?search=${key.slice(0, 8)}`))
    const found = items.find((l) => l.state === 'active')
    if (found) {
      if (Date.parse(found.expiresAt) < Date.now() + 30 * DAY_MS)
        await ask('POST', `/v1/vendor/licenses/${found.license}/extend`, { expiresAt: inAYear })
      return key
    }
  }
  const issued = z.object({ key: z.string() }).parse(
    await ask('POST', '/v1/vendor/licenses', {
      tier: 'evaluation',
      expiresAt: inAYear,
      customer: 'This machine',
    }),
  )
  await keep('license-key', issued.key)
  return issued.key
}

await mkdir(state, { recursive: true, mode: 0o700 })
await chmod(state, 0o700)
const signingKeys = await kept('signing-keys.json', () => {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  const kid = `local-${createHash('sha256').update(String(jwk.x)).digest('hex').slice(0, 8)}`
  return JSON.stringify([{ kid, jwk }])
})
const token = await kept('vendor-token', () => randomBytes(24).toString('base64url'))

const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    host: '127.0.0.1',
    port: options.port,
    // Nothing of Cloudflare's is asked, and nothing is told to it.
    cf: false,
    telemetry: { enabled: false },
    log: new Log(LogLevel.ERROR),
    resourcePersistencePath: join(state, 'storage'),
    name: 'attestry-license',
    script: await bundle(),
    scriptPath: 'worker.js',
    modules: true,
    // As in wrangler.jsonc.
    compatibilityDate: '2026-10-01',
    kvNamespaces: { LICENSES: 'licenses' },
    durableObjects: { REGISTRY: { className: 'Registry', useSQLite: true } },
    ratelimits: {
      BY_ADDRESS: { namespace_id: '1001', simple: { limit: 600, period: 60 } },
      BY_KEY: { namespace_id: '1002', simple: { limit: 30, period: 60 } },
    },
    bindings: {
      SIGNING_KEYS: signingKeys,
      VENDOR_TOKENS: JSON.stringify([
        { name: 'you', role: 'manager', sha256: createHash('sha256').update(token).digest('hex') },
      ]),
      LATEST_VERSION: '',
      LATEST_NOTICE: '',
      MAIL_API: '',
      MAIL_FROM: '',
    },
  }),
)

let ending = false
const end = async (code: number) => {
  if (ending) return
  ending = true
  await miniflare.dispose()
  process.exit(code)
}

try {
  const url = await miniflare.ready
  const key = await evaluationKey(url, token)
  const keys = SigningKeys.parse(JSON.parse(signingKeys))
  const environment = {
    ATTESTRY_LICENSE_URL: url.origin,
    ATTESTRY_LICENSE_KEYS: keys.map((k) => `${k.kid}=${k.jwk.x}`).join(' '),
    ATTESTRY_LICENSE_KEY: key,
  }
  if (options.port !== 0 && !values.child) {
    console.log(`The licence service answers at ${url.origin}.`)
    console.log(`Vendor token: ${token}`)
    console.log('An install is pointed at it by:')
    for (const [name, value] of Object.entries(environment)) console.log(`  ${name}='${value}'`)
  } else console.log(JSON.stringify({ environment }))
  if (values.child) {
    process.stdin.on('end', () => void end(0))
    process.stdin.resume()
    // The terminal sends its interrupt to the whole group: the parent decides when we stop.
    process.on('SIGINT', () => {})
  } else for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => void end(0))
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  await end(1)
}
