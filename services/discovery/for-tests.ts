import type { EventOf, EventType } from '@attestry/contracts'
import type { Logger } from '@attestry/kit'
import { guardOf, testHost, type TestHost } from '@attestry/kit/testing'
import { type Estate, type RunningCloud, seededEstate, startCloud } from '../twin/index.ts'
import { environmentId } from './environment.ts'
import { discoveryService } from './service.ts'

/** Discovery on a real Postgres, against the twin over the wire. */
export interface Discovered extends AsyncDisposable {
  readonly test: TestHost
  readonly twin: RunningCloud
  readonly lines: readonly object[]
  call(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>
  /** Connects an environment and returns its id. */
  connect(wish?: object): Promise<string>
  /** Starts a scan and waits for its end. */
  scan(environment: string): Promise<string>
  /** All events of discovery in the ledger, oldest first. */
  events(): Promise<EventOf[]>
}

/** Keeps every line, so that a test can look for what must not be there. */
function keepingLog(lines: object[]): Logger {
  const keep = (level: string) => (fields: object, message: string) => {
    lines.push({ level, message, ...fields })
  }
  const log: Logger = {
    debug: keep('debug'),
    info: keep('info'),
    warn: keep('warn'),
    error: keep('error'),
    child: () => log,
  }
  return log
}

/** Variables of an application of the estate that signs in with its own secret. */
export function secretOf(estate: Estate, application: string): Record<string, string> {
  const found = estate.applications.find(({ name }) => name === application)
  const password = found?.passwords[0]
  if (!found || !password) throw new Error(`${application} has no secret in this estate`)
  return {
    AZURE_TENANT_ID: estate.directory,
    AZURE_CLIENT_ID: found.appId,
    AZURE_CLIENT_SECRET: password.secret,
  }
}

export async function discovered(
  options: {
    estate?: Estate
    env?: (estate: Estate) => Record<string, string>
    autoConnect?: boolean
    subscriptionLimit?: () => Promise<number | null>
  } = {},
): Promise<Discovered> {
  const twin = await startCloud({ estate: options.estate ?? seededEstate(Date.now()) })
  // The managed identity's library reads these from the process alone.
  process.env['IDENTITY_ENDPOINT'] = twin.identityEndpoint
  process.env['IDENTITY_HEADER'] = twin.identityHeader
  const lines: object[] = []
  const test = await testHost({
    log: keepingLog(lines),
    services: [
      {
        name: 'discovery',
        make: (host) =>
          discoveryService(host, guardOf(['tenant-admin']), {
            azure: { endpoint: twin.url, env: options.env?.(twin.estate) ?? {} },
            autoConnect: options.autoConnect ?? false,
            ...(options.subscriptionLimit ? { subscriptionLimit: options.subscriptionLimit } : {}),
          }),
      },
    ],
  })
  const call: Discovered['call'] = async (method, path, body) => {
    const response = await test.service('discovery').fetch(
      new Request(`http://localhost/api/discovery${path}`, {
        method,
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      }),
    )
    const text = await response.text()
    return { status: response.status, body: text === '' ? null : JSON.parse(text) }
  }
  const events = () => test.events('discovery')
  return {
    test,
    twin,
    lines,
    call,
    events,
    connect: async (wish = {}) => {
      const name = 'contoso'
      const { status } = await call('POST', '/environments', { name, ...wish })
      if (status !== 200) throw new Error(`connecting answered ${status}`)
      return environmentId(await test.host('discovery').opaque('acme'), name)
    },
    scan: async (environment) => {
      const { status, body } = await call('POST', '/scans', { environment })
      if (status !== 200 || typeof body !== 'object' || body === null || !('scan' in body))
        throw new Error(`starting a scan answered ${status}: ${JSON.stringify(body)}`)
      await test.settle()
      return String(body.scan)
    },
    [Symbol.asyncDispose]: async () => {
      await test[Symbol.asyncDispose]()
      await twin.stop()
    },
  }
}

/** Events of one type. */
export const of = <T extends EventType>(events: readonly EventOf[], type: T): EventOf<T>[] =>
  // Filtered by the very type that the cast names.
  events.filter((event) => event.type === type) as EventOf<T>[]
