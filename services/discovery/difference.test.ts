import type {
  Application,
  Edge,
  EventOf,
  Fact,
  HardCoded,
  Resource,
  Vault,
  VaultItem,
} from '@attestry/contracts'
import { describe, expect, test } from 'vitest'
import {
  decideApplications,
  decideGone,
  decideHidden,
  decideResource,
  decideResourceGone,
  decideVault,
  type SeenVault,
} from './difference.ts'
import {
  evolveApplications,
  evolveResource,
  evolveVault,
  type KnownApplications,
  type KnownResource,
  type KnownVault,
  same,
  unknownResource,
  unknownVault,
} from './inventory.ts'

const where = { env: 'environment-0001', run: 'scan-0001' }
const VAULT = 'vault-0001'

const facts: Vault = {
  name: 'kv-orders',
  uri: 'https://kv-orders.vault.azure.net/',
  resourceId: '/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv-orders',
  subscription: 's',
  location: 'westeurope',
  sku: 'standard',
  softDelete: true,
  purgeProtection: null,
  retentionDays: 90,
  rbac: true,
  publicNetworkAccess: 'enabled',
  defaultAction: 'deny',
  openToAll: false,
  privateEndpoints: 0,
  tags: [['env', 'prod']],
}

const item = (n: number, change: Partial<VaultItem> = {}): VaultItem => ({
  asset: `secret-${String(n).padStart(4, '0')}`,
  kind: 'secret',
  name: `name-${n}`,
  enabled: true,
  created: '2026-01-01T00:00:00.000Z',
  updated: '2026-01-01T00:00:00.000Z',
  notBefore: null,
  expires: null,
  managed: false,
  contentType: null,
  tags: [],
  algorithm: null,
  bits: null,
  curve: null,
  thumbprint: null,
  issuer: null,
  ...change,
})

const seen = (items: readonly VaultItem[], change: Partial<SeenVault> = {}): SeenVault => ({
  vault: VAULT,
  facts,
  items,
  unread: new Set(),
  unreachable: null,
  ...change,
})

const knowing = (items: readonly VaultItem[], change: Partial<KnownVault> = {}): KnownVault => ({
  facts,
  unreachable: null,
  items: new Map(items.map((one) => [one.asset, one])),
  ...change,
})

const fold = <T>(
  start: T,
  evolve: (known: T, event: Pick<EventOf, 'type' | 'data'>) => T,
  made: readonly Fact[],
): T => made.reduce<T>((known, one) => evolve(known, one), start)

const scanned = (made: readonly Fact[]) =>
  made.flatMap((one) => (one.type === 'discovery.vault-scanned' ? [one.data] : []))

