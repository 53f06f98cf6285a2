import type {
  Application,
  DataOf,
  EvidenceScope,
  EventOf,
  EventType,
  FrameworkId,
  ReportType,
  RuleResult,
  Vault,
  VaultItem,
} from '@attestry/contracts'
import { narrowing } from '../narrow.ts'
import { foldReports } from './fold.ts'
import type { Row, Total } from './report.ts'

/* A chain told event by event, and reports folded from it, for the tests of reports. */

export const MARCH = { from: '2026-03-01T00:00:00.000Z', to: '2026-04-01T00:00:00.000Z' }
export const ENVIRONMENT = 'environment-0001'
export const PAYMENTS = 'vault-pay00001'
export const LEGACY = 'vault-leg00001'

export const vault = (name: string, more: Partial<Vault> = {}): Vault => ({
  name,
  uri: `https://${name}.vault.azure.net`,
  resourceId: `/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/${name}`,
  subscription: 's-1',
  location: 'westeurope',
  sku: 'premium',
  softDelete: true,
  purgeProtection: true,
  retentionDays: 90,
  rbac: true,
  publicNetworkAccess: 'disabled',
  defaultAction: null,
  openToAll: false,
  privateEndpoints: 1,
  tags: [],
  ...more,
})

export const item = (asset: string, name: string, more: Partial<VaultItem> = {}): VaultItem => ({
  asset,
  kind: 'secret',
  name,
  enabled: true,
  created: '2026-01-10T00:00:00.000Z',
  updated: '2026-01-10T00:00:00.000Z',
  notBefore: null,
  expires: '2026-06-09T00:00:00.000Z',
  managed: false,
  contentType: null,
  tags: [],
  algorithm: null,
  bits: null,
  curve: null,
  thumbprint: null,
  issuer: null,
  ...more,
})

export const application = (name: string, endsAt: string | null = null): Application => ({
  asset: `app-${name}0`,
  appId: `00000000-0000-4000-8000-0000000000${name.length}0`,
  objectId: 'o',
  name,
  created: null,
  credentials: [
    {
      asset: `app-secret-${name}`,
      keyId: `key-${name}`,
      kind: 'secret',
      name: `${name} secret`,
      startsAt: '2026-01-01T00:00:00.000Z',
      endsAt,
    },
  ],
})

export const scanned = (
  of: string,
  more: Partial<DataOf<'discovery.vault-scanned'>> = {},
): readonly ['discovery.vault-scanned', DataOf<'discovery.vault-scanned'>] => [
  'discovery.vault-scanned',
  { vault: of, facts: null, found: [], changed: [], lost: [], ...more },
]

export const result = (rule: string, more: Partial<RuleResult> = {}): RuleResult => ({
  rule,
  verdict: 'pass',
  weight: 15,
  population: 1,
  passed: 1,
  failed: 0,
  unknown: 0,
  waived: 0,
  ...more,
})

type Told = readonly [at: string, type: EventType, data: unknown]

/** A chain of events. `at` may be a day of March such as `03-10`, or a whole instant. */
export class Chain {
  readonly events: EventOf[] = []

  add<T extends EventType>(at: string, type: T, data: DataOf<T>, by = 'service-test'): this {
    return this.#push([at, type, data], by)
  }

  /** Adds what a helper such as `scanned` made. */
  told<T extends EventType>(at: string, [type, data]: readonly [T, DataOf<T>]): this {
    return this.#push([at, type, data], 'service-test')
  }

  #push([at, type, data]: Told, by: string): this {
    const seq = this.events.length + 1
    this.events.push({
      tenant: 'acme',
      seq,
      stream: 'stream-0001',
      position: seq,
      type,
      at: at.includes('T') ? at : `2026-${at}T00:00:00.000Z`,
      id: `018f0000-0000-7000-8000-${String(seq).padStart(12, '0')}`,
      by: { kind: by.startsWith('operator') ? 'operator' : 'service', id: by },
      cause: { correlation: 'c', causation: 'c' },
      data,
      // The public methods tie type and data together.
    } as EventOf)
    return this
  }

  /** Folds one report; rows as objects by column name. */
  report(
    type: ReportType,
    more: {
      period?: typeof MARCH
      scope?: EvidenceScope
      framework?: FrameworkId
    } = {},
  ): {
    rows: Readonly<Record<string, string>>[]
    raw: Row[]
    totals: readonly Total[]
    total: (name: string) => number | undefined
  } {
    const raw: Row[] = []
    const narrow = narrowing(more.scope ?? null)
    const ask = { period: more.period ?? MARCH, framework: more.framework ?? null }
    const folding = foldReports([type], ask, (_, row) => raw.push(row))
    for (const event of this.events) {
      const left = narrow(event).event
      if (left) folding.apply(left, 'f'.repeat(64))
    }
    const [ended] = folding.end()
    const columns = ended?.report.columns.map((c) => c.name) ?? []
    const totals: readonly Total[] = ended?.totals ?? []
    return {
      raw,
      totals,
      rows: raw.map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i] ?? '']))),
      total: (name) => totals.find((t) => t.name === name)?.value,
    }
  }

  /** What the reports know in common at the end of March. */
  known() {
    const folding = foldReports([], { period: MARCH, framework: null }, () => undefined)
    for (const event of this.events) folding.apply(event, '')
    return folding.known
  }
}
