import type { RotationDetail } from '@attestry/contracts/http'
import { createSignal, For, Show } from 'solid-js'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { createAction } from '../reading.ts'
import { useSession } from '../session/session.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Instant } from '../ui/instant.tsx'
import { Confirm, Why } from './confirm.tsx'
import { maySettle } from './offers.ts'
import { DEPENDENT_STATES, DEPENDENTS } from './words.ts'

type Dependent = RotationDetail['dependents'][number]
interface Wish {
  readonly dependent: Dependent
  readonly verdict: 'confirmed' | 'waived'
}

/** Who uses the credential, how sure that is, and how far each is; a checklist where only a person can tell. */
export function Dependents(props: { detail: RotationDetail; onDone: (detail: RotationDetail) => void }) {
  const { may } = useSession()
  const [wish, setWish] = createSignal<Wish>()
  const offers = (d: Dependent): boolean => may(api.rotation.settleDependent) && maySettle(props.detail, d)
  return (
    <>
      <ul class="cards">
        <For
          each={props.detail.dependents}
          fallback={
            <li class="soft">
              None is known. That is no proof that nobody uses it: only what the scan may read is mapped.
            </li>
          }
        >
          {(d) => (
            <li>
              <p class="named">
                <strong class="clip">{d.plan.name}</strong>
                <Show when={d.plan.canary}>
                  <Badge tone="low" title="Switched first, so that trouble shows on one alone.">
                    canary
                  </Badge>
                </Show>
                <Badge tone={DEPENDENT_STATES[d.state].tone}>{DEPENDENT_STATES[d.state].word}</Badge>
              </p>
              <p class="soft">
                <Show when={d.plan.setting}>
                  {(setting) => (
                    <>
                      <code>{setting()}</code>,{' '}
                    </>
                  )}
                </Show>
                {DEPENDENTS[d.plan.kind]}, {d.plan.confidence}% sure
              </p>
              <Show when={d.note}>{(note) => <p>{note()}</p>}</Show>
              <Show when={d.cachedUntil}>
                {(until) => (
                  <p class="faint">
                    It may go on with the value before until <Instant at={until()} />.
                  </p>
                )}
              </Show>
              <Show when={offers(d)}>
                <div class="row-actions">
                  <Button onClick={() => setWish({ dependent: d, verdict: 'confirmed' })}>
                    {props.detail.stage === 'rolling-back' ? 'It is back' : 'It works'}
                  </Button>
                  <Button onClick={() => setWish({ dependent: d, verdict: 'waived' })}>Waive</Button>
                </div>
              </Show>
            </li>
          )}
        </For>
      </ul>
      <Show when={wish()} keyed>
        {(w) => (
          <Settle
            wish={w}
            detail={props.detail}
            onClose={() => setWish(undefined)}
            onDone={(detail) => {
              setWish(undefined)
              props.onDone(detail)
            }}
          />
        )}
      </Show>
    </>
  )
}

function Settle(props: {
  wish: Wish
  detail: RotationDetail
  onClose: () => void
  onDone: (detail: RotationDetail) => void
}) {
  const live = useLive()
  const [why, setWhy] = createSignal('')
  const waives = (): boolean => props.wish.verdict === 'waived'
  const back = (): boolean => props.detail.stage === 'rolling-back'
  const done = createAction(async () => {
    const answer = await api.rotation.settleDependent({
      params: { rotation: props.detail.rotation, dependent: props.wish.dependent.plan.dependent },
      body: waives() ? { verdict: 'waived', reason: why().trim() } : { verdict: 'confirmed' },
    })
    live.touch(['rotation'])
    props.onDone(answer)
  })
  return (
    <Confirm
      title={`${waives() ? 'Waive' : 'Confirm'} ${props.wish.dependent.plan.name}`}
      says={
        waives()
          ? [
              'Nobody looks any more whether it uses the right value; you take responsibility for it.',
              back()
                ? 'When the new credential goes, it may lose access.'
                : 'When the old credential goes, it may lose access.',
            ]
          : [
              back()
                ? 'You looked, and it uses the old value again.'
                : 'You looked, and it works with the new value.',
              'It no longer holds the rotation up. Your name stands in the ledger for it.',
            ]
      }
      word={waives() ? 'Waive' : 'Confirm'}
      danger={waives()}
      action={done}
      onClose={props.onClose}
    >
      <Show when={waives()}>
        <Why value={why()} onInput={setWhy} />
      </Show>
    </Confirm>
  )
}
