import type { AppCredential, Edge, Resource, VaultItem } from '@attestry/contracts'
import type { AssetDetail, AssetKind, AssetRow, discoveryHttp } from '@attestry/contracts/http'
import { type Cursor, cursorOf, cursorText, instantOf, literally, timeCursorOf, type Tx } from '@attestry/kit'
import type * as z from 'zod'

type Query = z.infer<typeof discoveryHttp.listAssets.query>

interface Row {
  asset: string
  kind: AssetKind
  name: string
  holder: string
  holder_name: string
  subscription: string | null
  enabled: boolean
  created: string | null
  updated: string | null
  expires: string | null
  managed: boolean
  algorithm: string | null
  bits: number | null
  curve: string | null
  dependents: number
  first_seen: string
  detail: VaultItem | AppCredential
  key: string
}

/** What a list is sorted by, as an expression that has an index and no nulls, and its type. */
const SORTS = {
  name: ['a.folded_name', 'text'],
  expires: [`coalesce(a.expires, 'infinity'::timestamptz)`, 'timestamptz'],
  updated: [`coalesce(a.updated, '-infinity'::timestamptz)`, 'timestamptz'],
  holder: [`coalesce(v.name, p.name, '')`, 'text'],
} as const satisfies Record<Query['sort'], readonly [string, string]>

const STATES: Record<NonNullable<Query['state']>, string> = {
  expired: 'a.expires <= $NOW',
  'expires-7d': `a.expires > $NOW and a.expires < $NOW + interval '7 days'`,
  'expires-30d': `a.expires > $NOW and a.expires < $NOW + interval '30 days'`,
  'no-expiry': 'a.expires is null',
  disabled: 'not a.enabled',
}

const HOLDERS = `left join vaults v on v.tenant = a.tenant and v.vault = a.holder
  left join applications p on p.tenant = a.tenant and p.asset = a.holder`

const COLUMNS = `a.asset, a.kind, a.name, a.holder, coalesce(v.name, p.name, '') as holder_name,
  v.facts->>'subscription' as subscription, a.enabled, a.created, a.updated, a.expires, a.managed, a.algorithm,
  a.bits, a.curve, a.first_seen, a.detail,
  (select count(*)::int from edges e
   where e.tenant = a.tenant and e.target = a.asset and e.verdict <> 'rejected') as dependents`

const shown = (row: Row): AssetRow => ({
  asset: row.asset,
  kind: row.kind,
  name: row.name,
  holder: row.holder,
  holderName: row.holder_name,
  subscription: row.subscription,
  enabled: row.enabled,
  created: instantOf(row.created),
  updated: instantOf(row.updated),
  expires: instantOf(row.expires),
  managed: row.managed,
  algorithm: row.algorithm,
  bits: row.bits,
  curve: row.curve,
  dependents: row.dependents,
  firstSeen: instantOf(row.first_seen),
})

/** A page of the inventory, by keyset: as fast at its end as at its start. */
export async function listAssets(
  tx: Tx,
  query: Query,
  now: string,
): Promise<{ items: AssetRow[]; next: string | null; total: number }> {
  const values: unknown[] = [tx.tenant]
  const value = (v: unknown): string => `$${values.push(v)}`
  const where = ['a.tenant = $1']
  if (query.kind) where.push(`a.kind = ${value(query.kind)}`)
  if (query.holder) where.push(`a.holder = ${value(query.holder)}`)
  if (query.search) where.push(`a.folded_name like ${value(`%${literally(query.search.toLowerCase())}%`)}`)
  if (query.state) {
    const test = STATES[query.state]
    // Postgres refuses a parameter that no condition uses.
    where.push(test.includes('$NOW') ? test.replaceAll('$NOW', `${value(now)}::timestamptz`) : test)
  }
  const [count] = await tx.rows<{ total: number }>(
    `select count(*)::int as total from assets a where ${where.join(' and ')}`,
    values,
  )
  const [sort, type] = SORTS[query.sort]
  const after = type === 'timestamptz' ? timeCursorOf(query.after) : cursorOf(query.after)
  if (after)
    where.push(
      `(${sort}, a.asset) ${query.order === 'asc' ? '>' : '<'} (${value(after.key)}::${type}, ${value(after.id)})`,
    )
  const rows = await tx.rows<Row>(
    `select ${COLUMNS}, (${sort})::text as key from assets a ${HOLDERS} where ${where.join(' and ')}
     order by ${sort} ${query.order}, a.asset ${query.order} limit ${value(query.limit + 1)}`,
    values,
  )
  const page = rows.slice(0, query.limit)
  const end = page.at(-1)
  const last: Cursor | null = rows.length > query.limit && end ? { key: end.key, id: end.asset } : null
  return { items: page.map(shown), next: last && cursorText(last), total: count?.total ?? 0 }
}

