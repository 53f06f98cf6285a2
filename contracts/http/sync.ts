import * as z from 'zod'
import { Count, Digest, Instant, OpaqueId } from '../event.ts'
import { AccessKind, Drift, PlanCounts, PlanNeeds, RouteSettings, RunOutcome, RunTrigger } from '../sync.ts'
import { ADMINS, endpoints, OPERATORS, pageOf, Paging, READERS } from './endpoint.ts'

/** How an account is signed in to. `secret` is stored encrypted, tried first, and never shown again. */
export const AccessWish = z.object({
  how: AccessKind,
  roleArn: z.string().min(20).max(2048).optional(),
  externalId: z.string().min(2).max(1224).optional(),
  /** The audience of the pool or role that trusts Entra's token. */
  audience: z.string().min(1).max(400).optional(),
  tokenAudience: z.string().min(1).max(400).optional(),
  thenRoleArn: z.string().min(20).max(2048).optional(),
  serviceAccount: z.email().max(200).optional(),
  accessKeyId: z.string().min(16).max(128).optional(),
  secret: z.string().min(1).max(10_000).optional(),
})
export type AccessWish = z.infer<typeof AccessWish>

export const ConnectorRow = z.object({
  connector: OpaqueId,
  cloud: z.enum(['azure', 'aws', 'gcp']),
  name: z.string(),
  account: z.string(),
  region: z.string().nullable(),
  how: AccessKind,
  /** What of the sign-in is no secret. */
  access: z.array(z.tuple([z.string(), z.string()])),
  addedAt: Instant,
  test: z.object({ at: Instant, ok: z.boolean(), problem: z.string().nullable() }).nullable(),
  routes: Count,
  /** Its kill switch, where it is thrown. */
  stopped: z.object({ at: Instant, reason: z.string() }).nullable(),
})
export type ConnectorRow = z.infer<typeof ConnectorRow>

export const RunRow = z.object({
  run: OpaqueId,
  route: OpaqueId,
  routeName: z.string(),
  trigger: RunTrigger,
  startedAt: Instant,
  endedAt: Instant.nullable(),
  outcome: RunOutcome.nullable(),
  plan: Digest.nullable(),
  needs: PlanNeeds.nullable(),
  decided: z.enum(['accepted', 'rejected']).nullable(),
  planned: PlanCounts.nullable(),
  done: PlanCounts.nullable(),
  failed: Count,
  listCalls: Count,
  valuesRead: Count,
  problem: z.string().nullable(),
  progress: z.object({ done: Count, total: Count }).nullable(),
})
export type RunRow = z.infer<typeof RunRow>

export const RouteRow = z.object({
  route: OpaqueId,
  state: z.enum(['active', 'paused', 'closed']),
  accepted: z.boolean(),
  settings: RouteSettings,
  source: z.object({ vault: OpaqueId, name: z.string() }),
  target: z.object({ connector: OpaqueId, name: z.string(), account: z.string() }),
  openedAt: Instant,
  copies: z.object({
    inSync: Count,
    drifted: Count,
    retrying: Count,
    failed: Count,
    disabled: Count,
    conflicts: Count,
  }),
  lastRun: RunRow.nullable(),
  /** Runs that a kill switch keeps. */
  held: Count,
})
export type RouteRow = z.infer<typeof RouteRow>

const PlanAction = z.enum(['create', 'update', 'noop', 'conflict', 'prune', 'skip'])

export const PlanLine = z.object({
  copy: OpaqueId,
  secret: OpaqueId,
  action: PlanAction,
  /** A code; the console has a sentence for each. */
  reason: z.string(),
  sourceName: z.string(),
  targetName: z.string(),
  sourceVersion: z.string().nullable(),
  targetVersion: z.string().nullable(),
  drift: Drift.nullable(),
  droppedTags: Count,
})
export type PlanLine = z.infer<typeof PlanLine>

const CopyState = z.enum(['planned', 'in-sync', 'drifted', 'retrying', 'failed', 'disabled', 'pruned'])

