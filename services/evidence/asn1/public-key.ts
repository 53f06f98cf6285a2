import type { Algorithm } from './certificate.ts'
import { algorithmOf } from './certificate.ts'
import { type Bytes, context, Fields, objectId, onlyElement, Refusal, smallInteger, tags } from './der.ts'

/*
 * Signatures by the keys that certificates hold, by WebCrypto: RSA (PKCS#1 v1.5 and PSS), ECDSA on the three curves of
 * NIST, Ed25519; never with a digest weaker than SHA-256.
 * @see RFC 4055, RFC 5758, RFC 8410
 */

/** The digests that are accepted, by their identifier. */
export const digestNames: ReadonlyMap<string, string> = new Map([
  ['2.16.840.1.101.3.4.2.1', 'SHA-256'],
  ['2.16.840.1.101.3.4.2.2', 'SHA-384'],
  ['2.16.840.1.101.3.4.2.3', 'SHA-512'],
])

const rsaEncryption = '1.2.840.113549.1.1.1'
const rsaPss = '1.2.840.113549.1.1.10'
const mgf1 = '1.2.840.113549.1.1.8'
const ed25519 = '1.3.101.112'
const withRsa: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.1.1.11', 'SHA-256'],
  ['1.2.840.113549.1.1.12', 'SHA-384'],
  ['1.2.840.113549.1.1.13', 'SHA-512'],
])
const withEcdsa: ReadonlyMap<string, string> = new Map([
  ['1.2.840.10045.4.3.2', 'SHA-256'],
  ['1.2.840.10045.4.3.3', 'SHA-384'],
  ['1.2.840.10045.4.3.4', 'SHA-512'],
])
/** Curves by their identifier, with the length of a coordinate. */
const curves: ReadonlyMap<string, readonly [name: string, bytes: number]> = new Map([
  ['1.2.840.10045.3.1.7', ['P-256', 32]],
  ['1.3.132.0.34', ['P-384', 48]],
  ['1.3.132.0.35', ['P-521', 66]],
])

/** The digest that an algorithm works with: its own, or where it has none the signer's; null when it is not accepted. */
export function digestOf(algorithm: Algorithm, ofSigner: string): string | null {
  if (algorithm.id === rsaEncryption || algorithm.id === ed25519) return ofSigner
  if (algorithm.id === rsaPss) return pssOf(algorithm)?.digest ?? null
  return withRsa.get(algorithm.id) ?? withEcdsa.get(algorithm.id) ?? null
}

/** Digest and length of the salt of RSASSA-PSS; null when they are not accepted (RFC 4055 §3.1). */
function pssOf({ parameters }: Algorithm): { readonly digest: string; readonly saltLength: number } | null {
  if (parameters === null) return null
  const fields = new Fields(parameters, 'the parameters of the signature')
  const hash = fields.maybe(context(0))
  const mask = fields.maybe(context(1))
  const salt = fields.maybe(context(2))
  fields.maybe(context(3))
  fields.end()
  // What is left out stands for SHA-1.
  if (hash === null || mask === null) return null
  const within = (content: Bytes) => algorithmOf(onlyElement(content, 'an algorithm'))
  const digest = digestNames.get(within(hash.content).id)
  const generator = within(mask.content)
  const inner = generator.parameters === null ? null : algorithmOf(generator.parameters)
  if (digest === undefined || generator.id !== mgf1 || digestNames.get(inner?.id ?? '') !== digest)
    return null
  const saltLength = salt === null ? 20 : smallInteger(onlyElement(salt.content, 'a number'))
  return { digest, saltLength }
}

/**
 * Whether a signature over bytes is of a public key.
 * @param publicKey SubjectPublicKeyInfo, DER
 * @param digest name of the digest, where the algorithm leaves it to the signer
 * @throws Refusal when a part of them cannot be read
 */
export async function signatureHolds(
  publicKey: Bytes,
  algorithm: Algorithm,
  signature: Bytes,
  bytes: Bytes,
  digest = 'SHA-256',
): Promise<boolean> {
  const way = wayOf(publicKey, algorithm, signature, digest)
  if (way === null) return false
  try {
    const key = await crypto.subtle.importKey('spki', publicKey, way.key, false, ['verify'])
    return await crypto.subtle.verify(way.verify, key, way.signature, bytes)
  } catch (error) {
    // WebCrypto's only way to refuse a key of a size or form that it does not take: nothing was proved.
    if (error instanceof DOMException || error instanceof TypeError) return false
    throw error
  }
}

interface Way {
  readonly key: RsaHashedImportParams | EcKeyImportParams | { readonly name: string }
  readonly verify: { readonly name: string } | EcdsaParams | RsaPssParams
  readonly signature: Bytes
}

function wayOf(publicKey: Bytes, algorithm: Algorithm, signature: Bytes, digest: string): Way | null {
  const { id } = algorithm
  const rsa = id === rsaEncryption ? digest : withRsa.get(id)
  if (rsa !== undefined) {
    const name = 'RSASSA-PKCS1-v1_5'
    return { key: { name, hash: rsa }, verify: { name }, signature }
  }
  if (id === rsaPss) {
    const pss = pssOf(algorithm)
    const name = 'RSA-PSS'
    return pss && { key: { name, hash: pss.digest }, verify: { name, saltLength: pss.saltLength }, signature }
  }
  if (id === ed25519) return { key: { name: 'Ed25519' }, verify: { name: 'Ed25519' }, signature }
  const hash = withEcdsa.get(id)
  const curve = hash === undefined ? undefined : curveOf(publicKey)
  if (hash === undefined || curve === undefined) return null
  const [namedCurve, bytes] = curve
  const raw = rawEcdsa(signature, bytes)
  return raw && { key: { name: 'ECDSA', namedCurve }, verify: { name: 'ECDSA', hash }, signature: raw }
}

function curveOf(publicKey: Bytes): readonly [string, number] | undefined {
  const fields = new Fields(onlyElement(publicKey, 'the key'), 'the key')
  const { parameters } = algorithmOf(fields.take(tags.sequence))
  return parameters?.tag === tags.objectId ? curves.get(objectId(parameters)) : undefined
}

/**
 * The r‖s form of an ECDSA signature in DER; null when it is not the one DER form that these two integers have.
 * @param length bytes of each integer
 * @see RFC 3279 §2.2.3
 */
export function rawEcdsa(der: Bytes, length: number): Bytes | null {
  try {
    const whole = onlyElement(der, 'the signature')
    const fields = new Fields(whole, 'the signature')
    const integers = [fields.take(tags.integer).content, fields.take(tags.integer).content]
    fields.end()
    // An open length is BER.
    if (der[1] === 0x80) return null
    const raw = new Uint8Array(2 * length)
    for (const [i, integer] of integers.entries()) {
      const [first, next] = integer
      if (first === undefined || first >= 0x80 || (first === 0 && next !== undefined && next < 0x80))
        return null
      const bytes = first === 0 ? integer.subarray(1) : integer
      if (bytes.length > length) return null
      raw.set(bytes, (i + 1) * length - bytes.length)
    }
    return raw
  } catch (error) {
    if (error instanceof Refusal) return null
    throw error
  }
}
