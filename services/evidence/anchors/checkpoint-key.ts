import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { type Checkpoint, checkpointText, noteKeyId, noteOf, type NoteVerifier } from '@attestry/contracts'
import { sha256 } from '@attestry/kit/ledger'

/** Signs checkpoints with Ed25519: the algorithm of C2SP notes, which Key Vault does not have. */
export interface CheckpointKey {
  /** SHA-256 of the SubjectPublicKeyInfo, hexadecimal. */
  readonly fingerprint: string
  /** The key under the name of one log. */
  readonly verifier: (origin: string) => NoteVerifier
  /** The signed note of a checkpoint; the same checkpoint always gives the same note. */
  readonly note: (checkpoint: Checkpoint) => string
}

/** A new private key, PKCS#8 PEM. */
export const generateCheckpointKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })

/** @throws when the PEM text is not an Ed25519 private key */
export function checkpointKey(privateKeyPem: string): CheckpointKey {
  const key = createPrivateKey(privateKeyPem)
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('The checkpoint key must be an Ed25519 key')
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  // RFC 8410: the 32 bytes of the key stand last.
  const publicKey = Uint8Array.from(spki.subarray(-32))
  const verifier = (name: string): NoteVerifier => ({
    name,
    keyId: noteKeyId(sha256, name, publicKey),
    publicKey,
  })
  return {
    fingerprint: createHash('sha256').update(spki).digest('hex'),
    verifier,
    note: (checkpoint) => {
      const text = checkpointText(checkpoint)
      const { name, keyId } = verifier(checkpoint.origin)
      return noteOf(text, [{ name, keyId, signature: Uint8Array.from(sign(null, Buffer.from(text), key)) }])
    },
  }
}
