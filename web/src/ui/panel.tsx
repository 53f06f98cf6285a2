import { type JSX, type ParentProps, Show } from 'solid-js'

/** A titled part of a page. */
export function Panel(
  props: ParentProps<{
    title: string
    actions?: JSX.Element
    note?: JSX.Element
    class?: string
    level?: 2 | 3
  }>,
) {
  return (
    <section class={`panel ${props.class ?? ''}`} aria-label={props.title}>
      <header class="panel-head">
        <h2>{props.title}</h2>
        <Show when={props.note}>
          <span class="panel-note">{props.note}</span>
        </Show>
        <Show when={props.actions}>
          <span class="panel-actions">{props.actions}</span>
        </Show>
      </header>
      <div class="panel-body">{props.children}</div>
    </section>
  )
}

/** A page's title and what can be done on it. */
export function PageHead(props: { title: string; note?: JSX.Element; actions?: JSX.Element }) {
  return (
    <header class="page-head">
      <h1>{props.title}</h1>
      <Show when={props.note}>
        <span class="page-note">{props.note}</span>
      </Show>
      <Show when={props.actions}>
        <span class="page-actions">{props.actions}</span>
      </Show>
    </header>
  )
}
