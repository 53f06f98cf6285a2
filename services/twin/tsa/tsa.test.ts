import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { Behaviour, Tsa, TsaOptions } from './index.ts'
import { createTsa, localAuthorityName } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'attestry-tsa-'))
afterAll(() => rmSync(folder, { recursive: true }))

const openssl = spawnSync('openssl', ['version']).status === 0
const noOpenssl = 'this machine has no openssl to ask'

const options: TsaOptions = {
  clock: () => new Date(),
  random: (length) => Uint8Array.from(randomBytes(length)),
}

/** A query made by openssl over `text`; returns where data, query and reply lie. */
function query(name: string, text: string, ...more: string[]) {
  const at = (suffix: string) => join(folder, `${name}.${suffix}`)
  writeFileSync(at('txt'), text)
  execFileSync(
    'openssl',
    ['ts', '-query', '-data', at('txt'), '-sha256', '-cert', ...more, '-out', at('tsq')],
    {
      stdio: 'ignore',
    },
  )
  return { data: at('txt'), query: at('tsq'), reply: at('tsr'), root: at('pem') }
}

async function ask(tsa: Tsa, body: Uint8Array): Promise<Response> {
  return tsa.fetch(
    new Request('http://localhost/tsa', {
      method: 'POST',
      headers: { 'content-type': 'application/timestamp-query' },
      body: Uint8Array.from(body),
    }),
  )
}

/** Not `bytes()`: the Response of the HTTP server, which another test of this process may have put in place, has none. */
const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer())

async function stampWithOpenssl(tsa: Tsa, name: string) {
  const files = query(name, 'what was sealed')
  const response = await ask(tsa, readFileSync(files.query))
  writeFileSync(files.reply, await bytesOf(response))
  writeFileSync(files.root, tsa.rootPem)
  const verify = (...by: string[]) =>
    spawnSync('openssl', ['ts', '-verify', ...by, '-in', files.reply, '-CAfile', files.root], {
      encoding: 'utf8',
    })
  return { response, files, byQuery: verify('-queryfile', files.query), byData: verify('-data', files.data) }
}

describe('the honest authority', () => {
  for (const family of ['ecdsa-p256', 'rsa-2048'] as const) {
    test(`openssl verifies its ${family} tokens against the root, by query and by data`, async ({ skip }) => {
      skip(!openssl, noOpenssl)
      const tsa = await createTsa({ ...options, family })
      const { response, byQuery, byData } = await stampWithOpenssl(tsa, family)
      expect(response.headers.get('content-type')).toBe('application/timestamp-reply')
      expect(byQuery.stdout + byQuery.stderr).toContain('Verification: OK')
      expect(byData.stdout + byData.stderr).toContain('Verification: OK')
    })
  }

  test('says in its name that it is not independent, and gives time, serial and policy', async ({ skip }) => {
    skip(!openssl, noOpenssl)
    const at = new Date('2026-03-01T12:00:00Z')
    const tsa = await createTsa({ ...options, clock: () => at })
    const { files } = await stampWithOpenssl(tsa, 'named')
    const text = execFileSync('openssl', ['ts', '-reply', '-in', files.reply, '-text'], { encoding: 'utf8' })
    expect(text).toContain('Mar  1 12:00:00 2026 GMT')
    expect(text).toContain('Policy OID: 2.999.3161.1')
    const subject = execFileSync('openssl', ['x509', '-noout', '-subject'], {
      input: tsa.chainPem,
      encoding: 'utf8',
    })
    expect(subject).toContain(localAuthorityName)
  })

  test('keeps its root when it is saved and loaded', async () => {
    const first = await createTsa(options)
    const second = await createTsa({ ...options, saved: first.saved })
    expect(second.rootPem).toBe(first.rootPem)
    expect(second.chainPem).toBe(first.chainPem)
  })

  test('refuses a policy that it does not have, and SHA-1 imprints', async ({ skip }) => {
    skip(!openssl, noOpenssl)
    const tsa = await createTsa(options)
    const policy = query('policy', 'text', '-tspolicy', '1.2.3.4')
    const sha1 = query('sha1', 'text', '-sha1')
    for (const [files, reason] of [
      [policy, 'the requested tsa policy is not supported by the tsa'],
      [sha1, 'unrecognized or unsupported algorithm'],
    ] as const) {
      writeFileSync(files.reply, await bytesOf(await ask(tsa, readFileSync(files.query))))
      const text = spawnSync('openssl', ['ts', '-reply', '-in', files.reply, '-text'], { encoding: 'utf8' })
      expect(text.stdout.toLowerCase()).toContain(reason)
    }
  })

  test('refuses what is not a timestamp query', async () => {
    const tsa = await createTsa(options)
    expect((await ask(tsa, new Uint8Array(5000))).status).toBe(413)
    expect((await ask(tsa, Uint8Array.of(1, 2, 3))).status).toBe(200)
    expect((await tsa.fetch(new Request('http://localhost/tsa'))).status).toBe(405)
    expect((await tsa.fetch(new Request('http://localhost/else'))).status).toBe(404)
    const typeless = new Request('http://localhost/tsa', { method: 'POST', body: 'x' })
    expect((await tsa.fetch(typeless)).status).toBe(415)
  })
})

describe('the hostile authority', () => {
  const refusedByOpenssl: Behaviour[] = [
    'wrong-nonce',
    'missing-nonce',
    'wrong-imprint',
    'code-signing-eku',
    'extra-eku',
    'non-critical-eku',
    'missing-ess-cert-id',
    'wrong-ess-cert-id',
    'bad-signature',
    'two-signers',
    'rejected',
    'garbage',
    'truncated',
  ]
  for (const way of refusedByOpenssl) {
    test(`openssl refuses the answer called ${way}`, async ({ skip }) => {
      skip(!openssl, noOpenssl)
      const tsa = await createTsa({ ...options, behaviour: () => way })
      const { byQuery } = await stampWithOpenssl(tsa, way)
      expect(byQuery.status).not.toBe(0)
    })
  }

  test('is unavailable or throttled with a time to retry after', async () => {
    const ways: Behaviour[] = ['unavailable', 'throttled']
    const tsa = await createTsa({ ...options, behaviour: (number) => ways[number - 1] ?? 'honest' })
    const first = await ask(tsa, new Uint8Array(10))
    const second = await ask(tsa, new Uint8Array(10))
    expect([first.status, first.headers.get('retry-after')]).toEqual([503, '120'])
    expect([second.status, second.headers.get('retry-after')]).toEqual([429, '60'])
  })

  test('is slow only as long as the client waits', async () => {
    const tsa = await createTsa({ ...options, behaviour: () => 'slow', slowMs: 3_600_000 })
    const request = new Request('http://localhost/tsa', {
      method: 'POST',
      headers: { 'content-type': 'application/timestamp-query' },
      body: 'not a query',
      signal: AbortSignal.abort(),
    })
    expect((await tsa.fetch(request)).status).toBe(200)
  })
})
