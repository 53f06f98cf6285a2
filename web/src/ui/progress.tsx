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
