/** The product's mark: an A whose crossbar is a tick. Attested. */
export function Mark(props: { size?: number }) {
  return (
    <svg
      class="mark"
      viewBox="0 0 32 32"
      width={props.size ?? 24}
      height={props.size ?? 24}
      aria-hidden="true"
    >
      <rect class="mark-field" width="32" height="32" rx="8" />
      <path class="mark-a" d="M7 25 16 6l9 19" />
      <path class="mark-tick" d="m11.6 18.6 3.3 3.2 6-7" />
    </svg>
  )
}

export function Wordmark() {
  return (
    <span class="wordmark">
      <Mark />
      <span>Attestry</span>
    </span>
  )
}
