import { env as bindings } from 'cloudflare:workers'
import { LicenseAnswer, LicensePayload } from '@attestry/contracts'
import { beforeEach, describe, expect, test } from 'vitest'
import worker, { recordName } from './worker.ts'

// The pool's env has what wrangler.jsonc declares, and the public half that the test's configuration adds.
const env = bindings as unknown as Env & { PUBLIC_KEY: string }

const KEY = 'ATT-GOOD-0000-1111-2222-3333'
const REQUEST = {
  key: KEY,
  install: '01890a5d-ac96-774b-bcce-b302099a8057',
  version: '0.1.0',
  nonce: 'ab'.repeat(16),
}

const post = (body: string, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
  worker.request('/v1/validate', { method: 'POST', body, headers }, env)

const store = async (record: object, key = KEY) =>
  env.LICENSES.put(await recordName(key), JSON.stringify(record))

const fromBase64url = (text: string) =>
  Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))

/** Checks the signature as an install does, and reads the payload. */
async function readAnswer(response: Response): Promise<LicensePayload> {
  expect(response.status).toBe(200)
  const answer = LicenseAnswer.parse(await response.json())
  const key = await crypto.subtle.importKey('jwk', JSON.parse(env.PUBLIC_KEY), { name: 'Ed25519' }, false, [
    'verify',
  ])
  const good = await crypto.subtle.verify(
    'Ed25519',
    key,
    fromBase64url(answer.sig),
    new TextEncoder().encode(answer.payload),
  )
  expect(good).toBe(true)
  return LicensePayload.parse(JSON.parse(answer.payload))
}

describe('POST /v1/validate', () => {
  beforeEach(() => store({ tier: 'pro', state: 'active', expiresAt: '2099-01-01T00:00:00Z' }))

  test('signs what an active licence allows, and echoes the nonce', async () => {
    const payload = await readAnswer(await post(JSON.stringify(REQUEST)))
    expect(payload).toMatchObject({
      verdict: 'VALID',
      tier: 'pro',
      features: ['rotation', 'custom-rules', 'cloud-writes'],
      nonce: REQUEST.nonce,
      install: REQUEST.install,
    })
  })

  test('says EXPIRED and SUSPENDED, with no features', async () => {
    await store({ tier: 'pro', state: 'active', expiresAt: '2020-01-01T00:00:00Z' })
    expect(await readAnswer(await post(JSON.stringify(REQUEST)))).toMatchObject({
      verdict: 'EXPIRED',
      features: [],
    })
    await store({ tier: 'pro', state: 'suspended', expiresAt: '2099-01-01T00:00:00Z' })
    expect((await readAnswer(await post(JSON.stringify(REQUEST)))).verdict).toBe('SUSPENDED')
  })

  test('answers unknown and revoked keys alike, so that keys cannot be told apart', async () => {
    await store({ tier: 'pro', state: 'revoked', expiresAt: '2099-01-01T00:00:00Z' })
    const { iat: _a, exp: _b, ...revoked } = await readAnswer(await post(JSON.stringify(REQUEST)))
    const unknownKey = { ...REQUEST, key: 'ATT-NONE-0000-1111-2222-3333' }
    const { iat: _c, exp: _d, ...unknown } = await readAnswer(await post(JSON.stringify(unknownKey)))
    expect(unknown).toEqual(revoked)
    expect(unknown.verdict).toBe('INVALID')
  })

  test.each([
    ['above 4,096 bytes', JSON.stringify({ ...REQUEST, pad: 'é'.repeat(2100) }), 413],
    ['not JSON', '{', 400],
    ['an unknown field', JSON.stringify({ ...REQUEST, secrets: 3 }), 400],
    ['a nonce of the wrong form', JSON.stringify({ ...REQUEST, nonce: 'x' }), 400],
    ['a list', '[]', 400],
  ])('refuses a body that is %s', async (_what, body, status) => {
    const response = await post(body)
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await response.text()).not.toContain(KEY)
  })

  test('refuses another content type', async () => {
    expect((await post(JSON.stringify(REQUEST), { 'content-type': 'text/plain' })).status).toBe(415)
  })
})

test('a path that is not there is a problem, not a page', async () => {
  const response = await worker.request('/v1/keys', {}, env)
  expect(response.status).toBe(404)
  expect(response.headers.get('content-type')).toBe('application/problem+json')
})
