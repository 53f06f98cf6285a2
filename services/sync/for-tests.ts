import type { EventOf, EventType, RouteSettings } from '@attestry/contracts'
import { type Bus, type Clock, type Host, type Logger, pause, Secret, type Service } from '@attestry/kit'
import { type AzureAccess, azureAccess } from '@attestry/kit/azure'
import { guardOf, testHost, type TestHost } from '@attestry/kit/testing'
import { SecretClient } from '@azure/keyvault-secrets'
import { complianceService } from '../compliance/service.ts'
import { discoveryService } from '../discovery/service.ts'
import { connectorsOf, type Estate, generatedEstate, type RunningCloud, startCloud } from '../twin/index.ts'
import { syncService } from './service.ts'

/** Key Vault Secrets Officer, by its published id. */
const SECRETS_OFFICER = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'

/** Grants the product's identity what a sync needs in every vault of an estate: to list, read and write secrets. */
export function mayWriteSecrets(estate: Estate): void {
  const product = estate.servicePrincipals.find((one) => one.name === 'attestry')
  if (!product) throw new Error('the estate has no identity of the product')
  for (const { id } of estate.subscriptions)
    estate.roleAssignments.push({
      id: `sync-${id}`,
      roleDefinition: SECRETS_OFFICER,
      principal: product.id,
      scope: `/subscriptions/${id}`,
    })
}

/** Settings of a route as usual, to another vault. */
export const routeSettings = (more: Partial<RouteSettings> = {}): RouteSettings => ({
  name: 'payments to its copy',
  kind: 'azure-key-vault',
  selector: { names: [], tags: [], contentTypes: [] },
  template: '{name}',
  overrides: [],
  tags: [['*', '*']],
  binary: 'as-text',
  deletePolicy: 'keep',
  pruneLimit: null,
  onDisabled: 'skip',
  onDrift: 'alert',
  keepVersions: 10,
  approval: 'first-run',
  everyMinutes: null,
  onChange: false,
  ...more,
})

/** Sync and discovery on a real Postgres, against the twin over the wire. */
export interface Synced extends AsyncDisposable {
  readonly test: TestHost
  readonly twin: RunningCloud
  readonly lines: object[]
  readonly from: TwinVault
  readonly to: TwinVault
  call(method: string, path: string, body?: unknown): Promise<{ status: number; body: Answer }>
  /** Connects the environment and scans it, so that sync knows what there is. */
  scan(): Promise<void>
  /** Scans again what was connected. */
  rescan(): Promise<void>
  /** Adds the second vault as a connector. */
  connect(name?: string, vault?: TwinVault): Promise<string>
  /** Opens a route between the two vaults and waits for its first plan. @returns the route and the run that planned */
  open(
    settings?: Partial<RouteSettings>,
    connector?: string,
  ): Promise<{ route: string; run: string; plan: string }>
  accept(opened: { run: string; plan: string }): Promise<void>
  /** Runs a route and waits for the end. */
  run(route: string, more?: object): Promise<Answer>
  /** Rules of the family sync by id, as compliance judges them now; needs the neighbours. */
  judged(): Promise<Record<string, string>>
  events<T extends EventType>(type: T): Promise<EventOf<T>[]>
  settle(): Promise<void>
  /** Writes a value as a person at the vault would. */
  put(vault: 'from' | 'to', name: string, value: string, more?: object): Promise<void>
  remove(vault: 'from' | 'to', name: string): Promise<void>
  /** Has a copy that waits tried now, as if its time had come. */
  retryNow(copy: string): Promise<void>
  /** When the commands that wait are due, in epoch milliseconds. */
  waiting(): Promise<number[]>
  /** Everything that the database holds, as text. */
  everything(): Promise<string>
}

/** Stands for the service whose facts sync answers: it only appends. */
const producer = (name: string) => ({
  name,
  make: (): Service => ({
    name,
    schema: new URL('../kit/schema-for-tests/', import.meta.url),
    fetch: () => new Response(null, { status: 404 }),
    commands: [],
    reactions: [],
    views: [],
    schedules: [],
  }),
})

/** An answer's body, looked into by a test. */
export type Answer = Record<string, unknown> & {
  readonly items?: readonly Record<string, unknown>[]
}

export type TwinVault = Estate['vaults'][number]

function keepingLog(lines: object[]): Logger {
  const keep = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, message, ...fields })
  const log: Logger = {
    debug: keep('debug'),
    info: keep('info'),
    warn: keep('warn'),
    error: keep('error'),
    child: () => log,
  }
  return log
}

const person = (access: AzureAccess, vault: TwinVault) =>
  new SecretClient(vaultUri(vault), access.credential, access.clientOptions())

