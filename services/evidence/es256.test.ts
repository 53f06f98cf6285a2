import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { rawEcdsa } from './asn1/public-key.ts'
import { derSignature, es256Holds } from './es256.ts'

const bytes = new TextEncoder().encode('a list of checksums')

describe('derSignature()', () => {
  test('turns what Key Vault returns into what openssl reads', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    for (let round = 0; round < 50; round += 1) {
      const raw = sign('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' })
      expect(verify('sha256', bytes, { key: publicKey, dsaEncoding: 'der' }, derSignature(raw))).toBe(true)
    }
  })

  test('writes each integer in its shortest form', () => {
    const raw = new Uint8Array(64)
    raw[31] = 0x80
    expect(derSignature(raw).toHex()).toBe('300702020080020100')
  })

  test('refuses any other length', () => {
    expect(() => derSignature(new Uint8Array(63))).toThrow(RangeError)
  })
})

describe('rawEcdsa()', () => {
  test('undoes derSignature()', () => {
    const raw = Uint8Array.from({ length: 64 }, (_, at) => (at * 37) % 256)
    expect(rawEcdsa(derSignature(raw), 32)).toEqual(raw)
  })

  test.each([
    ['nothing', ''],
    ['a padded integer', '3008020200010202000200'],
    ['trailing bytes', '30060201010201010'.padEnd(18, '0')],
    ['a negative integer', '3006020181020101'],
    ['an open length', '30800201010201010000'],
    ['an integer that is too long', `3026022101${'00'.repeat(32)}020101`],
  ])('refuses %s', (_, hex) => {
    expect(rawEcdsa(Uint8Array.fromHex(hex), 32)).toBeNull()
  })
})

describe('es256Holds()', () => {
  test('says what is wrong with the key that it was given', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({
      type: 'spki',
      format: 'pem',
    })
    expect(await es256Holds('no key', bytes, bytes)).toHaveProperty('problem')
    expect(await es256Holds(rsa, bytes, bytes)).toHaveProperty('problem')
  })
})
