import { spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { fingerprint, generateSigningKey, localSigner } from './sign.ts'

const folder = mkdtempSync(join(tmpdir(), 'attestry-sign-'))
afterAll(() => rmSync(folder, { recursive: true }))
const openssl = spawnSync('openssl', ['version']).status === 0
const bytes = new TextEncoder().encode('a list of checksums')
const { signal } = new AbortController()

describe('localSigner()', () => {
  test('signs so that openssl verifies with the public key alone', async ({ skip }) => {
    skip(!openssl, 'this machine has no openssl to ask')
    const signer = localSigner(generateSigningKey())
    const at = (name: string) => join(folder, name)
    writeFileSync(at('SHA256SUMS'), bytes)
    writeFileSync(at('sig'), await signer.sign(bytes, signal))
    writeFileSync(at('signer.pub'), signer.publicKeyPem)
    const check = () =>
      spawnSync(
        'openssl',
        ['dgst', '-sha256', '-verify', at('signer.pub'), '-signature', at('sig'), at('SHA256SUMS')],
        {
          encoding: 'utf8',
        },
      )
    expect(check().stdout).toBe('Verified OK\n')
    writeFileSync(at('SHA256SUMS'), 'another list')
    expect(check().status).toBe(1)
  })

  test('names its key by the fingerprint that the console shows', () => {
    const signer = localSigner(generateSigningKey())
    expect(signer.keyId).toBe(`local:${fingerprint(signer.publicKeyPem)}`)
  })

  test('refuses a key of another kind', () => {
    const pem = (options: 'rsa' | 'p384') =>
      (options === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ec', { namedCurve: 'P-384' })
      ).privateKey.export({ type: 'pkcs8', format: 'pem' })
    expect(() => localSigner(pem('rsa'))).toThrow('P-256')
    expect(() => localSigner(pem('p384'))).toThrow('P-256')
  })

  test('signs nothing once it was cancelled', async () => {
    await expect(localSigner(generateSigningKey()).sign(bytes, AbortSignal.abort())).rejects.toThrow(
      'aborted',
    )
  })
})
