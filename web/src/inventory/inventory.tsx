import type { AssetRow } from '@attestry/contracts/http'
import { createMemo, For, Show } from 'solid-js'
import { useAddress } from '../address.ts'
import { api } from '../api.ts'
import { count, counted } from '../numbers.ts'
import { createPages } from '../pages.ts'
import { createReading } from '../reading.ts'
import { Badge } from '../ui/badge.tsx'
import { Filter } from '../ui/field.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, ProblemNotice } from '../ui/notice.tsx'
import { PageHead } from '../ui/panel.tsx'
import { type Column, Rows } from '../ui/rows.tsx'
import { SearchBox } from '../ui/search.tsx'
import { Asset } from './asset.tsx'
import { Expiry } from './expiry.tsx'
import { KindIcon } from './kind-icon.tsx'
import { isKind, isSort, isState, KIND_WORDS, KINDS, STATE_WORDS, STATES, strength } from './kinds.ts'

const COLUMNS: readonly Column<AssetRow>[] = [
  {
    id: 'name',
    label: 'Name',
    track: 'minmax(0, 2.4fr)',
    sort: 'name',
    narrow: 'title',
    cell: (row) => (
      <span class="named">
        <KindIcon kind={row.kind} />
        <span class="clip">{row.name}</span>
        <Show when={!row.enabled}>
          <Badge>disabled</Badge>
        </Show>
        <Show when={row.managed}>
          <Badge title="The key or secret half of a certificate: the certificate carries its findings.">
            managed
          </Badge>
        </Show>
      </span>
    ),
  },
  { id: 'kind', label: 'Kind', track: '116px', narrow: 'hidden', cell: (row) => KIND_WORDS[row.kind] },
  {
    id: 'holder',
    label: 'Held by',
    track: 'minmax(0, 1.4fr)',
    sort: 'holder',
    narrow: 'sub',
    cell: (row) => <span class="clip soft">{row.holderName}</span>,
  },
  {
    id: 'strength',
    label: 'Made of',
    track: '112px',
    narrow: 'hidden',
    cell: (row) => <span class="soft tabular">{strength(row) ?? '—'}</span>,
  },
  {
    id: 'dependents',
    label: 'Used by',
    track: '72px',
    numeric: true,
    narrow: 'sub-end',
    cell: (row) => (
      <span class={row.dependents === 0 ? 'faint' : undefined} title={counted(row.dependents, 'dependent')}>
        <span class="compact-only">used by </span>
        {count(row.dependents)}
      </span>
    ),
  },
  {
    id: 'updated',
    label: 'Changed',
    track: '96px',
    numeric: true,
    sort: 'updated',
    narrow: 'hidden',
    cell: (row) => <Instant at={row.updated} form="short" />,
  },
  {
    id: 'expires',
    label: 'Expires',
    track: '104px',
    numeric: true,
    sort: 'expires',
    narrow: 'end',
    cell: (row) => <Expiry at={row.expires} />,
  },
]

