import { pemBlocks } from './pem.ts'

/*
 * ES256 signatures in their two forms, and the check of one. Runs in a browser as well: nothing but WebCrypto.
 */

/**
 * The DER form of a signature that comes as r‖s, 32 bytes each: Key Vault and WebCrypto give that form, openssl
 * reads the other.
 * @throws RangeError when there are not exactly 64 bytes
 * @see RFC 7518 §3.4, RFC 3279 §2.2.3
 */
export function derSignature(rAndS: Uint8Array): Uint8Array<ArrayBuffer> {
  if (rAndS.length !== 64) throw new RangeError(`An ES256 signature has 64 bytes, not ${rAndS.length}`)
  const integers = [rAndS.subarray(0, 32), rAndS.subarray(32)].map(derInteger)
  const body = integers.flatMap((integer) => [...integer])
  return Uint8Array.of(0x30, body.length, ...body)
}

/** Unsigned big-endian bytes as a DER INTEGER: shortest form, a zero before a set top bit (X.690 §8.3). */
function derInteger(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((octet) => octet !== 0)
  const significant = first === -1 ? Uint8Array.of(0) : bytes.subarray(first)
  const padded = (significant[0] ?? 0) >= 0x80 ? [0, ...significant] : [...significant]
  return Uint8Array.of(0x02, padded.length, ...padded)
}

/**
 * The r‖s form of a DER signature; null when it is not the one DER form that these two integers have.
 */
export function rawSignature(der: Uint8Array): Uint8Array<ArrayBuffer> | null {
  const length = der[3] ?? 0
  const r = der.subarray(4, 4 + length)
  const s = der.subarray(6 + length)
  const raw = new Uint8Array(64)
  for (const [integer, end] of [
    [r, 32],
    [s, 64],
  ] as const) {
    const bytes = integer[0] === 0 ? integer.subarray(1) : integer
    if (bytes.length > 32) return null
    raw.set(bytes, end - bytes.length)
  }
  // Writing it again and comparing refuses every longer or looser encoding of the same numbers.
  return derSignature(raw).toHex() === der.toHex() ? raw : null
}

/** Whether the DER signature over the bytes is of this key; a problem when the PEM text is no P-256 public key. */
export async function es256Holds(
  publicKeyPem: string,
  bytes: Uint8Array,
  signature: Uint8Array,
): Promise<boolean | { readonly problem: string }> {
  const [spki] = pemBlocks(publicKeyPem, 'PUBLIC KEY')
  if (spki === undefined) return { problem: 'the key that was given is not a public key in PEM' }
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  let key: CryptoKey
  try {
    key = await crypto.subtle.importKey('spki', spki, algorithm, false, ['verify'])
  } catch {
    // WebCrypto's only way to say so.
    return { problem: 'the key that was given is not an ECDSA key on P-256' }
  }
  const raw = rawSignature(signature)
  if (raw === null) return false
  return crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, raw, Uint8Array.from(bytes))
}
