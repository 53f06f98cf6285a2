import { createHash } from 'node:crypto'
import type { BundleRow, http, ScanRow, Session } from '@attestry/contracts/http'
import type { Endpoint, PathParameters } from '@attestry/contracts/http'
import type * as z from 'zod'
import type { Account, World } from './world.fixture.ts'

/** A refusal as the server would answer it. */
export interface Refusal {
  readonly refuse: number
  readonly code: string
  readonly detail: string
}
export const refuse = (status: number, code: string, detail: string): Refusal => ({
  refuse: status,
  code,
  detail,
})

export interface Given<E extends Endpoint> {
  readonly params: Readonly<Record<PathParameters<E['path']>, string>>
  readonly query: E['query'] extends z.ZodObject ? z.output<E['query']> : undefined
  readonly body: E['body'] extends z.ZodType ? z.output<E['body']> : undefined
  readonly who: SignedIn
  readonly signIn: (account: Account | null) => void
}

export interface SignedIn {
  readonly account: Account
  reauthenticatedUntil: string | null
}

/** A stream that pushes rows until `done`. */
export interface Stream {
  readonly stream: (push: (row: unknown) => void, done: () => void) => () => void
}

type Answer<E extends Endpoint> =
  | Refusal
  | (E['reply'] extends z.ZodType
      ? z.input<E['reply']>
      : E['reply'] extends 'stream'
        ? Stream
        : E['reply'] extends 'file'
          ? Uint8Array
          : undefined)

export type Handlers = {
  readonly [S in keyof typeof http]: {
    readonly [N in keyof (typeof http)[S]]: (typeof http)[S][N] extends infer E extends Endpoint
      ? (given: Given<E>) => Answer<E>
      : never
  }
}

const iso = (ms: number): string => new Date(ms).toISOString()
const DAY = 86_400_000
const STEP_MS = 220

function page<T>(
  all: readonly T[],
  query: { after?: string | undefined; limit: number },
): { items: T[]; next: string | null; total: number } {
  const from = query.after === undefined ? 0 : Number(query.after)
  const items = all.slice(from, from + query.limit)
  return {
    items,
    next: from + items.length < all.length ? String(from + items.length) : null,
    total: all.length,
  }
}

const sessionOf = (world: World, signed: SignedIn): Session => ({
  operator: signed.account.operator,
  name: signed.account.name,
  tenant: 'contoso',
  roles: signed.account.roles,
  mustChangePassword: signed.account.mustChangePassword,
  expiresAt: iso(Date.now() + 8 * 3_600_000),
  reauthenticatedUntil: signed.reauthenticatedUntil,
  origin: world.origin,
  productVersion: '0.1.0',
})

