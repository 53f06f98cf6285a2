import { Show } from 'solid-js'
import { Field } from '../ui/field.tsx'
import type { Choosing } from './build.tsx'

/** What management states of the period, if somebody signs it. */
export function ChooseAssertion(props: Choosing) {
  return (
    <fieldset class="choices">
      <legend>Management assertion</legend>
      <label class="choice">
        <input
          type="checkbox"
          checked={props.wish.asserted}
          onChange={(event) => props.change({ asserted: event.currentTarget.checked })}
        />
        <span>
          <strong>Sign a statement</strong>
          <span class="soft">Printed on the reports with your name and the time, and kept as an event.</span>
        </span>
      </label>
      <Show when={props.wish.asserted}>
        <div class="side-by-side">
          <Field label="Name">
            {(id) => (
              <input
                id={id}
                type="text"
                required
                maxLength={200}
                value={props.wish.signer}
                onInput={(event) => props.change({ signer: event.currentTarget.value })}
              />
            )}
          </Field>
          <Field label="Office">
            {(id) => (
              <input
                id={id}
                type="text"
                required
                maxLength={200}
                value={props.wish.office}
                onInput={(event) => props.change({ office: event.currentTarget.value })}
              />
            )}
          </Field>
        </div>
        <Field label="Statement">
          {(id) => (
            <textarea
              id={id}
              required
              rows={5}
              minLength={20}
              maxLength={4000}
              value={props.wish.statement}
              onInput={(event) => props.change({ statement: event.currentTarget.value })}
            />
          )}
        </Field>
      </Show>
    </fieldset>
  )
}
