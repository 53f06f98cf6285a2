import { randomBytes, randomUUID } from 'node:crypto'
import type { EventOf } from '@attestry/contracts'
import { rotationHttp, type PolicyRow, type RotationDetail } from '@attestry/contracts/http'
import { type Bus, type Clock, type Guard, pause, Secret } from '@attestry/kit'
import type { RunOptions } from '@attestry/kit/run'
import { guardOf, testHost, type TestHost } from '@attestry/kit/testing'
import type * as z from 'zod'
import { complianceService } from '../compliance/service.ts'
import { discoveryService } from '../discovery/service.ts'
import { type Estate, type RunningCloud, seededEstate, startCloud } from '../twin/index.ts'
import { azureRotation, rotationService } from './service.ts'

/*
 * Discovery, compliance and rotation on a real Postgres, against the workshop in the twin: what runs in production, less
 * the bus, which loses every message here. Time is the twin's for all of them.
 */

export interface Shop extends AsyncDisposable {
  readonly test: TestHost
  readonly twin: RunningCloud
  readonly lines: readonly object[]
  call(method: string, path: string, body?: unknown, who?: string): Promise<{ status: number; body: unknown }>
  /** Sends, expects success, and answers the body. */
  ok<T>(method: string, path: string, body?: unknown, who?: string): Promise<T>
  /** Waits until something is so; throws after a minute with what was there. */
  until<T>(what: string, look: () => Promise<T | null | undefined | false>): Promise<T>
  read(rotation: string): Promise<RotationDetail>
  /** Waits for a stage, or for any end. */
  stage(rotation: string, stage: RotationDetail['stage']): Promise<RotationDetail>
  policies(): Promise<PolicyRow[]>
  advance(duration: Temporal.DurationLike): void
  /** The asset of an application's secret. */
  credential(application: string): Promise<string>
  vault(name: string): Promise<string>
  events(prefix: string): Promise<EventOf[]>
  verdict(rule: string): Promise<string | undefined>
}

const DIRECTORY_ADMIN = {
  vault: '00482a5a-887f-4fb3-b363-3b7fe8e74483',
  owner: '8e3af657-a8ff-443c-a75c-2fe8c4bcb635',
}

/** The workshop in the twin, by real time that a test moves, with whom rotation signs in as. Its identity has every right. */
export async function workshopCloud(prepare: (estate: Estate) => void = () => undefined): Promise<{
  twin: RunningCloud
  env: Record<string, string>
  clock: Clock
}> {
  const estate = seededEstate(Date.now(), 'workshop')
  prepare(estate)
  const twin = await startCloud({ estate })
  process.env['IDENTITY_ENDPOINT'] = twin.identityEndpoint
  process.env['IDENTITY_HEADER'] = twin.identityHeader
  const own = estate.applications.find(({ name }) => name === 'attestry-rotation')
  const principal = estate.servicePrincipals.find(({ name }) => name === 'attestry-rotation')
  if (!own || !principal) throw new Error('this is not the workshop')
  // Which roles suffice is tried elsewhere; here it is all of them.
  for (const { id } of estate.subscriptions)
    for (const [n, role] of Object.values(DIRECTORY_ADMIN).entries())
      estate.roleAssignments.push({
        id: `grant-${id}-${n}`,
        roleDefinition: role,
        principal: principal.id,
        scope: `/subscriptions/${id}`,
      })
  return {
    twin,
    env: {
      AZURE_TENANT_ID: estate.directory,
      AZURE_CLIENT_ID: own.appId,
      AZURE_CLIENT_SECRET: own.passwords[0]?.secret ?? '',
    },
    clock: { now: () => Temporal.Instant.fromEpochMilliseconds(Math.floor(twin.clock.now())) },
  }
}