/** Every endpoint of the contract, answered from the fixture world. */
export function makeHandlers(world: World): Handlers {
  const rowOf = (a: Account) => ({
    operator: a.operator,
    name: a.name,
    roles: a.roles,
    state: a.state,
    mustChangePassword: a.mustChangePassword,
    addedAt: a.addedAt,
    lastSignIn: a.lastSignIn,
  })
  const byId = (id: string): Account | undefined => world.accounts.find((a) => a.operator === id)
  let sorted: { question: string; assets: ReturnType<World['assets']> } | undefined
  const noOperator = refuse(404, 'no-such-operator', 'There is no such operator.')
  const watch = (find: () => { state: string } | undefined, open: readonly string[]) => (): Stream => ({
    stream(push, done) {
      const timer = setInterval(() => {
        const row = find()
        if (!row) return done()
        push(row)
        if (!open.includes(row.state)) done()
      }, STEP_MS / 2)
      return () => clearInterval(timer)
    },
  })
  const put = (scan: ScanRow): void => {
    const at = world.scans.findIndex((s) => s.scan === scan.scan)
    if (at === -1) world.scans.unshift(scan)
    else world.scans[at] = scan
    const environment = world.environments.find((e) => e.environment === scan.environment)
    if (environment) environment.lastScan = scan
  }
  return {
    discovery: {
      listEnvironments: () => ({ items: world.environments }),
      connectEnvironment: ({ body }) =>
        world.origin === 'demo'
          ? refuse(409, 'demonstration-takes-no-real-connection', 'A demonstration takes no real connection.')
          : world.environments.some((e) => e.name === body.name)
            ? refuse(409, 'name-taken', `There is already an environment called ${body.name}.`)
            : (() => {
                const environment = world.id('environment')
                world.environments.push({
                  environment,
                  cloud: 'azure',
                  name: body.name,
                  scope: { subscriptions: body.subscriptions },
                  settingsScan: body.settingsScan,
                  everyHours: body.everyHours,
                  connectedAt: iso(Date.now()),
                  lastScan: null,
                })
                world.happen('discovery.environment-connected')
                return { environment }
              })(),
      testEnvironment: () => ({ ok: true, subscriptions: 2, problem: null }),
      reviseEnvironment: ({ params, body }) => {
        const environment = world.environments.find((e) => e.environment === params.environment)
        if (!environment) return refuse(404, 'no-such-environment', 'There is no such environment.')
        Object.assign(environment, {
          scope: { subscriptions: body.subscriptions },
          settingsScan: body.settingsScan,
          everyHours: body.everyHours,
        })
        return undefined
      },
      disconnectEnvironment: ({ params }) => {
        const at = world.environments.findIndex((e) => e.environment === params.environment)
        if (at === -1) return refuse(404, 'no-such-environment', 'There is no such environment.')
        world.environments.splice(at, 1)
        return undefined
      },
      startScan: ({ body, who }) => {
        const environment = world.environments.find((e) => e.environment === body.environment)
        if (!environment) return refuse(404, 'no-such-environment', 'There is no such environment.')
        if (environment.lastScan?.state === 'running')
          return refuse(409, 'already-running', 'A scan of this environment is already running.')
        const scan = world.id('scan')
        const vaults = world.estate.vaults
        let step = 0
        put({
          scan,
          environment: body.environment,
          state: 'running',
          trigger: 'operator',
          startedAt: iso(Date.now()),
          endedAt: null,
          progress: { phase: 'subscriptions', vaultsDone: 0, vaultsTotal: vaults.length, items: 0, calls: 2 },
          counts: null,
          unreachable: [],
          problem: null,
        })
        world.happen('discovery.scan-started', who.account)
        const timer = setInterval(() => {
          const now = world.scans.find((s) => s.scan === scan)
          if (!now || now.state !== 'running') return clearInterval(timer)
          step += 1
          if (step <= vaults.length) {
            put({
              ...now,
              progress: {
                phase: 'items',
                vaultsDone: step,
                vaultsTotal: vaults.length,
                items: step * 11,
                calls: 4 + step * 4,
              },
            })
            return
          }
          clearInterval(timer)
          put({
            ...now,
            state: 'completed',
            endedAt: iso(Date.now()),
            progress: { ...now.progress, phase: 'done' },
            counts: {
              subscriptions: 2,
              vaults: vaults.length,
              secrets: 84,
              keys: 22,
              certificates: 20,
              applications: 6,
              credentials: 24,
              resources: 31,
              edges: 118,
            },
            unreachable: vaults.flatMap((v) =>
              v.unreachable ? [{ vault: v.vault, name: v.facts.name, why: v.unreachable }] : [],
            ),
          })
          world.scanned = true
          world.happen('discovery.scan-completed')
          world.happen('compliance.evaluation-completed')
        }, STEP_MS)
        return { scan }
      },
      listScans: ({ query }) => page(world.scans, query),
      readScan: ({ params }) =>
        world.scans.find((s) => s.scan === params.scan) ??
        refuse(404, 'no-such-scan', 'There is no such scan.'),
      watchScan: ({ params }) =>
        watch(() => world.scans.find((s) => s.scan === params.scan), ['queued', 'running'])(),
      cancelScan: ({ params }) => {
        const scan = world.scans.find((s) => s.scan === params.scan)
        if (!scan) return refuse(404, 'no-such-scan', 'There is no such scan.')
        if (scan.state !== 'running') return refuse(409, 'not-running', 'This scan is not running.')
        put({
          ...scan,
          state: 'cancelled',
          endedAt: iso(Date.now()),
          problem: 'Cancelled by an operator; what it recorded stays.',
        })
        world.happen('discovery.scan-failed')
        return undefined
      },
      listVaults: ({ query }) => page(world.scanned ? world.estate.vaults : [], query),
      listAssets: ({ query }) => {
        // Paging through a long list asks the same question again and again.
        const question = JSON.stringify({ ...query, after: null, limit: null, scanned: world.scanned })
        if (sorted?.question === question) return page(sorted.assets, query)
        const now = Date.now()
        const search = query.search?.toLowerCase()
        const kept = world.assets().filter((a) => {
          if (query.kind && a.kind !== query.kind) return false
          if (query.holder && a.holder !== query.holder) return false
          if (search && !a.name.toLowerCase().includes(search)) return false
          const left = a.expires === null ? null : Date.parse(a.expires) - now
          switch (query.state) {
            case 'expired':
              return left !== null && left <= 0
            case 'expires-7d':
              return left !== null && left > 0 && left < 7 * DAY
            case 'expires-30d':
              return left !== null && left > 0 && left < 30 * DAY
            case 'no-expiry':
              return left === null
            case 'disabled':
              return !a.enabled
            case undefined:
              return true
          }
        })
        const key = { name: 'name', expires: 'expires', updated: 'updated', holder: 'holderName' }[
          query.sort
        ] as 'name'
        const sign = query.order === 'desc' ? -1 : 1
        // `￿` sorts what has no date after everything that has one.
        const assets = kept.toSorted((a, b) => {
          const left = a[key] ?? '￿'
          const right = b[key] ?? '￿'
          return sign * (left < right ? -1 : left > right ? 1 : 0)
        })
        sorted = { question, assets }
        return page(assets, query)
      },
      summariseAssets: () => {
        const assets = world.assets()
        const now = Date.now()
        const left = (expires: string | null): number =>
          expires === null ? Number.POSITIVE_INFINITY : Date.parse(expires) - now
        const days = new Map<string, number>()
        for (const a of assets)
          if (left(a.expires) > 0 && left(a.expires) < 90 * DAY) {
            const day = (a.expires ?? '').slice(0, 10)
            days.set(day, (days.get(day) ?? 0) + 1)
          }
        const count = (keep: (a: (typeof assets)[number]) => boolean): number => assets.filter(keep).length
        return {
          kinds: (['secret', 'key', 'certificate', 'app-secret', 'app-certificate'] as const).map((kind) => ({
            kind,
            count: count((a) => a.kind === kind),
          })),
          states: [
            { state: 'expired', count: count((a) => left(a.expires) <= 0) },
            { state: 'expires-7d', count: count((a) => left(a.expires) > 0 && left(a.expires) < 7 * DAY) },
            { state: 'expires-30d', count: count((a) => left(a.expires) > 0 && left(a.expires) < 30 * DAY) },
            { state: 'no-expiry', count: count((a) => a.expires === null) },
            { state: 'disabled', count: count((a) => !a.enabled) },
          ],
          expiries: [...days]
            .map(([day, n]) => ({ day, count: n }))
            .toSorted((a, b) => a.day.localeCompare(b.day)),
          vaults: world.scanned ? world.estate.vaults.length : 0,
          unreachable: world.scanned ? world.estate.vaults.filter((v) => v.unreachable).length : 0,
          applications: world.scanned ? 6 : 0,
          resources: world.scanned ? 31 : 0,
        }
      },
      readAsset: ({ params }) => {
        const asset = world.assets().find((a) => a.asset === params.asset)
        return asset ? world.estate.detail(asset) : refuse(404, 'no-such-asset', 'There is no such asset.')
      },
      judgeEdge: () => {
        world.happen('discovery.edge-confirmed')
        return undefined
      },
      listHardCoded: ({ query }) => page([], query),
    },
    compliance: {
      readScore: () =>
        world.scanned
          ? world.judgement.score
          : {
              current: null,
              trend: [],
              moved: { opened: 0, resolved: 0, reopened: 0, rulesChanged: false },
              open: [],
              pending: false,
            },
      listRules: () => ({
        items: world.judgement.rules.map((r) => (world.scanned ? r : { ...r, result: null })),
      }),
      listFindings: ({ query }) => {
        const search = query.search?.toLowerCase()
        return page(
          world
            .findings()
            .filter(
              (f) =>
                (query.state === 'all' || f.state === query.state) &&
                (!query.severity || f.severity === query.severity) &&
                (!query.rule || f.rule === query.rule) &&
                (!query.subject || f.subject === query.subject) &&
                (!search ||
                  `${f.subjectName} ${f.holderName} ${f.reason} ${f.ruleName}`
                    .toLowerCase()
                    .includes(search)),
            ),
          query,
        )
      },
      listFrameworks: () => ({ items: [...world.judgement.frameworks] }),
    },
    evidence: {
      requestBundle: ({ body, who }) => {
        if (body.from > body.to) return refuse(400, 'period-reversed', 'The period ends before it begins.')
        if (world.bundles.some((b) => b.state === 'building'))
          return refuse(409, 'already-building', 'Another bundle is being built.')
        const bundle = world.id('bundle')
        const steps = [
          'Reading the ledger',
          'Operator audit log',
          'Rule violations',
          'Asset inventory',
          'Listing digests',
          'Asking the time-stamp authority',
          'Writing PDFs',
          'Signing',
        ]
        const row: BundleRow = {
          bundle,
          state: 'building',
          reports: body.reports,
          period: { from: body.from, to: body.to },
          requestedAt: iso(Date.now()),
          requestedBy: who.account.operator,
          progress: { step: steps[0] ?? '', done: 0, total: steps.length },
          sealedAt: null,
          bytes: null,
          sumsSha256: null,
          signingKey: null,
          timestamp: null,
          problem: null,
        }
        world.bundles.unshift(row)
        world.happen('evidence.bundle-requested', who.account)
        const timer = setInterval(() => {
          if (row.state !== 'building') return clearInterval(timer)
          const done = row.progress.done + 1
          row.progress = { step: steps[done] ?? 'Sealed', done, total: steps.length }
          if (done < steps.length) return
          clearInterval(timer)
          Object.assign(row, {
            state: 'sealed',
            sealedAt: iso(Date.now()),
            bytes: 1_204_881,
            sumsSha256: createHash('sha256').update(bundle).digest('hex'),
            signingKey: createHash('sha256').update('key').digest('hex'),
            timestamp: {
              status: 'stamped',
              tsa: 'Attestry local authority',
              independent: false,
              genTime: iso(Date.now()),
            },
          })
          world.happen('evidence.bundle-sealed')
        }, STEP_MS * 2)
        return { bundle }
      },
      listBundles: ({ query }) => page(world.bundles, query),
      readBundle: ({ params }) =>
        world.bundles.find((b) => b.bundle === params.bundle) ??
        refuse(404, 'no-such-bundle', 'There is no such bundle.'),
      watchBundle: ({ params }) =>
        watch(() => world.bundles.find((b) => b.bundle === params.bundle), ['queued', 'building'])(),
      cancelBundle: ({ params }) => {
        const bundle = world.bundles.find((b) => b.bundle === params.bundle)
        if (!bundle) return refuse(404, 'no-such-bundle', 'There is no such bundle.')
        if (bundle.state !== 'building') return refuse(409, 'not-building', 'This bundle is not being built.')
        bundle.state = 'cancelled'
        world.happen('evidence.bundle-failed')
        return undefined
      },
      downloadBundle: ({ params }) => {
        const bundle = world.bundles.find((b) => b.bundle === params.bundle)
        if (bundle?.state !== 'sealed') return refuse(409, 'not-sealed', 'This bundle is not sealed.')
        world.happen('evidence.bundle-downloaded')
        return new TextEncoder().encode(`bytes of ${params.bundle}`)
      },
      readKeys: () => ({
        signer: {
          kind: 'local' as const,
          fingerprint: createHash('sha256').update('key').digest('hex'),
          pem: '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n',
        },
        tsa: [
          {
            name: 'Attestry local authority',
            independent: false,
            rootPem: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
          },
        ],
      }),
    },
    gateway: {
      health: () => ({ status: 'ok' as const }),
      ready: () => ({ status: 'ready' as const }),
      login: ({ body, signIn }) => {
        const account = world.accounts.find((a) => a.name === body.name)
        if (account?.state === 'locked')
          return refuse(423, 'locked', 'This account is locked after too many wrong passwords.')
        if (!account || account.state === 'disabled' || account.password !== body.password) {
          if (account && (account.failures += 1) >= 5) account.state = 'locked'
          return refuse(401, 'wrong-name-or-password', 'The name or the password is wrong.')
        }
        account.failures = 0
        account.lastSignIn = iso(Date.now())
        signIn(account)
        return { session: sessionOf(world, { account, reauthenticatedUntil: null }), token: null }
      },
      logout: ({ signIn }) => {
        signIn(null)
        return undefined
      },
      session: ({ who }) => sessionOf(world, who),
      reauthenticate: ({ body, who }) => {
        if (body.password !== who.account.password)
          return refuse(401, 'wrong-name-or-password', 'The password is wrong.')
        who.reauthenticatedUntil = iso(Date.now() + 300_000)
        return { until: who.reauthenticatedUntil, token: null }
      },
      changePassword: ({ body, who }) => {
        if (body.current !== who.account.password)
          return refuse(401, 'wrong-name-or-password', 'The present password is wrong.')
        if (body.next === body.current)
          return refuse(400, 'same-password', 'The new password is the old one.')
        who.account.password = body.next
        who.account.mustChangePassword = false
        return undefined
      },
      listOperators: ({ query }) => page(world.accounts.map(rowOf), query),
      addOperator: ({ body, who }) => {
        if (world.accounts.some((a) => a.name === body.name))
          return refuse(409, 'name-taken', `There is already somebody called ${body.name}.`)
        const operator = world.id('operator')
        world.accounts.push({
          operator,
          name: body.name,
          password: 'plum-otter-9317-lantern',
          roles: body.roles,
          state: 'active',
          mustChangePassword: true,
          failures: 0,
          addedAt: iso(Date.now()),
          lastSignIn: null,
        })
        world.happen('gateway.operator-added', who.account)
        return { operator, oneTimePassword: 'plum-otter-9317-lantern' }
      },
      setRoles: ({ params, body }) => {
        const account = byId(params.operator)
        if (!account) return noOperator
        account.roles = body.roles
        return undefined
      },
      disableOperator: ({ params }) => {
        const account = byId(params.operator)
        if (!account) return noOperator
        if (account.roles.includes('tenant-admin'))
          return refuse(409, 'last-administrator', 'This is the last administrator who may sign in.')
        account.state = 'disabled'
        return undefined
      },
      enableOperator: ({ params }) => {
        const account = byId(params.operator)
        if (!account) return noOperator
        account.state = 'active'
        return undefined
      },
      resetPassword: ({ params }) => {
        const account = byId(params.operator)
        if (!account) return noOperator
        account.password = 'cedar-glass-2206-harbour'
        account.mustChangePassword = true
        return { oneTimePassword: account.password }
      },
      licenseStatus: () => ({
        tier: 'evaluation' as const,
        features: ['rotation', 'custom-rules', 'sync', 'sso'] as const satisfies readonly string[] as never,
        state: 'valid' as const,
        expiresAt: iso(Date.now() + 27 * DAY),
      }),
      live: () => ({
        stream(push) {
          const listener = (note: { type: string; seq: number }): void => push(note)
          world.listeners.add(listener)
          return () => world.listeners.delete(listener)
        },
      }),
      listActivity: ({ query }) =>
        page(
          world.activity
            .toReversed()
            .filter(
              (a) => (!query.type || a.type === query.type) && (!query.actor || a.actorId === query.actor),
            ),
          query,
        ),
      verifyLedger: () => ({
        ok: true,
        events: world.activity.length,
        head: world.activity.at(-1)?.link ?? '',
        firstBad: null,
        durationMs: 46,
      }),
      listOperations: () => ({
        services: ['discovery', 'compliance', 'evidence', 'licensing', 'gateway'].flatMap((service, n) => [
          {
            service,
            consumer: `${service}-rows`,
            context: 'discovery',
            cursor: world.activity.length - (n === 2 ? 22 : 0),
            head: world.activity.length,
          },
        ]),
        stuck: world.stuck,
      }),
      replayStuck: ({ params }) => {
        const at = world.stuck.findIndex((s) => s.id === params.id)
        if (at === -1) return refuse(404, 'no-such-work', 'There is no such work.')
        world.stuck.splice(at, 1)
        return undefined
      },
    },
  }
}
