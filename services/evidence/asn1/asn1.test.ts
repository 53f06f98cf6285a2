import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Authority, certificatePem, createAuthority, issueSigner } from '../../twin/tsa/authority.ts'
import { createTsa, type Tsa } from '../../twin/tsa/index.ts'
import { pathToRoot } from '../certificate-path.ts'
import { pemBlocks } from '../pem.ts'
import { timestampNonce, timestampQuery } from '../timestamp.ts'
import { verifyToken } from '../token.ts'
import { commonName, readCertificate } from './certificate.ts'
import {
  type Bytes,
  children,
  type Element,
  objectId as readId,
  octetString,
  onlyElement,
  Refusal,
  tags,
  time,
} from './der.ts'
import { signatureHolds } from './public-key.ts'
import { der, instant, integer, objectId, sequence, setOf } from './write.ts'

const hex = (text: string): Bytes => Uint8Array.fromHex(text.replaceAll(' ', ''))
const ascii = (text: string) => new TextEncoder().encode(text)
const random = (length: number) => Uint8Array.from(randomBytes(length))
const now = new Date('2026-03-01T00:00:00Z')

describe('reading', () => {
  test.each([
    ['nothing', ''],
    ['a tag alone', '30'],
    ['less than the length says', '30 03 01 01'],
    ['more than the length says', '04 01 00 00'],
    ['a length with a zero before it', '04 82 00 01 00'],
    ['a length in the long form that fits the short one', '04 81 01 00'],
    ['a length of five octets', '04 85 01 00 00 00 00'],
    ['a value whose length is left open', '04 80 00 00'],
    ['an open length without its end', '30 80 05 00'],
    ['a tag of more than one octet', '1f 81 00 00'],
  ])('refuses %s', (_, bytes) => {
    expect(() => onlyElement(hex(bytes), 'it')).toThrow(Refusal)
  })

  test('refuses what is nested without end', () => {
    expect(() => onlyElement(hex('30 80 '.repeat(100_000)), 'it')).toThrow('nested too deep')
    const pieces = (depth: number): Bytes =>
      depth === 0 ? der(0x04, Uint8Array.of(1)) : der(0x24, pieces(depth - 1))
    expect(octetString(onlyElement(pieces(9), 'it'))).toEqual(Uint8Array.of(1))
    expect(() => octetString(onlyElement(pieces(60), 'it'))).toThrow(Refusal)
  })

  test.each([
    ['a time with an offset', tags.utcTime, '260301000000+0100'],
    ['a time without seconds', tags.utcTime, '2603010000Z'],
    ['the thirtieth of February', tags.generalizedTime, '20260230000000Z'],
    ['the twenty-fifth hour', tags.generalizedTime, '20260201250000Z'],
  ])('refuses %s', (_, tag, text) => {
    expect(() => time(onlyElement(der(tag, ascii(text)), 'it'))).toThrow(Refusal)
  })

  test('undoes writing', () => {
    for (const id of ['1.2.840.113549.1.7.2', '2.999.3161.1', '0.4.0.19422.1.1', '2.16.840.1.101.3.4.2.1'])
      expect(readId(onlyElement(objectId(id), 'it'))).toBe(id)
    for (const at of ['1999-12-31T23:59:59.000Z', '2026-03-01T00:00:00.000Z', '2050-01-01T00:00:00.000Z'])
      expect(time(onlyElement(instant(new Date(at)), 'it')).toISOString()).toBe(at)
    for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
      const element = onlyElement(der(0x04, new Uint8Array(length)), 'it')
      expect(element.content.length).toBe(length)
    }
    expect(integer(Uint8Array.of(0, 0, 0x80)).toHex()).toBe('02020080')
    expect(setOf(0x31, [hex('020102'), hex('0101ff'), hex('020101')]).toHex()).toBe('31090101ff020101020102')
  })
})

describe('certificates', () => {
  let authority: Authority
  beforeAll(async () => {
    authority = await createAuthority('one', 'ecdsa-p256', now, random)
  })
  const bytesOf = (certificate: Authority['root']['certificate']): Bytes =>
    pemBlocks(certificatePem(certificate), 'CERTIFICATE')[0] ?? new Uint8Array()

  test('no changed, missing or added octet makes reading fail in any other way than by refusing', () => {
    const whole = bytesOf(authority.signer.certificate)
    const read = (bytes: Bytes) => {
      try {
        return commonName(readCertificate(bytes))
      } catch (error) {
        if (error instanceof Refusal) return null
        throw error
      }
    }
    expect(read(whole)).toBe('one')
    for (let at = 0; at < whole.length; at++) {
      expect(read(whole.slice(0, at))).toBeNull()
      for (const octet of [0x00, 0x24, 0x30, 0x80, 0xff]) read(whole.with(at, octet))
    }
    expect(read(Uint8Array.of(...whole, 0))).toBeNull()
  })

  test('certificates that all issue each other end the search', async () => {
    const { root } = authority
    const validity = {
      notBefore: new Date('2026-01-01T00:00:00Z'),
      notAfter: new Date('2027-01-01T00:00:00Z'),
    }
    const leaf = await issueSigner({ family: 'ecdsa-p256', root }, 'leaf', validity, random)
    const read = readCertificate(bytesOf(root.certificate))
    const crowd = Array.from({ length: 30 }, () => ({ ...read }))
    const stranger = await createAuthority('other', 'ecdsa-p256', now, random)
    const path = await pathToRoot(
      readCertificate(bytesOf(leaf.certificate)),
      crowd,
      [readCertificate(bytesOf(stranger.root.certificate))],
      now,
    )
    expect(path).toEqual({ problem: 'its certificates lead in circles' })
  })
})