/** One more application with a secret that the main vault keeps under `<name>-client`, as the shop's own. */
export function addWorkload(estate: Estate, name: string): void {
  const shop = estate.applications.find((one) => one.name === 'workshop-shop')
  const principal = estate.servicePrincipals.find((one) => one.name === 'workshop-shop')
  const vault = estate.vaults.find((one) => one.name === 'kv-workshop')
  const kept = vault?.secrets['shop-client']?.versions[0]
  const [password] = shop?.passwords ?? []
  if (!shop || !principal || !vault || !kept || !password) throw new Error('this is not the workshop')
  const secret = `canary-${randomBytes(16).toString('hex')}`
  const appId = randomUUID()
  const keyId = randomUUID()
  estate.applications.push({
    ...shop,
    id: randomUUID(),
    appId,
    name,
    passwords: [{ ...password, keyId, name: `${name}-1`, secret }],
  })
  estate.servicePrincipals.push({ ...principal, id: randomUUID(), appId, name, passwords: [] })
  const version = { ...kept, version: randomBytes(16).toString('hex'), value: secret, tags: { key: keyId } }
  vault.secrets[`${name}-client`] = { name: `${name}-client`, deleted: null, versions: [version] }
}

export interface ShopOptions {
  readonly origin?: 'real' | 'demo'
  /** Changes the estate before anything looks at it. */
  readonly prepare?: (estate: Estate) => void
  /** Further services on the same ledger. */
  readonly more?: (twin: RunningCloud, guard: Guard) => RunOptions['services']
  /** How messages travel. @default they are all lost */
  readonly bus?: Bus
  /** Rotations by hand that the licence admits a month. */
  readonly manualLimit?: () => Promise<number | null>
}

