import { createECDH, createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import type { Curve, KeyShape } from '../estate/estate.ts'

/**
 * Key material follows from a seed, so that an estate of a hundred thousand items is cheap to make and the same
 * every time. EC keys are real pairs, and sign. Of an RSA key only the public half exists: a number of the right
 * length that nobody knows the factors of, the twin included, so RSA private operations are refused; except where the
 * seed is a private key in PEM, which it is for requests that somebody else has to sign.
 */
const curves = {
  'P-256': {
    name: 'prime256v1',
    order: 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
    algorithm: 'ES256',
    digestBytes: 32,
  },
  'P-256K': {
    name: 'secp256k1',
    order: 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141',
    algorithm: 'ES256K',
    digestBytes: 32,
  },
  'P-384': {
    name: 'secp384r1',
    order: 'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
    algorithm: 'ES384',
    digestBytes: 48,
  },
  'P-521': {
    name: 'secp521r1',
    order:
      '01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409',
    algorithm: 'ES512',
    digestBytes: 64,
  },
} as const satisfies Record<Curve, { name: string; order: string; algorithm: string; digestBytes: number }>

const orderOf = (curve: Curve) => BigInt(`0x${curves[curve].order}`)
const widthOf = (curve: Curve) => curves[curve].order.length / 2
const toNumber = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
const toBytes = (value: bigint, width: number) =>
  Buffer.from(value.toString(16).padStart(width * 2, '0'), 'hex')

/** Pseudo-random bytes that follow from text alone. */
export function bytesFrom(seed: string, length: number): Buffer {
  return createHash('shake256', { outputLength: length }).update(seed).digest()
}

/** A number in [1, order) that follows from the seed; the extra bytes make its bias negligible. */
const scalar = (seed: string, curve: Curve) =>
  (toNumber(bytesFrom(seed, widthOf(curve) + 16)) % (orderOf(curve) - 1n)) + 1n

function point(curve: Curve, secret: bigint): { x: Buffer; y: Buffer } {
  const width = widthOf(curve)
  const pair = createECDH(curves[curve].name)
  pair.setPrivateKey(toBytes(secret, width))
  const uncompressed = pair.getPublicKey()
  return { x: uncompressed.subarray(1, 1 + width), y: uncompressed.subarray(1 + width) }
}

const isPem = (seed: string) => seed.startsWith('-----BEGIN PRIVATE KEY-----')

export type PublicKey =
  | { readonly kty: 'RSA'; readonly n: Buffer; readonly e: Buffer }
  | { readonly kty: 'EC'; readonly curve: Curve; readonly x: Buffer; readonly y: Buffer }

/** Points of so many EC keys are remembered: to find one costs more than all else that an answer does. */
const rememberedPoints = 20_000
const points = new Map<string, PublicKey>()

function pointOf(curve: Curve, seed: string): PublicKey {
  const place = `${curve} ${seed}`
  const known = points.get(place)
  if (known !== undefined) return known
  const key = { kty: 'EC', curve, ...point(curve, scalar(seed, curve)) } as const
  if (points.size >= rememberedPoints) points.clear()
  points.set(place, key)
  return key
}

export function publicKey(shape: KeyShape, seed: string): PublicKey {
  if ('curve' in shape) return pointOf(shape.curve, seed)
  if (isPem(seed)) {
    const jwk = createPublicKey(seed).export({ format: 'jwk' })
    return {
      kty: 'RSA',
      n: Buffer.from(jwk.n ?? '', 'base64url'),
      e: Buffer.from(jwk.e ?? '', 'base64url'),
    }
  }
  const n = bytesFrom(seed, shape.bits / 8)
  n[0] = (n[0] ?? 0) | 0x80
  n[n.length - 1] = (n[n.length - 1] ?? 0) | 1
  return { kty: 'RSA', n, e: Buffer.from([1, 0, 1]) }
}

const modulo = (value: bigint, order: bigint) => ((value % order) + order) % order

/** The inverse modulo a prime, by the extended Euclidean algorithm (at most a few hundred rounds). */
function inverse(value: bigint, order: bigint): bigint {
  let [r, nextR, t, nextT] = [order, modulo(value, order), 0n, 1n]
  while (nextR !== 0n) {
    const quotient = r / nextR
    ;[r, nextR] = [nextR, r - quotient * nextR]
    ;[t, nextT] = [nextT, t - quotient * nextT]
  }
  return modulo(t, order)
}

/** The one signature algorithm of a curve (RFC 7518 section 3.4, RFC 8812), and its digest's length. */
export const algorithmOf = (curve: Curve): { readonly algorithm: string; readonly digestBytes: number } =>
  curves[curve]

/**
 * ECDSA over a finished digest (FIPS 186-5 section 6.4.1): r‖s, each as wide as the order. Neither WebCrypto nor
 * Node signs a digest without hashing it again, so the arithmetic is done here; OpenSSL multiplies the point. The
 * nonce follows from key and digest, so the same digest gives the same signature.
 */
export function signDigest(curve: Curve, seed: string, digest: Uint8Array): Buffer {
  const order = orderOf(curve)
  const width = widthOf(curve)
  const secret = scalar(seed, curve)
  const excess = BigInt(Math.max(0, digest.length * 8 - order.toString(2).length))
  const message = toNumber(digest) >> excess
  const nonce = scalar(`${seed} nonce ${Buffer.from(digest).toString('hex')}`, curve)
  const r = modulo(toNumber(point(curve, nonce).x), order)
  const s = modulo(inverse(nonce, order) * (message + r * secret), order)
  return Buffer.concat([toBytes(r, width), toBytes(s, width)])
}

const crv = { 'P-256': 'P-256', 'P-256K': 'secp256k1', 'P-384': 'P-384', 'P-521': 'P-521' } as const
const base64url = (bytes: Buffer) => bytes.toString('base64url')

function jwkOf(shape: KeyShape, seed: string) {
  const key = publicKey(shape, seed)
  return key.kty === 'RSA'
    ? { kty: 'RSA', n: base64url(key.n), e: base64url(key.e) }
    : { kty: 'EC', crv: crv[key.curve], x: base64url(key.x), y: base64url(key.y) }
}

/** The public half as SubjectPublicKeyInfo (RFC 5280). */
export const publicKeyDer = (shape: KeyShape, seed: string): Buffer =>
  createPublicKey({ key: jwkOf(shape, seed), format: 'jwk' }).export({ type: 'spki', format: 'der' })

/** The private half; undefined for an RSA key that has none. */
export function privateKey(shape: KeyShape, seed: string): KeyObject | undefined {
  if (isPem(seed)) return createPrivateKey(seed)
  if (!('curve' in shape)) return undefined
  const d = base64url(toBytes(scalar(seed, shape.curve), widthOf(shape.curve)))
  return createPrivateKey({ key: { ...jwkOf(shape, seed), d }, format: 'jwk' })
}

/** Signs bytes with SHA-256 and the private half; undefined for an RSA key that has none. */
export function signBytes(shape: KeyShape, seed: string, bytes: Uint8Array): Buffer | undefined {
  if (isPem(seed)) return sign('sha256', bytes, createPrivateKey(seed))
  if (!('curve' in shape)) return undefined
  return signDigest(shape.curve, seed, createHash('sha256').update(bytes).digest())
}
