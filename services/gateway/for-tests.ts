import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Endpoint, http } from '@attestry/contracts/http'
import {
  bind,
  type Clock,
  createGuard,
  createKeyring,
  type Guard,
  type Handlers,
  type Host,
  pause,
  Secret,
  silentLog,
} from '@attestry/kit'
import { type TestHost, testHost } from '@attestry/kit/testing'
import type { LedgerRow } from './ledger-view.ts'
import type { Happening } from './live.ts'
import { type GatewayOptions, gatewayService } from './service.ts'

export const TENANT = 'acme'

/** A clock that runs with the database's, and that a test may put forward. */
function shiftableClock(): Clock & { advance(duration: Temporal.DurationLike): void } {
  let shift = Temporal.Duration.from({ milliseconds: 0 })
  return {
    now: () => Temporal.Now.instant().add(shift),
    advance(duration) {
      shift = shift.add(duration)
    },
  }
}

/** Answers each endpoint of a table with what is in its name, once the guard has let a request through. */
const echoing = (table: Record<string, Endpoint>, guard: Guard) => {
  const names = Object.keys(table).map((name) => [name, async () => Response.json({ answered: name })])
  return bind(table, Object.fromEntries(names) as Handlers<typeof table>, guard, silentLog)
}

/** A gateway on a real database, with services behind it that tell what they were asked. */
export interface TestGateway extends AsyncDisposable {
  readonly host: TestHost
  readonly gateway: Host
  readonly stateDir: string
  readonly announced: string[]
  readonly clock: ReturnType<typeof shiftableClock>
  /** Rows that the ledger port gives, newest first. */
  readonly ledger: LedgerRow[]
  /** Pushes into the live feed. */
  happen(happening: Happening): void
  ask(method: string, path: string, more?: Asked): Promise<Response>
  /** Signs in and gives the cookie. */
  cookieOf(name: string, password: string): Promise<string>
  /** The first administrator, who has chosen a password. */
  admin(): Promise<string>
}

interface Asked {
  readonly cookie?: string
  readonly bearer?: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export const ADMIN_PASSWORD = 'a long enough password'

/** The token part of an answer's cookie, as a browser would send it back. */
export const cookieIn = (response: Response): string =>
  (response.headers.get('set-cookie') ?? '').split(';', 1)[0] ?? ''

/** The one-time password in what was announced. */
export const announcedPassword = (announced: readonly string[]): string =>
  /one-time password (\S+)/.exec(announced[0] ?? '')?.[1] ?? ''

export async function testGateway(more: Partial<GatewayOptions> = {}): Promise<TestGateway> {
  const stateDir = await mkdtemp(join(tmpdir(), 'attestry-gateway-'))
  const announced: string[] = []
  const clock = shiftableClock()
  const ledger: LedgerRow[] = []
  const feeds = new Set<(happening: Happening) => void>()
  const entitled = { features: true }

  const make = (host: Host) => {
    const keys = createKeyring({ stream: (t, s, after) => host.stream(t, s, after), clock })
    const guard = createGuard({ keys, clock, entitled: () => Promise.resolve(entitled.features) })
    return gatewayService(host, guard, {
      tenant: TENANT,
      secretKey: new Secret('a secret key of thirty-two bytes'),
      stateDir,
      announce: (text) => announced.push(text),
      mounts: Object.fromEntries(
        Object.entries(http)
          .filter(([service]) => service !== 'gateway')
          .map(([service, table]) => [service, echoing(table, guard)]),
      ),
      ready: () => Promise.resolve(true),
      license: () => Promise.resolve({ tier: 'evaluation', features: [], state: 'valid', expiresAt: null }),
      async *live(_tenant, signal) {
        const waiting: Happening[] = []
        const push = (happening: Happening) => waiting.push(happening)
        feeds.add(push)
        try {
          while (!signal.aborted) {
            for (let next = waiting.shift(); next; next = waiting.shift()) yield next
            await pause(10, signal)
          }
        } finally {
          feeds.delete(push)
        }
      },
      ledger: {
        page: async (_tenant, { before, limit, actor }) => {
          const rows = ledger.filter(
            (row) => (before === null || row.seq < before) && (actor === undefined || row.actorId === actor),
          )
          return { rows: rows.slice(0, limit), total: ledger.length }
        },
        verify: async () => ({ ok: true, events: 3, head: 'ab', firstBad: null }),
        lag: async () => [],
      },
      stuck: { list: async () => [], replay: async (_tenant, _service, id) => id === 'there' },
      signInsPerMinute: 1000,
      ...more,
    })
  }
  const host = await testHost({ services: [{ name: 'gateway', make }], clock })
  const { fetch } = host.service('gateway')

  const ask = async (method: string, path: string, asked: Asked = {}): Promise<Response> => {
    const headers = new Headers(asked.headers)
    headers.set('x-attestry-address', headers.get('x-attestry-address') ?? '192.0.2.7')
    if (asked.cookie !== undefined) headers.set('cookie', asked.cookie)
    if (asked.bearer !== undefined) headers.set('authorization', `Bearer ${asked.bearer}`)
    if (asked.body !== undefined) headers.set('content-type', 'application/json')
    return fetch(
      new Request(`http://127.0.0.1${path}`, {
        method,
        headers,
        ...(asked.body === undefined ? {} : { body: JSON.stringify(asked.body) }),
        ...(asked.signal ? { signal: asked.signal } : {}),
      }),
    )
  }

  const cookieOf = async (name: string, password: string): Promise<string> => {
    const response = await ask('POST', '/auth/login', { body: { name, password } })
    if (!response.ok)
      throw new Error(`sign-in of ${name} answered ${response.status}: ${await response.text()}`)
    return cookieIn(response)
  }

  return {
    host,
    gateway: host.host('gateway'),
    stateDir,
    announced,
    clock,
    ledger,
    happen: (happening) => {
      for (const push of feeds) push(happening)
    },
    ask,
    cookieOf,
    admin: async () => {
      const first = announcedPassword(announced)
      const cookie = await cookieOf('admin', first)
      const changed = await ask('POST', '/auth/password', {
        cookie,
        body: { current: first, next: ADMIN_PASSWORD },
      })
      if (changed.status !== 204) throw new Error(`changing the password answered ${changed.status}`)
      return cookieIn(changed)
    },
    [Symbol.asyncDispose]: async () => {
      await host[Symbol.asyncDispose]()
      await rm(stateDir, { recursive: true, force: true })
    },
  }
}