export const CopyRow = z.object({
  copy: OpaqueId,
  route: OpaqueId,
  routeName: z.string(),
  secret: OpaqueId,
  sourceName: z.string(),
  targetName: z.string(),
  state: CopyState,
  changedAt: Instant,
  sourceVersion: z.string().nullable(),
  targetVersion: z.string().nullable(),
  sourceMac: z.string().nullable(),
  targetMac: z.string().nullable(),
  writtenAt: Instant.nullable(),
  attempt: Count,
  retryAt: Instant.nullable(),
  reason: z.string().nullable(),
  drift: z.object({ what: Drift, found: z.string().nullable() }).nullable(),
  /** What the newest plan says of it, where that is more than nothing to do. */
  line: PlanLine.nullable(),
})
export type CopyRow = z.infer<typeof CopyRow>

/** One copy from its source to its target: what was where, when, by whose doing and under which plan. */
export const ProvenanceRow = z.object({
  seq: Count,
  at: Instant,
  what: z.string(),
  sourceVersion: z.string().nullable(),
  targetVersion: z.string().nullable(),
  sourceMac: z.string().nullable(),
  targetMac: z.string().nullable(),
  run: OpaqueId.nullable(),
  plan: Digest.nullable(),
  actor: z.object({ kind: z.string(), id: z.string() }),
  detail: z.string().nullable(),
})
export type ProvenanceRow = z.infer<typeof ProvenanceRow>

const NoRoute = { 'no-such-route': 'not-found' } as const
const NoConnector = { 'no-such-connector': 'not-found' } as const
const RouteRefusals = {
  'bad-mapping': 'invalid',
  'wrong-kind': 'invalid',
  'no-such-vault': 'not-found',
  'names-taken': 'conflict',
  loop: 'conflict',
  'route-closed': 'conflict',
  ...NoConnector,
  ...NoRoute,
} as const
const SignIn = {
  'bad-access': 'invalid',
  'sign-in-failed': 'conflict',
  'another-account': 'conflict',
  'demonstration-takes-no-real-connection': 'conflict',
} as const

