import type { Host, Keyring, SigningKey } from '@attestry/kit'
import {
  COOKIE,
  iso,
  MAX_TOKEN_MINUTES,
  problem,
  SCHEME_HEADER,
  signToken,
  tokenOf,
  verifyToken,
} from '@attestry/kit'
import { asOperator, isAuditor } from './auditor.ts'
import type { Auditors } from './auditors.ts'
import type { Operator } from './operator.ts'
import type { Operators } from './operators.ts'
import { isLive, type Session, type SessionLimits, shouldNoteSeen } from './session.ts'
import type { Sessions } from './sessions.ts'

/** Carries a fresh token to a machine, whose bearer token slides as a browser's cookie does. */
const TOKEN_HEADER = 'x-attestry-token'
/** A page sets it on what it asks for by itself, so that an open page alone keeps nobody signed in. */
const BACKGROUND_HEADER = 'x-attestry-background'

/** Who was admitted. */
export interface Admitted {
  readonly session: Session
  readonly operator: Operator
  /** Of an auditor from outside. */
  readonly door: { readonly until: string; readonly bundles: readonly string[] | null } | null
}

/** What came of looking at a request's token. */
export interface Admission {
  /** To be passed on: with a fresh bearer token where somebody is signed in, else with no credentials at all. */
  readonly request: Request
  readonly admitted: Admitted | null
  /** For the answer: the token slid on, or the dead cookie taken away. */
  readonly headers: Readonly<Record<string, string>>
  /** The answer, where nothing else may follow. */
  readonly refusal: Response | null
}

/** What somebody with a one-time password may still ask for: everything under `/auth/`, and what needs no sign-in. */
const needsOwnPassword = (path: string): boolean => path.startsWith('/api/') && path !== '/api/license/status'

/** Beyond reading: to verify the ledger changes nothing though it is asked for by POST. */
const changesSomething = ({ method, url }: Request): boolean => {
  const path = new URL(url).pathname
  return method !== 'GET' && method !== 'HEAD' && path.startsWith('/api/') && path !== '/api/ledger/verify'
}

/** Signs sessions in and out of requests: the one place where cookies are read and written. */
export function createAdmission(options: {
  readonly host: Host
  readonly tenant: string
  readonly operators: Operators
  readonly auditors: Auditors
  readonly sessions: Sessions
  readonly keys: Keyring
  readonly signingKey: () => SigningKey
  readonly limits: SessionLimits
  /** Whether people reach us by https whatever this connection is. */
  readonly https: boolean
}) {
  const { host, tenant, operators, auditors, sessions, keys, signingKey, limits, https } = options

  const mint = ({ session, operator, door }: Admitted): Promise<string> =>
    signToken(
      {
        tenant,
        operator: operator.operator,
        session: session.session,
        roles: operator.roles,
        reauthenticatedUntil: session.reauthenticatedUntil && iso(session.reauthenticatedUntil),
        restricted: operator.mustChangePassword,
        ...(door?.bundles ? { bundles: door.bundles } : {}),
      },
      signingKey(),
      host.clock.now(),
    )

  const cookie = (value: string, request: Request, more = ''): string => {
    const secure = https || request.headers.get(SCHEME_HEADER) === 'https' ? '; Secure' : ''
    return `${COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict${secure}${more}`
  }

  /** Headers that hand a token to where its session keeps it. */
  const handOver = (token: string, as: 'cookie' | 'bearer', request: Request): Record<string, string> =>
    as === 'cookie' ? { 'set-cookie': cookie(token, request) } : { [TOKEN_HEADER]: token }

  const takeAway = (request: Request): Record<string, string> => ({
    'set-cookie': cookie('', request, '; Max-Age=0'),
  })

  const withoutCredentials = (request: Request, token: string | null): Request => {
    const headers = new Headers(request.headers)
    headers.delete('cookie')
    headers.delete('authorization')
    if (token !== null) headers.set('authorization', `Bearer ${token}`)
    return new Request(request, { headers })
  }

  /** The session as it stands now; null when it no longer counts. */
  const current = async (id: string): Promise<Admitted | null> => {
    const session = await sessions.find(id)
    if (!session) return null
    const now = host.clock.now()
    if (isAuditor(session.operator)) {
      const auditor = await auditors.recall(session.operator)
      const operator = auditor && asOperator(auditor, now)
      return auditor && operator && isLive(session, operator, limits, now)
        ? { session, operator, door: { until: auditor.until, bundles: auditor.bundles } }
        : null
    }
    const { operator } = await operators.recall(session.operator)
    return operator && isLive(session, operator, limits, now) ? { session, operator, door: null } : null
  }

  return {
    mint,
    handOver,
    takeAway,
    current,

    /**
     * Looks at a request's token. A browser's cookie may have outlived its ten minutes: the session decides. A
     * bearer token must be valid itself.
     */
    async admit(request: Request): Promise<Admission> {
      const found = tokenOf(request.headers)
      if (!found)
        return { request: withoutCredentials(request, null), admitted: null, headers: {}, refusal: null }
      const now = host.clock.now()
      const verified = await verifyToken(found.token, keys, now)
      const counts =
        verified !== null && verified.claims.tenant === tenant && (found.as === 'cookie' || !verified.expired)
      const admitted = counts ? await current(verified.claims.session) : null
      if (!verified || !admitted || admitted.session.as !== found.as)
        return {
          request: withoutCredentials(request, null),
          admitted: null,
          headers: found.as === 'cookie' ? takeAway(request) : {},
          refusal: null,
        }
      const { session, operator, door } = admitted
      if (!request.headers.has(BACKGROUND_HEADER) && shouldNoteSeen(session, now))
        await sessions.noteSeen(session.session, iso(now))
      const { claims } = verified
      const halfLife = verified.expiresAt.subtract({ minutes: MAX_TOKEN_MINUTES / 2 })
      const stale =
        Temporal.Instant.compare(halfLife, now) <= 0 ||
        claims.restricted !== operator.mustChangePassword ||
        claims.roles.join() !== operator.roles.join() ||
        claims.reauthenticatedUntil !== (session.reauthenticatedUntil && iso(session.reauthenticatedUntil))
      const token = stale ? await mint(admitted) : found.token
      return {
        request: withoutCredentials(request, token),
        admitted,
        headers: stale ? handOver(token, session.as, request) : {},
        refusal:
          operator.mustChangePassword && needsOwnPassword(new URL(request.url).pathname)
            ? problem(
                'forbidden',
                'change-password-first',
                'This is a one-time password: choose your own at /auth/password first.',
              )
            : door && changesSomething(request)
              ? problem(
                  'forbidden',
                  'read-only',
                  'Who enters by an auditor’s link reads and verifies, and changes nothing.',
                )
              : null,
      }
    },
  }
}

export type AdmissionDesk = ReturnType<typeof createAdmission>
