import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Behaviour, Tsa, TsaOptions } from '../twin/tsa/index.ts'
import { createTsa } from '../twin/tsa/index.ts'
import { certificatesFromPem } from './certificate-path.ts'
import type { TimestampAuthority, TimestampWorld } from './timestamp.ts'
import { requestTimestamp, retryAfterMs, timestampNonce, timestampQuery } from './timestamp.ts'
import { verifyToken } from './token.ts'

const folder = mkdtempSync(join(tmpdir(), 'attestry-timestamp-'))
afterAll(() => rmSync(folder, { recursive: true }))

const openssl = spawnSync('openssl', ['version']).status === 0
const noOpenssl = 'this machine has no openssl to ask'

const clock = () => new Date()
const random = (length: number) => Uint8Array.from(randomBytes(length))
const data = new TextEncoder().encode('the bytes that are stamped')
const signal = new AbortController().signal

const tsaOf = (way: Behaviour, more: Partial<TsaOptions> = {}) =>
  createTsa({ clock, random, behaviour: () => way, ...more })

const authorityOf = (tsa: Tsa, name = 'local'): TimestampAuthority => ({
  name,
  url: `http://${name}.invalid/tsa`,
  rootsPem: tsa.rootPem,
  independent: false,
})

/** A network in which each host name is one authority. */
const worldOf = (hosts: Record<string, Tsa>): TimestampWorld => ({
  clock,
  random,
  fetch: async (url, init) => {
    const tsa = hosts[new URL(url).hostname.replace('.invalid', '')]
    if (tsa === undefined) throw new TypeError('no such host')
    return tsa.fetch(new Request(url, init))
  },
})

async function stampWith(tsa: Tsa, deadlineMs = 5000) {
  return requestTimestamp(
    { data, authorities: [authorityOf(tsa)], signal, deadlineMs },
    worldOf({ local: tsa }),
  )
}

let honest: Tsa
let rsa: Tsa
beforeAll(async () => {
  honest = await tsaOf('honest')
  rsa = await tsaOf('honest', { family: 'rsa-2048' })
})

