import { type LicenseAnswer, LicenseRecord, ValidateRequest } from '@attestry/contracts'
import { Hono } from 'hono'
import { judge } from './judge.ts'

/** A request may have this many bytes; measured before anything is parsed. */
const MAX_BYTES = 4096

const hex = (bytes: ArrayBuffer) =>
  [...new Uint8Array(bytes)].map((b) => b.toString(16).padStart(2, '0')).join('')

const base64url = (bytes: ArrayBuffer) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')

/** KV name of a licence. Keys carry at least 125 bits, so a plain digest cannot be searched. */
export const recordName = async (key: string): Promise<string> =>
  `lic:${hex(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key)))}`

const problem = (status: 400 | 404 | 413 | 415 | 500, code: string, detail: string) =>
  new Response(JSON.stringify({ type: `about:blank#${code}`, title: code, status, detail, code }), {
    status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
  })

/** Reads at most MAX_BYTES of a body; null when there is more. */
async function boundedText(request: Request): Promise<string | null> {
  const declared = Number(request.headers.get('content-length') ?? '0')
  if (declared > MAX_BYTES) return null
  const bytes = await request.arrayBuffer()
  return bytes.byteLength > MAX_BYTES ? null : new TextDecoder().decode(bytes)
}

async function sign(payload: string, env: Env): Promise<LicenseAnswer> {
  const jwk: unknown = JSON.parse(env.SIGNING_KEY)
  // importKey checks the key itself; a wrong one throws here and nowhere later.
  const key = await crypto.subtle.importKey('jwk', jwk as JsonWebKey, { name: 'Ed25519' }, false, ['sign'])
  const sig = await crypto.subtle.sign('Ed25519', key, new TextEncoder().encode(payload))
  return { payload, sig: base64url(sig), alg: 'Ed25519', kid: env.SIGNING_KEY_ID }
}

const app = new Hono<{ Bindings: Env }>()

app.get('/health', (c) => c.json({ status: 'ok' }))

app.post('/v1/validate', async (c) => {
  if (!(c.req.header('content-type') ?? '').startsWith('application/json'))
    return problem(415, 'not-json', 'Send content-type application/json.')
  const text = await boundedText(c.req.raw)
  if (text === null) return problem(413, 'too-large', `A request has at most ${MAX_BYTES} bytes.`)
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    // What the parser says could quote the key; the caller only needs to know that it is not JSON.
    return problem(400, 'not-json', 'The body is not JSON.')
  }
  const request = ValidateRequest.safeParse(body)
  if (!request.success) {
    const [issue] = request.error.issues
    return problem(400, 'bad-field', `${issue?.path.join('.') ?? 'body'}: ${issue?.message ?? 'wrong'}`)
  }
  const stored = await c.env.LICENSES.get(await recordName(request.data.key), 'json')
  const record = stored === null ? null : LicenseRecord.parse(stored)
  const payload = JSON.stringify(judge(record, request.data, new Date()))
  return c.json(await sign(payload, c.env), 200, { 'cache-control': 'no-store' })
})

app.notFound(() => problem(404, 'no-such-path', 'Nothing answers here.'))
app.onError((error) => {
  // oxlint-disable-next-line no-console -- the Worker's only log; the name alone, never what it was about
  console.error(error.name)
  return problem(500, 'internal-error', 'Something broke on our side.')
})

// The Workers runtime asks for a default export.
export default app
