import type { MatchRow } from '@attestry/contracts/http'
import { createMemo, createSignal, For, Show } from 'solid-js'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { count, counted } from '../numbers.ts'
import { createAction, createReading } from '../reading.ts'
import { useSession } from '../session/session.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Filter } from '../ui/field.tsx'
import { Empty, ProblemNotice, Skeleton } from '../ui/notice.tsx'
import type { RotationAddress } from './rotation.tsx'
import { MATCHES, signalOf } from './words.ts'

const STATES = [
  ['', 'to judge'],
  ['verified', 'verified'],
  ['excluded', 'excluded'],
  ['all', 'all'],
] as const

/** Which state a filter asks for; null: any. */
function stateOf(filter: string): MatchRow['state'] | null {
  if (filter === 'verified' || filter === 'excluded') return filter
  return filter === 'all' ? null : 'proposed'
}

/** Rows of matches shown at once. */
const SHOWN = 200

/** Vault secrets that seem to hold a policy's credential, the least sure first, for a person to judge. */
export function Matches(props: { address: RotationAddress }) {
  const asked = createMemo(() => props.address.get('state'))
  const query = () => {
    const state = stateOf(asked())
    const secret = props.address.get('secret')
    return { limit: SHOWN, ...(secret === '' ? {} : { secret }), ...(state === null ? {} : { state }) }
  }
  const matches = createReading(api.rotation.listMatches, () => ({ query: query() }))
  return (
    <>
      <div class="filters" role="search">
        <Filter
          label="Matches"
          value={props.address.get('state')}
          options={STATES}
          onChange={(state) => props.address.set({ state })}
        />
        <Show when={matches.data()}>
          {(page) => (
            <span class="faint tabular" role="status">
              {count(page().total)} {page().total === 1 ? 'match' : 'matches'}
            </span>
          )}
        </Show>
      </div>
      <ProblemNotice problem={matches.problem()} again={matches.again} />
      <div class="scroll" tabindex="0" role="region" aria-label="Matches">
        <div class="stack rotation-part">
          <Show when={matches.data()} fallback={<Skeleton lines={6} />}>
            {(page) => (
              <>
                <MatchCards rows={page().items} policies />
                <Show when={page().items.length === 0}>
                  <Empty title={asked() === '' ? 'Nothing to judge' : 'None'}>
                    When a policy is saved, vault secrets that seem to hold its credential are listed here.
                  </Empty>
                </Show>
                <Show when={page().next !== null}>
                  <p class="faint">{counted(page().total - page().items.length, 'more', 'more')}.</p>
                </Show>
              </>
            )}
          </Show>
        </div>
      </div>
    </>
  )
}

/** Matches, each with how sure it is and why, and the two verdicts. */
export function MatchCards(props: { rows: readonly MatchRow[]; policies?: boolean }) {
  return (
    <ul class="cards">
      <For each={props.rows}>
        {(row) => <MatchCard row={row} {...(props.policies ? { policy: true } : {})} />}
      </For>
    </ul>
  )
}

function MatchCard(props: { row: MatchRow; policy?: boolean }) {
  const { may } = useSession()
  const live = useLive()
  const [said, setSaid] = createSignal<'verified' | 'excluded'>()
  const judge = createAction(async (verdict: 'verified' | 'excluded') => {
    setSaid(verdict)
    await api.rotation.judgeMatch({ params: { match: props.row.match }, body: { verdict } })
    live.touch(['rotation', 'compliance'])
  })
  return (
    <li>
      <p class="named">
        <strong class="clip">{props.row.secretName || 'a secret that is gone'}</strong>
        <span class="faint clip">in {props.row.vaultName || 'a vault that is gone'}</span>
        <Badge tone={MATCHES[props.row.state].tone}>{MATCHES[props.row.state].word}</Badge>
      </p>
      <p class="soft">
        <strong class="tabular">{props.row.confidence}% sure</strong> that it holds{' '}
        <Show when={props.policy} fallback="this credential">
          <a href={`/rotation?part=policies&policy=${props.row.policy}`}>{props.row.policyName}</a>
        </Show>
        : {props.row.signals.map(signalOf).join(', ') || 'nothing special speaks for it'}.
      </p>
      <ProblemNotice problem={judge.problem()} />
      <Show when={may(api.rotation.judgeMatch)}>
        <div class="row-actions">
          <Show when={props.row.state !== 'verified'}>
            <Button
              busy={judge.busy() && said() === 'verified'}
              disabled={judge.busy()}
              onClick={() => void judge.run('verified')}
            >
              Verify
            </Button>
          </Show>
          <Show when={props.row.state !== 'excluded'}>
            <Button
              busy={judge.busy() && said() === 'excluded'}
              disabled={judge.busy()}
              onClick={() => void judge.run('excluded')}
            >
              Exclude
            </Button>
          </Show>
        </div>
      </Show>
    </li>
  )
}
