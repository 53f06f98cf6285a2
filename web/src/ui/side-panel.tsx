import { useNavigate } from '@solidjs/router'
import X from 'lucide-solid/icons/x'
import { createEffect, For, on, type ParentProps, type JSX, Show } from 'solid-js'
import { useEscape } from '../shell/keyboard.ts'
import { Button } from './button.tsx'

/** What a chosen row shows beside its list. Escape closes it; on a narrow screen it covers the list. */
export function SidePanel(
  props: ParentProps<{ title: string; kicker?: JSX.Element; back: string; of: string }>,
) {
  const navigate = useNavigate()
  let head: HTMLHeadingElement | undefined
  const close = (): void => navigate(props.back, { scroll: false })
  useEscape(close)
  createEffect(
    on(
      () => props.of,
      () => head?.closest('.side-panel')?.scrollTo({ top: 0 }),
    ),
  )
  return (
    <aside class="side-panel" aria-label={props.title} tabindex="0">
      <header class="side-panel-head">
        <div>
          <Show when={props.kicker}>
            <p class="kicker">{props.kicker}</p>
          </Show>
          <h2 ref={head}>{props.title}</h2>
        </div>
        <Button
          kind="quiet"
          square
          aria-label="Close"
          title="Close (Esc)"
          onClick={close}
          icon={<X size={16} aria-hidden="true" />}
        />
      </header>
      {props.children}
    </aside>
  )
}

/** Facts as pairs. A fact that is null is left out. */
export function Facts(props: { rows: readonly (readonly [name: string, value: JSX.Element])[] }) {
  return (
    <dl class="facts">
      <For each={props.rows}>
        {([name, value]) => (
          <Show when={value !== null && value !== undefined}>
            <div>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          </Show>
        )}
      </For>
    </dl>
  )
}
