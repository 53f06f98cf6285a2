import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Secret } from '@attestry/kit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { certificateParts } from './certificate.ts'
import { openPkcs12 } from './pkcs12.ts'
import { issue } from './certificate.fixture.ts'

const openssl = spawnSync('openssl', ['version']).status === 0
if (!openssl) console.log('openssl is not on this machine: its PKCS #12 files are not opened here.')

describe.runIf(openssl)('PKCS #12 files of openssl', () => {
  let folder: string
  const made = issue('leaf.example')
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'pkcs12-'))
    writeFileSync(join(folder, 'key.pem'), made.privateKey, { mode: 0o600 })
    writeFileSync(join(folder, 'certificate.pem'), made.certificate)
    writeFileSync(join(folder, 'chain.pem'), made.chain)
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const file = (...how: string[]) => {
    const out = join(folder, 'out.p12')
    const at = (name: string) => join(folder, name)
    const input = ['-inkey', at('key.pem'), '-in', at('certificate.pem'), '-certfile', at('chain.pem')]
    execFileSync('openssl', ['pkcs12', '-export', '-out', out, ...input, ...how])
    return readFileSync(out)
  }
  const old = ['-certpbe', 'PBE-SHA1-3DES', '-keypbe', 'PBE-SHA1-3DES']

  test.each([
    ['AES-256, as openssl writes it today', ['-passout', 'pass:']],
    ['triple DES, as Key Vault has written it', ['-passout', 'pass:', ...old]],
    ['certificates in the clear', ['-passout', 'pass:', '-certpbe', 'NONE']],
    ['nothing protected', ['-passout', 'pass:', '-certpbe', 'NONE', '-keypbe', 'NONE']],
  ])('%s: leaf, chain and key come out', (_, how) => {
    const bytes = file(...how)
    for (const value of [
      { bytes: new Secret(new Uint8Array(bytes)), form: 'binary' as const },
      { bytes: new Secret(bytes.toString('base64')), form: 'text' as const },
    ])
      expect(certificateParts(value)).toMatchObject({
        certificate: made.certificate,
        chain: made.chain,
        privateKey: made.privateKey,
      })
  })

  test('a file with a password is refused, and so are half a file and no file', () => {
    const bytes = file('-passout', 'pass:hidden')
    expect(() => openPkcs12(bytes)).toThrow(/decrypt|wrong|bad|known/i)
    expect(() => openPkcs12(file('-passout', 'pass:').subarray(0, 400))).toThrow(/ends in the middle/)
    expect(certificateParts({ bytes: new Secret('canary-not-a-certificate'), form: 'text' })).toEqual({
      refused: 'bad-certificate',
      detail: expect.not.stringContaining('canary'),
    })
  })
})

test('a key of another certificate is refused; issuers are put in order', () => {
  const one = issue('one.example')
  const two = issue('two.example')
  const value = (text: string) => ({ bytes: new Secret(text), form: 'text' as const })
  expect(certificateParts(value(one.certificate + two.privateKey))).toMatchObject({
    refused: 'bad-certificate',
  })
  expect(certificateParts(value(one.certificate))).toMatchObject({ refused: 'bad-certificate' })
  expect(
    certificateParts(value(one.privateKey + one.chain + two.certificate + one.certificate)),
  ).toMatchObject({
    certificate: one.certificate,
    chain: one.chain,
    privateKey: one.privateKey,
  })
})
