import type { LicenseView } from '@attestry/contracts/http'
import { MAX_GRACE_DAYS } from '@attestry/contracts'
import { For, Show } from 'solid-js'
import { api } from '../api.ts'
import { createAction, createReading } from '../reading.ts'
import { Field } from '../ui/field.tsx'
import { ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'

type Preferences = Parameters<typeof api.licensing.choosePreferences>[0]['body']

/** The request as it is sent, a field a line, so that it can be read. */
const readable = (body: string): string => {
  const request = JSON.parse(body) as Record<string, unknown>
  return JSON.stringify(request, null, 2)
}

/** What is told to the vendor, to the letter, and what an administrator may choose. */
export function LicenceSettings(props: { license: LicenseView; mayChange: boolean; changed: () => void }) {
  const preview = createReading(api.licensing.previewCheck, () => ({}))
  const choose = createAction(async (body: Preferences) => {
    await api.licensing.choosePreferences({ body })
    props.changed()
  })
  const locked = (): boolean => !props.mayChange || choose.busy()
  return (
    <Panel title="What the vendor is told">
      <label class="choice">
        <input
          type="checkbox"
          checked={props.license.fleetVisibility.on}
          disabled={locked() || props.license.fleetVisibility.forcedOff}
          onChange={(event) => void choose.run({ fleetVisibility: event.currentTarget.checked })}
        />{' '}
        Send counts with the licence check (fleet visibility)
      </label>
      <p class="field-note">
        <Show
          when={props.license.fleetVisibility.forcedOff}
          fallback="Whole numbers about the install as a whole; no name, no address, no finding. Counts from the next check on."
        >
          ENABLE_FLEET_VISIBILITY is false: counts are never sent.
        </Show>
      </p>
      <label class="choice">
        <input
          type="checkbox"
          checked={props.license.updateNotice.on}
          disabled={locked()}
          onChange={(event) => void choose.run({ updateNotice: event.currentTarget.checked })}
        />{' '}
        Tell me about newer versions
      </label>
      <Field
        label="Days of grace"
        hint="How long everything works while the licence service does not answer. The vendor’s own limit is seven."
      >
        {(id, described) => (
          <select
            id={id}
            aria-describedby={described}
            disabled={locked()}
            onChange={(event) => void choose.run({ graceDays: Number(event.currentTarget.value) })}
          >
            <For each={Array.from({ length: MAX_GRACE_DAYS + 1 }, (_, days) => days)}>
              {(days) => (
                <option value={days} selected={days === props.license.graceDays}>
                  {days}
                </option>
              )}
            </For>
          </select>
        )}
      </Field>
      <ProblemNotice problem={choose.problem()} />
      <h3>What the next check sends</h3>
      <ProblemNotice problem={preview.problem()} again={preview.again} />
      <Show when={preview.data()} fallback={<Skeleton lines={5} />}>
        {(known) => (
          <Show when={known().body} fallback={<p class="field-note">Nothing: there is no key to check.</p>}>
            {(body) => (
              <>
                <pre class="sent-text" tabIndex={0} aria-label="Body of the next licence check">
                  {readable(body())}
                </pre>
                <p class="field-note">
                  Of the key only its beginning is shown, and the nonce is a new random number each time.
                </p>
              </>
            )}
          </Show>
        )}
      </Show>
    </Panel>
  )
}
