import { For, type ParentProps, Show } from 'solid-js'
import type { Action } from '../reading.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { ProblemNotice } from '../ui/notice.tsx'

/** Asks before something is done: what will happen, line by line, then what has to be said, then the word itself. */
export function Confirm(
  props: ParentProps<{
    title: string
    says: readonly string[]
    word: string
    danger?: boolean
    action: Action<[], unknown>
    onClose: () => void
  }>,
) {
  return (
    <Dialog open onClose={props.onClose} title={props.title} wide>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          void props.action.run()
        }}
      >
        <Show when={props.says.length > 0}>
          <ul class="rotation-will">
            <For each={props.says}>{(line) => <li>{line}</li>}</For>
          </ul>
        </Show>
        {props.children}
        <ProblemNotice problem={props.action.problem()} />
        <div class="dialog-actions">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button kind={props.danger ? 'danger' : 'primary'} type="submit" busy={props.action.busy()}>
            {props.word}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

/** One line of text of a form. */
export function Line(props: {
  label: string
  hint?: string
  error?: string | undefined
  required?: boolean
  most?: number
  value: string
  onInput: (value: string) => void
  type?: 'text' | 'number' | 'datetime-local'
  min?: number
  max?: number
}) {
  return (
    <Field label={props.label} error={props.error} {...(props.hint ? { hint: props.hint } : {})}>
      {(id, note) => (
        <input
          id={id}
          type={props.type ?? 'text'}
          autocomplete="off"
          spellcheck={false}
          required={props.required === true}
          min={props.min}
          max={props.max}
          maxLength={props.most ?? 500}
          aria-describedby={note}
          aria-invalid={props.error ? 'true' : undefined}
          value={props.value}
          onInput={(event) => props.onInput(event.currentTarget.value)}
        />
      )}
    </Field>
  )
}

/** Why: it stands in the ledger with the operator's name. */
export const Why = (props: { value: string; onInput: (value: string) => void }) => (
  <Line
    label="Why"
    hint="At least three characters. Stands in the ledger with your name."
    required
    value={props.value}
    onInput={props.onInput}
  />
)
