import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { Secret } from '@attestry/kit'

/* The licence key lies in its row sealed with AES-256-GCM under a key that HKDF (RFC 5869) derives from SECRET_KEY. */

const NONCE_BYTES = 12
const TAG_BYTES = 16

const sealingKey = (secretKey: Secret): Uint8Array =>
  new Uint8Array(
    hkdfSync('sha256', secretKey.reveal(), new Uint8Array(), 'attestry licensing licence key', 32),
  )

/** Base64 of nonce, tag and text. */
export function sealKey(key: string, secretKey: Secret, random: (bytes: number) => Uint8Array): string {
  const nonce = random(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', sealingKey(secretKey), nonce)
  const sealed = Buffer.concat([cipher.update(key, 'utf8'), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64')
}

/** Null when SECRET_KEY is another one, or the row was changed. */
export function openKey(sealed: string, secretKey: Secret): Secret | null {
  const bytes = Buffer.from(sealed, 'base64')
  if (bytes.length <= NONCE_BYTES + TAG_BYTES) return null
  const decipher = createDecipheriv('aes-256-gcm', sealingKey(secretKey), bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
  try {
    return new Secret(
      decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8'),
    )
  } catch {
    // The tag does not fit: that is what is asked here.
    return null
  }
}
