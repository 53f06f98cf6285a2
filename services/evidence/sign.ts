import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign as signNow,
} from 'node:crypto'
import { pemBlocks } from './pem.ts'

/**
 * Signs a bundle's list of checksums with ES256 (ECDSA on P-256 over SHA-256). The private key never passes through
 * this port; with `key-vault` it does not even reach this machine.
 */
export interface Signer {
  readonly kind: 'local' | 'key-vault'
  /** Names the key in the manifest: a fingerprint for a local key, the versioned key identifier for Key Vault. */
  readonly keyId: string
  /** SubjectPublicKeyInfo, PEM: what the auditor gets as `signer.pub`. */
  readonly publicKeyPem: string
  /** The detached signature, DER (SEQUENCE of r and s), as `openssl dgst -verify` reads it. */
  readonly sign: (bytes: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>
}

/**
 * A signer on a local private key.
 * @param privateKeyPem PKCS#8 or SEC1, unencrypted
 * @throws when the key is not on P-256: ES256 has no other curve (RFC 7518 §3.4)
 */
export function localSigner(privateKeyPem: string): Signer {
  const key = createPrivateKey(privateKeyPem)
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new Error('The signing key must be an ECDSA key on P-256 (prime256v1)')
  }
  const publicKeyPem = createPublicKey(key).export({ type: 'spki', format: 'pem' })
  return {
    kind: 'local',
    keyId: `local:${fingerprint(publicKeyPem)}`,
    publicKeyPem,
    sign: async (bytes, signal) => {
      signal.throwIfAborted()
      return Uint8Array.from(signNow('sha256', bytes, { key, dsaEncoding: 'der' }))
    },
  }
}

/** A new private key for `localSigner`, PKCS#8 PEM. The caller keeps it in a file that only the service may read. */
export function generateSigningKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ type: 'pkcs8', format: 'pem' })
}

/**
 * SHA-256 of the SubjectPublicKeyInfo, hexadecimal: what the console shows and the auditor compares.
 * @throws when the text holds no public key
 */
export function fingerprint(publicKeyPem: string): string {
  const [spki] = pemBlocks(publicKeyPem, 'PUBLIC KEY')
  if (spki === undefined) throw new Error('The text holds no PEM block PUBLIC KEY')
  return createHash('sha256').update(spki).digest('hex')
}