describe('decideVault()', () => {
  test('tells a new vault with its facts and its items', () => {
    const made = decideVault(unknownVault, seen([item(1), item(2)]), where)
    expect(made).toEqual([
      {
        type: 'discovery.vault-scanned',
        env: where.env,
        run: where.run,
        data: { vault: VAULT, facts, found: [item(1), item(2)], changed: [], lost: [] },
      },
    ])
  })

  test('tells a new vault that is empty', () => {
    expect(scanned(decideVault(unknownVault, seen([]), where))).toEqual([
      { vault: VAULT, facts, found: [], changed: [], lost: [] },
    ])
  })

  test('says nothing of a vault in which nothing differs, whatever the order of items and tags of keys', () => {
    const known = knowing([item(1), item(2)])
    expect(decideVault(known, seen([item(2), item(1)]), where)).toEqual([])
  })

  test('tells one changed item in one event, and the vault’s facts only when they changed', () => {
    const known = knowing([item(1), item(2)])
    const changed = item(2, { enabled: false })
    expect(scanned(decideVault(known, seen([item(1), changed]), where))).toEqual([
      { vault: VAULT, facts: null, found: [], changed: [changed], lost: [] },
    ])
    const moved = { ...facts, purgeProtection: true }
    expect(scanned(decideVault(known, seen([item(1), item(2)], { facts: moved }), where))).toEqual([
      { vault: VAULT, facts: moved, found: [], changed: [], lost: [] },
    ])
  })

  test('calls lost what is no longer listed', () => {
    const [only] = scanned(decideVault(knowing([item(1), item(2)]), seen([item(1)]), where))
    expect(only?.lost).toEqual(['secret-0002'])
  })

  test('calls nothing lost of a kind whose listing broke off', () => {
    const key = item(9, { asset: 'key-0009', kind: 'key' })
    const made = decideVault(
      knowing([item(1), key]),
      seen([], { unread: new Set(['key'] as const), unreachable: 'failed' }),
      where,
    )
    expect(scanned(made).flatMap((data) => data.lost)).toEqual(['secret-0001'])
    expect(made.at(-1)?.type).toBe('discovery.vault-unreachable')
  })

  test('says that a vault cannot be read once, and again only when the reason changes', () => {
    const blocked = seen([], {
      unread: new Set(['secret', 'key', 'certificate'] as const),
      unreachable: 'firewall',
    })
    const first = decideVault(unknownVault, blocked, where)
    expect(first).toMatchObject([{ type: 'discovery.vault-unreachable', data: { facts, why: 'firewall' } }])
    const known = fold(unknownVault, evolveVault, first)
    expect(decideVault(known, blocked, where)).toEqual([])
    expect(decideVault(known, { ...blocked, unreachable: 'forbidden' }, where)).toMatchObject([
      { data: { facts: null, why: 'forbidden' } },
    ])
  })

  test('says that a vault can be read again, even if nothing in it changed', () => {
    const known = knowing([item(1)], { unreachable: 'throttled' })
    expect(scanned(decideVault(known, seen([item(1)]), where))).toEqual([
      { vault: VAULT, facts: null, found: [], changed: [], lost: [] },
    ])
  })

  test('splits by a hundred things and tells the facts of the vault once', () => {
    const items = Array.from({ length: 250 }, (_, n) => item(n))
    const pages = scanned(decideVault(unknownVault, seen(items), where))
    expect(pages.map((page) => page.found.length)).toEqual([100, 100, 50])
    expect(pages.map((page) => page.facts !== null)).toEqual([true, false, false])
  })

  test('splits sooner where tags are large, so that an event stays below 128 kB', () => {
    const tags = Array.from({ length: 15 }, (_, n): [string, string] => [
      `${n}`.padEnd(256, 'n'),
      'v'.repeat(256),
    ])
    const pages = scanned(
      decideVault(unknownVault, seen(Array.from({ length: 100 }, (_, n) => item(n, { tags }))), where),
    )
    expect(pages.length).toBeGreaterThan(1)
    for (const page of pages) expect(JSON.stringify(page).length).toBeLessThan(120_000)
    expect(pages.flatMap((page) => page.found)).toHaveLength(100)
  })

  test('takes an item that a listing shows twice for one', () => {
    expect(scanned(decideVault(unknownVault, seen([item(1), item(1)]), where))[0]?.found).toHaveLength(1)
  })
})

describe('a vault that is not listed any more', () => {
  test('is gone with all that it held, once', () => {
    const known = knowing([item(1), item(2)])
    const made = decideGone(VAULT, known, where)
    expect(made.map(({ type }) => type)).toEqual(['discovery.vault-scanned', 'discovery.vault-unreachable'])
    const after = fold(known, evolveVault, made)
    expect(after).toMatchObject({ unreachable: 'gone' })
    expect(after.items.size).toBe(0)
    expect(decideGone(VAULT, after, where)).toEqual([])
  })

  test('is found again with all that it holds when it was recovered', () => {
    const after = fold(knowing([item(1)]), evolveVault, decideGone(VAULT, knowing([item(1)]), where))
    const back = fold(after, evolveVault, decideVault(after, seen([item(1)]), where))
    expect(back.unreachable).toBeNull()
    expect([...back.items.keys()]).toEqual(['secret-0001'])
  })

  test('keeps what it held where only its subscription cannot be seen any more', () => {
    const known = knowing([item(1)])
    const after = fold(known, evolveVault, decideHidden(VAULT, known, where))
    expect(after).toEqual({ ...known, unreachable: 'forbidden' })
    expect(decideHidden(VAULT, after, where)).toEqual([])
  })
})

