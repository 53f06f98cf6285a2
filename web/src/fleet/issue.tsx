import { Tier, TIERS } from '@attestry/contracts'
import { createSignal, For, Show } from 'solid-js'
import { createAction } from '../reading.ts'
import { Button } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { fleetApi } from './fleet-api.ts'
import { FleetNotice } from './notice.tsx'
import { useVendor } from './vendor.tsx'
import { TIER_WORDS } from './words.ts'

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

/** A key, this once. */
export function KeyOnce(props: { value: string }) {
  return (
    <p class="one-time">
      <code>{props.value}</code>
      <CopyButton text={props.value} label="Copy the key" word="Copy" />
    </p>
  )
}

/** Issues a licence: what is wished, then the key, which nobody can show again. */
export function IssueLicense(props: { onClose: () => void }) {
  const vendor = useVendor()
  const [tier, setTier] = createSignal<Tier>('pro')
  const [customer, setCustomer] = createSignal('')
  const [contact, setContact] = createSignal('')
  const [ends, setEnds] = createSignal(dayIn(365))
  const [installs, setInstalls] = createSignal('')
  const [issued, setIssued] = createSignal<{ license: string; key: string }>()
  const issue = createAction(async () => {
    const reply = await fleetApi.issueLicense({
      body: {
        tier: tier(),
        customer: customer().trim(),
        contact: contact().trim() === '' ? null : contact().trim(),
        expiresAt: endOfDay(ends()),
        ...installsOf(installs()),
      },
    })
    setIssued(reply)
    vendor.changed()
  })
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={issued() ? 'Licence issued' : 'Issue a licence'}
      keep
      {...(issued()
        ? {
            description: `For ${customer().trim()}. The key is shown this once: we keep only a digest of it.`,
          }
        : {})}
    >
      <Show
        when={issued()}
        fallback={
          <form
            class="stack"
            onSubmit={(event) => {
              event.preventDefault()
              if (installsOf(installs()) !== undefined) void issue.run()
            }}
          >
            <Field label="Customer">
              {(id) => (
                <input
                  id={id}
                  type="text"
                  required
                  maxLength={120}
                  autocomplete="off"
                  value={customer()}
                  onInput={(event) => setCustomer(event.currentTarget.value)}
                />
              )}
            </Field>
            <Field label="Contact" hint="Address that is told before the licence ends. May stay empty.">
              {(id, note) => (
                <input
                  id={id}
                  type="text"
                  inputmode="email"
                  maxLength={200}
                  autocomplete="off"
                  aria-describedby={note}
                  value={contact()}
                  onInput={(event) => setContact(event.currentTarget.value)}
                />
              )}
            </Field>
            <div class="side-by-side">
              <TierField value={tier()} onChange={setTier} />
              <Field label="Last day (UTC)">
                {(id) => (
                  <input
                    id={id}
                    type="date"
                    required
                    min={dayIn(0)}
                    value={ends()}
                    onInput={(event) => setEnds(event.currentTarget.value)}
                  />
                )}
              </Field>
            </div>
            <InstallsField tier={tier()} value={installs()} onInput={setInstalls} />
            <FleetNotice problem={issue.problem()} />
            <div class="dialog-actions">
              <Button onClick={props.onClose}>Cancel</Button>
              <Button kind="primary" type="submit" busy={issue.busy()}>
                Issue the licence
              </Button>
            </div>
          </form>
        }
      >
        {(reply) => (
          <>
            <KeyOnce value={reply().key} />
            <div class="dialog-actions">
              <a class="button" href={`/fleet/licences/${reply().license}`} onClick={props.onClose}>
                Open the licence
              </a>
              <Button kind="primary" onClick={props.onClose}>
                I have handed it over
              </Button>
            </div>
          </>
        )}
      </Show>
    </Dialog>
  )
}
