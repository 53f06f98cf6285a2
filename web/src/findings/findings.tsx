import type { Finding } from '@attestry/contracts/http'
import type { Severity as SeverityName } from '@attestry/contracts'
import { createMemo, createSignal, For, Show } from 'solid-js'
import { useAddress } from '../address.ts'
import { api, type RequestOf } from '../api.ts'
import { count, counted } from '../numbers.ts'
import { createPages } from '../pages.ts'
import { createReading } from '../reading.ts'
import { Badge, Severity, SEVERITY_WORDS } from '../ui/badge.tsx'
import { Filter } from '../ui/field.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, ProblemNotice } from '../ui/notice.tsx'
import { PageHead } from '../ui/panel.tsx'
import { type Column, Rows } from '../ui/rows.tsx'
import { SearchBox } from '../ui/search.tsx'
import { ByRule } from './by-rule.tsx'
import { FindingDetail } from './finding.tsx'
import { held } from './subject.ts'

const SEVERITIES = Object.keys(SEVERITY_WORDS) as readonly SeverityName[]
const isSeverity = (text: string): text is SeverityName => Object.hasOwn(SEVERITY_WORDS, text)

const COLUMNS: readonly Column<Finding>[] = [
  {
    id: 'severity',
    label: 'Severity',
    track: '92px',
    narrow: 'sub-end',
    cell: (f) => <Severity of={f.severity} />,
  },
  {
    id: 'what',
    label: 'What is wrong',
    track: 'minmax(0, 2.6fr)',
    narrow: 'title',
    cell: (f) => (
      <span class="named">
        <span class="clip">{f.reason}</span>
        <Show when={f.stale}>
          <Badge
            tone="medium"
            title="The last evaluation could not read the subject: the finding stays open."
          >
            stale
          </Badge>
        </Show>
        <Show when={f.reopened > 0}>
          <Badge title={`It was resolved and came back ${counted(f.reopened, 'time')}.`}>reopened</Badge>
        </Show>
        <Show when={f.state === 'resolved'}>
          <Badge tone="good">resolved</Badge>
        </Show>
      </span>
    ),
  },
  {
    id: 'subject',
    label: 'On',
    track: 'minmax(0, 1.4fr)',
    narrow: 'sub',
    cell: (f) => (
      <span class="clip" title={held(f)}>
        {f.subjectName} <span class="faint">{f.holderName === f.subjectName ? '' : f.holderName}</span>
      </span>
    ),
  },
  {
    id: 'rule',
    label: 'Rule',
    track: '88px',
    narrow: 'hidden',
    cell: (f) => (
      <code class="soft" title={f.ruleName}>
        {f.rule}
      </code>
    ),
  },
  {
    id: 'seen',
    label: 'First seen',
    track: '92px',
    numeric: true,
    narrow: 'end',
    cell: (f) => <Instant at={f.firstSeen} form="short" />,
  },
]

type Asked = NonNullable<RequestOf<typeof api.compliance.listFindings.endpoint>['query']>

