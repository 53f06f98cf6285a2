import { createHash } from 'node:crypto'
import { decodeJwt, exportJWK, generateKeyPair, importJWK, type JWK, jwtVerify, SignJWT } from 'jose'
import type { Clock } from '../clock.ts'
import type { ServicePrincipal } from '../estate/estate.ts'

/** Who calls, as a checked token says. */
export interface Caller {
  readonly objectId: string
  readonly appId: string
  /** Graph application roles at the time the token was issued. */
  readonly roles: readonly string[]
}

type TokenFault = 'missing' | 'malformed' | 'signature' | 'audience' | 'expired'

export interface Tokens {
  readonly jwks: { readonly keys: readonly JWK[] }
  /** The private key, to be kept beside a kept estate so that tokens outlive a restart. */
  readonly signingKey: JWK
  /** An access token as Entra issues it to an application (v1 claims, RS256). */
  issue(principal: ServicePrincipal, audience: string, lifetimeSeconds: number): Promise<string>
  /** A workload's own token, as a federated issuer such as a cluster would mint it. */
  issueWorkload(subject: string, issuer: string, audience: string): Promise<string>
  /** Checks signature, audience and expiry of an `Authorization` header's token. */
  check(authorization: string | undefined, audiences: readonly string[]): Promise<Caller | TokenFault>
  /** Verifies a client assertion's signature and expiry. */
  assertion(token: string): Promise<Record<string, unknown> | TokenFault>
}

/** Signatures of so many distinct tokens are remembered; expiry and audience are looked at on every call. */
const rememberedSignatures = 1_000

/** A fresh signing key of the twin's authority. */
export async function newSigningKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  return exportJWK(privateKey)
}

/** @see https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference */
export async function tokenAuthority(directory: string, clock: Clock, signingKey: JWK): Promise<Tokens> {
  const { kty, n, e } = signingKey
  if (kty !== 'RSA' || n === undefined || e === undefined)
    throw new Error('The signing key must be an RSA key.')
  const kid = createHash('sha256').update(n).digest('base64url').slice(0, 27)
  const publicJwk: JWK = { kty, n, e, kid, use: 'sig', alg: 'RS256' }
  const privateKey = await importJWK(signingKey, 'RS256')
  const publicKey = await importJWK(publicJwk, 'RS256')
  const seconds = () => Math.floor(clock.now() / 1000)
  const verified = new Map<string, Record<string, unknown>>()
  let issued = 0

  const sign = (claims: Record<string, unknown>) =>
    new SignJWT(claims).setProtectedHeader({ typ: 'JWT', alg: 'RS256', kid, x5t: kid }).sign(privateKey)

  async function signatureOf(token: string): Promise<Record<string, unknown> | TokenFault> {
    const known = verified.get(token)
    if (known !== undefined) return known
    try {
      decodeJwt(token)
    } catch {
      return 'malformed'
    }
    try {
      // Expiry is judged apart, on the cloud's own clock, on every use.
      const { payload } = await jwtVerify(token, publicKey, {
        algorithms: ['RS256'],
        currentDate: new Date(0),
        clockTolerance: Number.MAX_SAFE_INTEGER,
      })
      if (verified.size >= rememberedSignatures) verified.clear()
      verified.set(token, payload)
      return payload
    } catch {
      return 'signature'
    }
  }

  const expired = (claims: Record<string, unknown>) =>
    typeof claims.exp !== 'number' ||
    claims.exp <= seconds() ||
    (typeof claims.nbf === 'number' && claims.nbf > seconds() + 300)

  return {
    jwks: { keys: [publicJwk] },
    signingKey,
    issue(principal, audience, lifetimeSeconds) {
      const at = seconds()
      issued += 1
      return sign({
        aud: audience,
        iss: `https://sts.windows.net/${directory}/`,
        iat: at,
        nbf: at,
        exp: at + lifetimeSeconds,
        appid: principal.appId,
        idp: `https://sts.windows.net/${directory}/`,
        idtyp: 'app',
        oid: principal.id,
        sub: principal.id,
        tid: directory,
        uti: `twin-${issued}`,
        ver: '1.0',
        ...(audience === 'https://graph.microsoft.com' && principal.graphRoles.length > 0
          ? { roles: principal.graphRoles }
          : {}),
      })
    },
    issueWorkload(subject, issuer, audience) {
      const at = seconds()
      return sign({ aud: audience, iss: issuer, sub: subject, iat: at, nbf: at, exp: at + 3600 })
    },
    async check(authorization, audiences) {
      const token = authorization?.match(/^Bearer (\S+)$/i)?.[1]
      if (token === undefined) return 'missing'
      const claims = await signatureOf(token)
      if (typeof claims === 'string') return claims
      const { aud, oid, appid, tid, roles } = claims
      if (typeof oid !== 'string' || typeof appid !== 'string' || tid !== directory) return 'malformed'
      if (typeof aud !== 'string' || !audiences.includes(aud.replace(/\/+$/, ''))) return 'audience'
      if (expired(claims)) return 'expired'
      const granted = Array.isArray(roles)
        ? roles.filter((role): role is string => typeof role === 'string')
        : []
      return { objectId: oid, appId: appid, roles: granted }
    },
    async assertion(token) {
      const claims = await signatureOf(token)
      if (typeof claims === 'string') return claims
      return expired(claims) ? 'expired' : claims
    },
  }
}