/** All that vaults and applications hold, to any number. */
export function Inventory() {
  const address = useAddress('/inventory', ['search', 'kind', 'state', 'holder', 'sort', 'order', 'asset'])
  const filters = createMemo(
    () => {
      const kind = address.get('kind')
      const state = address.get('state')
      const sort = address.get('sort')
      return {
        ...(isKind(kind) ? { kind } : {}),
        ...(isState(state) ? { state } : {}),
        ...(address.get('holder') ? { holder: address.get('holder') } : {}),
        ...(address.get('search') ? { search: address.get('search') } : {}),
        sort: isSort(sort) ? sort : ('name' as const),
        order: address.get('order') === 'desc' ? ('desc' as const) : ('asc' as const),
      }
    },
    undefined,
    { equals: (a, b) => JSON.stringify(a) === JSON.stringify(b) },
  )
  const pages = createPages<AssetRow>(api.discovery.listAssets.id, filters, (after, limit, signal) =>
    api.discovery.listAssets({ query: { ...filters(), limit, after } }, signal),
  )
  const summary = createReading(api.discovery.summariseAssets, () => ({}))
  const vaults = createReading(api.discovery.listVaults, () => ({ query: { limit: 1000 } }))
  const kindCount = (kind: string): number | undefined =>
    summary.data()?.kinds.find((k) => k.kind === kind)?.count
  const stateCount = (state: string): number | undefined =>
    summary.data()?.states.find((s) => s.state === state)?.count
  const holders = (): (readonly [string, string])[] => {
    const known = (vaults.data()?.items ?? []).map((v) => [v.vault, v.facts.name] as const)
    const asked = address.get('holder')
    const sorted = known.toSorted((a, b) => a[1].localeCompare(b[1]))
    return [
      ['', 'any'],
      ...sorted,
      ...(asked && !known.some(([id]) => id === asked) ? [[asked, 'this application'] as const] : []),
    ]
  }
  const filtered = (): boolean =>
    ['search', 'kind', 'state', 'holder'].some(
      (n) => address.get(n as 'search' | 'kind' | 'state' | 'holder') !== '',
    )
  const onSort = (by: string): void => {
    const same = filters().sort === by
    address.set({ sort: by, order: same && filters().order === 'asc' ? 'desc' : 'asc' })
  }
  return (
    <div class="list-page" data-open={address.get('asset') ? '' : undefined}>
      <div class="list-main">
        <PageHead
          title="Inventory"
          note={
            <Show when={pages.total() !== undefined}>
              <span class="tabular" role="status">
                {counted(pages.total() ?? 0, 'credential')}
                {filtered() ? ' match' : ''}
              </span>
            </Show>
          }
        />
        <div class="filters" role="search">
          <SearchBox
            label="Search by name"
            value={address.get('search')}
            onChange={(search) => address.set({ search })}
          />
          <div class="chips" role="group" aria-label="Kind">
            <For each={KINDS}>
              {(kind) => (
                <button
                  type="button"
                  class="chip"
                  aria-pressed={address.get('kind') === kind}
                  onClick={() => address.set({ kind: address.get('kind') === kind ? '' : kind })}
                >
                  {KIND_WORDS[kind]}
                  <Show when={kindCount(kind) !== undefined}>
                    <span class="chip-count">{count(kindCount(kind) ?? 0)}</span>
                  </Show>
                </button>
              )}
            </For>
          </div>
          <Filter
            label="State"
            value={address.get('state')}
            onChange={(state) => address.set({ state })}
            options={[
              ['', 'any'],
              ...STATES.map((s) => {
                const n = stateCount(s)
                return [s, n === undefined ? STATE_WORDS[s] : `${STATE_WORDS[s]} (${count(n)})`] as const
              }),
            ]}
          />
          <Filter
            label="Held by"
            value={address.get('holder')}
            onChange={(holder) => address.set({ holder })}
            options={holders()}
          />
          <Show when={filtered()}>
            <button
              type="button"
              class="link"
              onClick={() => address.set({ search: '', kind: '', state: '', holder: '' })}
            >
              Clear
            </button>
          </Show>
        </div>
        <ProblemNotice problem={pages.problem()} again={pages.again} />
        <Rows
          label="Inventory"
          pages={pages}
          columns={COLUMNS}
          href={(row) => address.with({ asset: row.asset })}
          name={(row) => `${KIND_WORDS[row.kind]} ${row.name} in ${row.holderName}`}
          selected={(row) => row.asset === address.get('asset')}
          dimmed={(row) => !row.enabled}
          sorting={{ by: filters().sort, order: filters().order }}
          onSort={onSort}
          empty={
            <Show
              when={filtered()}
              fallback={
                <Empty title="Nothing is known yet">
                  The first scan fills the inventory. Start it from the overview.
                </Empty>
              }
            >
              <Empty title="Nothing matches these filters">Loosen one of them, or clear them all.</Empty>
            </Show>
          }
        />
      </div>
      <Show when={address.get('asset')}>
        {(asset) => <Asset asset={asset()} back={address.with({ asset: '' })} />}
      </Show>
    </div>
  )
}
