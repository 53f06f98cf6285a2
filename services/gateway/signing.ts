import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { fact, INSTALL } from '@attestry/contracts'
import { Denied, type Host, iso, type Secret, SIGNING_KEYS, type SigningKey } from '@attestry/kit'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import * as z from 'zod'

/*
 * The key that signs tokens. Its private half is sealed with AES-256-GCM under a key that HKDF (RFC 5869) derives
 * from SECRET_KEY, and stands in the gateway's own schema; its public half is an event of the install's chain.
 */

const NONCE_BYTES = 12
const TAG_BYTES = 16

const sealingKey = (secretKey: Secret): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', secretKey.reveal(), new Uint8Array(), 'attestry gateway signing key', 32))

/** Encrypts under the install's secret; `label` must be given again to open it. Base64 of nonce, tag, text. */
export function seal(
  text: string,
  label: string,
  secretKey: Secret,
  random: (bytes: number) => Uint8Array,
): string {
  const nonce = random(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', sealingKey(secretKey), nonce)
  cipher.setAAD(Buffer.from(label))
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64')
}

/** @throws {Denied} when the secret is another one, or the text was changed */
export function unseal(sealed: string, label: string, secretKey: Secret): string {
  const bytes = Buffer.from(sealed, 'base64')
  const decipher = createDecipheriv('aes-256-gcm', sealingKey(secretKey), bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(Buffer.from(label))
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
  try {
    return (
      decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
    )
  } catch (cause) {
    throw new Denied(
      'other-secret-key',
      'The key that signs sign-in tokens cannot be opened: SECRET_KEY is not the one this install was made with. Set that one again.',
      { cause },
    )
  }
}

const PublicJwk = z.record(z.string(), z.string())

const privateKeyOf = async (jwk: JWK): Promise<CryptoKey> => {
  const key = await importJWK(jwk, 'ES256')
  if (!(key instanceof CryptoKey)) throw new Error('the signing key is not an EC key')
  return key
}

/**
 * The key that signs, made and published at the first start.
 * @throws {Denied} when SECRET_KEY is not the one that the key was sealed with
 */
export async function openSigningKey(
  host: Host,
  secretKey: Secret,
  random: (bytes: number) => Uint8Array,
): Promise<SigningKey> {
  const first = () =>
    host.tx(INSTALL, (tx) =>
      tx.rows<{ kid: string; jwk: unknown; sealed: string }>(
        'select kid, jwk, sealed from signing_key where tenant = $1 order by created_at, kid limit 1',
        [INSTALL],
      ),
    )
  let [row] = await first()
  if (!row) {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
    const jwk = await exportJWK(publicKey)
    // RFC 7638: the id of a key is the digest of its public half.
    const kid = await calculateJwkThumbprint(jwk)
    const sealed = seal(JSON.stringify(await exportJWK(privateKey)), kid, secretKey, random)
    await host.tx(INSTALL, (tx) =>
      tx.rows('insert into signing_key (tenant, kid, jwk, sealed, created_at) values ($1, $2, $3, $4, $5)', [
        INSTALL,
        kid,
        JSON.stringify(jwk),
        sealed,
        iso(host.clock.now()),
      ]),
    )
    // Another gateway may have been faster by a moment: both take the older key.
    ;[row] = await first()
    if (!row) throw new Error('the signing key was stored and cannot be read again')
  }
  const key = await privateKeyOf(JSON.parse(unseal(row.sealed, row.kid, secretKey)) as JWK)
  await publish(host, row.kid, PublicJwk.parse(row.jwk))
  return { kid: row.kid, key }
}

/** Publishes a key unless the chain has it as the newest: a crash may have come between storing and publishing. */
async function publish(host: Host, kid: string, jwk: Readonly<Record<string, string>>): Promise<void> {
  for (let left = 3; left > 0; left--) {
    const events = await host.stream(INSTALL, SIGNING_KEYS)
    const last = events.findLast((e) => e.type === 'gateway.signing-key-published')
    if (last?.type === 'gateway.signing-key-published' && last.data.kid === kid) return
    const cause = { correlation: 'start', causation: 'start' }
    const appended = await host.append(INSTALL, {
      stream: SIGNING_KEYS,
      expected: events.at(-1)?.position ?? 0,
      facts: [fact('gateway.signing-key-published', { kid, jwk: Object.entries(jwk) })],
      by: { kind: 'install', id: 'gateway' },
      cause,
    })
    if (appended.ok) return
  }
  throw new Error('the signing key could not be published: another process keeps publishing')
}
