import type { AuditRow } from '@attestry/contracts/http'
import { Show } from 'solid-js'
import { createPages } from '../pages.ts'
import { Instant } from '../ui/instant.tsx'
import { Empty } from '../ui/notice.tsx'
import { PageHead } from '../ui/panel.tsx'
import { type Column, Rows } from '../ui/rows.tsx'
import { fleetApi } from './fleet-api.ts'
import { FleetNotice } from './notice.tsx'
import { useVendor } from './vendor.tsx'
import { ACTION_WORDS, ROLE_WORDS } from './words.ts'

const COLUMNS: readonly Column<AuditRow>[] = [
  {
    id: 'action',
    label: 'What',
    track: '168px',
    narrow: 'title',
    cell: (a) => (
      <span class="clip">
        {ACTION_WORDS[a.action] ?? a.action}
        <span class="compact-only">: {a.customer ?? a.license ?? 'a person'}</span>
      </span>
    ),
  },
  {
    id: 'detail',
    label: 'Detail',
    track: 'minmax(0, 2.4fr)',
    narrow: 'sub',
    cell: (a) => (
      <span class="clip" title={a.detail}>
        {a.detail}
      </span>
    ),
  },
  {
    id: 'license',
    label: 'Licence',
    track: 'minmax(0, 1fr)',
    narrow: 'hidden',
    cell: (a) => (
      <span class="soft clip" title={a.license ?? undefined}>
        {a.customer ?? a.license ?? '—'}
      </span>
    ),
  },
  {
    id: 'by',
    label: 'By',
    track: '148px',
    narrow: 'sub-end',
    cell: (a) => (
      <span class="clip">
        {a.by} <span class="faint">{ROLE_WORDS[a.role].toLowerCase()}</span>
      </span>
    ),
  },
  {
    id: 'at',
    label: 'When',
    track: '84px',
    numeric: true,
    narrow: 'end',
    cell: (a) => <Instant at={a.at} form="short" />,
  },
]

/** What the vendor did, newest first. */
export function Audit() {
  const vendor = useVendor()
  let gathered = 0
  const pages = createPages<AuditRow>(
    fleetApi.listAudit.id,
    () => 'audit',
    async (after, limit, signal) => {
      const page = await fleetApi.listAudit({ query: { limit, after } }, signal)
      gathered = (after === undefined ? 0 : gathered) + page.items.length
      return { ...page, total: gathered + (page.next === null ? 0 : 1) }
    },
    vendor,
  )
  return (
    <div class="list-page">
      <div class="list-main">
        <PageHead title="Audit" note="What was done with a vendor token, newest first." />
        <FleetNotice problem={pages.problem()} again={pages.again} />
        <Rows
          label="Audit"
          pages={pages}
          columns={COLUMNS}
          href={(a) => (a.license === null ? '/fleet/audit' : `/fleet/licences/${a.license}`)}
          name={(a) =>
            `${ACTION_WORDS[a.action] ?? a.action}, ${a.customer ?? a.license ?? 'a person'}, by ${a.by}`
          }
          empty={
            <Show when={pages.total() === 0}>
              <Empty title="Nothing was done yet">Each change of a licence is written down here.</Empty>
            </Show>
          }
        />
      </div>
    </div>
  )
}
