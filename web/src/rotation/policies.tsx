import type { PolicyRow } from '@attestry/contracts/http'
import { useNavigate } from '@solidjs/router'
import Plus from 'lucide-solid/icons/plus'
import { createMemo, createSignal, For, Show } from 'solid-js'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { counted } from '../numbers.ts'
import { createPages } from '../pages.ts'
import { createAction, createReading } from '../reading.ts'
import { useSession } from '../session/session.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Filter } from '../ui/field.tsx'
import { Instant } from '../ui/instant.tsx'
import { now } from '../ui/now.ts'
import { Empty, ProblemNotice } from '../ui/notice.tsx'
import { type Column, Rows } from '../ui/rows.tsx'
import { SearchBox } from '../ui/search.tsx'
import { Confirm } from './confirm.tsx'
import { PolicyForm } from './policy-form.tsx'
import type { RotationAddress } from './rotation.tsx'
import { KINDS, STAGES } from './words.ts'
import { type Settings, whyNot } from './why-not.ts'

const STATES = [
  ['', 'any'],
  ['enabled', 'enabled'],
  ['disabled', 'disabled'],
] as const

const columnsOf = (settings: Settings | undefined): readonly Column<PolicyRow>[] => [
  {
    id: 'name',
    label: 'Credential',
    track: 'minmax(0, 1.5fr)',
    narrow: 'title',
    cell: (row) => <span class="clip">{row.subject.name}</span>,
  },
  {
    id: 'state',
    label: 'State',
    track: '140px',
    narrow: 'end',
    cell: (row) => <PolicyState row={row} settings={settings} />,
  },
  {
    id: 'due',
    label: 'Due',
    track: '92px',
    numeric: true,
    narrow: 'sub-end',
    cell: (row) => <Instant at={row.dueAt} form="short" none="by hand" />,
  },
  {
    id: 'cadence',
    label: 'Cadence',
    track: '84px',
    numeric: true,
    narrow: 'hidden',
    cell: (row) => <span class="tabular">{row.cadenceDays} d</span>,
  },
  {
    id: 'kind',
    label: 'Kind',
    track: '150px',
    narrow: 'sub',
    cell: (row) => <span class="clip soft">{KINDS[row.subject.kind]}</span>,
  },
  {
    id: 'to',
    label: 'Stored in',
    track: 'minmax(0, 1fr)',
    narrow: 'hidden',
    cell: (row) => <span class="clip soft">{row.vaultNames.join(', ') || 'itself'}</span>,
  },
  {
    id: 'matches',
    label: 'Matches',
    track: '104px',
    numeric: true,
    narrow: 'hidden',
    cell: (row) => (
      <Show
        when={row.matches.proposed > 0}
        fallback={<span class="faint">{row.matches.verified} verified</span>}
      >
        <Badge tone="medium">{row.matches.proposed} to judge</Badge>
      </Show>
    ),
  },
]

function PolicyState(props: { row: PolicyRow; settings: Settings | undefined }) {
  const held = () => whyNot(props.row, props.settings, now()).find((r) => r.holds)
  return (
    <Show
      when={props.row.running}
      fallback={
        <Show when={held()} fallback={<Badge tone="good">Runs by itself</Badge>}>
          {(reason) => (
            <Badge tone={props.row.enabled ? 'high' : 'plain'} title={reason().says}>
              {props.row.enabled ? 'Held up' : 'Disabled'}
            </Badge>
          )}
        </Show>
      }
    >
      {(running) => <Badge tone={STAGES[running().stage].tone}>{STAGES[running().stage].word}</Badge>}
    </Show>
  )
}

