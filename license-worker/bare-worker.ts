import { digestOf, type Projection, recordName, seatOf } from './projection.ts'
import { toMetadata } from './seen.ts'
import { sign } from './sign.ts'
import worker from './worker.ts'

/*
 * The Worker for its benchmark, in workerd without anything around it: KV is a map of texts, nobody is limited, and
 * the registry does nothing. One licence with one install is known, and was seen a moment ago with the same counts.
 */

interface Given {
  readonly SIGNING_KEYS: string
  readonly KEY: string
  readonly INSTALL: string
  readonly COUNTS: string
}

async function environmentOf(given: Given): Promise<Env> {
  const projection: Projection = {
    license: 'lic-00000000000000000000',
    tier: 'pro',
    suspended: false,
    expiresAt: '2099-01-01T00:00:00.000Z',
    installs: 3,
    seats: [seatOf(given.INSTALL)],
  }
  const records = new Map([[recordName(await digestOf(given.KEY)), JSON.stringify(projection)]])
  const counts = JSON.parse(given.COUNTS) as (number | null)[]
  const free: RateLimit = { limit: () => Promise.resolve({ success: true }) }
  const nothing = () => Promise.resolve()
  const kv: KVNamespace = {
    get: async (name) => records.get(name) ?? null,
    getWithMetadata: async () => {
      const at = Math.floor(Date.now() / 1000)
      return { value: '', metadata: toMetadata({ at, version: '1.0.0', counts, loggedAt: at }) }
    },
    put: nothing,
    delete: nothing,
    list: () => Promise.resolve({ keys: [], list_complete: true }),
  }
  return {
    SIGNING_KEYS: given.SIGNING_KEYS,
    VENDOR_TOKENS: '[]',
    LICENSES: kv,
    // Nothing of the benchmark's requests reaches it.
    REGISTRY: { getByName: () => ({}) } as unknown as Env['REGISTRY'],
    BY_ADDRESS: free,
    BY_KEY: free,
    LATEST_VERSION: '1.0.1',
    LATEST_NOTICE: 'Mends a fault.',
    MAIL_API: '',
    MAIL_FROM: '',
  }
}

/**
 * What a check cannot do without, and nothing else: the body, one digest, one signature, and an answer of that size.
 * It tells how much of a check's cost is the service's own.
 */
async function least(request: Request, given: Given): Promise<Response> {
  const { key } = JSON.parse(await request.text()) as { key: string }
  await digestOf(key)
  return new Response(JSON.stringify(await sign({ filler: FILLER }, given.SIGNING_KEYS)), ANSWER)
}
const FILLER = 'x'.repeat(440)
const ANSWER = new Response(null, {
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
})

let made: Env | null = null

/** The first request waits for what the others find ready, so that nothing stands between the runtime and the Worker. */
async function first(request: Request, given: Given, ctx: ExecutionContext): Promise<Response> {
  made = await environmentOf(given)
  return worker.fetch(request, made, ctx)
}

// The Workers runtime asks for a default export.
export default {
  fetch: (request: Request, given: Given, ctx: ExecutionContext) => {
    if (!made) return first(request, given, ctx)
    return request.url.endsWith('/least') ? least(request, given) : worker.fetch(request, made, ctx)
  },
}
