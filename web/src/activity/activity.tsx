import type { ReplyOf } from '../api.ts'
import ShieldCheck from 'lucide-solid/icons/shield-check'
import ShieldX from 'lucide-solid/icons/shield-x'
import { createMemo, createSignal, Show } from 'solid-js'
import { useAddress } from '../address.ts'
import { api } from '../api.ts'
import { count, counted } from '../numbers.ts'
import { createPages } from '../pages.ts'
import { createAction } from '../reading.ts'
import { rolesNeeded } from '../session/roles.ts'
import { useSession } from '../session/session.tsx'
import { isDay, startOfDay } from '../evidence/period.ts'
import { Receipt } from '../evidence/receipt.tsx'
import { duration, localZone } from '../time.ts'
import { Button } from '../ui/button.tsx'
import { Code } from '../ui/copy.tsx'
import { Filter } from '../ui/field.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, ProblemNotice, Refused } from '../ui/notice.tsx'
import { PageHead } from '../ui/panel.tsx'
import { type Column, Rows } from '../ui/rows.tsx'
import { Facts, SidePanel } from '../ui/side-panel.tsx'
import { says, title, TYPES } from './says.ts'

type Row = ReplyOf<typeof api.gateway.listActivity.endpoint>['items'][number]

const actor = (row: Row): string =>
  row.actorName ?? (row.actorKind === 'operator' ? row.actorId : row.actorKind)

const COLUMNS: readonly Column<Row>[] = [
  {
    id: 'seq',
    label: 'Seq',
    track: '76px',
    numeric: true,
    narrow: 'sub-end',
    cell: (row) => <span class="tabular soft">{count(row.seq)}</span>,
  },
  {
    id: 'says',
    label: 'What happened',
    track: 'minmax(0, 1.6fr)',
    narrow: 'title',
    cell: (row) => <span class="clip">{title(row.type)}</span>,
  },
  {
    id: 'type',
    label: 'Type',
    track: 'minmax(0, 1.4fr)',
    narrow: 'hidden',
    cell: (row) => <code class="clip soft">{row.type}</code>,
  },
  {
    id: 'actor',
    label: 'By',
    track: 'minmax(0, 1fr)',
    narrow: 'sub',
    cell: (row) => (
      <span class="clip" title={`${row.actorKind} ${row.actorId}`}>
        {actor(row)}
      </span>
    ),
  },
  {
    id: 'link',
    label: 'Link',
    track: '104px',
    narrow: 'hidden',
    cell: (row) => (
      <code class="faint" title={row.link}>
        {row.link.slice(0, 10)}…
      </code>
    ),
  },
  {
    id: 'at',
    label: 'When',
    track: '92px',
    numeric: true,
    narrow: 'end',
    cell: (row) => <Instant at={row.at} form="short" />,
  },
]

const KINDS = [
  ['operator', 'people'],
  ['service', 'services'],
  ['schedule', 'schedules'],
  ['install', 'the install'],
] as const

/** A kind of actor as the address says it; anything else filters nothing. */
const kindOf = (text: string): { kind?: (typeof KINDS)[number][0] } => {
  const found = KINDS.find(([kind]) => kind === text)
  return found ? { kind: found[0] } : {}
}

const dayAfter = (day: string): string =>
  new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10)

/** The ledger as it grows, and whether its chain holds. */
export function Activity() {
  const { may } = useSession()
  return (
    <Show
      when={may(api.gateway.listActivity)}
      fallback={
        <div class="page">
          <PageHead title="Activity" />
          <Refused what="The ledger" needs={rolesNeeded(api.gateway.listActivity.endpoint)} />
        </div>
      }
    >
      <Ledger />
    </Show>
  )
}