describe('signatures of certificates', () => {
  const bytes = ascii('what is signed')
  const spki = (key: KeyObject): Bytes => Uint8Array.from(key.export({ type: 'spki', format: 'der' }))
  const element = (whole: Bytes): Element => onlyElement(whole, 'it')
  const pssParameters = (hash: string, salt: number) => {
    const digest = sequence(objectId(hash), der(0x05))
    const mask = sequence(objectId('1.2.840.113549.1.1.8'), digest)
    return element(sequence(der(0xa0, digest), der(0xa1, mask), der(0xa2, integer(Uint8Array.of(salt)))))
  }

  test.each([
    ['P-256', 'sha256', '1.2.840.10045.4.3.2'],
    ['P-384', 'sha384', '1.2.840.10045.4.3.3'],
    ['P-521', 'sha512', '1.2.840.10045.4.3.4'],
  ])('ECDSA on %s with %s holds, over other bytes it does not', async (namedCurve, digest, id) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve })
    const made = Uint8Array.from(sign(digest, bytes, privateKey))
    const algorithm = { id, parameters: null }
    expect(await signatureHolds(spki(publicKey), algorithm, made, bytes)).toBe(true)
    expect(await signatureHolds(spki(publicKey), algorithm, made, ascii('others'))).toBe(false)
    const weaker = { id: '1.2.840.10045.4.1', parameters: null }
    expect(await signatureHolds(spki(publicKey), weaker, made, bytes)).toBe(false)
  })

  test('RSA in both paddings and Ed25519 hold, and only as they say', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const pkcs1 = { id: '1.2.840.113549.1.1.12', parameters: null }
    const plain = Uint8Array.from(sign('sha384', bytes, rsa.privateKey))
    expect(await signatureHolds(spki(rsa.publicKey), pkcs1, plain, bytes)).toBe(true)
    const key = { key: rsa.privateKey, padding: 6, saltLength: 32 }
    const salted = Uint8Array.from(sign('sha256', bytes, key))
    const pss = (parameters: Element | null) => ({ id: '1.2.840.113549.1.1.10', parameters })
    const sha256 = '2.16.840.1.101.3.4.2.1'
    const asked = async (parameters: Element | null) =>
      signatureHolds(spki(rsa.publicKey), pss(parameters), salted, bytes)
    expect(await asked(pssParameters(sha256, 32))).toBe(true)
    expect(await asked(pssParameters(sha256, 20))).toBe(false)
    expect(await asked(pssParameters('1.3.14.3.2.26', 32))).toBe(false)
    expect(await asked(null)).toBe(false)
    const ed = generateKeyPairSync('ed25519')
    const short = Uint8Array.from(sign(null, bytes, ed.privateKey))
    const algorithm = { id: '1.3.101.112', parameters: null }
    expect(await signatureHolds(spki(ed.publicKey), algorithm, short, bytes)).toBe(true)
    // A key of another kind than the algorithm proves nothing.
    expect(await signatureHolds(spki(rsa.publicKey), algorithm, short, bytes)).toBe(false)
  })
})

describe('a token in BER', () => {
  let tsa: Tsa
  const imprint = new Uint8Array(32).fill(7)
  beforeAll(async () => {
    tsa = await createTsa({ clock: () => now, random })
  })

  /** The same with open lengths on the way to the content, and the content in pieces, as some authorities write it. */
  const loosened = (response: Bytes): Bytes => {
    const open = (tag: number, ...parts: Uint8Array[]) =>
      Uint8Array.from(Buffer.concat([Uint8Array.of(tag, 0x80), ...parts, new Uint8Array(2)]))
    const [status, token] = children(element(response))
    const [type, wrapped] = children(token ?? element(response))
    const [version, digests, content, ...rest] = children(
      children(wrapped ?? element(response))[0] ?? element(response),
    )
    const [contentType, octets] = children(content ?? element(response))
    const text = octetString(children(octets ?? element(response))[0] ?? element(response))
    const pieces = open(0x24, der(0x04, text.subarray(0, 50)), der(0x04, text.subarray(50)))
    const whole = (each: Element | undefined) => each?.whole ?? new Uint8Array()
    const signed = open(
      0x30,
      whole(version),
      whole(digests),
      open(0x30, whole(contentType), open(0xa0, pieces)),
      ...rest.map(whole),
    )
    return sequence(whole(status), open(0x30, whole(type), open(0xa0, signed)))
  }
  const element = (bytes: Bytes) => onlyElement(bytes, 'it')

  test('verifies like the same token in DER', async () => {
    const answer = await tsa.fetch(
      new Request('http://a.invalid/tsa', {
        method: 'POST',
        headers: { 'content-type': 'application/timestamp-query' },
        body: timestampQuery(imprint, timestampNonce(random)),
      }),
    )
    const token = new Uint8Array(await answer.arrayBuffer())
    const expected = {
      imprint,
      roots: pemBlocks(tsa.rootPem, 'CERTIFICATE').map(readCertificate),
      notBefore: new Date('2026-01-01T00:00:00Z'),
      notAfter: new Date('2026-12-01T00:00:00Z'),
    }
    const strict = await verifyToken(token, expected)
    expect(strict).toMatchObject({ ok: true })
    const loose = loosened(token)
    expect(loose).not.toEqual(token)
    expect(await verifyToken(loose, expected)).toEqual(strict)
  })
})
