import type { Problem } from '@attestry/contracts/http'
import CircleAlert from 'lucide-solid/icons/circle-alert'
import CloudOff from 'lucide-solid/icons/cloud-off'
import Lock from 'lucide-solid/icons/lock'
import { For, type JSX, Show } from 'solid-js'
import { nextStep, OFFLINE } from '../problem.ts'
import { Button } from './button.tsx'

/** A refusal or failure: what happened, and what to do next. */
export function ProblemNotice(props: {
  problem: Problem | undefined
  again?: () => void
  /** What to do about it; the console's own words where absent. */
  next?: (problem: Problem) => string
}) {
  return (
    <Show when={props.problem}>
      {(problem) => (
        <div class="notice" data-tone={problem().code === OFFLINE ? 'high' : 'critical'} role="alert">
          <span class="notice-icon">
            <Show when={problem().code === OFFLINE} fallback={<CircleAlert size={16} aria-hidden="true" />}>
              <CloudOff size={16} aria-hidden="true" />
            </Show>
          </span>
          <div class="notice-text">
            <p>{problem().detail}</p>
            <Show when={problem().errors}>
              {(errors) => (
                <ul>
                  <For each={errors()}>
                    {(error) => (
                      <li>
                        <code>{error.field}</code>: {error.message}
                      </li>
                    )}
                  </For>
                </ul>
              )}
            </Show>
            <p class="faint">{(props.next ?? nextStep)(problem())}</p>
          </div>
          <Show when={props.again}>{(again) => <Button onClick={() => again()()}>Try again</Button>}</Show>
        </div>
      )}
    </Show>
  )
}

/** What a role may not see, and whom to ask. */
export function Refused(props: { needs: string; what: string }) {
  return (
    <Empty icon={<Lock size={20} aria-hidden="true" />} title={`${props.what} needs another role`}>
      You would need to be {props.needs}. Ask a tenant administrator, under Settings › People.
    </Empty>
  )
}

/** Nothing here, said in words that tell why and what next. */
export function Empty(props: {
  title: string
  icon?: JSX.Element
  children?: JSX.Element
  action?: JSX.Element
}) {
  return (
    <div class="empty">
      <Show when={props.icon}>
        <span class="empty-icon">{props.icon}</span>
      </Show>
      <p class="empty-title">{props.title}</p>
      <Show when={props.children}>
        <p class="empty-text">{props.children}</p>
      </Show>
      {props.action}
    </div>
  )
}

/** Grey lines where text will be. */
export function Skeleton(props: { lines?: number; label?: string }) {
  return (
    <div class="skeleton" role="status" aria-label={props.label ?? 'Loading'}>
      <For each={Array.from({ length: props.lines ?? 4 })}>{(_, i) => <span data-n={i() % 4} />}</For>
    </div>
  )
}