export async function shop(options: ShopOptions = {}): Promise<Shop> {
  const { twin, env, clock } = await workshopCloud(options.prepare)
  const lines: object[] = []
  const keep = (level: string) => (fields: object, message: string) => {
    lines.push({ level, message, ...fields })
  }
  const log = {
    debug: keep('debug'),
    info: keep('info'),
    warn: keep('warn'),
    error: keep('error'),
    child: () => log,
  }
  let who = 'operator-0001'
  const guard = {
    ...guardOf(['tenant-admin', 'security-admin'], {}, clock),
    identify: async (request: Request) => {
      const known = await guardOf(['tenant-admin', 'security-admin'], {}, clock).identify(request)
      return known && { ...known, operator: who }
    },
  }
  const test = await testHost({
    clock,
    log,
    sweepMs: options.bus ? 250 : 30,
    origin: options.origin ?? 'demo',
    ...(options.bus ? { bus: options.bus } : {}),
    services: [
      ...(options.more?.(twin, guard) ?? []),
      {
        name: 'discovery',
        make: (host) =>
          discoveryService(host, guard, { azure: { endpoint: twin.url, env: {} }, autoConnect: false }),
      },
      { name: 'compliance', make: (host) => complianceService(host, guard) },
      {
        name: 'rotation',
        make: (host) =>
          rotationService(host, guard, {
            ...azureRotation({ endpoint: twin.url, env }),
            secretKey: new Secret('an install key of more than thirty-two characters'),
            publicUrl: 'https://attestry.example/',
            ...(options.manualLimit ? { manualLimit: options.manualLimit } : {}),
            proof: { successes: 2, overMs: 0, giveUpMs: 20_000 },
          }),
      },
    ],
  })
  const call: Shop['call'] = async (method, path, body, as = 'operator-0001') => {
    who = as
    const [, , context = ''] = path.split('/')
    const response = await test.service(context).fetch(
      new Request(`http://localhost${path}`, {
        method,
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      }),
    )
    const text = await response.text()
    return { status: response.status, body: text === '' ? null : JSON.parse(text) }
  }
  const ok = async <T>(method: string, path: string, body?: unknown, as?: string): Promise<T> => {
    const answer = await call(method, path, body, as)
    if (answer.status >= 300)
      throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`)
    // The caller names the shape that the contract gives this endpoint's reply.
    return answer.body as T
  }
  const until: Shop['until'] = async (what, look) => {
    const deadline = AbortSignal.timeout(60_000)
    for (;;) {
      const seen = await look()
      if (seen) return seen
      if (deadline.aborted)
        throw new Error(
          `never: ${what}; ${JSON.stringify(await test.running.stuck('acme'))} ${JSON.stringify(lines.slice(-5), (_, v: unknown) => (v instanceof Error ? String(v.stack) : v))}`,
        )
      await pause(60, deadline)
    }
  }
  const read = async (rotation: string) =>
    rotationHttp.readRotation.reply.parse(await ok('GET', `/api/rotation/rotations/${rotation}`))
  const rows = async <T extends object>(service: string, sql: string, values: unknown[] = []) =>
    test.host(service).tx('acme', (tx) => tx.rows<T>(sql, values))
  const { environment } = await ok<{ environment: string }>('POST', '/api/discovery/environments', {
    name: 'workshop',
    everyHours: null,
  })
  await ok('POST', '/api/discovery/scans', { environment })
  const made: Shop = {
    test,
    twin,
    lines,
    call,
    ok,
    until,
    read,
    stage: async (rotation, stage) => {
      const found = await until(`${rotation} is ${stage}`, async () => {
        const now = await read(rotation)
        return now.stage === stage || now.endedAt !== null ? now : null
      })
      if (found.stage !== stage) throw new Error(`${rotation} is ${found.stage}: ${found.reason ?? ''}`)
      return found
    },
    policies: async () => {
      const { items } = await ok<z.infer<typeof rotationHttp.listPolicies.reply>>(
        'GET',
        '/api/rotation/policies',
      )
      return items
    },
    advance: (duration) => {
      twin.clock.advance(
        Temporal.Duration.from(duration).total({ unit: 'milliseconds', relativeTo: '2026-01-01' }),
      )
    },
    credential: async (application) => {
      const [row] = await rows<{ asset: string }>(
        'rotation',
        `select asset from credentials where tenant = 'acme' and app_name = $1 and kind = 'secret' order by ends_at desc`,
        [application],
      )
      if (!row) throw new Error(`${application} has no secret`)
      return row.asset
    },
    vault: async (name) => {
      const [row] = await rows<{ vault: string }>(
        'rotation',
        `select vault from vaults where tenant = 'acme' and name = $1`,
        [name],
      )
      if (!row) throw new Error(`there is no vault ${name}`)
      return row.vault
    },
    events: async (prefix) => (await test.events('rotation')).filter((e) => e.stream.startsWith(prefix)),
    verdict: async (rule) => {
      const { items } = await ok<{ items: { rule: string; result: { verdict: string } | null }[] }>(
        'GET',
        '/api/compliance/rules',
      )
      return items.find((r) => r.rule === rule)?.result?.verdict
    },
    [Symbol.asyncDispose]: async () => {
      await test[Symbol.asyncDispose]()
      await twin.stop()
    },
  }
  // Vaults, applications and resources come side by side, so nothing less than the scan's end tells that all are here.
  await until('the scan is folded', async () => {
    const [row] = await rows<{ folded: boolean }>(
      'rotation',
      `select exists (
         select from ledger.event e where e.tenant = 'acme' and e.type = 'discovery.scan-completed'
         and e.seq <= (select min(c.seq) from cursor c where c.tenant = 'acme' and c.context = 'discovery')
       ) as folded`,
    )
    return row?.folded
  })
  return made
}

/** Terms that fit the workshop. */
export const terms = (targets: readonly object[], more: object = {}, settings: object = {}) => ({
  cadenceDays: 365,
  settings: {
    daysBeforeExpiry: 14,
    targets,
    window: null,
    approvals: 0,
    dependents: 'switch',
    graceHours: 24,
    prestageDays: null,
    owner: null,
    ...settings,
  },
  ...more,
})
