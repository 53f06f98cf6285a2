import type { RotationRow } from '@attestry/contracts/http'
import { createMemo, Show } from 'solid-js'
import { api } from '../api.ts'
import { counted } from '../numbers.ts'
import { createPages } from '../pages.ts'
import { createReading } from '../reading.ts'
import { Badge } from '../ui/badge.tsx'
import { Filter } from '../ui/field.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, ProblemNotice } from '../ui/notice.tsx'
import { type Column, Rows } from '../ui/rows.tsx'
import type { RotationAddress } from './rotation.tsx'
import { KINDS, STAGES } from './words.ts'

const STATES = [
  ['', 'any'],
  ['attention', 'wants a person'],
  ['running', 'at work'],
  ['ended', 'ended'],
] as const
type State = Exclude<(typeof STATES)[number][0], ''>
const isState = (text: string): text is State => STATES.some(([s]) => s !== '' && s === text)

const COLUMNS: readonly Column<RotationRow>[] = [
  {
    id: 'name',
    label: 'Credential',
    track: 'minmax(0, 1.6fr)',
    narrow: 'title',
    cell: (row) => (
      <span class="named">
        <span class="clip">{row.name}</span>
        <Show when={row.mode === 'compromise'}>
          <Badge tone="critical">compromise</Badge>
        </Show>
      </span>
    ),
  },
  {
    id: 'stage',
    label: 'Stage',
    track: '168px',
    narrow: 'end',
    cell: (row) => (
      <span class="named">
        <Show
          when={row.needsOperator}
          fallback={<Badge tone={STAGES[row.stage].tone}>{STAGES[row.stage].word}</Badge>}
        >
          {(stands) => (
            <Badge tone="high" title={stands().reason}>
              Needs you, {STAGES[row.stage].word.toLowerCase()}
            </Badge>
          )}
        </Show>
        <Show when={row.paused}>
          <Badge tone="medium">paused</Badge>
        </Show>
      </span>
    ),
  },
  {
    id: 'since',
    label: 'Since',
    track: '88px',
    numeric: true,
    narrow: 'sub-end',
    cell: (row) => <Instant at={row.since} form="short" />,
  },
  {
    id: 'kind',
    label: 'Kind',
    track: '160px',
    narrow: 'sub',
    cell: (row) => <span class="clip soft">{KINDS[row.kind]}</span>,
  },
  {
    id: 'policy',
    label: 'Asked by',
    track: '96px',
    narrow: 'hidden',
    cell: (row) => <span class="soft">{row.trigger === 'schedule' ? 'its policy' : 'a person'}</span>,
  },
  {
    id: 'planned',
    label: 'Planned',
    track: '88px',
    numeric: true,
    narrow: 'hidden',
    cell: (row) => <Instant at={row.plannedAt} form="short" />,
  },
  {
    id: 'why',
    label: 'What it says',
    track: 'minmax(0, 1.6fr)',
    narrow: 'hidden',
    cell: (row) => (
      <span class="clip soft" title={row.needsOperator?.reason ?? row.reason ?? ''}>
        {row.needsOperator?.reason ?? row.reason ?? ''}
      </span>
    ),
  },
]

/** Rotations, newest first: all, those at work, those that want a person, or those of one policy or credential. */
export function RotationList(props: { address: RotationAddress }) {
  const filters = createMemo(
    () => {
      const state = props.address.get('state')
      const policy = props.address.get('policy')
      const credential = props.address.get('credential')
      return {
        ...(isState(state) ? { state } : {}),
        ...(policy === '' ? {} : { policy }),
        ...(credential === '' ? {} : { credential }),
      }
    },
    undefined,
    { equals: (a, b) => JSON.stringify(a) === JSON.stringify(b) },
  )
  const pages = createPages<RotationRow>(api.rotation.listRotations.id, filters, (after, limit, signal) =>
    api.rotation.listRotations({ query: { ...filters(), limit, after } }, signal),
  )
  const policies = createReading(api.rotation.listPolicies, () => ({ query: { limit: 500 } }))
  const filtered = (): boolean => Object.keys(filters()).length > 0
  return (
    <>
      <div class="filters" role="search">
        <Filter
          label="State"
          value={props.address.get('state')}
          options={STATES}
          onChange={(state) => props.address.set({ state })}
        />
        <Filter
          label="Policy"
          value={props.address.get('policy')}
          options={[
            ['', 'any'],
            ...(policies.data()?.items ?? []).map((p) => [p.policy, p.subject.name] as const),
          ]}
          onChange={(policy) => props.address.set({ policy })}
        />
        <Show when={props.address.get('credential')}>
          <button
            type="button"
            class="chip"
            aria-pressed="true"
            onClick={() => props.address.set({ credential: '' })}
          >
            One credential’s history ✕
          </button>
        </Show>
        <Show when={filtered()}>
          <button
            type="button"
            class="link"
            onClick={() => props.address.set({ state: '', policy: '', credential: '' })}
          >
            Clear
          </button>
        </Show>
        <Show when={pages.total() !== undefined}>
          <span class="faint tabular" role="status">
            {counted(pages.total() ?? 0, 'rotation')}
            {filtered() ? ' match' : ''}
          </span>
        </Show>
      </div>
      <ProblemNotice problem={pages.problem()} again={pages.again} />
      <Rows
        label="Rotations"
        pages={pages}
        columns={COLUMNS}
        href={(row) => `/rotation/${row.rotation}`}
        name={(row) => `Rotation of ${row.name}, ${STAGES[row.stage].word}`}
        dimmed={(row) => row.endedAt !== null}
        empty={
          <Show
            when={filtered()}
            fallback={
              <Empty
                title="Nothing was rotated yet"
                action={
                  <a class="button" href="/rotation?part=policies">
                    To the policies
                  </a>
                }
              >
                A rotation begins with a policy. Its first step is a plan, and a plan changes nothing.
              </Empty>
            }
          >
            <Empty title="No rotation matches">Loosen a filter, or clear them all.</Empty>
          </Show>
        }
      />
    </>
  )
}
