import { createHmac, timingSafeEqual } from 'node:crypto'

/** A key of the namespace. */
export interface AccessKey {
  readonly name: string
  readonly key: string
}

/** What a connection may address, and until when (milliseconds since the epoch). */
export interface Claim {
  readonly path: string
  readonly until: number
}

/**
 * Checks a shared access signature for an audience: the key's name, the signature (HMAC-SHA256 over resource and
 * expiry), the time, and that the resource covers the audience.
 * https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas
 *
 * @returns the claim, or the reason of the refusal.
 */
export function judge(token: unknown, audience: unknown, key: AccessKey, now: number): Claim | string {
  if (typeof token !== 'string' || typeof audience !== 'string') return 'The request carries no token.'
  const scheme = 'SharedAccessSignature '
  if (!token.startsWith(scheme)) return 'Only shared access signatures are accepted here.'
  const fields = new Map(
    token
      .slice(scheme.length)
      .split('&')
      .map((field) => [field.slice(0, field.indexOf('=')), field.slice(field.indexOf('=') + 1)]),
  )
  const [resource, signature, expiry, keyName] = ['sr', 'sig', 'se', 'skn'].map(
    (field) => fields.get(field) ?? '',
  )
  if (keyName === undefined || decoded(keyName) !== key.name) return 'The key name is unknown.'
  const expected = createHmac('sha256', key.key).update(`${resource}\n${expiry}`).digest()
  const given = Buffer.from(decoded(signature ?? ''), 'base64')
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'Invalid signature.'
  const until = Number(expiry) * 1000
  if (!(until > now)) return 'The token has expired.'
  const path = pathOf(audience)
  if (!covers(pathOf(decoded(resource ?? '')), path)) return 'The token is for another resource.'
  return { path, until }
}

/** Whether a claim on `path` reaches the entity at `address`; the empty path is the namespace. */
export function covers(path: string, address: string): boolean {
  const lower = address.toLowerCase()
  return path === '' || lower === path || lower.startsWith(`${path}/`)
}

/** `sb://host:port/queue/$management` becomes `queue/$management`, in lower case. */
function pathOf(audience: string): string {
  return audience
    .toLowerCase()
    .replace(/^[a-z]+:\/\/[^/]*\/?/, '')
    .replace(/\/$/, '')
}

/** The base64 padding and signs come percent-encoded or plain, depending on the client. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    if (error instanceof URIError) return text
    throw error
  }
}