/** Which credentials are rotated on which terms, when each is due, and what holds one up. */
export function Policies(props: { address: RotationAddress; settings: Settings | undefined }) {
  const { may } = useSession()
  const navigate = useNavigate()
  const filters = createMemo(
    (): { search?: string; state?: 'enabled' | 'disabled' } => {
      const search = props.address.get('search')
      const asked = props.address.get('state')
      const state = asked === 'enabled' || asked === 'disabled' ? asked : null
      return {
        ...(search === '' ? {} : { search }),
        ...(state === null ? {} : { state }),
      }
    },
    undefined,
    { equals: (a, b) => JSON.stringify(a) === JSON.stringify(b) },
  )
  const pages = createPages<PolicyRow>(api.rotation.listPolicies.id, filters, (after, limit, signal) =>
    api.rotation.listPolicies({ query: { ...filters(), limit, after } }, signal),
  )
  const columns = createMemo(() => columnsOf(props.settings))
  const fresh = () => props.address.get('new')
  return (
    <>
      <div class="filters rotation-bar" role="search">
        <SearchBox
          label="Search policies"
          value={props.address.get('search')}
          onChange={(search) => props.address.set({ search })}
        />
        <Filter
          label="State"
          value={props.address.get('state')}
          options={STATES}
          onChange={(state) => props.address.set({ state })}
        />
        <Show when={pages.total() !== undefined}>
          <span class="faint tabular" role="status">
            {counted(pages.total() ?? 0, 'policy', 'policies')}
          </span>
        </Show>
        <Show when={may(api.rotation.savePolicy)}>
          <Button
            kind="primary"
            class="rotation-new"
            icon={<Plus size={14} aria-hidden="true" />}
            onClick={() => props.address.set({ new: 'yes' }, false)}
          >
            New policy
          </Button>
        </Show>
      </div>
      <Selectors />
      <ProblemNotice problem={pages.problem()} again={pages.again} />
      <Rows
        label="Policies"
        pages={pages}
        columns={columns()}
        href={(row) => props.address.with({ policy: row.policy })}
        name={(row) => `Policy of ${row.subject.name}`}
        selected={(row) => row.policy === props.address.get('policy')}
        dimmed={(row) => !row.enabled}
        empty={
          <Show
            when={Object.keys(filters()).length > 0}
            fallback={
              <Empty title="No policy yet">
                A policy says which credential is rotated, how often, where new values go and who agrees.
                Without one nothing is rotated.
              </Empty>
            }
          >
            <Empty title="No policy matches">Change the search, or clear it.</Empty>
          </Show>
        }
      />
      <Show when={fresh() !== '' && may(api.rotation.savePolicy)}>
        <PolicyForm
          credential={fresh() === 'yes' ? '' : fresh()}
          onClose={() => props.address.set({ new: '' })}
          onSaved={(policy) => navigate(props.address.with({ new: '', policy: policy ?? '' }))}
        />
      </Show>
    </>
  )
}

/** Selectors that make policies by themselves, where there are some. */
function Selectors() {
  const { may } = useSession()
  const live = useLive()
  const selectors = createReading(api.rotation.listSelectors, () => ({}))
  const [ending, setEnding] = createSignal<{ selector: string; namePart: string }>()
  const end = createAction(async () => {
    const one = ending()
    if (!one) return
    await api.rotation.disableSelector({ params: { selector: one.selector } })
    live.touch(['rotation'])
    setEnding(undefined)
  })
  return (
    <>
      <Show when={(selectors.data()?.items.length ?? 0) > 0}>
        <ul class="rotation-selectors" aria-label="Selectors">
          <For each={selectors.data()?.items}>
            {(one) => (
              <li>
                <span>
                  Every application secret{' '}
                  <Show when={one.namePart}>
                    with <strong>{one.namePart}</strong> in its name{' '}
                  </Show>
                  gets a policy of {one.cadenceDays} days{' '}
                  <span class="faint">({counted(one.policies, 'policy', 'policies')} so far)</span>
                </span>
                <Show when={may(api.rotation.disableSelector)}>
                  <Button kind="quiet" onClick={() => setEnding(one)}>
                    End
                  </Button>
                </Show>
              </li>
            )}
          </For>
        </ul>
      </Show>
      <Show when={ending()}>
        <Confirm
          title="End this selector"
          says={['It makes no more policies. Those that it made stay as they are.']}
          word="End it"
          danger
          action={end}
          onClose={() => setEnding(undefined)}
        />
      </Show>
    </>
  )
}