function Ledger() {
  const { may } = useSession()
  const zone = localZone()
  const exportAddress = (format: 'csv' | 'jsonl'): string => {
    const { from, to } = filters()
    return api.audit.exportAudit.address({
      query: { format, ...(from ? { from } : {}), ...(to ? { to } : {}) },
    })
  }
  const address = useAddress('/activity', ['type', 'actor', 'kind', 'from', 'to', 'event'])
  const filters = createMemo(
    () => ({
      ...(address.get('type') ? { type: address.get('type') } : {}),
      ...(address.get('actor') ? { actor: address.get('actor') } : {}),
      ...kindOf(address.get('kind')),
      ...(isDay(address.get('from')) ? { from: startOfDay(address.get('from'), zone) } : {}),
      // The day itself is meant too.
      ...(isDay(address.get('to')) ? { to: startOfDay(dayAfter(address.get('to')), zone) } : {}),
    }),
    undefined,
    { equals: (a, b) => JSON.stringify(a) === JSON.stringify(b) },
  )
  const pages = createPages<Row>(api.gateway.listActivity.id, filters, (after, limit, signal) =>
    api.gateway.listActivity({ query: { ...filters(), limit, after } }, signal),
  )
  const chosen = (): Row | undefined => pages.rows().find((r) => String(r.seq) === address.get('event'))
  return (
    <div class="list-page" data-open={chosen() ? '' : undefined}>
      <div class="list-main">
        <PageHead
          title="Activity"
          note={
            <Show when={pages.total() !== undefined}>
              <span class="tabular">{counted(pages.total() ?? 0, 'event')}, newest first</span>
            </Show>
          }
        />
        <Show when={may(api.gateway.verifyLedger)}>
          <Verify />
        </Show>
        <div class="filters" role="search">
          <Filter
            label="Type"
            value={address.get('type')}
            onChange={(type) => address.set({ type })}
            options={[['', 'any'], ...TYPES.map((t) => [t, t] as const)]}
          />
          <Filter
            label="By"
            value={address.get('kind')}
            onChange={(kind) => address.set({ kind })}
            options={[['', 'anybody'], ...KINDS]}
          />
          <label class="filter">
            <span>From</span>
            <input
              type="date"
              value={address.get('from')}
              onChange={(event) => address.set({ from: event.currentTarget.value })}
            />
          </label>
          <label class="filter">
            <span>To</span>
            <input
              type="date"
              value={address.get('to')}
              onChange={(event) => address.set({ to: event.currentTarget.value })}
            />
          </label>
          <Show when={may(api.audit.exportAudit)}>
            <a
              class="button"
              href={exportAddress('csv')}
              download=""
              title="The period above; itself an event."
            >
              Export CSV
            </a>
            <a
              class="button"
              href={exportAddress('jsonl')}
              download=""
              title="The period above; itself an event."
            >
              Export JSONL
            </a>
          </Show>
          <Show when={address.get('actor')}>
            <button type="button" class="chip" aria-pressed="true" onClick={() => address.set({ actor: '' })}>
              By <code>{address.get('actor')}</code> ×
            </button>
          </Show>
        </div>
        <ProblemNotice problem={pages.problem()} again={pages.again} />
        <Rows
          label="Ledger"
          pages={pages}
          columns={COLUMNS}
          href={(row) => address.with({ event: String(row.seq) })}
          name={(row) => `Event ${row.seq}: ${row.type}`}
          selected={(row) => String(row.seq) === address.get('event')}
          empty={<Empty title="No event matches">Clear the filter to see the whole ledger.</Empty>}
        />
      </div>
      <Show when={chosen()}>
        {(row) => (
          <SidePanel
            title={title(row().type)}
            kicker={<>Event {count(row().seq)}</>}
            back={address.with({ event: '' })}
            of={String(row().seq)}
          >
            <div class="side-panel-body">
              <Show when={says(row().type)}>{(sentence) => <p>{sentence()}</p>}</Show>
              <Facts
                rows={[
                  ['Type', <code>{row().type}</code>],
                  ['When', <Instant at={row().at} />],
                  ['By', actor(row())],
                  [
                    'Actor',
                    <span>
                      {row().actorKind} <Code text={row().actorId} label="actor id" short />
                    </span>,
                  ],
                  ...(row().address ? [['From', row().address] as const] : []),
                  ...(row().reason ? [['Reason', row().reason] as const] : []),
                  ['Stream', <Code text={row().stream} label="stream" short />],
                  ['Link', <Code text={row().link} label="link" short />],
                ]}
              />
              <p class="faint">
                The link is the SHA-256 of the link before it and this event: change one event and every link
                after it is another.
              </p>
              <Receipt seq={row().seq} />
              <Button onClick={() => address.set({ actor: row().actorId })}>All by {actor(row())}</Button>
            </div>
          </SidePanel>
        )}
      </Show>
    </div>
  )
}

function Verify() {
  type Verdict = ReplyOf<typeof api.gateway.verifyLedger.endpoint>
  const [result, setResult] = createSignal<Verdict>()
  const verify = createAction(async () => {
    setResult(undefined)
    setResult(await api.gateway.verifyLedger({}))
  })
  return (
    <div class="verify-bar" data-tone={result() ? (result()?.ok ? 'good' : 'critical') : undefined}>
      <Button
        busy={verify.busy()}
        onClick={() => void verify.run()}
        icon={<ShieldCheck size={14} aria-hidden="true" />}
      >
        Verify the chain
      </Button>
      <div role="status">
        <Show
          when={result()}
          fallback={
            <span class="soft">
              {verify.busy() ? 'Walking every event…' : 'Recomputes every link from the first event on.'}
            </span>
          }
        >
          {(r) => (
            <Show
              when={r().ok}
              fallback={
                <span>
                  <ShieldX size={15} aria-hidden="true" /> <strong>The chain is broken</strong>
                  <Show when={r().firstBad}>
                    {(bad) => (
                      <>
                        {' '}
                        at event {count(bad().seq)}: {bad().reason}
                      </>
                    )}
                  </Show>
                </span>
              }
            >
              <span class="tabular">
                <ShieldCheck size={15} aria-hidden="true" /> <strong>The chain holds</strong>:{' '}
                {counted(r().events, 'event')} in {duration(r().durationMs)}, head{' '}
                <Code text={r().head} label="head" short />
              </span>
            </Show>
          )}
        </Show>
        <ProblemNotice problem={verify.problem()} />
      </div>
    </div>
  )
}
