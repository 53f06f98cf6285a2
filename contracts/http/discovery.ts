import * as z from 'zod'
import {
  AppCredential,
  Edge,
  HardCoded,
  Resource,
  ScanCounts,
  Scope,
  Unreachable,
  Vault,
  VaultItem,
} from '../discovery.ts'
import { Count, Instant, OpaqueId } from '../event.ts'
import { endpoints, OPERATORS, pageOf, Paging, READERS } from './endpoint.ts'

/** What the inventory lists. Application credentials stand beside what vaults hold. */
export const AssetKind = z.enum(['secret', 'key', 'certificate', 'app-secret', 'app-certificate'])
export type AssetKind = z.infer<typeof AssetKind>

export const ScanRow = z.object({
  scan: OpaqueId,
  environment: OpaqueId,
  state: z.enum(['queued', 'running', 'completed', 'failed', 'cancelled']),
  trigger: z.enum(['operator', 'schedule', 'first-run']),
  startedAt: Instant.nullable(),
  endedAt: Instant.nullable(),
  progress: z.object({
    phase: z.enum(['queued', 'subscriptions', 'vaults', 'items', 'applications', 'resources', 'done']),
    vaultsDone: Count,
    vaultsTotal: Count,
    items: Count,
    calls: Count,
  }),
  counts: ScanCounts.nullable(),
  unreachable: z.array(z.object({ vault: OpaqueId, name: z.string(), why: Unreachable })),
  problem: z.string().nullable(),
})
export type ScanRow = z.infer<typeof ScanRow>

export const EnvironmentRow = z.object({
  environment: OpaqueId,
  cloud: z.enum(['azure']),
  name: z.string(),
  scope: Scope,
  settingsScan: z.boolean(),
  everyHours: z.number().nullable(),
  connectedAt: Instant,
  lastScan: ScanRow.nullable(),
})

export const AssetRow = z.object({
  asset: OpaqueId,
  kind: AssetKind,
  name: z.string(),
  /** The vault or application that holds it. */
  holder: OpaqueId,
  holderName: z.string(),
  subscription: z.string().nullable(),
  enabled: z.boolean(),
  created: Instant.nullable(),
  updated: Instant.nullable(),
  expires: Instant.nullable(),
  managed: z.boolean(),
  algorithm: z.string().nullable(),
  bits: Count.nullable(),
  curve: z.string().nullable(),
  dependents: Count,
  firstSeen: Instant,
})
export type AssetRow = z.infer<typeof AssetRow>

export const VaultRow = z.object({
  vault: OpaqueId,
  facts: Vault,
  unreachable: Unreachable.nullable(),
  items: z.object({ secrets: Count, keys: Count, certificates: Count }),
  lastChange: Instant,
})

export const Dependent = z.object({
  resource: OpaqueId,
  facts: Resource,
  edge: Edge,
  verdict: z.enum(['proposed', 'confirmed', 'rejected']),
})

export const AssetDetail = AssetRow.extend({
  tags: z.array(z.tuple([z.string(), z.string()])),
  contentType: z.string().nullable(),
  item: VaultItem.nullable(),
  credential: AppCredential.nullable(),
  dependents: Count,
  usedBy: z.array(Dependent),
  history: z.array(z.object({ at: Instant, seq: Count, what: z.enum(['found', 'changed', 'lost']) })),
})

