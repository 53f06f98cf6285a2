import { randomBytes } from 'node:crypto'
import { fact } from '@attestry/contracts'
import { gatewayHttp, type LicenseStatus } from '@attestry/contracts/http'
import {
  bind,
  createKeyring,
  type Guard,
  type Host,
  iso,
  reasonOf,
  type Secret,
  type Service,
  type SigningKey,
} from '@attestry/kit'
import type * as z from 'zod'
import { type Admitted, createAdmission } from './admission.ts'
import { addressOf, createFace } from './face.ts'
import { firstRun } from './first-run.ts'
import { createLanes } from './lane.ts'
import type { LedgerView, StuckWork } from './ledger-view.ts'
import type { Feed } from './live.ts'
import { faceOf, type Mount } from './mounts.ts'
import { createAuditors, foldAuditors } from './auditors.ts'
import { createOperators, foldOperators } from './operators.ts'
import { createRateLimit } from './rate-limit.ts'
import { handlers } from './routes.ts'
import { SESSION_LIMITS, type SessionLimits } from './session.ts'
import { createSessions } from './sessions.ts'
import { createSignIn } from './sign-in.ts'
import { openSigningKey } from './signing.ts'
import { staticFiles } from './static.ts'

export { SESSION_LIMITS }

export interface GatewayOptions {
  readonly tenant: string
  /** Seals the key that signs tokens. */
  readonly secretKey: Secret
  /** Where the first sign-in waits. */
  readonly stateDir: string
  /**
   * Says something to the person at the terminal, and to nobody else: never the log. Where there is no terminal only
   * the file may be named.
   */
  readonly announce: (text: string, file: string) => void
  /** The other services by context. */
  readonly mounts: Readonly<Record<string, Mount>>
  /** The console as it was built; without it there is no console. */
  readonly staticDir?: string
  /** Whether people reach us by https through a proxy: cookies are Secure then. */
  readonly https?: boolean
  readonly ready: () => Promise<boolean>
  readonly license: () => Promise<z.infer<typeof LicenseStatus>>
  /** Operators that the licence admits, asked before one is added; null is no limit. @default no limit */
  readonly userLimit?: () => Promise<number | null>
  readonly live: Feed
  readonly ledger: LedgerView
  readonly stuck: StuckWork
  readonly limits?: SessionLimits
  /** How long a one-time password opens anything. @default 72 */
  readonly oneTimeHours?: number
  /** Sign-ins a minute from one address. @default 20 */
  readonly signInsPerMinute?: number
  /** How often a live stream asks whether its session still counts. @default 15000 */
  readonly liveRecheckMs?: number
  readonly random?: (bytes: number) => Uint8Array
}

/** How many requests may wait for the same name's turn. */
const MOST_IN_LANE = 20
/** One refused action of a session is recorded once an hour. */
const RECORD_EVERY_MS = 3_600_000
const MOST_RECORDED = 10_000

