import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto'
import type { Certificate, CertificatePolicy, CertificateVersion, Curve } from '../estate/estate.ts'
import { bytesFrom, type PublicKey, publicKey, signBytes } from './key-material.ts'

/*
 * X.509 certificates (RFC 5280) in DER. They are made when they are asked for and are byte for byte the same each
 * time: the twin's authority signs with Ed25519 (RFC 8410), whose signatures follow from key and message alone.
 */
export const node = (tag: number, ...parts: Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts)
  const length =
    body.length < 0x80
      ? [body.length]
      : body.length < 0x100
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}
export const sequence = (...parts: Uint8Array[]) => node(0x30, ...parts)
const set = (...parts: Uint8Array[]) => node(0x31, ...parts)
const integer = (bytes: Buffer) =>
  node(0x02, (bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes)
const bitString = (bytes: Uint8Array) => node(0x03, Buffer.from([0]), bytes)
export const octets = (bytes: Uint8Array) => node(0x04, bytes)
const utf8 = (text: string) => node(0x0c, Buffer.from(text))
const explicit = (number: number, ...parts: Uint8Array[]) => node(0xa0 | number, ...parts)

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const arc of rest) {
    const septets = [arc & 0x7f]
    for (let left = arc >> 7; left > 0; left >>= 7) septets.unshift((left & 0x7f) | 0x80)
    bytes.push(...septets)
  }
  return node(0x06, Buffer.from(bytes))
}

/** GeneralizedTime from 2050 on, UTCTime before (RFC 5280 section 4.1.2.5). */
function time(seconds: number): Buffer {
  const digits = new Date(seconds * 1000).toISOString().replace(/[-:T]|\.\d+/g, '')
  return digits < '2050' ? node(0x17, Buffer.from(digits.slice(2))) : node(0x18, Buffer.from(digits))
}

const attributeTypes: Record<string, string> = {
  CN: '2.5.4.3',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  C: '2.5.4.6',
  L: '2.5.4.7',
}

function name(distinguished: string): Buffer {
  const parts = distinguished.split(',').flatMap((part) => {
    const [type = '', ...value] = part.trim().split('=')
    const known = attributeTypes[type.toUpperCase()]
    return known === undefined ? [] : [set(sequence(oid(known), utf8(value.join('='))))]
  })
  return sequence(...parts)
}

const curveOids: Record<Curve, string> = {
  'P-256': '1.2.840.10045.3.1.7',
  'P-256K': '1.3.132.0.10',
  'P-384': '1.3.132.0.34',
  'P-521': '1.3.132.0.35',
}

const subjectPublicKey = (key: PublicKey): Buffer =>
  key.kty === 'RSA'
    ? sequence(
        sequence(oid('1.2.840.113549.1.1.1'), node(0x05)),
        bitString(sequence(integer(key.n), integer(key.e))),
      )
    : sequence(
        sequence(oid('1.2.840.10045.2.1'), oid(curveOids[key.curve])),
        bitString(Buffer.concat([Buffer.from([4]), key.x, key.y])),
      )

const ed25519 = sequence(oid('1.3.101.112'))
const authorityKey = createPrivateKey({
  key: Buffer.concat([
    Buffer.from('302e020100300506032b657004220420', 'hex'),
    bytesFrom('twin certificate authority', 32),
  ]),
  format: 'der',
  type: 'pkcs8',
})

const altNamesOf = (policy: CertificatePolicy) => policy.dnsNames.map((dns) => node(0x82, Buffer.from(dns)))

const made = new WeakMap<CertificateVersion, { der: Buffer; thumbprint: Buffer }>()

const authorityName = (policy: CertificatePolicy) => `CN=${policy.issuer} Issuing CA`
const authorityValid = [Date.UTC(2020, 0, 1) / 1000, Date.UTC(2045, 0, 1) / 1000] as const

/** The certificate in DER of whoever issued one that the twin's authority signed; undefined where it signs itself. */
export function issuerOf({ policy }: Certificate): Buffer | undefined {
  if (policy.issuer === 'Self') return undefined
  const [from, until] = authorityValid
  const isAuthority = sequence(node(0x01, Buffer.from([0xff])))
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(createHash('sha256').update(authorityName(policy)).digest().subarray(0, 16)),
    ed25519,
    name(authorityName(policy)),
    sequence(time(from), time(until)),
    name(authorityName(policy)),
    createPublicKey(authorityKey).export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(sequence(oid('2.5.29.19'), node(0x01, Buffer.from([0xff])), octets(isAuthority)))),
  )
  return sequence(body, ed25519, bitString(sign(null, body, authorityKey)))
}

/** The certificate in DER and its SHA-1 thumbprint, as Key Vault shows it. */
export function x509(
  certificate: Certificate,
  version: CertificateVersion,
): { der: Buffer; thumbprint: Buffer } {
  const known = made.get(version)
  if (known !== undefined) return known
  if (version.merged !== undefined) {
    const der = Buffer.from(version.merged, 'base64')
    const result = { der, thumbprint: createHash('sha1').update(der).digest() }
    made.set(version, result)
    return result
  }
  const { policy } = certificate
  const altNames = altNamesOf(policy)
  const issuer = policy.issuer === 'Self' ? policy.subject : authorityName(policy)
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(Buffer.from(version.serial, 'hex')),
    ed25519,
    name(issuer),
    sequence(time(version.notBefore ?? version.created), time(version.expires ?? version.created)),
    name(policy.subject),
    subjectPublicKey(publicKey(version.shape, version.seed)),
    ...(altNames.length > 0
      ? [explicit(3, sequence(sequence(oid('2.5.29.17'), octets(sequence(...altNames)))))]
      : []),
  )
  const der = sequence(body, ed25519, bitString(sign(null, body, authorityKey)))
  const result = { der, thumbprint: createHash('sha1').update(der).digest() }
  made.set(version, result)
  return result
}

const sha256WithRsa = sequence(oid('1.2.840.113549.1.1.11'), node(0x05))
const ecdsaWithSha256 = sequence(oid('1.2.840.10045.4.3.2'))

/** r‖s as the two integers that X.509 wants (RFC 3279 section 2.2.3). */
function ecdsaSignature(raw: Buffer): Buffer {
  const half = raw.length / 2
  const trimmed = (bytes: Buffer) =>
    bytes.subarray(
      Math.max(
        0,
        bytes.findIndex((byte) => byte !== 0),
      ),
    )
  return sequence(integer(trimmed(raw.subarray(0, half))), integer(trimmed(raw.subarray(half))))
}

/**
 * A PKCS #10 request (RFC 2986) for what a policy asks for, in DER, signed by its own key. Of an RSA key that the twin
 * knows the public half of alone the signature is empty, and no authority would take it: the twin's own does not look.
 */
export function certificateRequest(policy: CertificatePolicy, seed: string): Buffer {
  const altNames = altNamesOf(policy)
  const extensions = sequence(sequence(oid('2.5.29.17'), octets(sequence(...altNames))))
  const info = sequence(
    integer(Buffer.from([0])),
    name(policy.subject),
    subjectPublicKey(publicKey(policy.shape, seed)),
    explicit(0, ...(altNames.length > 0 ? [sequence(oid('1.2.840.113549.1.9.14'), set(extensions))] : [])),
  )
  const signature = signBytes(policy.shape, seed, info)
  const isEc = 'curve' in policy.shape
  return sequence(
    info,
    isEc ? ecdsaWithSha256 : sha256WithRsa,
    bitString(signature === undefined ? Buffer.alloc(0) : isEc ? ecdsaSignature(signature) : signature),
  )
}
