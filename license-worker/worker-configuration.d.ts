/*
 * Bindings of the Worker, as wrangler.jsonc declares them, and as much of the runtime's types as is used here.
 * Secrets: SIGNING_KEYS, VENDOR_TOKENS, and where mail and trials are wanted SMTP2GO_API_KEY and TURNSTILE_SECRET.
 */

/** @see https://developers.cloudflare.com/kv/api/ */
interface KVNamespace {
  get(name: string, type: 'text'): Promise<string | null>
  getWithMetadata(name: string): Promise<{ value: string | null; metadata: unknown }>
  put(name: string, value: string, options?: { expiration?: number; expirationTtl?: number; metadata?: unknown }): Promise<void>
  delete(name: string): Promise<void>
  list(options: { prefix: string; limit?: number; cursor?: string }): Promise<{
    keys: { name: string; metadata?: unknown }[]
    list_complete: boolean
    cursor?: string
  }>
}

/** @see https://developers.cloudflare.com/workers/runtime-apis/bindings/rate-limit/ */
interface RateLimit {
  limit(of: { key: string }): Promise<{ success: boolean }>
}

/** @see https://developers.cloudflare.com/durable-objects/api/sqlite-storage-api/ */
interface SqlStorage {
  exec<R extends object>(query: string, ...bindings: (string | number | null)[]): { toArray(): R[] }
}

interface DurableObjectState {
  readonly storage: {
    readonly sql: SqlStorage
    transactionSync<T>(work: () => T): T
    getAlarm(): Promise<number | null>
    setAlarm(at: number): Promise<void>
  }
  blockConcurrencyWhile<T>(work: () => Promise<T>): Promise<T>
}

/** A class's methods as another Worker calls them: the same, answered later. */
type Remote<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never
}

interface DurableObjectNamespace<T> {
  getByName(name: string): Remote<T>
}

interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void
  passThroughOnException(): void
  readonly props: unknown
}

interface Env {
  readonly LICENSES: KVNamespace
  readonly REGISTRY: DurableObjectNamespace<import('./registry.ts').Registry>
  readonly BY_ADDRESS: RateLimit
  readonly BY_KEY: RateLimit
  /** Files of the fleet view; absent where it was not built. */
  readonly ASSETS?: { fetch(request: Request): Promise<Response> }
  /** Ed25519 keys, the newest first: `[{ "kid": "2026-01", "jwk": { … } }]`. A secret. */
  readonly SIGNING_KEYS: string
  /** Who may use the vendor's API: `[{ "name": "anna", "role": "manager", "sha256": "…" }]`. A secret. */
  readonly VENDOR_TOKENS: string
  /** The newest version of the product, and a sentence about it; empty: none is told. */
  readonly LATEST_VERSION: string
  readonly LATEST_NOTICE: string
  readonly MAIL_API: string
  readonly MAIL_FROM: string
  readonly SMTP2GO_API_KEY?: string
  readonly TURNSTILE_SECRET?: string
}

declare module 'cloudflare:workers' {
  export const env: Env
  export abstract class DurableObject<E = Env> {
    protected ctx: DurableObjectState
    protected env: E
    constructor(ctx: DurableObjectState, env: E)
  }
}

/** What the tests use of the pool's own module. */
declare module 'cloudflare:test' {
  export function createExecutionContext(): ExecutionContext
  export function waitOnExecutionContext(ctx: ExecutionContext): Promise<void>
  export function runInDurableObject<T, R>(
    stub: Remote<T>,
    work: (instance: T, state: DurableObjectState) => R | Promise<R>,
  ): Promise<R>
  export function runDurableObjectAlarm(stub: object): Promise<boolean>
}
