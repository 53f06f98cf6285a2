/* What the Worker's tests share: a licence service with a moved clock, and a KV as forgetful as the real one. */
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env as bindings } from 'cloudflare:workers'
import { AnswerPayload, SignedLicense, type ValidateRequest } from '@attestry/contracts'
import { expect } from 'vitest'
import type { Doing } from './licenses.ts'
import worker from './worker.ts'

// The pool's env has what wrangler.jsonc declares, and what the test's configuration adds.
export const env = bindings as unknown as Env & {
  readonly PUBLIC_KEYS: string
  readonly TOKENS: string
}

const tokens = JSON.parse(env.TOKENS) as Record<'reader' | 'support' | 'manager', string>

export const INSTALL = '01890a5d-ac96-774b-bcce-b302099a8057'
export const BY: Doing = { name: 'anna', role: 'manager', at: '2026-11-01T00:00:00.000Z' }
export const LATER = '2099-01-01T00:00:00.000Z'

let address = 0
/** An address of the documentation range, another one each time: the rate limit is not what is tested. */
export const someAddress = (): string => `2001:db8::${(address++).toString(16)}`

/** Sends a request as the edge would, and waits for what goes on after the answer. */
export async function send(path: string, init: RequestInit, more: Partial<Env> = {}, from = someAddress()) {
  const ctx = createExecutionContext()
  const headers = new Headers(init.headers)
  headers.set('cf-connecting-ip', from)
  const request = new Request(`https://license.example${path}`, { ...init, headers })
  const response = await worker.fetch(request, { ...env, ...more }, ctx)
  await waitOnExecutionContext(ctx)
  return response
}

/** Asks the vendor's API as somebody of a role; answers status and body. */
export async function vendor(
  role: keyof typeof tokens | null,
  method: string,
  path: string,
  body?: object,
  mark?: string,
): Promise<{ status: number; body: Record<string, unknown> & { items?: Record<string, unknown>[] } }> {
  const response = await send(path, {
    method,
    headers: {
      ...(role ? { authorization: `Bearer ${tokens[role]}` } : {}),
      ...(body ? { 'content-type': 'application/json' } : {}),
      ...(mark === undefined ? {} : { 'idempotency-key': mark }),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) }
}

/** Issues a licence through the vendor's API. */
export async function issue(more: object = {}): Promise<{ license: string; key: string }> {
  const { status, body } = await vendor('manager', 'POST', '/v1/vendor/licenses', {
    tier: 'pro',
    expiresAt: LATER,
    customer: 'Contoso',
    contact: 'kim@contoso.example',
    ...more,
  })
  expect(status).toBe(200)
  return body as { license: string; key: string }
}

export const requestOf = (key: string, more: Partial<Record<keyof ValidateRequest, unknown>> = {}) => ({
  key,
  install: INSTALL,
  version: '0.1.0',
  nonce: 'ab'.repeat(16),
  ...more,
})

export const validate = (body: object | string, more: Partial<Env> = {}, from?: string) =>
  send(
    '/v1/validate',
    {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    },
    more,
    from,
  )

const fromBase64url = (text: string) =>
  Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))

/** Whether the signature over the exact text is one of ours. */
export async function isSigned(signed: SignedLicense): Promise<boolean> {
  const keys = JSON.parse(env.PUBLIC_KEYS) as Record<string, JsonWebKey>
  const jwk = keys[signed.kid]
  if (!jwk) return false
  const key = await crypto.subtle.importKey('jwk', jwk, { name: 'Ed25519' }, false, ['verify'])
  return crypto.subtle.verify(
    'Ed25519',
    key,
    fromBase64url(signed.sig),
    new TextEncoder().encode(signed.payload),
  )
}

/** Checks the signature as an install does, and reads the payload. */
export async function readAnswer(response: Response): Promise<AnswerPayload & { kid: string }> {
  expect(response.status).toBe(200)
  const answer = SignedLicense.parse(await response.json())
  expect(await isSigned(answer)).toBe(true)
  return { ...AnswerPayload.parse(JSON.parse(answer.payload)), kid: answer.kid }
}

interface Entry {
  readonly value: string
  readonly metadata: unknown
}

/**
 * KV as it is in the world and not in the simulator: what a place has read it goes on reading for a minute, and a
 * second write of one name within a second is refused.
 */
export class ForgetfulKv implements KVNamespace {
  readonly writes: string[] = []
  readonly #entries = new Map<string, Entry>()
  readonly #cached = new Map<string, { readonly entry: Entry | undefined; readonly at: number }>()
  readonly #written = new Map<string, number>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  async get(name: string, _type: 'text'): Promise<string | null> {
    return this.#read(name)?.value ?? null
  }

  async getWithMetadata(name: string) {
    const entry = this.#read(name)
    return { value: entry?.value ?? null, metadata: entry?.metadata ?? null }
  }

  async put(name: string, value: string, options: { metadata?: unknown } = {}): Promise<void> {
    this.#write(name)
    this.#entries.set(name, { value, metadata: options.metadata ?? null })
  }

  async delete(name: string): Promise<void> {
    this.#write(name)
    this.#entries.delete(name)
  }

  async list({ prefix }: { prefix: string }) {
    const keys = [...this.#entries]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, { metadata }]) => ({ name, metadata }))
    return { keys, list_complete: true }
  }

  /** What a place that never read the name before would find. */
  fresh(name: string): unknown {
    const entry = this.#entries.get(name)
    return entry ? JSON.parse(entry.value === '' ? 'null' : entry.value) : null
  }

  #write(name: string): void {
    if (this.#now() - (this.#written.get(name) ?? -Infinity) < 1000)
      throw new Error('KV PUT failed: 429 Too Many Requests')
    this.#written.set(name, this.#now())
    this.writes.push(name)
  }

  #read(name: string): Entry | undefined {
    const cached = this.#cached.get(name)
    if (cached && this.#now() - cached.at < 60_000) return cached.entry
    const entry = this.#entries.get(name)
    this.#cached.set(name, { entry, at: this.#now() })
    return entry
  }
}
