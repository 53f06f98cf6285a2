import type { RouteSettings } from '@attestry/contracts'
import type { CopyRow, PlanLine, RouteRow, RunRow } from '@attestry/contracts/http'
import { type Handlers, iso, page, refuse } from './answers.fixture.ts'
import type { World } from './world.fixture.ts'

const HOUR = 3_600_000
const hex = (seed: number, length: number): string =>
  Array.from({ length }, (_, i) => ((seed * 31 + i * 7 + ((seed * i) % 13)) % 16).toString(16)).join('')

/** Two routes of a vault: one in use with every state of a copy, and one whose first plan waits for a person. */
export function syncHandlers(world: World): Handlers['sync'] {
  const now = Date.now()
  const ago = (hours: number): string => iso(now - hours * HOUR)
  const connectors = [
    {
      connector: 'connector-aws0000001',
      cloud: 'aws' as const,
      name: 'AWS payments',
      account: '111122223333',
      region: 'eu-central-1',
      how: 'web-identity' as const,
      access: [['roleArn', 'arn:aws:iam::111122223333:role/attestry']] as [string, string][],
      addedAt: ago(900),
      test: { at: ago(2), ok: true, problem: null },
      routes: 1,
      stopped: null as { at: string; reason: string } | null,
    },
    {
      connector: 'connector-gcp0000001',
      cloud: 'gcp' as const,
      name: 'Google analytics',
      account: 'contoso-analytics',
      region: null,
      how: 'federation' as const,
      access: [
        ['audience', '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/entra'],
      ] as [string, string][],
      addedAt: ago(30),
      test: { at: ago(30), ok: true, problem: null },
      routes: 1,
      stopped: null as { at: string; reason: string } | null,
    },
  ]
  const settings = (name: string, more: Partial<RouteSettings>): RouteSettings => ({
    name,
    kind: 'aws-secrets-manager',
    selector: { names: [], tags: [['sync', 'aws']], contentTypes: [] },
    template: 'prod/{name}',
    overrides: [],
    tags: [['*', '*']],
    binary: 'as-text',
    deletePolicy: 'keep',
    pruneLimit: null,
    onDisabled: 'skip',
    onDrift: 'alert',
    keepVersions: 10,
    approval: 'first-run',
    everyMinutes: 60,
    onChange: true,
    ...more,
  })
  const none = { create: 0, update: 0, noop: 0, conflict: 0, prune: 0, skip: 0 }
  const runRow = (route: string, routeName: string, run: string, more: Partial<RunRow>): RunRow => ({
    run,
    route,
    routeName,
    trigger: 'schedule',
    startedAt: ago(1),
    endedAt: ago(0.99),
    outcome: 'succeeded',
    plan: null,
    needs: null,
    decided: null,
    planned: null,
    done: { ...none, noop: 14, conflict: 2, skip: 1 },
    failed: 0,
    listCalls: 3,
    valuesRead: 0,
    problem: null,
    progress: null,
    ...more,
  })
  const waiting = runRow('route-gcp00000001', 'Analytics to Google', 'run-first00000001', {
    trigger: 'operator',
    outcome: 'planned',
    plan: hex(3, 64),
    needs: 'first-run',
    planned: { ...none, create: 5, skip: 1 },
    done: { ...none, skip: 1 },
  })
  const runs: RunRow[] = [
    waiting,
    runRow('route-aws00000001', 'Payments to AWS', 'run-hourly0000001', {}),
    runRow('route-aws00000001', 'Payments to AWS', 'run-rotated000001', {
      trigger: 'rotation',
      startedAt: ago(5),
      endedAt: ago(5),
      plan: hex(5, 64),
      planned: { ...none, update: 1 },
      done: { ...none, update: 1 },
      valuesRead: 1,
      listCalls: 0,
    }),
    runRow('route-aws00000001', 'Payments to AWS', 'run-partial000001', {
      startedAt: ago(26),
      endedAt: ago(26),
      outcome: 'partial',
      plan: hex(7, 64),
      planned: { ...none, update: 3 },
      done: { ...none, update: 2, noop: 12 },
      failed: 1,
      valuesRead: 3,
    }),
  ]
  const routes: RouteRow[] = [
    {
      route: 'route-gcp00000001',
      state: 'active',
      accepted: false,
      settings: settings('Analytics to Google', {
        kind: 'gcp-secret-manager',
        template: '{name}',
        selector: { names: ['analytics-*'], tags: [], contentTypes: [] },
        everyMinutes: null,
      }),
      source: { vault: 'vault-analytics0001', name: 'kv-analytics-prod' },
      target: { connector: 'connector-gcp0000001', name: 'Google analytics', account: 'contoso-analytics' },
      openedAt: ago(1.2),
      copies: { inSync: 0, drifted: 0, retrying: 0, failed: 0, disabled: 0, conflicts: 0 },
      lastRun: waiting,
      held: 0,
    },
    {
      route: 'route-aws00000001',
      state: 'active',
      accepted: true,
      settings: settings('Payments to AWS', {
        daily: { at: '02:30', zone: 'Europe/Berlin' },
        overrides: [['db-payments', 'prod/payments/db']],
        deletePolicy: 'prune',
      }),
      source: { vault: 'vault-payments00001', name: 'kv-payments-prod' },
      target: { connector: 'connector-aws0000001', name: 'AWS payments', account: '111122223333' },
      openedAt: ago(800),
      copies: { inSync: 11, drifted: 1, retrying: 1, failed: 1, disabled: 1, conflicts: 2 },
      lastRun: runs[1] ?? null,
      held: 0,
    },
  ]
  const line = (copy: CopyRow, more: Partial<PlanLine>): PlanLine => ({
    copy: copy.copy,
    secret: copy.secret,
    action: 'conflict',
    reason: 'drifted',
    sourceName: copy.sourceName,
    targetName: copy.targetName,
    sourceVersion: copy.sourceVersion,
    targetVersion: hex(99, 32),
    drift: null,
    droppedTags: 0,
    ...more,
  })
  const copyRow = (name: string, n: number, more: Partial<CopyRow> = {}): CopyRow => ({
    copy: `copy-${hex(n, 24)}`,
    route: 'route-aws00000001',
    routeName: 'Payments to AWS',
    secret: `secret-${hex(n + 40, 24)}`,
    sourceName: name,
    targetName: `prod/${name}`,
    state: 'in-sync',
    changedAt: ago(n * 7),
    sourceVersion: hex(n, 32),
    targetVersion: hex(n, 32),
    sourceMac: hex(n + 3, 64),
    targetMac: hex(n + 3, 64),
    writtenAt: ago(n * 7),
    attempt: 0,
    retryAt: null,
    reason: null,
    drift: null,
    line: null,
    ...more,
  })
  const plain = [
    'acquirer-api-key',
    'billing-webhook',
    'card-vault-password',
    'db-orders',
    'fraud-model-token',
    'ledger-signing',
    'mail-relay',
    'payout-bank-pin',
    'psp-client-secret',
    'redis-session',
    'sftp-settlement',
  ]
  const copies: CopyRow[] = plain.map((name, i) => copyRow(name, i + 1))
  const drifted = copyRow('db-payments', 21, {
    state: 'drifted',
    drift: { what: 'changed', found: hex(99, 32) },
  })
  const unmanaged = copyRow('stripe-key', 22, {
    state: 'planned',
    sourceVersion: null,
    targetVersion: null,
    sourceMac: null,
    targetMac: null,
    writtenAt: null,
  })
  copies.push(
    { ...drifted, line: line(drifted, { drift: 'changed' }) },
    { ...unmanaged, line: line(unmanaged, { reason: 'unmanaged' }) },
    copyRow('sap-password', 23, {
      state: 'failed',
      attempt: 8,
      reason: 'too-large: The value has more than the 65536 bytes that the target takes.',
    }),
    copyRow('tax-service', 24, {
      state: 'retrying',
      attempt: 2,
      retryAt: iso(now + 90_000),
      reason: 'unavailable: the target could not answer',
    }),
    copyRow('legacy-token', 25, { state: 'disabled' }),
  )
  const planned: PlanLine[] = [
    ...[
      'analytics-bigquery',
      'analytics-export',
      'analytics-ingest',
      'analytics-looker',
      'analytics-pubsub',
    ].map((name, i) =>
      line(copyRow(name, 50 + i), {
        action: 'create',
        reason: 'new',
        targetName: name,
        sourceVersion: null,
        targetVersion: null,
      }),
    ),
    line(copyRow('analytics-tls', 60), {
      action: 'skip',
      reason: 'certificate-backed',
      targetName: 'analytics-tls',
      sourceVersion: null,
      targetVersion: null,
    }),
  ]
  let writesAllowed = false
  let stopped: { at: string; reason: string } | null = null
  const routeOf = (id: string) => routes.find((r) => r.route === id)
  const noRoute = refuse(404, 'no-such-route', 'No route of this id is there.')
  const noCopy = refuse(404, 'no-such-copy', 'No copy of this id is known.')

  return {
    readStatus: () => ({
      writesAllowed,
      licensed: true,
      stopped,
      worker: { running: true, seenAt: iso(Date.now() - 4000) },
      routes: routes.length,
      held: stopped ? 1 : 0,
      failed: 1,
      conflicts: 2,
      waiting: routes.filter((r) => r.lastRun?.needs && !r.lastRun.decided).length,
    }),
    allowWrites: ({ body }) => {
      writesAllowed = body.allowed
      world.happen('sync.writes-allowed')
      return undefined
    },
    throwSwitch: ({ body }) => {
      const state = body.thrown ? { at: iso(Date.now()), reason: body.reason } : null
      if (body.connector === null) stopped = state
      else {
        const connector = connectors.find((c) => c.connector === body.connector)
        if (connector) connector.stopped = state
      }
      world.happen(body.thrown ? 'sync.switch-thrown' : 'sync.switch-released')
      return undefined
    },
    rotateRing: () => ({ key: world.id('ringkey'), reencrypted: 1 }),
    listSources: () => ({
      items: [
        { vault: 'vault-analytics0001', name: 'kv-analytics-prod', secrets: 6 },
        { vault: 'vault-payments00001', name: 'kv-payments-prod', secrets: 17 },
      ],
    }),
    listConnectors: () => ({ items: connectors }),
    addConnector: ({ body }) =>
      connectors.some((c) => c.name === body.name)
        ? refuse(409, 'name-taken', `A connector called ${body.name} is there already.`)
        : { connector: world.id('connector') },
    testConnector: () => ({ ok: true, problem: null }),
    replaceCredential: () => undefined,
    removeConnector: () => refuse(409, 'connector-in-use', '1 routes write to it.'),
    listRoutes: ({ query }) => page(routes, query),
    openRoute: () => ({ route: world.id('route') }),
    readRoute: ({ params }) => routeOf(params.route) ?? noRoute,
    reviseRoute: ({ params }) => (routeOf(params.route) ? undefined : noRoute),
    changeRoute: ({ params, body }) => {
      const at = routes.findIndex((r) => r.route === params.route)
      const route = routes[at]
      if (!route) return noRoute
      if (body.wish === 'close') routes.splice(at, 1)
      else routes[at] = { ...route, state: body.wish === 'pause' ? 'paused' : 'active' }
      world.happen('sync.route-paused')
      return undefined
    },
    startRun: ({ params }) => (routeOf(params.route) ? { run: world.id('run') } : noRoute),
    listRuns: ({ query }) =>
      page(
        runs.filter((r) => !query.route || r.route === query.route),
        query,
      ),
    readRun: ({ params }) =>
      runs.find((r) => r.run === params.run) ?? refuse(404, 'no-such-run', 'No run of this id is known.'),
    listPlan: ({ params, query }) =>
      page(
        params.run === waiting.run ? planned.filter((l) => !query.action || l.action === query.action) : [],
        query,
      ),
    decidePlan: ({ params, body }) => {
      if (body.decision === 'accept' && !writesAllowed)
        return refuse(409, 'writes-off', 'Writes of sync are off: an administrator switches them on.')
      const at = routes.findIndex((r) => r.lastRun?.run === params.run)
      const route = routes[at]
      if (!route?.lastRun) return refuse(409, 'nothing-waits', 'This plan does not wait for anybody.')
      const decided = body.decision === 'accept' ? ('accepted' as const) : ('rejected' as const)
      routes[at] = { ...route, accepted: decided === 'accepted', lastRun: { ...route.lastRun, decided } }
      world.happen('sync.plan-accepted')
      return { run: world.id('run') }
    },
    listCopies: ({ query }) =>
      page(
        copies.filter(
          (c) =>
            (!query.route || c.route === query.route) &&
            (!query.state || c.state === query.state) &&
            (query.conflicts !== 'true' || c.line?.action === 'conflict') &&
            (!query.search || `${c.sourceName} ${c.targetName}`.includes(query.search.toLowerCase())),
        ),
        query,
      ),
    readMatrix: ({ query }) => {
      const found = copies.filter((c) => !query.search || c.sourceName.includes(query.search.toLowerCase()))
      const of = page(
        [
          ...found.map((c) => ({
            secret: c.secret,
            name: c.sourceName,
            cells: [
              {
                route: c.route,
                copy: c.copy,
                state: c.line?.reason === 'unmanaged' ? ('conflict' as const) : c.state,
              },
            ],
          })),
          ...planned.map((l) => ({
            secret: l.secret,
            name: l.sourceName,
            cells: [
              {
                route: 'route-gcp00000001',
                copy: l.copy,
                state: l.action === 'skip' ? ('skipped' as const) : ('planned' as const),
              },
            ],
          })),
        ],
        query,
      )
      return {
        routes: routes.map((r) => ({ route: r.route, name: r.settings.name, target: r.target.name })),
        ...of,
      }
    },
    readCopy: ({ params }) => {
      const copy = copies.find((c) => c.copy === params.copy)
      if (!copy) return noCopy
      const base = {
        run: 'run-rotated000001',
        plan: hex(5, 64),
        actor: { kind: 'service', id: 'sync-changes' },
        detail: null,
      }
      const versions = {
        sourceVersion: copy.sourceVersion,
        targetVersion: copy.targetVersion,
        sourceMac: copy.sourceMac,
        targetMac: copy.targetMac,
      }
      return {
        copy,
        provenance: copy.writtenAt
          ? [
              ...(copy.drift
                ? [
                    {
                      ...base,
                      ...versions,
                      seq: 4120,
                      at: ago(3),
                      what: 'drifted',
                      targetVersion: copy.drift.found,
                      sourceMac: null,
                      targetMac: null,
                      sourceVersion: null,
                      detail: copy.drift.what,
                    },
                  ]
                : []),
              { ...base, ...versions, seq: 3990, at: copy.writtenAt, what: 'copied' },
              {
                ...base,
                ...versions,
                sourceVersion: hex(71, 32),
                targetVersion: hex(71, 32),
                sourceMac: hex(72, 64),
                targetMac: hex(72, 64),
                seq: 1204,
                at: ago(790),
                what: 'copied',
                actor: { kind: 'operator', id: 'operator-0001' },
              },
            ]
          : [],
      }
    },
    retryCopy: ({ params }) => (copies.some((c) => c.copy === params.copy) ? undefined : noCopy),
    adoptCopy: ({ params }) => (copies.some((c) => c.copy === params.copy) ? undefined : noCopy),
  }
}
