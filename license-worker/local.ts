import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from 'miniflare'
import * as z from 'zod'
import { bundleWorker } from './bundle.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const DAY_MS = 86_400_000

/** The licence service on one's own machine. */
export interface LocalService {
  readonly url: URL
  /** A vendor's token with every role, and one that may only read. */
  readonly token: string
  readonly readerToken: string
  /** What points an install at it. */
  readonly environment: Readonly<Record<string, string>>
  readonly miniflare: Miniflare
  /** Whether the fleet view was built, so that /fleet/ answers. */
  readonly hasFleetView: boolean
}

const SigningKeys = z.array(z.object({ kid: z.string(), jwk: z.looseObject({ x: z.string() }) })).min(1)

/** Files of this machine: read if they are there, else made; readable by their owner alone. */
function folderOf(state: string) {
  /** Written whole before it has its name, so that no crash leaves half of it. */
  const keep = async (name: string, text: string): Promise<void> => {
    const path = join(state, name)
    await writeFile(`${path}.new`, text, { mode: 0o600 })
    await rename(`${path}.new`, path)
  }
  const read = async (name: string): Promise<string | null> => {
    const path = join(state, name)
    return existsSync(path) ? readFile(path, 'utf8') : null
  }
  const kept = async (name: string, make: () => string): Promise<string> => {
    const found = await read(name)
    if (found !== null) return found
    const text = make()
    await keep(name, text)
    return text
  }
  return { keep, read, kept }
}

/** The evaluation licence of this machine: found by its key, prolonged when it ends soon, else issued anew. */
async function evaluationKey(url: URL, token: string, folder: ReturnType<typeof folderOf>): Promise<string> {
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
  const key = await folder.read('license-key')
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
  await folder.keep('license-key', issued.key)
  return issued.key
}

/** Starts the Worker in workerd, with KV, registry, keys and one evaluation licence that are kept in a folder. */
export async function startLocal(options: {
  readonly state: string
  /** 0: any that is free. */
  readonly port: number
  /** Folder that holds the built fleet view as `fleet/`. */
  readonly assets?: string
}): Promise<LocalService> {
  const { state, assets = here('./assets') } = options
  await mkdir(state, { recursive: true, mode: 0o700 })
  await chmod(state, 0o700)
  const folder = folderOf(state)
  const signingKeys = await folder.kept('signing-keys.json', () => {
    const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
    const kid = `local-${createHash('sha256').update(String(jwk.x)).digest('hex').slice(0, 8)}`
    return JSON.stringify([{ kid, jwk }])
  })
  const token = await folder.kept('vendor-token', () => randomBytes(24).toString('base64url'))
  const readerToken = await folder.kept('vendor-token-reader', () => randomBytes(24).toString('base64url'))
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
  const hasFleetView = existsSync(join(assets, 'fleet', 'index.html'))
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
      script: await bundleWorker(),
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
      ...(hasFleetView
        ? {
            assets: {
              directory: assets,
              binding: 'ASSETS',
              run_worker_first: true,
              routerConfig: { invoke_user_worker_ahead_of_assets: true, has_user_worker: true },
              assetConfig: { html_handling: 'none' as const, not_found_handling: 'none' as const },
            },
          }
        : {}),
      bindings: {
        SIGNING_KEYS: signingKeys,
        VENDOR_TOKENS: JSON.stringify([
          { name: 'you', role: 'manager', sha256: sha256(token) },
          { name: 'somebody', role: 'reader', sha256: sha256(readerToken) },
        ]),
        LATEST_VERSION: '',
        LATEST_NOTICE: '',
        MAIL_API: '',
        MAIL_FROM: '',
      },
    }),
  )
  try {
    const url = await miniflare.ready
    const keys = SigningKeys.parse(JSON.parse(signingKeys))
    return {
      url,
      token,
      readerToken,
      environment: {
        ATTESTRY_LICENSE_URL: url.origin,
        ATTESTRY_LICENSE_KEYS: keys.map((k) => `${k.kid}=${k.jwk.x}`).join(' '),
        ATTESTRY_LICENSE_KEY: await evaluationKey(url, token, folder),
      },
      miniflare,
      hasFleetView,
    }
  } catch (error) {
    await miniflare.dispose()
    throw error
  }
}
