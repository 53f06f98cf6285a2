import { createPublicKey, verify } from 'node:crypto'
import { AnswerPayload, FilePayload, SignedLicense } from '@attestry/contracts'

/** The vendor's public keys by their names: Ed25519, base64url. */
export type VendorKeys = Readonly<Record<string, string>>

/** Reads `kid=x kid=x`; null where it is none. */
export function readVendorKeys(text: string): VendorKeys | null {
  const pairs = text.split(/\s+/).filter((pair) => pair !== '')
  const keys = pairs.map((pair) => /^([a-z0-9][a-z0-9-]{0,30})=([\w-]{43})$/.exec(pair))
  if (keys.some((k) => k === null)) return null
  return Object.fromEntries(keys.flatMap((k) => (k?.[1] && k[2] ? [[k[1], k[2]]] : [])))
}

/** The payload of what one of the vendor's keys signed; null for anything else, whatever is wrong with it. */
function openSigned(text: string, keys: VendorKeys): unknown {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
  const signed = SignedLicense.safeParse(json)
  if (!signed.success) return null
  const { payload, sig, kid } = signed.data
  const x = Object.hasOwn(keys, kid) ? keys[kid] : undefined
  if (x === undefined) return null
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  // Over the exact bytes of the text, as they were sent: nothing is written anew before it is verified.
  if (!verify(null, Buffer.from(payload, 'utf8'), key, Buffer.from(sig, 'base64url'))) return null
  return JSON.parse(payload)
}

/** A signed answer for this install, as it was kept; null where a byte of it was changed, or it is another's. */
export function openAnswer(text: string, keys: VendorKeys, install: string): AnswerPayload | null {
  const payload = AnswerPayload.safeParse(openSigned(text, keys))
  return payload.success && payload.data.install === install ? payload.data : null
}

/** A licence file, whosever it is; null where it is none that the vendor signed. */
export function openFile(text: string, keys: VendorKeys): FilePayload | null {
  const payload = FilePayload.safeParse(openSigned(text, keys))
  return payload.success ? payload.data : null
}
