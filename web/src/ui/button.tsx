import { type JSX, Show, splitProps } from 'solid-js'

export interface ButtonProps extends JSX.ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: 'primary' | 'plain' | 'quiet' | 'danger'
  icon?: JSX.Element
  busy?: boolean
  /** An icon without text: `aria-label` says what it does. */
  square?: boolean
}

export function Button(props: ButtonProps) {
  const [own, rest] = splitProps(props, [
    'kind',
    'icon',
    'busy',
    'square',
    'children',
    'class',
    'disabled',
    'type',
  ])
  return (
    <button
      type={own.type ?? 'button'}
      class={`button ${own.class ?? ''}`}
      data-kind={own.kind ?? 'plain'}
      data-square={own.square ? '' : undefined}
      aria-busy={own.busy ? 'true' : undefined}
      disabled={own.disabled === true || own.busy === true}
      {...rest}
    >
      <Show when={own.busy} fallback={own.icon}>
        <span class="spinner" aria-hidden="true" />
      </Show>
      {own.children}
    </button>
  )
}
