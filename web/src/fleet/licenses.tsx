import { type LicenseRow, Standing, standingOf } from '@attestry/contracts/http'
import { Tier } from '@attestry/contracts'
import Plus from 'lucide-solid/icons/plus'
import { createMemo, createSignal, For, Show } from 'solid-js'
import { useAddress } from '../address.ts'
import { count } from '../numbers.ts'
import { createPages } from '../pages.ts'
import { createReading } from '../reading.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Filter } from '../ui/field.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty } from '../ui/notice.tsx'
import { now } from '../ui/now.ts'
import { PageHead } from '../ui/panel.tsx'
import { type Column, Rows } from '../ui/rows.tsx'
import { SearchBox } from '../ui/search.tsx'
import { EndDay } from './end-day.tsx'
import { fleetApi } from './fleet-api.ts'
import { IssueLicense } from './issue.tsx'
import { FleetNotice } from './notice.tsx'
import { useVendor } from './vendor.tsx'
import { STANDINGS, TIER_WORDS } from './words.ts'

const isStanding = (text: string): text is Standing => Standing.safeParse(text).success
const isTier = (text: string): text is Tier => Tier.safeParse(text).success

/** How a licence stands, as a word with a tone. */
export function StandingBadge(props: { license: Pick<LicenseRow, 'state' | 'expiresAt'> }) {
  const standing = () => STANDINGS[standingOf(props.license, now())]
  return <Badge tone={standing().tone}>{standing().word}</Badge>
}

const COLUMNS: readonly Column<LicenseRow>[] = [
  {
    id: 'customer',
    label: 'Customer',
    track: 'minmax(0, 2fr)',
    narrow: 'title',
    cell: (l) => (
      <span class="named">
        <span class="clip">{l.customer ?? <span class="faint">erased</span>}</span>
        <Show when={l.trial}>
          <Badge>trial</Badge>
        </Show>
      </span>
    ),
  },
  {
    id: 'key',
    label: 'Key',
    track: '92px',
    narrow: 'hidden',
    cell: (l) => <code class="soft">{l.prefix}…</code>,
  },
  {
    id: 'tier',
    label: 'Tier',
    track: '96px',
    narrow: 'sub',
    cell: (l) => <span class="clip">{TIER_WORDS[l.tier]}</span>,
  },
  {
    id: 'standing',
    label: 'Standing',
    track: '112px',
    narrow: 'end',
    cell: (l) => <StandingBadge license={l} />,
  },
  {
    id: 'ends',
    label: 'Ends',
    track: '96px',
    narrow: 'sub-end',
    cell: (l) => <EndDay at={l.expiresAt} />,
  },
  {
    id: 'installs',
    label: 'Installs',
    track: '84px',
    numeric: true,
    narrow: 'hidden',
    cell: (l) => `${count(l.seated)} of ${l.installs === null ? 'any' : count(l.installs)}`,
  },
  {
    id: 'issued',
    label: 'Issued',
    track: '92px',
    numeric: true,
    narrow: 'hidden',
    cell: (l) => <Instant at={l.issuedAt} form="short" />,
  },
]

/** Every licence there is: searched, filtered, and read on as somebody scrolls. */
export function Licenses() {
  const vendor = useVendor()
  const address = useAddress('/fleet/licences', ['search', 'standing', 'tier', 'order'])
  const [issuing, setIssuing] = createSignal(false)
  const filters = createMemo(
    () => {
      const [standing, tier] = [address.get('standing'), address.get('tier')]
      return {
        ...(isStanding(standing) ? { standing } : {}),
        ...(isTier(tier) ? { tier } : {}),
        ...(address.get('search') ? { search: address.get('search') } : {}),
        order: address.get('order') === 'ends-first' ? ('ends-first' as const) : ('newest' as const),
      }
    },
    undefined,
    { equals: (a, b) => JSON.stringify(a) === JSON.stringify(b) },
  )
  const pages = createPages<LicenseRow>(
    fleetApi.listLicenses.id,
    filters,
    (after, limit, signal) => fleetApi.listLicenses({ query: { ...filters(), limit, after } }, signal),
    vendor,
  )
  const health = createReading(fleetApi.fleetHealth, () => ({}))
  const filtered = (): boolean => ['search', 'standing', 'tier'].some((name) => name in filters())
  return (
    <div class="list-page">
      <div class="list-main">
        <PageHead
          title="Licences"
          note={
            <Show when={pages.total() !== undefined}>
              <span class="tabular" role="status">
                {count(pages.total() ?? 0)} {filtered() ? 'match' : 'in all'}
              </span>
            </Show>
          }
          actions={
            <Show when={vendor.may(fleetApi.issueLicense)}>
              <Button
                kind="primary"
                icon={<Plus size={14} aria-hidden="true" />}
                onClick={() => setIssuing(true)}
              >
                Issue a licence
              </Button>
            </Show>
          }
        />
        <div class="filters" role="search">
          <SearchBox
            label="Search licences"
            value={address.get('search')}
            onChange={(search) => address.set({ search })}
          />
          <div class="chips" role="group" aria-label="Standing">
            <For each={Standing.options}>
              {(standing) => (
                <button
                  type="button"
                  class="chip"
                  aria-pressed={address.get('standing') === standing}
                  onClick={() =>
                    address.set({ standing: address.get('standing') === standing ? '' : standing })
                  }
                >
                  {STANDINGS[standing].word}
                  <Show when={health.data()}>
                    {(known) => <span class="chip-count">{count(known().licenses[standing])}</span>}
                  </Show>
                </button>
              )}
            </For>
          </div>
          <Filter
            label="Tier"
            value={address.get('tier')}
            onChange={(tier) => address.set({ tier })}
            options={[['', 'any'], ...Tier.options.map((t) => [t, TIER_WORDS[t]] as const)]}
          />
          <Filter
            label="Order"
            value={filters().order}
            onChange={(order) => address.set({ order: order === 'newest' ? '' : order })}
            options={[
              ['newest', 'newest first'],
              ['ends-first', 'ending first'],
            ]}
          />
          <Show when={filtered()}>
            <button
              type="button"
              class="link"
              onClick={() => address.set({ search: '', standing: '', tier: '' })}
            >
              Clear
            </button>
          </Show>
        </div>
        <FleetNotice problem={pages.problem()} again={pages.again} />
        <Rows
          label="Licences"
          pages={pages}
          columns={COLUMNS}
          href={(l) => `/fleet/licences/${l.license}`}
          name={(l) => `${l.customer ?? l.prefix}, ${TIER_WORDS[l.tier]}`}
          dimmed={(l) => l.state === 'revoked'}
          empty={
            <Show
              when={filtered()}
              fallback={
                <Empty title="No licence yet">
                  Issue the first; its key is shown once, and sent to nobody by us.
                </Empty>
              }
            >
              <Empty title="Nothing matches these filters">Loosen one of them, or clear them all.</Empty>
            </Show>
          }
        />
      </div>
      <Show when={issuing()}>
        <IssueLicense onClose={() => setIssuing(false)} />
      </Show>
    </div>
  )
}
