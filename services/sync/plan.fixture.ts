import { createHash } from 'node:crypto'
import type { RouteSettings } from '@attestry/contracts'
import { type Copy, plannedCopy } from './copy.ts'
import type { PlanInput } from './plan.ts'
import type { Capabilities, Mark, RemoteEntry, SourceItem } from './targets/target.ts'

/** What plans are made from in tests: an item, an object, a copy, each as usual but for what is said. */

export const NOW = Temporal.Instant.from('2026-03-01T12:00:00Z')
export const LONG_AGO = '2026-02-01T08:00:00.000Z'
export const LATER = '2026-02-20T09:30:00.000Z'
export const ROUTE = 'route-0123456789'
export const OTHER = 'route-9876543210'

export const can: Capabilities = {
  kind: 'aws-secrets-manager',
  takes: 'secrets',
  foldsCase: false,
  name: { pattern: /^[A-Za-z0-9/_+=.@-]{1,64}$/, says: 'be up to 64 letters, digits or /_+=.@-' },
  value: { minBytes: 1, maxBytes: 65_536, binary: true },
  tags: { most: 40, key: /^.{1,127}$/, value: /^.{0,255}$/, says: 'be short' },
  marks: 'object',
  drift: 'listed',
  disables: true,
  restores: true,
  writesPerMinute: 600,
  writeEveryMs: 600_000,
  inFlight: 4,
}

export const settings: RouteSettings = {
  name: 'payments to AWS',
  kind: 'aws-secrets-manager',
  selector: { names: [], tags: [], contentTypes: [] },
  template: 'prod/{name}',
  overrides: [],
  tags: [['*', '*']],
  binary: 'as-text',
  deletePolicy: 'keep',
  pruneLimit: null,
  onDisabled: 'skip',
  onDrift: 'alert',
  keepVersions: 5,
  approval: 'first-run',
  everyMinutes: 60,
  onChange: true,
}

export const idOf = (name: string) => ({
  secret: `secret-${name.toLowerCase()}`,
  copy: `copy-${name.toLowerCase()}`,
})

export const item = (name: string, more: Partial<SourceItem> = {}): SourceItem => ({
  name,
  enabled: true,
  managed: false,
  created: LONG_AGO,
  updated: LONG_AGO,
  notBefore: null,
  expires: null,
  contentType: null,
  tags: [],
  ...more,
})

export const mark = (name: string, more: Partial<Mark> = {}): Mark => ({
  route: ROUTE,
  secret: idOf(name).secret,
  vault: 'vault-source',
  sourceVersion: 'v1',
  mac: 'a'.repeat(64),
  ...more,
})

export const remote = (name: string, more: Partial<RemoteEntry> = {}): RemoteEntry => ({
  name: `prod/${name}`,
  id: `id-${name}`,
  state: 'live',
  mark: mark(name),
  version: 'v1',
  servedSource: 'v1',
  stamp: 'stamp-1',
  ...more,
})

export const copy = (
  name: string,
  more: Partial<Copy> = {},
  written: Partial<NonNullable<Copy['written']>> = {},
): Copy => ({
  ...plannedCopy({ ...idOf(name), route: ROUTE }),
  state: 'in-sync',
  sourceName: name,
  targetName: `prod/${name}`,
  written: {
    at: '2026-02-01T09:00:00.000Z',
    sourceVersion: 'v1',
    sourceCreated: LONG_AGO,
    sourceUpdated: LONG_AGO,
    targetVersion: 'v1',
    targetStamp: 'stamp-1',
    sourceMac: 'a'.repeat(64),
    targetMac: 'a'.repeat(64),
    ...written,
  },
  ...more,
})

export interface Scene {
  readonly items?: readonly SourceItem[]
  readonly complete?: boolean
  readonly remotes?: readonly RemoteEntry[]
  readonly copies?: readonly Copy[]
  readonly claims?: readonly (readonly [string, { route: string; secret: string }])[]
  readonly versions?: readonly (readonly [string, string])[]
  readonly settings?: Partial<RouteSettings>
  readonly can?: Partial<Capabilities>
  readonly accepted?: boolean
  readonly targetVault?: string | null
}

export const scene = (given: Scene): PlanInput => ({
  route: ROUTE,
  settings: { ...settings, ...given.settings },
  accepted: given.accepted ?? true,
  vault: { id: 'vault-source', name: 'kv-payments' },
  targetVault: given.targetVault ?? null,
  can: { ...can, ...given.can },
  sources: { items: given.items ?? [], complete: given.complete ?? true },
  remotes: given.remotes ?? [],
  known: new Map((given.copies ?? []).map((c) => [c.secret, c])),
  claims: new Map(given.claims ?? []),
  versions: new Map((given.versions ?? []).map(([name, version]) => [idOf(name).secret, version])),
  idOf,
  now: NOW,
  sha256: (text) => createHash('sha256').update(text).digest('hex'),
})
