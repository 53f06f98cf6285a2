/*
 * The keyed seal of a bundle. Whoever holds the key could have made it, so it is labelled "not independent proof";
 * it lets an operator recognise his own bundles after a signing key was lost.
 */

const info = new TextEncoder().encode('evidence-bundle/v1 hmac')

/**
 * The key of one bundle, derived so that it can be handed to an auditor without the others: HKDF-SHA-256 with the
 * bundle's id as salt.
 * @param master at least 32 bytes
 * @throws RangeError when the master key is shorter
 * @see RFC 5869
 */
export async function bundleHmacKey(master: Uint8Array, bundleId: string): Promise<Uint8Array<ArrayBuffer>> {
  if (master.length < 32) throw new RangeError('The HMAC master key needs at least 32 bytes')
  const key = await crypto.subtle.importKey('raw', Uint8Array.from(master), 'HKDF', false, ['deriveBits'])
  const salt = new TextEncoder().encode(bundleId)
  const bits = await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt, info }, key, 256)
  return new Uint8Array(bits)
}

/** HMAC-SHA-256 of the bytes, hexadecimal (RFC 2104). */
export async function hmacSha256(key: Uint8Array, bytes: Uint8Array): Promise<string> {
  const imported = await hmacKey(key, 'sign')
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, Uint8Array.from(bytes))).toHex()
}

/** Whether the hexadecimal value is the HMAC of the bytes; compared in constant time by WebCrypto. */
export async function hmacHolds(key: Uint8Array, bytes: Uint8Array, value: string): Promise<boolean> {
  if (!/^[0-9a-f]{64}$/.test(value)) return false
  return crypto.subtle.verify(
    'HMAC',
    await hmacKey(key, 'verify'),
    Uint8Array.fromHex(value),
    Uint8Array.from(bytes),
  )
}

async function hmacKey(key: Uint8Array, use: 'sign' | 'verify'): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', Uint8Array.from(key), { name: 'HMAC', hash: 'SHA-256' }, false, [use])
}