export const syncHttp = endpoints({
  readStatus: {
    method: 'GET',
    path: '/api/sync/status',
    summary: 'Whether sync may write, which kill switches are thrown, and whether a worker runs.',
    roles: READERS,
    reply: z.object({
      /** The setting, the licence, and both with every switch released. */
      writesAllowed: z.boolean(),
      licensed: z.boolean(),
      stopped: z.object({ at: Instant, reason: z.string() }).nullable(),
      worker: z.object({ running: z.boolean(), seenAt: Instant.nullable() }),
      routes: Count,
      held: Count,
      failed: Count,
      conflicts: Count,
      waiting: Count,
    }),
    refusals: {},
  },
  allowWrites: {
    method: 'PUT',
    path: '/api/sync/writes',
    summary: 'Whether sync may write to targets at all. Off at first.',
    roles: ADMINS,
    entitlement: 'sync',
    reauthenticate: true,
    body: z.object({ allowed: z.boolean() }),
    reply: null,
    refusals: {},
  },
  throwSwitch: {
    method: 'POST',
    path: '/api/sync/switches',
    summary: 'Throws or releases a kill switch: of one connector, or (null) of all. What is due waits.',
    roles: OPERATORS,
    body: z.object({
      connector: OpaqueId.nullable(),
      thrown: z.boolean(),
      reason: z.string().min(1).max(500),
    }),
    reply: null,
    refusals: { ...NoConnector, 'nothing-changed': 'conflict' },
  },
  rotateRing: {
    method: 'POST',
    path: '/api/sync/ring/rotate',
    summary: 'Encrypts all stored credentials under a new key.',
    roles: ADMINS,
    reauthenticate: true,
    reply: z.object({ key: OpaqueId, reencrypted: Count }),
    refusals: {},
  },
  listSources: {
    method: 'GET',
    path: '/api/sync/sources',
    summary: 'Vaults that discovery knows and that can be copied from.',
    roles: READERS,
    reply: z.object({ items: z.array(z.object({ vault: OpaqueId, name: z.string(), secrets: Count })) }),
    refusals: {},
  },
  listConnectors: {
    method: 'GET',
    path: '/api/sync/connectors',
    summary: 'Accounts that secrets may be copied to.',
    roles: READERS,
    reply: z.object({ items: z.array(ConnectorRow) }),
    refusals: {},
  },
  addConnector: {
    method: 'POST',
    path: '/api/sync/connectors',
    summary: 'Connects an account, after its sign-in was tried.',
    roles: OPERATORS,
    entitlement: 'sync',
    reauthenticate: true,
    body: z.object({
      cloud: z.enum(['azure', 'aws', 'gcp']),
      name: z.string().trim().min(1).max(80),
      account: z.string().min(1).max(200),
      region: z
        .string()
        .regex(/^[a-z0-9-]{2,40}$/, 'must be a region such as eu-central-1')
        .nullable()
        .default(null),
      access: AccessWish,
    }),
    reply: z.object({ connector: OpaqueId }),
    refusals: { ...SignIn, 'name-taken': 'conflict' },
  },
  testConnector: {
    method: 'POST',
    path: '/api/sync/connectors/{connector}/test',
    summary: 'Tries the sign-in of a connector.',
    roles: OPERATORS,
    reply: z.object({ ok: z.boolean(), problem: z.string().nullable() }),
    refusals: NoConnector,
  },
  replaceCredential: {
    method: 'PUT',
    path: '/api/sync/connectors/{connector}/access',
    summary: 'Signs in otherwise from now on, after it was tried.',
    roles: OPERATORS,
    entitlement: 'sync',
    reauthenticate: true,
    body: AccessWish,
    reply: null,
    refusals: { ...SignIn, ...NoConnector },
  },
  removeConnector: {
    method: 'DELETE',
    path: '/api/sync/connectors/{connector}',
    summary: 'Removes a connector and its stored credential; copies stay where they are.',
    roles: OPERATORS,
    reply: null,
    refusals: { ...NoConnector, 'connector-in-use': 'conflict' },
  },
  listRoutes: {
    method: 'GET',
    path: '/api/sync/routes',
    summary: 'Routes that are not closed, by name.',
    roles: READERS,
    query: Paging,
    reply: pageOf(RouteRow),
    refusals: {},
  },
  openRoute: {
    method: 'POST',
    path: '/api/sync/routes',
    summary: 'Opens a route. Nothing is written before its first plan is accepted.',
    roles: OPERATORS,
    entitlement: 'sync',
    body: z.object({ source: OpaqueId, connector: OpaqueId, settings: RouteSettings }),
    reply: z.object({ route: OpaqueId }),
    refusals: RouteRefusals,
  },
  readRoute: {
    method: 'GET',
    path: '/api/sync/routes/{route}',
    summary: 'One route with its last run.',
    roles: READERS,
    reply: RouteRow,
    refusals: NoRoute,
  },
  reviseRoute: {
    method: 'PUT',
    path: '/api/sync/routes/{route}',
    summary: 'Changes a route; where that changes what is written, its next plan waits for acceptance.',
    roles: OPERATORS,
    entitlement: 'sync',
    body: RouteSettings,
    reply: null,
    refusals: RouteRefusals,
  },
  changeRoute: {
    method: 'POST',
    path: '/api/sync/routes/{route}/state',
    summary: 'Pauses, resumes or closes a route; copies stay where they are.',
    roles: OPERATORS,
    body: z.object({ wish: z.enum(['pause', 'resume', 'close']) }),
    reply: null,
    refusals: { ...NoRoute, 'route-closed': 'conflict', 'nothing-changed': 'conflict' },
  },
  startRun: {
    method: 'POST',
    path: '/api/sync/routes/{route}/runs',
    summary: 'Runs a route now: plans, and writes what needs no acceptance unless only a plan is wanted.',
    roles: OPERATORS,
    entitlement: 'sync',
    body: z.object({ planOnly: z.boolean().default(false) }),
    reply: z.object({ run: OpaqueId }),
    refusals: { ...NoRoute, 'route-closed': 'conflict', 'already-running': 'conflict' },
  },
  listRuns: {
    method: 'GET',
    path: '/api/sync/runs',
    summary: 'Runs, newest first.',
    roles: READERS,
    query: Paging.extend({ route: OpaqueId.optional() }),
    reply: pageOf(RunRow),
    refusals: {},
  },
  readRun: {
    method: 'GET',
    path: '/api/sync/runs/{run}',
    summary: 'One run with its progress.',
    roles: READERS,
    reply: RunRow,
    refusals: { 'no-such-run': 'not-found' },
  },
  listPlan: {
    method: 'GET',
    path: '/api/sync/runs/{run}/plan',
    summary:
      'Lines of a plan by name, those with nothing to do left out. Kept for the newest plan of a route.',
    roles: READERS,
    query: Paging.extend({ action: PlanAction.optional() }),
    reply: pageOf(PlanLine),
    refusals: { 'no-such-run': 'not-found' },
  },
  decidePlan: {
    method: 'POST',
    path: '/api/sync/runs/{run}/decision',
    summary: 'Accepts or rejects a plan, by its hash.',
    roles: OPERATORS,
    entitlement: 'sync',
    reauthenticate: true,
    body: z.object({ decision: z.enum(['accept', 'reject']), plan: Digest }),
    reply: z.object({ run: OpaqueId.nullable() }),
    refusals: {
      'no-such-run': 'not-found',
      'nothing-waits': 'conflict',
      'another-plan': 'conflict',
      'writes-off': 'conflict',
      'route-closed': 'conflict',
    },
  },
  listCopies: {
    method: 'GET',
    path: '/api/sync/copies',
    summary: 'Copies by name: filter by route, state and what the newest plan says.',
    roles: READERS,
    query: Paging.extend({
      route: OpaqueId.optional(),
      state: CopyState.optional(),
      conflicts: z.enum(['true']).optional(),
      search: z.string().max(100).optional(),
    }),
    reply: pageOf(CopyRow),
    refusals: {},
  },
  readMatrix: {
    method: 'GET',
    path: '/api/sync/matrix',
    summary: 'Secrets against routes, with the state of each copy.',
    roles: READERS,
    query: Paging.extend({ search: z.string().max(100).optional() }),
    reply: z.object({
      routes: z.array(z.object({ route: OpaqueId, name: z.string(), target: z.string() })),
      items: z.array(
        z.object({
          secret: OpaqueId,
          name: z.string(),
          cells: z.array(
            z.object({
              route: OpaqueId,
              copy: OpaqueId,
              state: z.enum([...CopyState.options, 'conflict', 'skipped']),
            }),
          ),
        }),
      ),
      next: z.string().nullable(),
      total: Count,
    }),
    refusals: {},
  },
  readCopy: {
    method: 'GET',
    path: '/api/sync/copies/{copy}',
    summary: 'One copy with its provenance from the ledger, newest first.',
    roles: READERS,
    reply: z.object({ copy: CopyRow, provenance: z.array(ProvenanceRow) }),
    refusals: { 'no-such-copy': 'not-found' },
  },
  retryCopy: {
    method: 'POST',
    path: '/api/sync/copies/{copy}/retry',
    summary: 'Tries a copy again that was set aside.',
    roles: OPERATORS,
    entitlement: 'sync',
    reply: null,
    refusals: { 'no-such-copy': 'not-found', 'not-set-aside': 'conflict' },
  },
  adoptCopy: {
    method: 'POST',
    path: '/api/sync/copies/{copy}/adopt',
    summary: 'Gives what is at the target to the route, without reading it; the next run writes over it.',
    roles: OPERATORS,
    entitlement: 'sync',
    reauthenticate: true,
    body: z.object({ targetVersion: z.string().max(200).nullable() }),
    reply: null,
    refusals: { 'no-such-copy': 'not-found', 'no-conflict': 'conflict', 'changed-since': 'conflict' },
  },
})