const vaultUri = (vault: TwinVault) => `https://${vault.name}.vault.azure.net`

export async function synced(
  options: {
    secrets?: number
    vaults?: number
    /** In each vault, with EC keys, so that the vault hands them out; as PKCS #12 and as PEM in turns. */
    certificates?: number
    clock?: Clock
    licensed?: () => boolean
    estate?: Estate
    /** Connects the estate's AWS account and Google Cloud project at the start, as a demonstration does. */
    demonstration?: boolean
    /** Compliance beside it, which judges, and a stand-in for rotation, whose facts a test appends. */
    neighbours?: boolean
    /** How often the worker gives a sign of life; by default as in the product. */
    beatMs?: number
    /** A bus that brings messages; by default there is the sweep alone. */
    bus?: Bus
    /** To the database; by default as few as tests have. */
    connections?: number
  } = {},
): Promise<Synced> {
  const estate =
    options.estate ??
    generatedEstate({
      vaults: options.vaults ?? 2,
      secrets: options.secrets ?? 3,
      keys: 0,
      certificates: options.certificates ?? 0,
      now: Date.now(),
    })
  mayWriteSecrets(estate)
  const [from, to] = estate.vaults
  if (!from || !to) throw new Error('the estate has too few vaults')
  // The generator gives every vault secrets of the same names; the target begins empty, the source in good order.
  for (const name of Object.keys(to.secrets)) delete to.secrets[name]
  for (const secret of Object.values(from.secrets))
    for (const version of secret.versions)
      Object.assign(version, { enabled: true, expires: null, notBefore: null })
  for (const [turn, item] of Object.values(from.certificates).entries()) {
    const shape = { kty: 'EC', curve: 'P-256' } as const
    const contentType = turn % 2 === 0 ? 'application/x-pkcs12' : 'application/x-pem-file'
    item.policy = { ...item.policy, shape, contentType }
    const newest = item.versions.at(-1)
    const expires = Math.floor(Date.now() / 1000) + 200 * 86_400
    if (newest) item.versions.splice(0, item.versions.length, { ...newest, shape, enabled: true, expires })
  }
  const twin = await startCloud({ estate })
  process.env['IDENTITY_ENDPOINT'] = twin.identityEndpoint
  process.env['IDENTITY_HEADER'] = twin.identityHeader
  const lines: object[] = []
  const guard = guardOf(['tenant-admin'])
  const test = await testHost({
    log: keepingLog(lines),
    ...(options.clock ? { clock: options.clock } : {}),
    ...(options.connections === undefined ? {} : { connections: options.connections }),
    // As in the product, where the sweep looks for what no message brought.
    ...(options.bus ? { bus: options.bus, sweepMs: 30_000 } : {}),
    services: [
      {
        name: 'discovery',
        make: (host) =>
          discoveryService(host, guard, { azure: { endpoint: twin.url, env: {} }, autoConnect: false }),
      },
      {
        name: 'sync',
        make: (host) =>
          syncService(host, guard, {
            endpoint: twin.url,
            env: {},
            secretKey: new Secret('a secret key of forty characters or more'),
            licensed: () => Promise.resolve(options.licensed?.() ?? true),
            ...(options.beatMs === undefined ? {} : { beatMs: options.beatMs }),
            ...(options.demonstration ? { demonstration: JSON.stringify(connectorsOf(estate)) } : {}),
          }),
      },
      ...(options.neighbours
        ? [{ name: 'compliance', make: (host: Host) => complianceService(host, guard) }, producer('rotation')]
        : []),
    ],
  })
  const request = async (service: string, method: string, path: string, body?: unknown) => {
    const response = await test.service(service).fetch(
      new Request(`http://localhost/api/${service}${path}`, {
        method,
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      }),
    )
    const text = await response.text()
    // Every answer of the service is an object; an empty one is none.
    return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Answer }
  }
  const call: Synced['call'] = (method, path, body) => request('sync', method, path, body)
  const ok = async (answer: Promise<{ status: number; body: Answer }>): Promise<Answer> => {
    const { status, body } = await answer
    if (status >= 300) throw new Error(`answered ${status}: ${JSON.stringify(body)}`)
    return body
  }
  const events: Synced['events'] = async (type) =>
    // Filtered by the very type that the cast names.
    (await test.events('sync')).filter((e) => e.type === type) as EventOf<typeof type>[]
  const ended = async (run: string): Promise<Answer> => {
    const deadline = AbortSignal.timeout(20_000)
    while (!deadline.aborted) {
      const { status, body } = await call('GET', `/runs/${run}`)
      if (status === 200 && body['endedAt'] !== null) return body
      await pause(40, deadline)
    }
    throw new Error(
      `the run ${run} did not end: ${JSON.stringify(lines.slice(-5), (k, v: unknown) => (v instanceof Error ? `${v.stack}` : v))}`,
    )
  }
  let environment: unknown
  const scan = async () => {
    await ok(request('discovery', 'POST', '/scans', { environment }))
    await test.settle()
  }
  const access = azureAccess({ endpoint: twin.url, env: {} })
  const people = { from: person(access, from), to: person(access, to) }
  return {
    test,
    twin,
    put: async (vault, name, value, more = {}) => void (await people[vault].setSecret(name, value, more)),
    remove: async (vault, name) => void (await people[vault].beginDeleteSecret(name, { intervalInMs: 50 })),
    retryNow: async (copy) => {
      const host = test.host('sync')
      await host.tx('acme', async (tx) => {
        await tx.rows(
          `update copy set body = jsonb_set(body, '{retryAt}', to_jsonb('2020-01-01T00:00:00.000Z'::text))
           where tenant = $1 and copy = $2`,
          ['acme', copy],
        )
        await tx.rows(
          `update pending_command set due_at = now(), sent_at = null where tenant = $1 and command = 'run' and outcome is null`,
          ['acme'],
        )
      })
      await test.settle()
    },
    waiting: async () => {
      const host = test.host('sync')
      const rows = await host.tx('acme', (tx) =>
        tx.rows<{ at: number }>(
          `select (extract(epoch from due_at) * 1000)::float8 as at from pending_command where tenant = $1 and outcome is null`,
          ['acme'],
        ),
      )
      return rows.map((row) => row.at)
    },
    everything: async () => {
      const host = test.host('sync')
      const tables = [
        'ledger.event',
        'copy',
        'plan_line',
        'run',
        'route',
        'connector',
        'pending_command',
        'stuck',
        'sealed',
        'held',
      ]
      return host.tx('acme', async (tx) => {
        const texts: string[] = []
        for (const table of tables) {
          const rows = await tx.rows<{ text: string }>(
            `select t::text as text from ${table} t where tenant = $1`,
            ['acme'],
          )
          texts.push(...rows.map((row) => row.text))
        }
        return texts.join('\n')
      })
    },
    lines,
    from,
    to,
    call,
    events,
    settle: () => test.settle(),
    scan: async () => {
      ;({ environment } = await ok(request('discovery', 'POST', '/environments', { name: 'contoso' })))
      await scan()
    },
    rescan: scan,
    judged: async () => {
      // Changes are gathered for a moment before they are judged.
      await pause(350, AbortSignal.timeout(20_000))
      await test.settle()
      const { items = [] } = await ok(request('compliance', 'GET', '/rules'))
      return Object.fromEntries(
        items
          .filter(({ family }) => family === 'sync')
          // What a rule was judged to be, or that it was not yet.
          .map(({ rule, result }) => [String(rule), String((result as Answer | null)?.['verdict'])]),
      )
    },
    connect: async (name = 'the other vault', vault = to) => {
      const { connector } = await ok(
        call('POST', '/connectors', {
          cloud: 'azure',
          name,
          account: vaultUri(vault),
          access: { how: 'own-identity' },
        }),
      )
      await test.settle()
      return String(connector)
    },
    open: async (settings = {}, connector) => {
      const { items = [] } = await ok(call('GET', '/sources'))
      const source = items.find((s) => s['name'] === from.name)?.['vault']
      const to_ = connector ?? (await ok(call('GET', '/connectors'))).items?.[0]?.['connector']
      const { route } = await ok(
        call('POST', '/routes', { source, connector: to_, settings: routeSettings(settings) }),
      )
      await test.settle()
      const { items: runs = [] } = await ok(call('GET', `/runs?route=${String(route)}`))
      const run = runs[0]
      if (!run) throw new Error('no run planned')
      return { route: String(route), run: String(run['run']), plan: String(run['plan']) }
    },
    accept: async ({ run, plan }) => {
      await ok(call('PUT', '/writes', { allowed: true }))
      const { run: next } = await ok(call('POST', `/runs/${run}/decision`, { decision: 'accept', plan }))
      await ended(String(next))
      await test.settle()
    },
    run: async (route, more = {}) => {
      const { run } = await ok(call('POST', `/routes/${route}/runs`, more))
      const end = await ended(String(run))
      await test.settle()
      return end
    },
    [Symbol.asyncDispose]: async () => {
      await test[Symbol.asyncDispose]()
      await twin.stop()
    },
  }
}

/** What a vault of the twin serves under a name; null where nothing. */
export const servedBy = (vault: TwinVault, name: string): string | null => {
  const secret = vault.secrets[name.toLowerCase()]
  const newest = secret?.deleted === null ? secret.versions.at(-1) : undefined
  return newest?.enabled ? newest.value : null
}
