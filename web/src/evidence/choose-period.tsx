import { For, Show } from 'solid-js'
import { localZone, stamp } from '../time.ts'
import { Field } from '../ui/field.tsx'
import type { Choosing } from './build.tsx'
import { offsetWords, periodOf, PRESETS, todayIn } from './period.ts'
import { daysOf } from './wish.ts'

const ZONES: readonly string[] = [...new Set([localZone(), 'UTC', ...Intl.supportedValuesOf('timeZone')])]

/** The period, in days of a zone, and the instants that they mean. */
export function ChoosePeriod(props: Choosing & { wrong: string | undefined }) {
  const zone = (): string => props.wish.zone
  const today = (): string => todayIn(zone(), Date.now())
  const period = () => periodOf(daysOf(props.wish, Date.now()), zone(), Date.now())
  const short = (at: string, where: string): string => stamp(at, where).slice(0, 16)
  return (
    <fieldset class="choices">
      <legend>Period</legend>
      <div class="chips">
        <For each={[...PRESETS, ['custom', 'Other dates'] as const]}>
          {([value, name]) => (
            <button
              type="button"
              class="chip"
              aria-pressed={props.wish.preset === value}
              onClick={() =>
                props.change(
                  value === 'custom'
                    ? { custom: daysOf(props.wish, Date.now()), preset: value }
                    : { preset: value },
                )
              }
            >
              {name}
            </button>
          )}
        </For>
      </div>
      <Show when={props.wish.preset === 'custom'}>
        <div class="side-by-side">
          <Field label="From">
            {(id) => (
              <input
                id={id}
                type="date"
                required
                max={today()}
                value={props.wish.custom.from}
                onInput={(event) =>
                  props.change({ custom: { ...props.wish.custom, from: event.currentTarget.value } })
                }
              />
            )}
          </Field>
          <Field label="To, inclusive">
            {(id) => (
              <input
                id={id}
                type="date"
                required
                max={today()}
                value={props.wish.custom.to}
                onInput={(event) =>
                  props.change({ custom: { ...props.wish.custom, to: event.currentTarget.value } })
                }
              />
            )}
          </Field>
        </div>
      </Show>
      <Field label="Days of the time zone">
        {(id) => (
          <select id={id} onChange={(event) => props.change({ zone: event.currentTarget.value })}>
            <For each={ZONES}>
              {(name) => (
                <option value={name} selected={name === zone()}>
                  {name}
                </option>
              )}
            </For>
          </select>
        )}
      </Field>
      <Show
        when={!props.wrong}
        fallback={
          <p class="field-note" data-error="">
            {props.wrong}
          </p>
        }
      >
        <p class="soft tabular">
          {short(period().from, zone())} to {short(period().to, zone())} in {zone()} (
          {offsetWords(zone(), Date.now())})
          <br />
          <span class="faint">
            recorded as {short(period().from, 'UTC')} to {short(period().to, 'UTC')} UTC
          </span>
        </p>
      </Show>
    </fieldset>
  )
}