/** A small deterministic generator, so that a failing sequence can be run again. */
function dice(seed: number) {
  let state = seed
  return (sides: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
}

describe('any sequence of sights', () => {
  test.each(Array.from({ length: 25 }, (_, seed) => seed + 1))(
    'ends, folded, in what was seen last, and a second look says nothing (seed %i)',
    (seed) => {
      const roll = dice(seed)
      let known = unknownVault
      const kinds = ['secret', 'key', 'certificate'] as const
      for (let turn = 0; turn < 20; turn++) {
        const items = Array.from({ length: roll(220) }, (): VaultItem => {
          const kind = kinds[roll(3)] ?? 'secret'
          const n = roll(150)
          return item(n, { asset: `${kind}-${String(n).padStart(4, '0')}`, kind, enabled: roll(4) > 0 })
        })
        const unique = [...new Map(items.map((one) => [one.asset, one])).values()]
        const unread = new Set(kinds.filter(() => roll(6) === 0))
        const sight = seen(
          unique.filter(({ kind }) => !unread.has(kind)),
          {
            unread,
            unreachable: unread.size > 0 ? ((['firewall', 'throttled'] as const)[roll(2)] ?? 'failed') : null,
            facts: { ...facts, retentionDays: 7 + roll(2) },
          },
        )
        const made = decideVault(known, sight, where)
        for (const page of scanned(made))
          expect(page.found.length + page.changed.length + page.lost.length).toBeLessThanOrEqual(100)
        const after = fold(known, evolveVault, made)
        const kept = [...known.items.values()].filter(({ kind }) => unread.has(kind))
        const expected = new Map([...kept, ...sight.items].map((one) => [one.asset, one]))
        expect(after.facts).toEqual(sight.facts)
        expect(after.unreachable).toBe(sight.unreachable)
        expect(after.items).toEqual(expected)
        expect(decideVault(after, sight, where)).toEqual([])
        known = after
      }
    },
  )
})

describe('decideApplications()', () => {
  const application = (n: number, ends: string | null = null): Application => ({
    asset: `app-${String(n).padStart(4, '0')}`,
    appId: `id-${n}`,
    objectId: `object-${n}`,
    name: `app ${n}`,
    created: null,
    credentials: [
      {
        asset: `app-secret-${String(n).padStart(4, '0')}`,
        keyId: `key-${n}`,
        kind: 'secret',
        name: null,
        startsAt: null,
        endsAt: ends,
      },
    ],
  })
  const none: KnownApplications = new Map()

  test('tells found, changed and lost applications and folds back to what was seen', () => {
    const first = fold(
      none,
      evolveApplications,
      decideApplications('directory-0001', none, [application(1), application(2)], true, where),
    )
    expect([...first.keys()]).toEqual(['app-0001', 'app-0002'])
    const made = decideApplications(
      'directory-0001',
      first,
      [application(2, '2027-01-01T00:00:00.000Z'), application(3)],
      true,
      where,
    )
    expect(made).toMatchObject([
      {
        data: {
          found: [{ asset: 'app-0003' }],
          changed: [{ asset: 'app-0002' }],
          lost: ['app-0001'],
        },
      },
    ])
    const after = fold(first, evolveApplications, made)
    expect([...after.keys()].toSorted()).toEqual(['app-0002', 'app-0003'])
    expect(decideApplications('directory-0001', after, [...after.values()], true, where)).toEqual([])
  })

  test('calls nothing lost when the listing was cut off', () => {
    const known = new Map([['app-0001', application(1)]])
    expect(decideApplications('directory-0001', known, [], false, where)).toEqual([])
  })
})

describe('decideResource()', () => {
  const resource: Resource = {
    name: 'app-orders',
    resourceId: '/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/app-orders',
    type: 'app-service',
    subscription: 's',
  }
  const edge = (n: number, change: Partial<Edge> = {}): Edge => ({
    edge: `edge-${String(n).padStart(4, '0')}`,
    via: 'key-vault-reference',
    setting: `SETTING_${n}`,
    target: null,
    targetName: `kv/${n}`,
    confidence: 100,
    status: 'Resolved',
    ...change,
  })
  const plain = (n: number): HardCoded => ({
    setting: `setting-${String(n).padStart(4, '0')}`,
    name: `PASSWORD_${n}`,
    looksLike: 'password',
  })
  const sight = (edges: Edge[] | null, hardCoded: HardCoded[] | null = null) => ({
    resource: 'resource-0001',
    facts: resource,
    edges,
    hardCoded,
  })
  const after = (known: KnownResource, ...sights: ReturnType<typeof sight>[]): KnownResource =>
    sights.reduce((k, s) => fold(k, evolveResource, decideResource(k, s, where)), known)

  test('tells edges that are new, that changed and that went, and says nothing the second time', () => {
    const first = after(unknownResource, sight([edge(1), edge(2)]))
    const next = sight([edge(2, { status: 'SecretNotFound', confidence: 80 }), edge(3)])
    expect(decideResource(first, next, where)).toMatchObject([
      { data: { facts: null, found: [{ edge: 'edge-0002' }, { edge: 'edge-0003' }], lost: ['edge-0001'] } },
    ])
    expect(decideResource(after(first, next), next, where)).toEqual([])
  })

  test('keeps edges when the references could not be read', () => {
    const first = after(unknownResource, sight([edge(1)]))
    expect(decideResource(first, sight(null), where)).toEqual([])
  })

  test('says when a look at settings is allowed or not any more, and keeps what the last look showed', () => {
    const guess = edge(7, { via: 'name', confidence: 60 })
    const looked = after(unknownResource, sight([edge(1), guess], [plain(1)]))
    expect(looked.settingsRead).toBe(true)
    const made = decideResource(looked, sight([edge(1)]), where)
    expect(made).toMatchObject([{ data: { settingsRead: false, lost: [], hardCodedCleared: [] } }])
    const later = after(looked, sight([edge(1)]))
    expect([...later.hardCoded.keys()]).toEqual(['setting-0001'])
    expect([...later.edges.keys()]).toContain('edge-0007')
    expect(after(later, sight([edge(1)], [])).hardCoded.size).toBe(0)
  })

  test('splits a resource with very many settings', () => {
    const edges = Array.from({ length: 230 }, (_, n) => edge(n))
    const made = decideResource(unknownResource, sight(edges, [plain(1)]), where)
    expect(made.length).toBeGreaterThan(2)
    const folded = fold(unknownResource, evolveResource, made)
    expect(folded.edges.size).toBe(230)
    expect(folded.hardCoded.size).toBe(1)
    expect(decideResource(folded, sight(edges, [plain(1)]), where)).toEqual([])
  })

  test('is gone with its edges, once, and may come back', () => {
    const known = after(unknownResource, sight([edge(1)], [plain(1)]))
    const gone = fold(known, evolveResource, decideResourceGone('resource-0001', known, where))
    expect(gone).toMatchObject({ gone: true })
    expect(gone.edges.size + gone.hardCoded.size).toBe(0)
    expect(decideResourceGone('resource-0001', gone, where)).toEqual([])
    expect(after(gone, sight([edge(1)], [plain(1)]))).toMatchObject({ gone: false })
  })
})

test('same() does not mind the order of keys, and minds everything else', () => {
  expect(same({ a: 1, b: [1, 2] }, { b: [1, 2], a: 1 })).toBe(true)
  expect(same({ a: 1, b: [1, 2] }, { b: [2, 1], a: 1 })).toBe(false)
  expect(same(null, item(1))).toBe(false)
})
