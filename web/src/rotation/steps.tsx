import type { RotationDetail } from '@attestry/contracts/http'
import Check from 'lucide-solid/icons/check'
import Circle from 'lucide-solid/icons/circle'
import CircleDot from 'lucide-solid/icons/circle-dot'
import Hand from 'lucide-solid/icons/hand'
import Minus from 'lucide-solid/icons/minus'
import { createMemo, For, Match, Show, Switch } from 'solid-js'
import { Instant } from '../ui/instant.tsx'
import { STEPS, type StepId, type StepState, type StepView, stepsOf } from './stages.ts'
import { createNames } from './names.ts'

const SAYS: Readonly<Record<StepState, string>> = {
  done: 'done',
  now: 'now',
  stands: 'stands still',
  ahead: 'ahead',
  left: 'not reached',
}

/** The way of a rotation, live: each step with when, and what was recorded as proof of it. */
export function Steps(props: { detail: RotationDetail }) {
  const views = createMemo(() => new Map(stepsOf(props.detail).map((step) => [step.id, step])))
  // By id, so that a step that somebody opened stays open while the rotation goes on.
  const ids = () => STEPS.map(([id]) => id)
  return (
    <ol class="rotation-steps">
      <For each={ids()}>
        {(id: StepId) => <Show when={views().get(id)}>{(step) => <Step step={step()} />}</Show>}
      </For>
    </ol>
  )
}

function Step(props: { step: StepView }) {
  const nameOf = createNames()
  return (
    <li data-state={props.step.state} aria-current={props.step.state === 'now' ? 'step' : undefined}>
      <span class="rotation-mark">
        <Switch fallback={<Circle size={14} aria-hidden="true" />}>
          <Match when={props.step.state === 'done'}>
            <Check size={14} aria-hidden="true" />
          </Match>
          <Match when={props.step.state === 'now'}>
            <CircleDot size={14} aria-hidden="true" />
          </Match>
          <Match when={props.step.state === 'stands'}>
            <Hand size={14} aria-hidden="true" />
          </Match>
          <Match when={props.step.state === 'left'}>
            <Minus size={14} aria-hidden="true" />
          </Match>
        </Switch>
      </span>
      <details open={props.step.state === 'now' || props.step.state === 'stands'}>
        <summary>
          <strong>{props.step.name}</strong> <span class="faint">{SAYS[props.step.state]}</span>
          <Show when={props.step.to ?? props.step.from}>
            {(at) => (
              <span class="faint">
                <Instant at={at()} form="short" />
              </span>
            )}
          </Show>
        </summary>
        <Show
          when={props.step.lines.length > 0}
          fallback={<p class="faint">Nothing is recorded here{props.step.state === 'left' ? '' : ' yet'}.</p>}
        >
          <ul class="rotation-lines">
            <For each={props.step.lines}>
              {(line) => (
                <li>
                  <p>{line.says}</p>
                  <Show when={line.proof}>{(proof) => <p class="rotation-proof">{proof()}</p>}</Show>
                  <p class="faint tabular">
                    <Instant at={line.at} /> by {nameOf(line.by)}, event #{line.seq}
                  </p>
                </li>
              )}
            </For>
          </ul>
        </Show>
      </details>
    </li>
  )
}
