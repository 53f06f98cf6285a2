import { KeyId, type SignedLicense } from '@attestry/contracts'
import * as z from 'zod'
import { utf8 } from './projection.ts'

const Keys = z
  .array(
    z.object({
      kid: KeyId,
      jwk: z.looseObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), d: z.string() }),
    }),
  )
  .min(1)
  .max(8)

interface SigningKey {
  readonly kid: string
  readonly key: CryptoKey
}

/** Imported once an isolate: a secret does not change under a running one. */
let imported: { readonly text: string; readonly keys: readonly SigningKey[] } | null = null

async function importKeys(text: string): Promise<readonly SigningKey[]> {
  const keys = await Promise.all(
    Keys.parse(JSON.parse(text)).map(async ({ kid, jwk }) => ({
      kid,
      key: await crypto.subtle.importKey('jwk', jwk, { name: 'Ed25519' }, false, ['sign']),
    })),
  )
  imported = { text, keys }
  return keys
}

const base64url = (bytes: ArrayBuffer) =>
  new Uint8Array(bytes).toBase64({ alphabet: 'base64url', omitPadding: true })

/** A signature in base64url, and the key that made it. */
export type Signature = Pick<SignedLicense, 'sig' | 'kid'>

/**
 * Signs the exact bytes of a payload's text (RFC 8032). Of the service's keys the newest that the install trusts; an
 * install that names none of ours, or none at all, gets the newest. So keys overlap while installs are updated.
 */
export async function signText(
  text: string,
  signingKeys: string,
  trusted: readonly string[] = [],
): Promise<Signature> {
  const keys = imported?.text === signingKeys ? imported.keys : await importKeys(signingKeys)
  const chosen = keys.find((k) => trusted.includes(k.kid)) ?? keys[0]
  if (!chosen) throw new Error('there is no key to sign with')
  const sig = await crypto.subtle.sign('Ed25519', chosen.key, utf8.encode(text))
  return { sig: base64url(sig), kid: chosen.kid }
}

/** Signs a payload with the newest key. */
export async function sign(payload: object, signingKeys: string): Promise<SignedLicense> {
  const text = JSON.stringify(payload)
  return { payload: text, alg: 'Ed25519', ...(await signText(text, signingKeys)) }
}
