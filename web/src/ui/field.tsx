import { createUniqueId, For, type JSX, Show } from 'solid-js'

/** A labelled control; the child is given the id that the label points at. */
export function Field(props: {
  label: string
  hint?: string
  error?: string | undefined
  children: (id: string, describedBy: string | undefined) => JSX.Element
}) {
  const id = createUniqueId()
  const note = (): string | undefined => (props.error || props.hint ? `${id}-note` : undefined)
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      {props.children(id, note())}
      <Show when={props.error || props.hint}>
        <p id={note()} class="field-note" data-error={props.error ? '' : undefined}>
          {props.error ?? props.hint}
        </p>
      </Show>
    </div>
  )
}

/** A select whose label is inside it, for rows of filters. */
export function Filter(props: {
  label: string
  value: string
  options: readonly (readonly [value: string, text: string])[]
  onChange: (value: string) => void
}) {
  return (
    <label class="filter" data-set={props.value === props.options[0]?.[0] ? undefined : ''}>
      <span>{props.label}</span>
      <select value={props.value} onChange={(event) => props.onChange(event.currentTarget.value)}>
        <For each={props.options}>
          {([value, text]) => (
            <option value={value} selected={value === props.value}>
              {text}
            </option>
          )}
        </For>
      </select>
    </label>
  )
}
