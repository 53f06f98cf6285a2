import { rawEcdsa } from './asn1/public-key.ts'
import { integer, sequence } from './asn1/write.ts'
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
  return sequence(integer(rAndS.subarray(0, 32)), integer(rAndS.subarray(32)))
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
  const raw = rawEcdsa(Uint8Array.from(signature), 32)
  if (raw === null) return false
  return crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, raw, Uint8Array.from(bytes))
}