interface DependentRow {
  resource: string
  facts: Resource
  edge: Edge
  verdict: 'proposed' | 'confirmed' | 'rejected'
}

/** One asset with who uses it and its history, or null. */
export async function readAsset(tx: Tx, asset: string): Promise<z.input<typeof AssetDetail> | null> {
  const [row] = await tx.rows<Row>(
    `select ${COLUMNS}, '' as key from assets a ${HOLDERS} where a.tenant = $1 and a.asset = $2`,
    [tx.tenant, asset],
  )
  if (!row) return null
  const usedBy = await tx.rows<DependentRow>(
    `select e.resource, r.facts, e.facts as edge, e.verdict from edges e
     join resources r on r.tenant = e.tenant and r.resource = e.resource
     where e.tenant = $1 and e.target = $2 and r.facts is not null order by r.name limit 1000`,
    [tx.tenant, asset],
  )
  const history = await tx.rows<{ at: string; seq: number; what: 'found' | 'changed' | 'lost' }>(
    `select at, seq::int as seq, what from asset_history where tenant = $1 and asset = $2 order by seq desc limit 500`,
    [tx.tenant, asset],
  )
  const item = 'managed' in row.detail ? row.detail : null
  return {
    ...shown(row),
    tags: item?.tags ?? [],
    contentType: item?.contentType ?? null,
    item,
    credential: 'keyId' in row.detail ? row.detail : null,
    usedBy,
    history: history.map(({ at, seq, what }) => ({ at: instantOf(at), seq, what })),
  }
}

type Summary = z.input<typeof discoveryHttp.summariseAssets.reply>

/** Counts by kind and state, and expiries by day for 90 days. Certificate-backed halves are counted once, as certificates. */
export async function summariseAssets(tx: Tx, now: string): Promise<Summary> {
  const kinds = await tx.rows<{ kind: AssetKind; count: number }>(
    'select kind, count(*)::int as count from assets where tenant = $1 and not managed group by kind order by kind',
    [tx.tenant],
  )
  const [states] = await tx.rows<Record<string, number>>(
    `select ${Object.entries(STATES)
      .map(
        ([state, test]) =>
          `count(*) filter (where ${test.replaceAll('$NOW', '$2::timestamptz')})::int as "${state}"`,
      )
      .join(', ')} from assets a where a.tenant = $1 and not a.managed and $2::text is not null`,
    [tx.tenant, now],
  )
  const expiries = await tx.rows<{ day: string; count: number }>(
    `select to_char(expires at time zone 'UTC', 'YYYY-MM-DD') as day, count(*)::int as count from assets
     where tenant = $1 and enabled and not managed and expires > $2::timestamptz
       and expires < $2::timestamptz + interval '90 days' group by 1 order by 1`,
    [tx.tenant, now],
  )
  const [totals] = await tx.rows<{
    vaults: number
    unreachable: number
    applications: number
    resources: number
  }>(
    `select
       (select count(*)::int from vaults where tenant = $1 and unreachable is distinct from 'gone') as vaults,
       (select count(*)::int from vaults where tenant = $1 and unreachable is not null and unreachable <> 'gone') as unreachable,
       (select count(*)::int from applications where tenant = $1) as applications,
       (select count(*)::int from resources where tenant = $1 and not gone) as resources`,
    [tx.tenant],
  )
  return {
    kinds,
    states: Object.entries(states ?? {}).map(([state, count]) => ({ state, count })),
    expiries,
    vaults: totals?.vaults ?? 0,
    unreachable: totals?.unreachable ?? 0,
    applications: totals?.applications ?? 0,
    resources: totals?.resources ?? 0,
  }
}