/** What is wrong, worst first, with the reason and what to do. */
export function Findings() {
  const address = useAddress('/findings', ['state', 'severity', 'rule', 'subject', 'search', 'finding', 'by'])
  const filters = createMemo(
    (): Asked & { state: 'open' | 'resolved' | 'all' } => {
      const severity = address.get('severity')
      const state = address.get('state')
      return {
        state: state === 'resolved' || state === 'all' ? state : 'open',
        ...(isSeverity(severity) ? { severity } : {}),
        ...(address.get('rule') ? { rule: address.get('rule') } : {}),
        ...(address.get('subject') ? { subject: address.get('subject') } : {}),
        ...(address.get('search') ? { search: address.get('search') } : {}),
      }
    },
    undefined,
    { equals: (a, b) => JSON.stringify(a) === JSON.stringify(b) },
  )
  const pages = createPages<Finding>(api.compliance.listFindings.id, filters, (after, limit, signal) =>
    api.compliance.listFindings({ query: { ...filters(), limit, after } }, signal),
  )
  const score = createReading(api.compliance.readScore, () => ({}))
  const rules = createReading(api.compliance.listRules, () => ({}))
  const [kept, setKept] = createSignal<Finding>()
  const chosen = createMemo((): Finding | undefined => {
    const id = address.get('finding')
    if (id === '') return undefined
    const found = pages.rows().find((f) => f.finding === id)
    if (found) setKept(found)
    return found ?? (kept()?.finding === id ? kept() : undefined)
  })
  const open = (severity: SeverityName): number | undefined =>
    score.data()?.open.find((o) => o.severity === severity)?.count
  const filtered = (): boolean => ['severity', 'rule', 'subject', 'search'].some((n) => n in filters())
  const grouped = (): boolean => address.get('by') === 'rule'
  return (
    <div class="list-page" data-open={chosen() ? '' : undefined}>
      <div class="list-main">
        <PageHead
          title="Findings"
          note={
            <Show when={pages.total() !== undefined}>
              <span class="tabular" role="status">
                {count(pages.total() ?? 0)} {filters().state === 'all' ? 'in all' : filters().state}, worst
                first
              </span>
            </Show>
          }
          actions={
            <div class="segments" role="group" aria-label="Show findings">
              <button type="button" aria-pressed={!grouped()} onClick={() => address.set({ by: '' })}>
                One by one
              </button>
              <button
                type="button"
                aria-pressed={grouped()}
                onClick={() => address.set({ by: 'rule', finding: '' })}
              >
                By rule
              </button>
            </div>
          }
        />
        <div class="filters" role="search">
          <SearchBox
            label="Search findings"
            value={address.get('search')}
            onChange={(search) => address.set({ search })}
          />
          <div class="chips" role="group" aria-label="Severity">
            <For each={SEVERITIES}>
              {(severity) => (
                <button
                  type="button"
                  class="chip"
                  aria-pressed={address.get('severity') === severity}
                  onClick={() =>
                    address.set({ severity: address.get('severity') === severity ? '' : severity })
                  }
                >
                  <Severity of={severity} />
                  <Show when={open(severity) !== undefined}>
                    <span class="chip-count">{count(open(severity) ?? 0)}</span>
                  </Show>
                </button>
              )}
            </For>
          </div>
          <Filter
            label="State"
            value={filters().state}
            onChange={(state) => address.set({ state: state === 'open' ? '' : state })}
            options={[
              ['open', 'open'],
              ['resolved', 'resolved'],
              ['all', 'all'],
            ]}
          />
          <Filter
            label="Rule"
            value={address.get('rule')}
            onChange={(rule) => address.set({ rule })}
            options={[
              ['', 'any'],
              ...(rules.data()?.items ?? []).map((r) => [r.rule, `${r.rule} ${r.name}`] as const),
            ]}
          />
          <Show when={filtered()}>
            <button
              type="button"
              class="link"
              onClick={() => address.set({ severity: '', rule: '', subject: '', search: '' })}
            >
              Clear
            </button>
          </Show>
        </div>
        <ProblemNotice problem={pages.problem()} again={pages.again} />
        <Show
          when={!grouped()}
          fallback={
            <ByRule
              rules={rules}
              severity={address.get('severity')}
              search={address.get('search')}
              href={(rule) => address.with({ by: '', rule })}
            />
          }
        >
          <Rows
            label="Findings"
            pages={pages}
            columns={COLUMNS}
            href={(f) => address.with({ finding: f.finding })}
            name={(f) => `${SEVERITY_WORDS[f.severity]}: ${f.ruleName}, ${f.subjectName}`}
            selected={(f) => f.finding === address.get('finding')}
            dimmed={(f) => f.state === 'resolved'}
            empty={
              <Show
                when={filtered() || filters().state !== 'open'}
                fallback={
                  <Show
                    when={score.data()?.current}
                    fallback={
                      <Empty title="Nothing was evaluated yet">
                        Findings appear after the first scan. Start it from the overview.
                      </Empty>
                    }
                  >
                    <Empty title="No open findings">Every rule that could be evaluated is satisfied.</Empty>
                  </Show>
                }
              >
                <Empty title="Nothing matches these filters">Loosen one of them, or clear them all.</Empty>
              </Show>
            }
          />
        </Show>
      </div>
      <Show when={chosen()}>
        {(finding) => <FindingDetail finding={finding()} back={address.with({ finding: '' })} />}
      </Show>
    </div>
  )
}
