import { Digest } from '@attestry/contracts'
import { VendorRole } from '@attestry/contracts/http'
import * as z from 'zod'

const Tokens = z
  .array(z.object({ name: z.string().min(1).max(60), role: VendorRole, sha256: Digest }))
  .max(100)

/** Who holds a token. */
export interface Vendor {
  readonly name: string
  readonly role: VendorRole
}

const fromHex = (text: string) =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

// Workers have it beside the standard's functions.
const { timingSafeEqual } = crypto.subtle as SubtleCrypto & {
  timingSafeEqual(a: ArrayBuffer | Uint8Array, b: ArrayBuffer | Uint8Array): boolean
}

/**
 * The vendor behind a bearer token, or null. Digests are compared, each in constant time, and all of them, so that
 * neither a token nor its place in the list shows in the time it takes.
 */
export async function vendorOf(request: Request, tokens: string): Promise<Vendor | null> {
  const [, token] = /^Bearer ([\w.~+/=-]{20,200})$/.exec(request.headers.get('authorization') ?? '') ?? []
  if (token === undefined) return null
  const given = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token))
  let found: Vendor | null = null
  for (const { name, role, sha256 } of Tokens.parse(JSON.parse(tokens)))
    if (timingSafeEqual.call(crypto.subtle, given, fromHex(sha256))) found = { name, role }
  return found
}
