import { Show } from 'solid-js'

/** A share as a bar with its words. `value` and `of` are counts; an empty whole shows an empty bar. */
export function Meter(props: { label: string; value: number; of: number; tone?: string; unseen?: boolean }) {
  const share = (): number => (props.of === 0 ? 0 : Math.min(1, props.value / props.of))
  return (
    <div class="meter" data-tone={props.tone}>
      <Show when={!props.unseen}>
        <span class="meter-label">{props.label}</span>
      </Show>
      <div
        class="meter-bar"
        role="meter"
        aria-label={props.label}
        aria-valuemin={0}
        aria-valuemax={props.of}
        aria-valuenow={props.value}
      >
        <span style={{ width: `${share() * 100}%` }} />
      </div>
    </div>
  )
}

/** How far a job is; without a known whole it only shows that something happens. */
export function Progress(props: { label: string; done: number; total: number }) {
  return (
    <div
      class="progress"
      role="progressbar"
      aria-label={props.label}
      aria-valuemin={props.total > 0 ? 0 : undefined}
      aria-valuemax={props.total > 0 ? props.total : undefined}
      aria-valuenow={props.total > 0 ? props.done : undefined}
      data-unknown={props.total > 0 ? undefined : ''}
    >
      <span
        style={{ width: props.total > 0 ? `${Math.min(100, (props.done / props.total) * 100)}%` : '30%' }}
      />
    </div>
  )
}
