import type {
  AssetRow,
  AuditorRow,
  BundleRow,
  Finding,
  LicenseView,
  ScanRow,
  Session,
} from '@attestry/contracts/http'
import { firstAuditors } from './audit.fixture.ts'
import { chance, hex } from './chance.fixture.ts'
import { type Estate, makeEstate } from './estate.fixture.ts'
import { judge, type Judgement } from './judgement.fixture.ts'
import { makeLicense } from './licensing.fixture.ts'
import type { ReplyOfFixture } from './shapes.fixture.ts'

export type OperatorRow = ReplyOfFixture<'gateway', 'listOperators'>['items'][number]
export type EnvironmentRow = ReplyOfFixture<'discovery', 'listEnvironments'>['items'][number]
export type ActivityRow = ReplyOfFixture<'gateway', 'listActivity'>['items'][number]
type Stuck = ReplyOfFixture<'gateway', 'listOperations'>['stuck'][number]

export interface WorldOptions {
  /** Things in vaults. 100,000 shows how long lists behave. */
  readonly items?: number
  /** Nothing was scanned yet. */
  readonly firstRun?: boolean
  readonly origin?: 'real' | 'demo'
}

export interface Account {
  readonly operator: string
  name: string
  password: string
  roles: Session['roles']
  state: OperatorRow['state']
  mustChangePassword: boolean
  failures: number
  addedAt: string
  lastSignIn: string | null
}

/** All that the fixture server knows; handlers change it. */
export interface World {
  readonly estate: Estate
  readonly judgement: Judgement
  readonly accounts: Account[]
  readonly environments: EnvironmentRow[]
  readonly scans: ScanRow[]
  readonly bundles: BundleRow[]
  readonly activity: ActivityRow[]
  readonly auditors: AuditorRow[]
  readonly license: LicenseView
  readonly stuck: Stuck[]
  readonly origin: 'real' | 'demo'
  scanned: boolean
  assets(): readonly AssetRow[]
  findings(): readonly Finding[]
  id(kind: string): string
  /** Appends to the ledger and tells the live feed. */
  happen(type: string, actor?: Account): void
  readonly listeners: Set<(note: { type: string; seq: number }) => void>
}

const DAY = 86_400_000
const iso = (ms: number): string => new Date(ms).toISOString()

const FIRST_EVENTS = [
  'ledger.opened',
  'gateway.operator-added',
  'discovery.environment-connected',
  'gateway.signed-in',
  'discovery.scan-started',
  'discovery.vault-scanned',
  'discovery.vault-scanned',
  'discovery.vault-unreachable',
  'discovery.apps-scanned',
  'discovery.scan-completed',
  'compliance.evaluation-completed',
  'compliance.findings-changed',
  'evidence.bundle-requested',
  'evidence.report-rendered',
  'evidence.bundle-timestamped',
  'evidence.bundle-sealed',
  'evidence.bundle-downloaded',
] as const

