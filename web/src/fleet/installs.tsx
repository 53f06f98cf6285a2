import { type InstallLine, isSilent } from '@attestry/contracts/http'
import { createMemo, Show } from 'solid-js'
import { useAddress } from '../address.ts'
import { count } from '../numbers.ts'
import { createPages } from '../pages.ts'
import { createReading } from '../reading.ts'
import { Badge } from '../ui/badge.tsx'
import { Filter } from '../ui/field.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty } from '../ui/notice.tsx'
import { now } from '../ui/now.ts'
import { PageHead } from '../ui/panel.tsx'
import { type Column, Rows } from '../ui/rows.tsx'
import { fleetApi } from './fleet-api.ts'
import { FleetNotice } from './notice.tsx'
import { useVendor } from './vendor.tsx'
import { TIER_WORDS } from './words.ts'

const COLUMNS: readonly Column<InstallLine>[] = [
  {
    id: 'customer',
    label: 'Customer',
    track: 'minmax(0, 1.6fr)',
    narrow: 'title',
    cell: (i) => <span class="clip">{i.customer ?? <span class="faint">{i.license}</span>}</span>,
  },
  {
    id: 'install',
    label: 'Install',
    track: '128px',
    narrow: 'hidden',
    cell: (i) => (
      <code class="soft clip" title={i.install}>
        {i.install.slice(0, 8)}…{i.install.slice(-4)}
      </code>
    ),
  },
  {
    id: 'tier',
    label: 'Tier',
    track: '96px',
    narrow: 'sub',
    cell: (i) => <span class="clip">{i.tier === null ? 'Licence gone' : TIER_WORDS[i.tier]}</span>,
  },
  {
    id: 'version',
    label: 'Version',
    track: '84px',
    narrow: 'sub-end',
    cell: (i) => <code>{i.version}</code>,
  },
  {
    id: 'counts',
    label: 'Counts',
    track: 'minmax(0, 1fr)',
    narrow: 'hidden',
    cell: (i) => (
      <Show when={i.counts} fallback={<span class="faint">not sent</span>}>
        {(counts) => (
          <span class="clip tabular">
            {count(counts().vaults ?? 0)} vaults, {count(counts().secrets ?? 0)} secrets
          </span>
        )}
      </Show>
    ),
  },
  {
    id: 'seen',
    label: 'Last seen',
    track: '148px',
    numeric: true,
    narrow: 'end',
    cell: (i) => (
      <span class="named">
        <Show when={isSilent(i, now())}>
          <Badge tone="high">silent</Badge>
        </Show>
        <Instant at={i.seenAt} form="short" />
      </span>
    ),
  },
]

/** Every install that was ever heard of within a year. How many match is known at the end of the list alone. */
export function Installs() {
  const vendor = useVendor()
  const address = useAddress('/fleet/installs', ['silent', 'version', 'license'])
  const filters = createMemo(
    () => {
      const silent = address.get('silent')
      return {
        ...(silent === 'true' || silent === 'false' ? ({ silent } as const) : {}),
        ...(address.get('version') ? { version: address.get('version') } : {}),
        ...(address.get('license') ? { license: address.get('license') } : {}),
      }
    },
    undefined,
    { equals: (a, b) => JSON.stringify(a) === JSON.stringify(b) },
  )
  let gathered = 0
  let atEnd = false
  const pages = createPages<InstallLine>(
    fleetApi.listInstalls.id,
    filters,
    async (after, limit, signal) => {
      const page = await fleetApi.listInstalls({ query: { ...filters(), limit, after } }, signal)
      gathered = (after === undefined ? 0 : gathered) + page.items.length
      atEnd = page.next === null
      // One row more than is here, so that reaching it reads on.
      return { ...page, total: gathered + (atEnd ? 0 : 1) }
    },
    vendor,
  )
  const health = createReading(fleetApi.fleetHealth, () => ({}))
  const filtered = (): boolean => Object.keys(filters()).length > 0
  const says = (): string => {
    const known = health.data()
    if (!filtered() && known) return `${count(known.installs)}${known.complete ? '' : ' and more'} in all`
    const total = pages.total() ?? 0
    return atEnd ? `${count(total)} match` : `the first ${count(Math.max(0, total - 1))}`
  }
  return (
    <div class="list-page">
      <div class="list-main">
        <PageHead
          title="Installs"
          note={
            <Show when={pages.total() !== undefined}>
              <span class="tabular" role="status">
                {says()}
              </span>
            </Show>
          }
        />
        <div class="filters" role="search">
          <Filter
            label="Heard of"
            value={address.get('silent')}
            onChange={(silent) => address.set({ silent })}
            options={[
              ['', 'ever'],
              ['true', 'silent'],
              ['false', 'lately'],
            ]}
          />
          <Filter
            label="Version"
            value={address.get('version')}
            onChange={(version) => address.set({ version })}
            options={[
              ['', 'any'],
              ...(health.data()?.versions ?? []).map(
                (v) => [v.name, `${v.name} (${count(v.installs)})`] as const,
              ),
            ]}
          />
          <Show when={filtered()}>
            <button
              type="button"
              class="link"
              onClick={() => address.set({ silent: '', version: '', license: '' })}
            >
              Clear
            </button>
          </Show>
        </div>
        <FleetNotice problem={pages.problem()} again={pages.again} />
        <Rows
          label="Installs"
          pages={pages}
          columns={COLUMNS}
          href={(i) => `/fleet/licences/${i.license}`}
          name={(i) => `${i.customer ?? i.license}, version ${i.version}`}
          empty={
            <Show
              when={filtered()}
              fallback={
                <Empty title="No install yet">An install is here from its first licence check on.</Empty>
              }
            >
              <Empty title="No install matches">Loosen a filter, or clear them all.</Empty>
            </Show>
          }
        />
      </div>
    </div>
  )
}