describe('requestTimestamp()', () => {
  test('gives a verified token with its details', async () => {
    const stamp = await stampWith(honest)
    if (stamp.status !== 'stamped') throw new Error(stamp.reason)
    expect(stamp.details).toMatchObject({
      tsa: 'Attestry local timestamp authority (NOT INDEPENDENT)',
      policy: '2.999.3161.1',
    })
    expect(stamp.independent).toBe(false)
  })

  test('its token is one that openssl verifies over the data', async ({ skip }) => {
    skip(!openssl, noOpenssl)
    for (const tsa of [honest, rsa]) {
      const stamp = await stampWith(tsa)
      if (stamp.status !== 'stamped') throw new Error(stamp.reason)
      const at = (name: string) => join(folder, name)
      writeFileSync(at('data'), data)
      writeFileSync(at('data.tsr'), stamp.token)
      writeFileSync(at('root.pem'), tsa.rootPem)
      const arguments_ = [
        'ts',
        '-verify',
        '-data',
        at('data'),
        '-in',
        at('data.tsr'),
        '-CAfile',
        at('root.pem'),
      ]
      expect(execFileSync('openssl', arguments_, { encoding: 'utf8', stdio: 'pipe' })).toContain('OK')
    }
  })

  const faults: [Behaviour, RegExp][] = [
    ['wrong-nonce', /another nonce/],
    ['missing-nonce', /nonce/],
    ['wrong-imprint', /other bytes/],
    ['code-signing-eku', /not for timestamping alone/],
    ['extra-eku', /not for timestamping alone/],
    ['non-critical-eku', /not critical/],
    ['missing-ess-cert-id', /no ESSCertID/],
    ['wrong-ess-cert-id', /another certificate/],
    ['missing-certificate', /does not hold the certificate/],
    ['bad-signature', /./],
    ['trailing-bytes', /bytes follow/],
    ['trailing-token-bytes', /./],
    ['two-signers', /exactly one signer/],
    ['expired-certificate', /not valid at/],
    ['far-past', /too early/],
    ['far-future', /too late/],
    ['sha1', /weaker than SHA-256/],
    ['rejected', /rejected the request .*Rejected as asked/],
    ['unavailable', /status 503/],
    ['throttled', /status 429/],
    ['endless', /longer than/],
    ['garbage', /./],
    ['truncated', /./],
    ['wrong-content-type', /text\/html/],
  ]
  for (const [way, reason] of faults) {
    test(`stays pending when the authority's answer is ${way}`, async () => {
      const stamp = await stampWith(await tsaOf(way))
      expect(stamp).toMatchObject({ status: 'pending', reason: expect.stringMatching(reason) })
    })
  }

  test('stays pending when the authority is slower than the deadline', async () => {
    const stamp = await stampWith(await tsaOf('slow', { slowMs: 3_600_000 }), 50)
    expect(stamp).toMatchObject({ status: 'pending', reason: 'local: did not answer in time' })
  })

  test('throws, rather than being pending, when the caller gives up', async () => {
    const request = { data, authorities: [authorityOf(honest)], signal: AbortSignal.abort() }
    await expect(requestTimestamp(request, worldOf({ local: honest }))).rejects.toThrow('aborted')
  })

  test('asks the next authority and says what the first one did', async () => {
    const away = await tsaOf('unavailable')
    const world = worldOf({ away, near: honest })
    const authorities = [authorityOf(away, 'away'), authorityOf(honest, 'gone'), authorityOf(honest, 'near')]
    const stamp = await requestTimestamp({ data, authorities, signal }, world)
    expect(stamp).toMatchObject({ status: 'stamped', authority: 'near' })
  })

  test('comes back when the earliest authority asked to', async () => {
    const now = new Date('2026-05-01T00:00:00Z')
    const [unavailable, throttled] = [await tsaOf('unavailable'), await tsaOf('throttled')]
    const world = { ...worldOf({ unavailable, throttled }), clock: () => now }
    const authorities = [authorityOf(unavailable, 'unavailable'), authorityOf(throttled, 'throttled')]
    const stamp = await requestTimestamp({ data, authorities, signal }, world)
    expect(stamp).toMatchObject({ status: 'pending', retryAt: '2026-05-01T00:01:00.000Z' })
  })

  test('accepts no token of an authority whose root is not pinned', async () => {
    const other = await tsaOf('honest')
    const stamp = await requestTimestamp(
      { data, authorities: [{ ...authorityOf(honest), rootsPem: other.rootPem }], signal },
      worldOf({ local: honest }),
    )
    expect(stamp).toMatchObject({ status: 'pending' })
  })

  test('says so when no authority is configured', async () => {
    const stamp = await requestTimestamp({ data, authorities: [], signal }, worldOf({}))
    expect(stamp).toMatchObject({ status: 'pending', reason: 'no timestamp authority is configured' })
  })
})

describe('verifyToken()', () => {
  const imprintOf = async (bytes: Uint8Array) =>
    new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes)))

  test('accepts a token long after the certificate expired, judged at the time it was made', async () => {
    const then = new Date('2001-01-01T00:00:00Z')
    const old = await createTsa({ clock: () => then, random })
    const world = { ...worldOf({ local: old }), clock: () => then }
    const stamp = await requestTimestamp({ data, authorities: [authorityOf(old)], signal }, world)
    if (stamp.status !== 'stamped') throw new Error(stamp.reason)
    const verdict = await verifyToken(stamp.token, {
      imprint: await imprintOf(data),
      roots: certificatesFromPem(old.rootPem),
      notBefore: new Date('2000-01-01T00:00:00Z'),
      notAfter: new Date('2040-01-01T00:00:00Z'),
    })
    expect(verdict).toMatchObject({ ok: true, details: { genTime: '2001-01-01T00:00:00.000Z' } })
  })

  test('accepts RSA-SHA512 tokens made by openssl itself', async ({ skip }) => {
    skip(!openssl, noOpenssl)
    const token = opensslToken()
    const verdict = await verifyToken(token.response, {
      imprint: await imprintOf(data),
      roots: certificatesFromPem(token.rootPem),
      notBefore: new Date(Date.now() - 600_000),
      notAfter: new Date(Date.now() + 600_000),
    })
    expect(verdict).toMatchObject({ ok: true, details: { tsa: 'openssl authority' } })
  })

  test('a changed octet anywhere in the signed part is noticed', async () => {
    const stamp = await stampWith(honest)
    if (stamp.status !== 'stamped') throw new Error(stamp.reason)
    const expected = {
      imprint: await imprintOf(data),
      roots: certificatesFromPem(honest.rootPem),
      notBefore: new Date(Date.now() - 600_000),
      notAfter: new Date(Date.now() + 600_000),
    }
    const survived: number[] = []
    for (let at = 0; at < stamp.token.length; at += 1) {
      const changed = Uint8Array.from(stamp.token)
      changed[at] = (changed[at] ?? 0) ^ 0x01
      if ((await verifyToken(changed, expected)).ok) survived.push(at)
    }
    // Some octets are not signed: the status, digest lists, version numbers and the NULL parameters around the token.
    expect(survived.length).toBeLessThan(40)
  })
})