export function makeWorld(options: WorldOptions = {}): World {
  const now = Date.now()
  const random = chance(42)
  const estate = makeEstate(now, options.items ?? 150)
  const judgement = judge(estate)
  const account = (
    name: string,
    password: string,
    roles: Account['roles'],
    more: Partial<Account> = {},
  ): Account => ({
    operator: `operator-${hex(random, 16)}`,
    name,
    password,
    roles,
    state: 'active',
    mustChangePassword: false,
    failures: 0,
    addedAt: iso(now - 40 * DAY),
    lastSignIn: iso(now - 3 * 3_600_000),
    ...more,
  })
  const accounts = [
    account('administrator', 'correct horse battery', ['tenant-admin']),
    account('newcomer', 'one-time-7421', ['security-admin'], { mustChangePassword: true, lastSignIn: null }),
    account('vera viewer', 'only looking around', ['viewer']),
    account('a. audit', 'an auditor reads all', ['auditor'], { lastSignIn: iso(now - 9 * DAY) }),
    account('locked out', 'never mind at all', ['analyst'], { state: 'locked' }),
    account('pipeline', 'machine machine machine', ['service-account'], { state: 'disabled' }),
  ]
  const unreachable = estate.vaults.flatMap((v) =>
    v.unreachable ? [{ vault: v.vault, name: v.facts.name, why: v.unreachable }] : [],
  )
  const counts = {
    subscriptions: 2,
    vaults: estate.vaults.length,
    secrets: estate.assets.filter((a) => a.kind === 'secret').length,
    keys: estate.assets.filter((a) => a.kind === 'key').length,
    certificates: estate.assets.filter((a) => a.kind === 'certificate').length,
    applications: 6,
    credentials: estate.assets.filter((a) => a.kind.startsWith('app-')).length,
    resources: 31,
    edges: 118,
  }
  const environment = `environment-${hex(random, 12)}`
  const done: ScanRow = {
    scan: `scan-${hex(random, 16)}`,
    environment,
    state: 'completed',
    trigger: 'schedule',
    startedAt: iso(now - 5 * 3_600_000 - 74_000),
    endedAt: iso(now - 5 * 3_600_000),
    progress: { phase: 'done', vaultsDone: 14, vaultsTotal: 14, items: 150, calls: 96 },
    counts,
    unreachable,
    problem: null,
  }
  const activity: ActivityRow[] = []
  for (let seq = 1; seq <= 1862; seq += 1) {
    const type =
      seq <= FIRST_EVENTS.length
        ? FIRST_EVENTS[seq - 1]
        : FIRST_EVENTS[3 + Math.trunc(random() * (FIRST_EVENTS.length - 3))]
    const person =
      type?.startsWith('gateway') ||
      type === 'evidence.bundle-requested' ||
      type === 'evidence.bundle-downloaded'
    const who = accounts[Math.trunc(random() * 4)] as Account
    activity.push({
      seq,
      at: iso(now - (1863 - seq) * 22 * 60_000),
      type: type ?? 'ledger.opened',
      stream: `${type?.split('.')[0]}-${hex(random, 16)}`,
      actorKind: person ? 'operator' : seq % 5 === 0 ? 'schedule' : 'service',
      actorId: person ? who.operator : seq % 5 === 0 ? 'schedule' : 'discovery',
      actorName: person ? who.name : null,
      address: person ? '203.0.113.24' : null,
      reason: person && seq % 7 === 0 ? 'Quarterly access review, ticket 4182' : null,
      link: hex(random, 64),
    })
  }
  const world: World = {
    estate,
    judgement,
    accounts,
    origin: options.origin ?? 'demo',
    scanned: options.firstRun !== true,
    environments: [
      {
        environment,
        cloud: 'azure',
        name: 'Contoso production',
        scope: { subscriptions: [] },
        settingsScan: false,
        everyHours: 24,
        connectedAt: iso(now - 40 * DAY),
        lastScan: options.firstRun ? null : done,
      },
    ],
    scans: options.firstRun ? [] : [done],
    bundles: options.firstRun ? [] : firstBundles(now, random, accounts[0] as Account),
    activity,
    license: makeLicense(),
    auditors: firstAuditors(now, (kind) => `${kind}-${hex(random, 16)}`, `bundle-${hex(random, 16)}`),
    stuck: [
      {
        id: 'stuck-1',
        service: 'evidence',
        consumer: 'bundle-rows',
        seq: 1840,
        reason: 'The time-stamp authority did not answer within 10 s, five times.',
        since: iso(now - 2 * 3_600_000),
      },
    ],
    assets: () => (world.scanned ? estate.assets : []),
    findings: () => (world.scanned ? judgement.findings : []),
    id: (kind) => `${kind}-${hex(random, 16)}`,
    listeners: new Set(),
    happen(type, actor) {
      const seq = activity.length + 1
      activity.push({
        seq,
        at: iso(Date.now()),
        type,
        stream: `${type.split('.')[0]}-${hex(random, 16)}`,
        actorKind: actor ? 'operator' : 'service',
        actorId: actor?.operator ?? type.split('.')[0] ?? '',
        actorName: actor?.name ?? null,
        address: actor ? '203.0.113.24' : null,
        reason: null,
        link: hex(random, 64),
      })
      for (const listener of world.listeners) listener({ type, seq })
    },
  }
  return world
}

function firstBundles(now: number, random: () => number, by: Account): BundleRow[] {
  const sealed = (days: number, stamped: boolean): BundleRow => ({
    bundle: `bundle-${hex(random, 16)}`,
    state: 'sealed',
    reports: ['operator-audit-log', 'rule-violations', 'asset-inventory'],
    period: { from: iso(now - (days + 30) * DAY), to: iso(now - days * DAY) },
    framework: stamped ? 'soc2-2017' : null,
    formats: ['csv', 'json', 'pdf', 'oscal'],
    scope: null,
    assertion: stamped
      ? {
          name: 'Mara Lindqvist',
          title: 'Chief Information Security Officer',
          statement:
            'Management asserts that the records in these reports are complete and accurate for the scope stated, to the best of its knowledge.',
          at: iso(now - days * DAY),
        }
      : null,
    downloads: stamped ? 2 : 0,
    downloadedAt: stamped ? iso(now - 2 * DAY) : null,
    expiresAt: iso(now + (2557 - days) * DAY),
    requestedAt: iso(now - days * DAY),
    requestedBy: by.operator,
    progress: { step: 'sealed', done: 8, total: 8 },
    sealedAt: iso(now - days * DAY + 9000),
    bytes: 1_482_113,
    sumsSha256: hex(random, 64),
    signingKey: hex(random, 64),
    timestamp: stamped
      ? {
          status: 'stamped',
          tsa: 'Attestry local authority',
          independent: false,
          genTime: iso(now - days * DAY + 9000),
        }
      : { status: 'pending', tsa: null, independent: false, genTime: null },
    problem: null,
  })
  return [
    sealed(1, false),
    {
      ...sealed(4, true),
      state: 'failed',
      bytes: null,
      sealedAt: null,
      timestamp: null,
      expiresAt: null,
      problem:
        'The disk was full while the asset inventory was written. Nothing of the bundle is handed out.',
    },
    sealed(6, true),
    { ...sealed(400, true), state: 'expired', expiresAt: iso(now - 35 * DAY) },
  ]
}
