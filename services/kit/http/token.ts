import { INSTALL, type EventOf, type Role, Role as RoleSchema } from '@attestry/contracts'
import { errors, importJWK, type JWK, jwtVerify, SignJWT } from 'jose'
import * as z from 'zod'
import type { Clock } from '../clock.ts'

/*
 * Sign-in tokens: JWTs signed with ES256 (RFC 7515, RFC 7519). The gateway signs; every service verifies for itself
 * with the public keys that the install's own chain publishes, so nobody calls the gateway to ask who calls.
 */

/** The stream of tenant `install` that publishes the public keys. */
export const SIGNING_KEYS = 'signing-keys'

/** The longest life of a token in minutes. A key's successor retires it after this time and the skew. */
export const MAX_TOKEN_MINUTES = 10

/** How far two machines' clocks may differ, in seconds. */
const SKEW_SECONDS = 5

const ISSUER = 'attestry'

/** What a token says. */
export interface Claims {
  readonly tenant: string
  readonly operator: string
  readonly session: string
  readonly roles: readonly Role[]
  readonly reauthenticatedUntil: string | null
  /** Somebody who must choose a password first: the token is good for `/auth/` alone. */
  readonly restricted: boolean
  /** The only bundles that a guest may see; absent where there is no such limit. */
  readonly bundles?: readonly string[]
}

/** The private half, held by the gateway. */
export interface SigningKey {
  readonly kid: string
  readonly key: CryptoKey
}

/** The public keys by id; null for one that was never published or is retired. */
export interface Keyring {
  keyOf(kid: string): Promise<CryptoKey | null>
}

const Payload = z.object({
  tenant: z.string(),
  sub: z.string(),
  session: z.string(),
  roles: z.array(RoleSchema),
  reauthenticatedUntil: z.iso.datetime().nullable(),
  restricted: z.boolean(),
  bundles: z.array(z.string()).optional(),
})

/** Signs claims; the token lives for `minutes`, never longer than MAX_TOKEN_MINUTES. */
export async function signToken(
  claims: Claims,
  by: SigningKey,
  now: Temporal.Instant,
  minutes = MAX_TOKEN_MINUTES,
): Promise<string> {
  const issuedAt = Math.floor(now.epochMilliseconds / 1000)
  const { operator, ...rest } = claims
  return new SignJWT({ ...rest, roles: [...claims.roles] })
    .setProtectedHeader({ alg: 'ES256', kid: by.kid, typ: 'JWT' })
    .setIssuer(ISSUER)
    .setAudience(ISSUER)
    .setSubject(operator)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + Math.min(minutes, MAX_TOKEN_MINUTES) * 60)
    .sign(by.key)
}

/** A token read back: its claims, when it ends, and whether that was already. */
export interface Verified {
  readonly claims: Claims
  readonly expiresAt: Temporal.Instant
  readonly expired: boolean
}

/**
 * Reads a token and proves its signature, issuer and audience; null for anything that does not hold.
 * An expired token is answered with `expired: true`: the gateway still finds the session by it, and nobody
 * else accepts it. Anything longer-lived than MAX_TOKEN_MINUTES is none of ours.
 */
export async function verifyToken(
  token: string,
  keys: Keyring,
  now: Temporal.Instant,
): Promise<Verified | null> {
  const check = async (at: Temporal.Instant) =>
    jwtVerify(
      token,
      async ({ kid }) => {
        const key = kid === undefined ? null : await keys.keyOf(kid)
        if (!key) throw new errors.JWKSNoMatchingKey()
        return key
      },
      {
        algorithms: ['ES256'],
        issuer: ISSUER,
        audience: ISSUER,
        currentDate: new Date(at.epochMilliseconds),
        clockTolerance: SKEW_SECONDS,
        requiredClaims: ['exp', 'iat', 'sub'],
      },
    )
  let payload: unknown
  let expired = false
  try {
    payload = (await check(now)).payload
  } catch (error) {
    // jose proves the signature before it looks at the times, so this payload is genuine.
    if (error instanceof errors.JWTExpired) {
      payload = error.payload
      expired = true
    } else if (error instanceof errors.JOSEError) return null
    else throw error
  }
  const times = z.object({ iat: z.int(), exp: z.int() }).safeParse(payload)
  const parsed = Payload.safeParse(payload)
  if (!parsed.success || !times.success) return null
  if (times.data.exp - times.data.iat > MAX_TOKEN_MINUTES * 60) return null
  const { sub, bundles, ...rest } = parsed.data
  return {
    claims: { ...rest, operator: sub, ...(bundles ? { bundles } : {}) },
    expiresAt: Temporal.Instant.fromEpochMilliseconds(times.data.exp * 1000),
    expired,
  }
}

/** How often an unknown key id may send us to the ledger: a stranger can make them up for nothing. */
const REFRESH_EVERY_MS = 5_000

/**
 * The public keys as the install's chain publishes them. Keys are cached by id; an unknown id is looked up in the
 * ledger, at most once in five seconds. Publishing a key retires the one before it, once its last token has ended.
 * @param stream reads events of one stream, oldest first: `host.stream`
 */
export function createKeyring(options: {
  readonly stream: (tenant: string, stream: string, after?: number) => Promise<readonly EventOf[]>
  readonly clock: Clock
}): Keyring {
  const { stream, clock } = options
  const known = new Map<string, { key: CryptoKey; retiredAt: Temporal.Instant | null }>()
  let newest: string | null = null
  let position = 0
  let refreshedAt: Temporal.Instant | null = null
  let refreshing: Promise<void> | null = null

  const refresh = async () => {
    for (const event of await stream(INSTALL, SIGNING_KEYS, position)) {
      position = event.position
      if (event.type !== 'gateway.signing-key-published') continue
      // An event of our own chain; importJWK checks that the pairs are a public key of the curve.
      const jwk = Object.fromEntries(event.data.jwk) as JWK
      const key = await importJWK(jwk, 'ES256')
      if (!(key instanceof CryptoKey)) throw new Error(`signing key ${event.data.kid} is not an EC key`)
      const before = newest === null ? undefined : known.get(newest)
      if (before)
        before.retiredAt = Temporal.Instant.from(event.at).add({
          minutes: MAX_TOKEN_MINUTES,
          seconds: SKEW_SECONDS,
        })
      known.set(event.data.kid, { key, retiredAt: null })
      newest = event.data.kid
    }
  }

  return {
    async keyOf(kid) {
      if (!known.has(kid)) {
        const now = clock.now()
        const due = refreshedAt === null || refreshedAt.until(now).total('milliseconds') >= REFRESH_EVERY_MS
        if (due && !refreshing) {
          refreshedAt = now
          refreshing = refresh().finally(() => {
            refreshing = null
          })
        }
        await refreshing
      }
      const found = known.get(kid)
      if (!found) return null
      const retired = found.retiredAt !== null && Temporal.Instant.compare(found.retiredAt, clock.now()) <= 0
      return retired ? null : found.key
    },
  }
}
