import type { EventOf, VaultItem } from '@attestry/contracts'
import type { Tx } from '@attestry/kit'

interface VaultChange {
  environment: string | null
  position: number
  facts: object | null
  unreachable: string | null
  lastChange: string
}

interface AssetChange {
  readonly holder: string
  /** Set when the asset was found, not merely changed: then it is seen for the first time. */
  readonly firstSeen: string | null
  readonly at: string
  readonly item: VaultItem
}

export interface History {
  readonly asset: string
  readonly seq: number
  readonly at: string
  readonly what: 'found' | 'changed' | 'lost'
}

/** Rows a statement: some megabytes of JSON. */
const ROWS = 5000

function* slices<T>(all: readonly T[]): Generator<T[]> {
  for (let from = 0; from < all.length; from += ROWS) yield all.slice(from, from + ROWS)
}

/**
 * Vault events of one batch, brought to their last state and written in few statements. What is written does not
 * depend on how the events were cut into batches.
 */
export function vaultBatch() {
  const vaults = new Map<string, VaultChange>()
  const assets = new Map<string, AssetChange | null>()
  const history: History[] = []
  const lostHere = new Set<string>()

  const touch = (event: EventOf, vault: string, facts: object | null, unreachable: string | null) => {
    const before = vaults.get(vault)
    vaults.set(vault, {
      environment: before?.environment ?? event.env ?? null,
      position: event.position,
      facts: facts ?? before?.facts ?? null,
      unreachable,
      lastChange: event.at,
    })
  }

  return {
    /** Takes an event of a vault; false for any other. */
    take(event: EventOf): boolean {
      if (event.type === 'discovery.vault-unreachable') {
        touch(event, event.data.vault, event.data.facts, event.data.why)
        return true
      }
      if (event.type !== 'discovery.vault-scanned') return false
      const { vault, facts, found, changed, lost } = event.data
      const { at, seq } = event
      touch(event, vault, facts, null)
      for (const item of found) {
        assets.set(item.asset, { holder: vault, firstSeen: at, at, item })
        history.push({ asset: item.asset, seq, at, what: 'found' })
      }
      for (const item of changed) {
        const before = assets.get(item.asset)
        assets.set(item.asset, { holder: vault, firstSeen: before?.firstSeen ?? null, at, item })
        history.push({ asset: item.asset, seq, at, what: 'changed' })
      }
      for (const asset of lost) {
        assets.set(asset, null)
        lostHere.add(asset)
        history.push({ asset, seq, at, what: 'lost' })
      }
      return true
    },

    async write(tx: Tx): Promise<void> {
      for (const page of slices([...vaults]))
        await tx.rows(
          `insert into vaults (tenant, vault, environment, position, facts, name, unreachable, last_change)
           select $1, r.vault, r.environment, r.position, r.facts, coalesce(r.facts->>'name', ''), r.unreachable, r.last_change
           from jsonb_to_recordset($2::jsonb) as r(vault text, environment text, position int, facts jsonb,
             unreachable text, last_change timestamptz)
           on conflict (tenant, vault) do update set
             environment = coalesce(vaults.environment, excluded.environment),
             position = excluded.position,
             facts = coalesce(excluded.facts, vaults.facts),
             name = case when excluded.facts is null then vaults.name else excluded.name end,
             unreachable = excluded.unreachable,
             last_change = excluded.last_change`,
          [
            tx.tenant,
            JSON.stringify(
              page.map(([vault, { lastChange, ...change }]) => ({
                vault,
                last_change: lastChange,
                ...change,
              })),
            ),
          ],
        )
      const lost = [...assets].filter(([, change]) => change === null).map(([asset]) => asset)
      for (const page of slices(lost))
        await tx.rows('delete from assets where tenant = $1 and asset = any($2)', [tx.tenant, page])
      const present = [...assets].flatMap(([asset, change]) => (change ? [{ asset, ...change }] : []))
      for (const page of slices(present))
        await tx.rows(
          `insert into assets (tenant, asset, kind, name, folded_name, holder, enabled, created, updated, expires,
             managed, algorithm, bits, curve, detail, first_seen)
           select $1, r.asset, i.kind, i.name, lower(i.name), r.holder, i.enabled, i.created, i.updated, i.expires,
             i.managed, i.algorithm, i.bits, i.curve, r.item, coalesce(r.first_seen, r.at)
           from jsonb_to_recordset($2::jsonb) as r(asset text, holder text, first_seen timestamptz, at timestamptz, item jsonb),
             jsonb_to_record(r.item) as i(kind text, name text, enabled boolean, created timestamptz, updated timestamptz,
               expires timestamptz, managed boolean, algorithm text, bits int, curve text)
           on conflict (tenant, asset) do update set
             kind = excluded.kind, name = excluded.name, folded_name = excluded.folded_name, holder = excluded.holder,
             enabled = excluded.enabled, created = excluded.created, updated = excluded.updated,
             expires = excluded.expires, managed = excluded.managed, algorithm = excluded.algorithm,
             bits = excluded.bits, curve = excluded.curve, detail = excluded.detail`,
          [
            tx.tenant,
            JSON.stringify(page.map(({ firstSeen, ...change }) => ({ ...change, first_seen: firstSeen }))),
          ],
        )
      // What was found again after it was lost is new; where this batch tells both, the row above has outlived it.
      const refound = present.filter(({ asset, firstSeen }) => firstSeen !== null && lostHere.has(asset))
      for (const page of slices(refound))
        await tx.rows(
          `update assets a set first_seen = r.first_seen
           from jsonb_to_recordset($2::jsonb) as r(asset text, first_seen timestamptz)
           where a.tenant = $1 and a.asset = r.asset and a.first_seen <> r.first_seen`,
          [tx.tenant, JSON.stringify(page.map(({ asset, firstSeen }) => ({ asset, first_seen: firstSeen })))],
        )
      await writeHistory(tx, history)
    },
  }
}

/** Adds lines to the history of assets. */
export async function writeHistory(tx: Tx, history: readonly History[]): Promise<void> {
  for (const page of slices(history))
    await tx.rows(
      `insert into asset_history (tenant, asset, seq, at, what)
       select $1, r.asset, r.seq, r.at, r.what
       from jsonb_to_recordset($2::jsonb) as r(asset text, seq bigint, at timestamptz, what text)
       on conflict do nothing`,
      [tx.tenant, JSON.stringify(page)],
    )
}
