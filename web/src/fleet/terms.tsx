import { Tier, TIERS } from '@attestry/contracts'
import { For } from 'solid-js'
import { CopyButton } from '../ui/copy.tsx'
import { Field } from '../ui/field.tsx'
import { TIER_WORDS } from './words.ts'

/* What a licence is agreed on, as it is typed: its tier, its last day, its installs; and its key, this once. */

/** A day of a date field, to its end, UTC. */
export const endOfDay = (day: string): string => `${day}T23:59:59.000Z`
/** So many days from now, as a date field wants it. */
export const dayIn = (days: number): string =>
  new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)

/** Installs as people type them: empty is what the tier has, `any` is no limit; undefined is neither. */
export function installsOf(typed: string): { installs?: number | null } | undefined {
  const text = typed.trim().toLowerCase()
  if (text === '') return {}
  if (text === 'any') return { installs: null }
  const n = Number(text)
  return Number.isInteger(n) && n >= 1 && n <= 1000 ? { installs: n } : undefined
}

export function InstallsField(props: { tier: Tier; value: string; onInput: (text: string) => void }) {
  const own = (): string => {
    const installs = TIERS[props.tier].installs
    return installs === null ? 'any number' : String(installs)
  }
  return (
    <Field
      label="Installs at a time"
      hint={`Empty for what the tier has: ${own()}. Or a number up to 1,000, or “any”.`}
      error={installsOf(props.value) === undefined ? 'A whole number from 1 to 1000, or “any”.' : undefined}
    >
      {(id, note) => (
        <input
          id={id}
          type="text"
          inputmode="numeric"
          autocomplete="off"
          aria-describedby={note}
          placeholder={own()}
          value={props.value}
          onInput={(event) => props.onInput(event.currentTarget.value)}
        />
      )}
    </Field>
  )
}

export function TierField(props: { value: Tier; onChange: (tier: Tier) => void }) {
  return (
    <Field label="Tier">
      {(id) => (
        <select
          id={id}
          value={props.value}
          onChange={(event) => props.onChange(Tier.parse(event.currentTarget.value))}
        >
          <For each={Tier.options}>
            {(tier) => (
              <option value={tier} selected={tier === props.value}>
                {TIER_WORDS[tier]}
              </option>
            )}
          </For>
        </select>
      )}
    </Field>
  )
}

export function LastDayField(props: { value: string; onInput: (day: string) => void }) {
  return (
    <Field label="Last day (UTC)">
      {(id) => (
        <input
          id={id}
          type="date"
          required
          min={dayIn(0)}
          value={props.value}
          onInput={(event) => props.onInput(event.currentTarget.value)}
        />
      )}
    </Field>
  )
}

/** A key, this once. */
export function KeyOnce(props: { value: string }) {
  return (
    <p class="one-time">
      <code>{props.value}</code>
      <CopyButton text={props.value} label="Copy the key" word="Copy" />
    </p>
  )
}
