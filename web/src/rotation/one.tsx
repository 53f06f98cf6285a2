import type { RotationDetail } from '@attestry/contracts/http'
import { useParams } from '@solidjs/router'
import Hand from 'lucide-solid/icons/hand'
import Lightbulb from 'lucide-solid/icons/lightbulb'
import { createEffect, createMemo, For, type JSX, Show, untrack } from 'solid-js'
import { createStore, reconcile } from 'solid-js/store'
import { api } from '../api.ts'
import { createReading } from '../reading.ts'
import { Badge } from '../ui/badge.tsx'
import { CopyButton } from '../ui/copy.tsx'
import { Instant } from '../ui/instant.tsx'
import { ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { PageHead, Panel } from '../ui/panel.tsx'
import { Facts } from '../ui/side-panel.tsx'
import { createWatch } from '../watch.ts'
import { Actions } from './actions.tsx'
import { Dependents } from './dependents.tsx'
import { Diff } from './diff.tsx'
import { createNames } from './names.ts'
import { Steps } from './steps.tsx'
import { CHECK_STATES, CHECKS, KINDS, STAGES, standsAt } from './words.ts'

const reply = api.rotation.readRotation.endpoint.reply

/** The last event of a rotation that an answer knows. */
const recordedUpTo = (detail: RotationDetail): number => detail.record.at(-1)?.seq ?? 0

/** One rotation: what it does or waits for, live, and everything that can be done about it. */
export function OneRotation() {
  const params = useParams<{ rotation: string }>()
  const id = createMemo(() => params.rotation)
  const read = createReading(api.rotation.readRotation, () => ({ params: { rotation: id() } }))
  const [shown, setShown] = createStore<{ detail?: RotationDetail }>({})
  // Merged into what is on screen, so that neither focus nor an opened step is lost with every step of the rotation.
  // Reads, the watch and the answers to what was done overtake each other: what is older than what is shown would take
  // the button away that somebody is about to press.
  const show = (detail: RotationDetail): void => {
    const known = untrack(() => shown.detail)
    if (known?.rotation === detail.rotation && recordedUpTo(detail) < recordedUpTo(known)) return
    setShown('detail', reconcile(detail, { key: null, merge: true }))
  }
  const over = createMemo(() => read.data()?.endedAt !== null)
  const watched = createWatch(
    createMemo(() =>
      read.data() === undefined || over()
        ? undefined
        : api.rotation.watchRotation.address({ params: { rotation: id() } }),
    ),
    reply,
  )
  createEffect(() => {
    const known = read.data()
    if (known?.rotation === id()) show(known)
  })
  createEffect(() => {
    const newer = watched()
    if (newer?.rotation === id()) show(newer)
  })
  const detail = (): RotationDetail | undefined =>
    shown.detail?.rotation === id() ? shown.detail : undefined
  return (
    <div class="page rotation-page">
      <p class="faint">
        <a href="/rotation">Rotations</a>
      </p>
      <ProblemNotice problem={read.problem()} again={read.again} />
      <Show
        when={detail()}
        fallback={
          <Show when={read.loading()}>
            <Skeleton lines={10} />
          </Show>
        }
      >
        {(d) => <Shown detail={d()} onDone={show} />}
      </Show>
    </div>
  )
}

function Shown(props: { detail: RotationDetail; onDone: (detail: RotationDetail) => void }) {
  const nameOf = createNames()
  return (
    <>
      <PageHead
        title={props.detail.name}
        note={
          <span class="rotation-note">
            <Badge tone={STAGES[props.detail.stage].tone}>{STAGES[props.detail.stage].word}</Badge>
            <Show when={props.detail.paused}>
              <Badge tone="medium">Paused</Badge>
            </Show>
            <Show when={props.detail.mode === 'compromise'}>
              <Badge tone="critical">After a compromise</Badge>
            </Show>
            <Show when={props.detail.breakGlass}>
              <Badge tone="high">Glass broken</Badge>
            </Show>
            <span>
              {KINDS[props.detail.kind]}, since <Instant at={props.detail.since} />
            </span>
          </span>
        }
      />
      <Present detail={props.detail} />
      <Actions detail={props.detail} onDone={props.onDone} />
      <div class="rotation-columns">
        <div class="stack">
          <Panel title="Steps" note="From the ledger, as it happens">
            <Steps detail={props.detail} />
          </Panel>
          <Show when={props.detail.byHand.length > 0}>
            <ByHand detail={props.detail} />
          </Show>
        </div>
        <div class="stack">
          <Panel title="Plan" note="What changes where; no value stands in it">
            <Diff detail={props.detail} />
          </Panel>
          <Panel title="Who uses it">
            <Dependents detail={props.detail} onDone={props.onDone} />
          </Panel>
          <Advice credential={props.detail.credential} />
          <Show when={props.detail.checks.length > 0}>
            <Panel title="Preflight">
              <ul class="rotation-checks">
                <For each={props.detail.checks}>
                  {(check) => (
                    <li>
                      <Badge tone={CHECK_STATES[check.state].tone}>{CHECK_STATES[check.state].word}</Badge>
                      <strong>{CHECKS[check.check]}</strong>
                      <span class="soft">{check.says}</span>
                    </li>
                  )}
                </For>
              </ul>
            </Panel>
          </Show>
          <Panel title="About">
            <Facts
              rows={[
                ['Asked for', asked(props.detail, nameOf)],
                [
                  'Approvals',
                  props.detail.approvals.needed === 0
                    ? 'none needed'
                    : `${props.detail.approvals.given.length} of ${props.detail.approvals.needed}${props.detail.approvals.given.map((a, n) => `${n === 0 ? ': ' : ', '}${nameOf(a)}`).join('')}`,
                ],
                ['Planned', <Instant at={props.detail.plannedAt} />],
                ['Ended', props.detail.endedAt === null ? null : <Instant at={props.detail.endedAt} />],
                [
                  'Policy',
                  <a href={`/rotation?part=policies&policy=${props.detail.policy}`}>Terms of this policy</a>,
                ],
                [
                  'Credential',
                  <a href={`/rotation?credential=${props.detail.replacedBy ?? props.detail.credential}`}>
                    History of this credential
                  </a>,
                ],
                [
                  'New one',
                  props.detail.replacedBy === null ? null : (
                    <a href={`/inventory?asset=${props.detail.replacedBy}`}>in the inventory</a>
                  ),
                ],
              ]}
            />
          </Panel>
        </div>
      </div>
    </>
  )
}

const asked = (detail: RotationDetail, nameOf: (id: string) => string): JSX.Element =>
  detail.approvals.requestedBy === null
    ? `not yet; planned by ${detail.trigger === 'schedule' ? 'the schedule' : 'a person'}`
    : `by ${nameOf(detail.approvals.requestedBy)}`

/** What it does now or waits for, until when, and where it stands still, what a person does. */
function Present(props: { detail: RotationDetail }) {
  const tone = () =>
    props.detail.needsOperator || props.detail.stage === 'blocked'
      ? 'high'
      : props.detail.stage === 'complete'
        ? 'good'
        : props.detail.endedAt !== null
          ? 'plain'
          : 'seal'
  return (
    <div class="notice rotation-now" data-tone={tone()} role="status">
      <Show when={props.detail.needsOperator}>
        <span class="notice-icon">
          <Hand size={16} aria-hidden="true" />
        </span>
      </Show>
      <div class="notice-text">
        <p>
          <strong>{props.detail.now.says}</strong>
          <Show when={props.detail.now.until}>
            {(until) => (
              <>
                {' '}
                Until <Instant at={until()} />.
              </>
            )}
          </Show>
        </p>
        <Show when={props.detail.needsOperator}>
          {(stands) => (
            <>
              <p>{stands().reason}</p>
              <p class="soft">{standsAt(stands().step)}</p>
            </>
          )}
        </Show>
        <Show when={props.detail.stage === 'blocked'}>
          <p class="soft">Nothing was changed. {standsAt('preflight')}</p>
        </Show>
        <Show when={props.detail.held}>{(held) => <p>{held()}</p>}</Show>
        <Show when={props.detail.pending?.request}>
          {(request) => (
            <p>
              The request to be signed:{' '}
              <CopyButton text={request()} label="Copy the request" word="Copy the request" />
            </p>
          )}
        </Show>
      </div>
    </div>
  )
}

/** What a person does who finishes it by hand, with the exact names, from where it stands. */
function ByHand(props: { detail: RotationDetail }) {
  return (
    <Panel
      title="By hand"
      note={
        props.detail.stage === 'taken-over' ? 'What is left to do' : 'What you would do after a take-over'
      }
    >
      <ol class="rotation-by-hand">
        <For each={props.detail.byHand}>
          {(step) => (
            <li>
              <code>{step}</code>
              <CopyButton text={step} label="Copy this step" />
            </li>
          )}
        </For>
      </ol>
    </Panel>
  )
}

/** Where no secret would be needed at all. */
export function Advice(props: { credential: string }) {
  const advice = createReading(api.rotation.listAdvice, () => ({}))
  const own = () => advice.data()?.items.find((a) => a.credential === props.credential)
  return (
    <Show when={own()}>
      {(row) => (
        <div class="notice" data-tone="low">
          <span class="notice-icon">
            <Lightbulb size={16} aria-hidden="true" />
          </span>
          <div class="notice-text">
            <p>
              <strong>No secret needed.</strong> {row().says}
            </p>
          </div>
        </div>
      )}
    </Show>
  )
}
