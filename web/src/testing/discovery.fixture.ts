import type { ScanRow } from '@attestry/contracts/http'
import { DAY, type Handlers, iso, page, refuse, STEP_MS, watch } from './answers.fixture.ts'
import type { World } from './world.fixture.ts'

/** Discovery, answered from the fixture world: a scan takes its time and can be cancelled. */
export function discoveryHandlers(world: World): Handlers['discovery'] {
  let sorted: { question: string; assets: ReturnType<World['assets']> } | undefined
  const put = (scan: ScanRow): void => {
    const at = world.scans.findIndex((s) => s.scan === scan.scan)
    if (at === -1) world.scans.unshift(scan)
    else world.scans[at] = scan
    const environment = world.environments.find((e) => e.environment === scan.environment)
    if (environment) environment.lastScan = scan
  }
  return {
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
  }
}