/** The gateway: operators, sessions, and the one HTTP face of everything. */
export function gatewayService(host: Host, guard: Guard, options: GatewayOptions): Service {
  const { tenant, secretKey, stateDir, announce, https = false, limits = SESSION_LIMITS } = options
  const { oneTimeHours = 72 } = options
  const random = options.random ?? ((bytes: number) => randomBytes(bytes))
  const operators = createOperators(host, tenant)
  const sessions = createSessions(host, tenant)
  const auditors = createAuditors(host, tenant, random)
  const lanes = createLanes(MOST_IN_LANE)
  const keys = createKeyring({ stream: (t, s, after) => host.stream(t, s, after), clock: host.clock })
  let signing: SigningKey | null = null
  const signingKey = () => {
    if (!signing) throw new Error('the gateway was asked before it was started')
    return signing
  }
  const desk = createAdmission({
    host,
    tenant,
    operators,
    auditors,
    sessions,
    keys,
    signingKey,
    limits,
    https,
  })
  const signIn = createSignIn({ host, tenant, operators, lanes, random })
  const signInRate = createRateLimit({ host, tenant, perMinute: options.signInsPerMinute ?? 20 })

  const recorded = new Map<string, number>()
  const refused = async (
    { session, operator }: Admitted,
    action: string,
    reason: string,
    request: Request,
  ) => {
    const key = `${session.session} ${action} ${reason}`
    const now = host.clock.now().epochMilliseconds
    const before = recorded.get(key)
    if (before !== undefined && now - before < RECORD_EVERY_MS) return
    if (recorded.size >= MOST_RECORDED) recorded.clear()
    recorded.set(key, now)
    const address = addressOf(request)
    const correlation = request.headers.get('x-request-id') ?? host.ids.uuid()
    await host.append(tenant, {
      stream: operator.operator,
      expected: 'any',
      facts: [fact('gateway.action-refused', { operator: operator.operator, action, reason })],
      by: { kind: 'operator', id: operator.operator, ...(address ? { address } : {}) },
      cause: { correlation, causation: correlation },
    })
  }

  const taken = async ({ operator }: Admitted, action: string, request: Request) => {
    const address = addressOf(request)
    const reason = reasonOf(request.headers)
    const correlation = request.headers.get('x-request-id') ?? host.ids.uuid()
    await host.append(tenant, {
      stream: operator.operator,
      expected: 'any',
      facts: [fact('gateway.action-taken', { operator: operator.operator, action })],
      by: {
        kind: 'operator',
        id: operator.operator,
        ...(address ? { address } : {}),
        ...(reason ? { reason } : {}),
      },
      cause: { correlation, causation: correlation },
    })
  }

  const own = bind(
    gatewayHttp,
    handlers({
      host,
      tenant,
      operators,
      auditors,
      sessions,
      signIn,
      desk,
      lanes,
      limits,
      oneTimeHours,
      signInRate,
      random,
      stateDir,
      ready: options.ready,
      license: options.license,
      userLimit: options.userLimit ?? (() => Promise.resolve(null)),
      live: options.live,
      liveRecheckMs: options.liveRecheckMs ?? 15_000,
      ledger: options.ledger,
      stuck: options.stuck,
    }),
    guard,
    host.log,
  )

  return {
    name: 'gateway',
    schema: new URL('./schema/', import.meta.url),
    fetch: createFace({
      desk,
      own,
      mounts: new Map(Object.entries(options.mounts).map(([name, mount]) => [name, faceOf(name, mount)])),
      files: options.staticDir === undefined ? null : staticFiles(options.staticDir),
      refused,
      taken,
      https,
    }),
    commands: [],
    reactions: [],
    views: [
      {
        name: 'operators',
        contexts: ['gateway'],
        version: 1,
        apply: foldOperators,
        clear: async (tx) => {
          await tx.rows('delete from operator where tenant = $1', [tx.tenant])
        },
      },
      {
        name: 'auditors',
        contexts: ['gateway'],
        version: 1,
        apply: foldAuditors,
        clear: async (tx) => {
          await tx.rows('delete from auditor where tenant = $1', [tx.tenant])
        },
      },
    ],
    schedules: [
      {
        name: 'forget-sessions',
        everyMs: 3_600_000,
        due: async (now, tx) => {
          await tx.rows('delete from session where tenant = $1 and started_at < $2', [
            tx.tenant,
            iso(now.subtract({ hours: limits.maxHours })),
          ])
          // A bucket is full again after a minute, and a lock of a stranger ends after a quarter of an hour.
          const hourAgo = iso(now.subtract({ hours: 1 }))
          await tx.rows('delete from sign_in_rate where tenant = $1 and at < $2', [tx.tenant, hourAgo])
          await tx.rows('delete from stranger where tenant = $1 and at < $2', [tx.tenant, hourAgo])
          return []
        },
      },
    ],
    /** One gateway at a time: two that start together must not give out two first passwords. */
    start: () =>
      host.tx(tenant, async (tx) => {
        await tx.rows("select pg_advisory_xact_lock(hashtextextended('attestry gateway start', 0))")
        signing = await openSigningKey(host, secretKey, random)
        const now = host.clock.now()
        const goodUntil = now.add({ hours: oneTimeHours })
        await firstRun({ operators, stateDir, random, announce, now, goodUntil })
      }),
  }
}