export const discoveryHttp = endpoints({
  listEnvironments: {
    method: 'GET',
    path: '/api/discovery/environments',
    summary: 'Connected environments with their last scan.',
    roles: READERS,
    reply: z.object({ items: z.array(EnvironmentRow) }),
    refusals: {},
  },
  connectEnvironment: {
    method: 'POST',
    path: '/api/discovery/environments',
    summary: 'Connects an environment; the identity is the one the product runs as.',
    roles: OPERATORS,
    body: z.object({
      name: z.string().trim().min(1).max(80),
      subscriptions: z.array(z.uuid()).max(1000).default([]),
      settingsScan: z.boolean().default(false),
      everyHours: z.int().min(1).max(168).nullable().default(24),
    }),
    reply: z.object({ environment: OpaqueId }),
    refusals: {
      'name-taken': 'conflict',
      'demonstration-takes-no-real-connection': 'conflict',
      'too-many-subscriptions': 'forbidden',
    },
  },
  testEnvironment: {
    method: 'POST',
    path: '/api/discovery/environments/{environment}/test',
    summary: 'Tries the connection and says what the identity reaches.',
    roles: OPERATORS,
    reply: z.object({ ok: z.boolean(), subscriptions: Count, problem: z.string().nullable() }),
    refusals: { 'no-such-environment': 'not-found' },
  },
  reviseEnvironment: {
    method: 'PUT',
    path: '/api/discovery/environments/{environment}',
    summary: 'Changes declared scope, schedule, and whether values of app settings may be looked at.',
    roles: OPERATORS,
    body: z.object({
      subscriptions: z.array(z.uuid()).max(1000),
      settingsScan: z.boolean(),
      everyHours: z.int().min(1).max(168).nullable(),
    }),
    reply: null,
    refusals: { 'no-such-environment': 'not-found', 'too-many-subscriptions': 'forbidden' },
  },
  disconnectEnvironment: {
    method: 'DELETE',
    path: '/api/discovery/environments/{environment}',
    summary: 'Stops scanning an environment; its history stays.',
    roles: OPERATORS,
    reply: null,
    refusals: { 'no-such-environment': 'not-found', 'scan-running': 'conflict' },
  },
  startScan: {
    method: 'POST',
    path: '/api/discovery/scans',
    summary: 'Starts a scan of an environment.',
    roles: OPERATORS,
    body: z.object({ environment: OpaqueId }),
    reply: z.object({ scan: OpaqueId }),
    refusals: {
      'no-such-environment': 'not-found',
      'already-running': 'conflict',
      'too-many-vaults': 'forbidden',
      'too-many-subscriptions': 'forbidden',
    },
  },
  listScans: {
    method: 'GET',
    path: '/api/discovery/scans',
    summary: 'Scans, newest first.',
    roles: READERS,
    query: Paging,
    reply: pageOf(ScanRow),
    refusals: {},
  },
  readScan: {
    method: 'GET',
    path: '/api/discovery/scans/{scan}',
    summary: 'One scan with its progress.',
    roles: READERS,
    reply: ScanRow,
    refusals: { 'no-such-scan': 'not-found' },
  },
  watchScan: {
    method: 'GET',
    path: '/api/discovery/scans/{scan}/progress',
    summary: 'Progress of a running scan as server-sent events, each a scan row.',
    roles: READERS,
    reply: 'stream',
    refusals: { 'no-such-scan': 'not-found' },
  },
  cancelScan: {
    method: 'POST',
    path: '/api/discovery/scans/{scan}/cancel',
    summary: 'Ends a scan early; what it recorded stays.',
    roles: OPERATORS,
    reply: null,
    refusals: { 'no-such-scan': 'not-found', 'not-running': 'conflict' },
  },
  listVaults: {
    method: 'GET',
    path: '/api/discovery/vaults',
    summary: 'Vaults with their posture and whether they can be read.',
    roles: READERS,
    query: Paging,
    reply: pageOf(VaultRow),
    refusals: {},
  },
  listAssets: {
    method: 'GET',
    path: '/api/discovery/assets',
    summary: 'The inventory: filter, search by name, sort, page.',
    roles: READERS,
    query: Paging.extend({
      kind: AssetKind.optional(),
      holder: OpaqueId.optional(),
      search: z.string().max(100).optional(),
      state: z.enum(['expired', 'expires-7d', 'expires-30d', 'no-expiry', 'disabled']).optional(),
      sort: z.enum(['name', 'expires', 'updated', 'holder']).default('name'),
      order: z.enum(['asc', 'desc']).default('asc'),
    }),
    reply: pageOf(AssetRow),
    refusals: {},
  },
  summariseAssets: {
    method: 'GET',
    path: '/api/discovery/summary',
    summary: 'Counts by kind and state, and expiries by day for the next 90 days.',
    roles: READERS,
    reply: z.object({
      kinds: z.array(z.object({ kind: AssetKind, count: Count })),
      states: z.array(z.object({ state: z.string(), count: Count })),
      expiries: z.array(z.object({ day: z.string(), count: Count })),
      vaults: Count,
      unreachable: Count,
      applications: Count,
      resources: Count,
    }),
    refusals: {},
  },
  readAsset: {
    method: 'GET',
    path: '/api/discovery/assets/{asset}',
    summary: 'One asset: facts, who uses it, and its history from the ledger.',
    roles: READERS,
    reply: AssetDetail,
    refusals: { 'no-such-asset': 'not-found' },
  },
  judgeEdge: {
    method: 'POST',
    path: '/api/discovery/edges/{edge}/verdict',
    summary: 'Confirms or rejects a supposed dependency.',
    roles: ['tenant-admin', 'security-admin', 'analyst', 'service-account'],
    body: z.object({ verdict: z.enum(['confirmed', 'rejected']), reason: z.string().max(500).optional() }),
    reply: null,
    refusals: { 'no-such-edge': 'not-found', 'already-judged': 'conflict' },
  },
  listHardCoded: {
    method: 'GET',
    path: '/api/discovery/hard-coded',
    summary: 'Settings that hold a credential in plain sight; names only.',
    roles: READERS,
    query: Paging,
    reply: pageOf(HardCoded.extend({ resource: OpaqueId, resourceName: z.string() })),
    refusals: {},
  },
})