describe('the request', () => {
  test('is one that openssl reads: SHA-256, eight-byte positive nonce, certificate wanted', ({ skip }) => {
    skip(!openssl, noOpenssl)
    const nonce = timestampNonce(() => new Uint8Array(8).fill(0xff))
    writeFileSync(join(folder, 'q.tsq'), timestampQuery(new Uint8Array(32), nonce))
    const text = execFileSync('openssl', ['ts', '-query', '-in', join(folder, 'q.tsq'), '-text'], {
      encoding: 'utf8',
      stdio: 'pipe',
    })
    expect(text).toContain('Hash Algorithm: sha256')
    expect(text).toContain('Nonce: 0x7FFFFFFFFFFFFFFF')
    expect(text).toContain('Certificate required: yes')
  })

  test('Retry-After is read as seconds and as a date, and never trusted beyond a day', () => {
    const now = new Date('2026-01-01T00:00:00Z')
    expect(retryAfterMs('120', now)).toBe(120_000)
    expect(retryAfterMs('Thu, 01 Jan 2026 00:10:00 GMT', now)).toBe(600_000)
    expect(retryAfterMs('Wed, 31 Dec 2025 00:00:00 GMT', now)).toBe(0)
    expect(retryAfterMs('999999999', now)).toBe(86_400_000)
    expect(retryAfterMs('soon', now)).toBeNull()
    expect(retryAfterMs(null, now)).toBeNull()
  })
})

/** A token made with nothing but openssl: RSA-3072 root and signer, SHA-512 signature, rsaEncryption in SignerInfo. */
function opensslToken() {
  const at = (name: string) => join(folder, name)
  const run = (...arguments_: string[]) =>
    execFileSync('openssl', arguments_, { stdio: 'ignore', cwd: folder })
  writeFileSync(at('o.data'), data)
  writeFileSync(at('serial'), '01\n')
  writeFileSync(
    at('o.cnf'),
    [
      '[ca]',
      'basicConstraints=critical,CA:true',
      'keyUsage=critical,keyCertSign',
      '[tsa_cert]',
      'extendedKeyUsage=critical,timeStamping',
      'keyUsage=critical,digitalSignature',
      '[tsa]',
      'default_tsa=cfg',
      '[cfg]',
      'serial=serial',
      'signer_cert=o.tsa.pem',
      'signer_key=o.tsa.key',
      'signer_digest=sha512',
      'default_policy=1.2.3.4.1',
      'digests=sha256',
      'accuracy=secs:1',
      'ess_cert_id_alg=sha256',
      '[req]',
      'distinguished_name=dn',
      '[dn]',
      '',
    ].join('\n'),
  )
  const subject = (name: string) => [
    '-subj',
    `/CN=${name}`,
    '-config',
    'o.cnf',
    '-newkey',
    'rsa:3072',
    '-nodes',
  ]
  run(
    'req',
    '-x509',
    ...subject('openssl root'),
    '-keyout',
    'o.ca.key',
    '-out',
    'o.ca.pem',
    '-extensions',
    'ca',
  )
  run('req', ...subject('openssl authority'), '-keyout', 'o.tsa.key', '-out', 'o.csr')
  run(
    'x509',
    '-req',
    '-in',
    'o.csr',
    '-CA',
    'o.ca.pem',
    '-CAkey',
    'o.ca.key',
    '-CAcreateserial',
    '-out',
    'o.tsa.pem',
    '-extfile',
    'o.cnf',
    '-extensions',
    'tsa_cert',
    '-sha512',
  )
  run('ts', '-query', '-data', 'o.data', '-sha256', '-cert', '-out', 'o.tsq')
  run('ts', '-reply', '-config', 'o.cnf', '-queryfile', 'o.tsq', '-out', 'o.tsr')
  return {
    response: Uint8Array.from(readFileSync(at('o.tsr'))),
    rootPem: readFileSync(at('o.ca.pem'), 'utf8'),
  }
}
