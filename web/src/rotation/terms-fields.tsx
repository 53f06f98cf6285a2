import Plus from 'lucide-solid/icons/plus'
import X from 'lucide-solid/icons/x'
import { createEffect, createSignal, For, onCleanup, Show } from 'solid-js'
import type { SetStoreFunction } from 'solid-js/store'
import { api } from '../api.ts'
import { problemOf } from '../problem.ts'
import { createReading } from '../reading.ts'
import { exact, localZone } from '../time.ts'
import { Button } from '../ui/button.tsx'
import { Field } from '../ui/field.tsx'
import { Line } from './confirm.tsx'
import { saidOf, type TermsForm } from './terms.ts'

const ZONES: readonly string[] = Intl.supportedValuesOf('timeZone')

interface Props {
  form: TermsForm
  set: SetStoreFunction<TermsForm>
  /** What is wrong, by field. */
  errors: ReadonlyMap<string, string>
  /** A vault's key or certificate stays where it is: there are no targets. */
  inVault: boolean
  /** Storage and Service Bus keys may be stored as a connection string. */
  strings: boolean
}

/** The terms of a policy: when, where to, within which hours, who agrees, who is told. */
export function TermsFields(props: Props) {
  const error = (field: string): string | undefined => saidOf(props.errors, field)
  return (
    <>
      <div class="side-by-side">
        <Line
          label="Cadence, days"
          type="number"
          min={1}
          max={730}
          required
          hint="From one rotation to the next, at most 730."
          error={error('cadenceDays')}
          value={props.form.cadenceDays}
          onInput={(value) => props.set('cadenceDays', value)}
        />
        <Line
          label="Days before expiry"
          type="number"
          min={1}
          max={365}
          required
          hint="Due so many days before the end, if that is earlier."
          error={error('settings.daysBeforeExpiry')}
          value={props.form.daysBeforeExpiry}
          onInput={(value) => props.set('daysBeforeExpiry', value)}
        />
      </div>
      <Show when={!props.inVault}>
        <Targets {...props} />
      </Show>
      <Window {...props} />
      <div class="side-by-side">
        <Field label="Approval" hint="By others than the one who asks." error={error('settings.approvals')}>
          {(id, note) => (
            <select
              id={id}
              aria-describedby={note}
              onChange={(e) => props.set('approvals', e.currentTarget.value)}
            >
              <For each={['none', 'one other person', 'two other people']}>
                {(word, n) => (
                  <option value={n()} selected={String(n()) === props.form.approvals}>
                    {word}
                  </option>
                )}
              </For>
            </select>
          )}
        </Field>
        <Field label="Dependents" hint="Who switches those that use it.">
          {(id, note) => (
            <select
              id={id}
              aria-describedby={note}
              onChange={(e) =>
                props.set('dependents', e.currentTarget.value === 'checklist' ? 'checklist' : 'switch')
              }
            >
              <option value="switch" selected={props.form.dependents === 'switch'}>
                the product, where it can
              </option>
              <option value="checklist" selected={props.form.dependents === 'checklist'}>
                people, by a checklist
              </option>
            </select>
          )}
        </Field>
        <Line
          label="Grace, hours"
          type="number"
          min={0}
          max={2160}
          required
          hint="Both work so long at least; 24 where a reference may be cached."
          error={error('settings.graceHours')}
          value={props.form.graceHours}
          onInput={(value) => props.set('graceHours', value)}
        />
        <Line
          label="Pre-stage, days"
          type="number"
          min={1}
          max={90}
          hint="Issued so long before the switch. Empty: at the switch."
          error={error('settings.prestageDays')}
          value={props.form.prestageDays}
          onInput={(value) => props.set('prestageDays', value)}
        />
      </div>
      <fieldset class="stack">
        <legend>Owner, who is told</legend>
        <div class="side-by-side">
          <Line
            label="Name"
            most={120}
            error={error('settings.owner.name')}
            value={props.form.ownerName}
            onInput={(value) => props.set('ownerName', value)}
          />
          <Line
            label="Mail address"
            most={200}
            error={error('settings.owner.mail')}
            value={props.form.ownerMail}
            onInput={(value) => props.set('ownerMail', value)}
          />
        </div>
        <Line
          label="Webhook"
          hint="Signed POST. Empty: nobody is told of what begins, waits or fails."
          error={error('settings.owner.webhook') ?? props.errors.get('settings.owner')}
          value={props.form.ownerWebhook}
          onInput={(value) => props.set('ownerWebhook', value)}
        />
      </fieldset>
    </>
  )
}

function Targets(props: Props) {
  const vaults = createReading(api.discovery.listVaults, () => ({ query: { limit: 1000 } }))
  const sorted = () =>
    (vaults.data()?.items ?? []).toSorted((a, b) => a.facts.name.localeCompare(b.facts.name))
  const error = (field: string): string | undefined => saidOf(props.errors, `settings.targets.${field}`)
  const drop = (at: number): void =>
    props.set(
      'targets',
      props.form.targets.filter((_, n) => n !== at),
    )
  return (
    <fieldset class="stack">
      <legend>Where new values go</legend>
      <Show when={props.errors.get('settings.targets')}>
        {(message) => (
          <p class="field-note" data-error="">
            {message()}
          </p>
        )}
      </Show>
      <For each={props.form.targets}>
        {(target, n) => (
          <div class="rotation-target">
            <Field label="Vault" error={error(`${n()}.vault`)}>
              {(id, note) => (
                <select
                  id={id}
                  required
                  aria-describedby={note}
                  onChange={(e) => props.set('targets', n(), 'vault', e.currentTarget.value)}
                >
                  <option value="">Choose a vault</option>
                  <For each={sorted()}>
                    {(vault) => (
                      <option value={vault.vault} selected={vault.vault === target.vault}>
                        {vault.facts.name}
                      </option>
                    )}
                  </For>
                </select>
              )}
            </Field>
            <Line
              label="Name of the secret"
              required
              most={127}
              error={error(`${n()}.secret`)}
              value={target.secret}
              onInput={(value) => props.set('targets', n(), 'secret', value)}
            />
            <Show when={props.strings}>
              <Field label="Content" error={error(`${n()}.content`)}>
                {(id) => (
                  <select
                    id={id}
                    onChange={(e) =>
                      props.set(
                        'targets',
                        n(),
                        'content',
                        e.currentTarget.value === 'connection-string' ? 'connection-string' : 'value',
                      )
                    }
                  >
                    <option value="value" selected={target.content === 'value'}>
                      the key alone
                    </option>
                    <option value="connection-string" selected={target.content === 'connection-string'}>
                      a connection string
                    </option>
                  </select>
                )}
              </Field>
            </Show>
            <Button
              kind="quiet"
              square
              aria-label={`Remove target ${n() + 1}`}
              title="Remove"
              onClick={() => drop(n())}
              icon={<X size={15} aria-hidden="true" />}
            />
          </div>
        )}
      </For>
      <Show when={props.form.targets.length < 10}>
        <div>
          <Button
            icon={<Plus size={14} aria-hidden="true" />}
            onClick={() =>
              props.set('targets', props.form.targets.length, { vault: '', secret: '', content: 'value' })
            }
          >
            Another vault
          </Button>
        </div>
      </Show>
    </fieldset>
  )
}

/** Typing in a window's fields settles before the server is asked when it opens, milliseconds. */
const PAUSE_MS = 400

type Preview = { readonly openings: readonly string[] } | { readonly problem: string }

function Window(props: Props) {
  const [preview, setPreview] = createSignal<Preview>()
  const error = (field: string): string | undefined => saidOf(props.errors, `settings.window.${field}`)
  createEffect(() => {
    const { windowed, cron, zone, minutes } = props.form
    if (!windowed) return setPreview(undefined)
    const end = new AbortController()
    const timer = setTimeout(() => {
      const window = { cron: cron.trim(), zone: zone.trim(), minutes: Number(minutes) }
      api.rotation.readWindow({ body: { window } }, end.signal).then(
        ({ openings }) => setPreview({ openings: openings.map((o) => o.from) }),
        (thrown: unknown) => {
          if (!end.signal.aborted) setPreview({ problem: problemOf(thrown).detail })
        },
      )
    }, PAUSE_MS)
    onCleanup(() => {
      clearTimeout(timer)
      end.abort()
    })
  })
  return (
    <fieldset class="stack">
      <legend class="unseen">Window</legend>
      <label class="choice">
        <input
          type="checkbox"
          checked={props.form.windowed}
          onChange={(e) => props.set('windowed', e.currentTarget.checked)}
        />
        <span>
          <strong>Only in a window</strong>
          <span class="soft">
            Work begins, switches and retires only while it is open. Freezes hold in any case.
          </span>
        </span>
      </label>
      <Show when={props.form.windowed}>
        <div class="rotation-window">
          <Line
            label="Opens (cron)"
            hint="Minute, hour, day, month, weekday."
            required
            most={100}
            error={error('cron')}
            value={props.form.cron}
            onInput={(value) => props.set('cron', value)}
          />
          <Field label="Time zone" error={error('zone')}>
            {(id, note) => (
              <select
                id={id}
                aria-describedby={note}
                onChange={(e) => props.set('zone', e.currentTarget.value)}
              >
                <For each={ZONES.includes(props.form.zone) ? ZONES : [props.form.zone, ...ZONES]}>
                  {(zone) => (
                    <option value={zone} selected={zone === props.form.zone}>
                      {zone}
                    </option>
                  )}
                </For>
              </select>
            )}
          </Field>
          <Line
            label="For, minutes"
            type="number"
            min={60}
            max={10_080}
            required
            error={error('minutes')}
            value={props.form.minutes}
            onInput={(value) => props.set('minutes', value)}
          />
        </div>
        <p class="faint" role="status">
          <Show when={preview()} fallback="Looking when it opens…">
            {(known) => {
              const shown = known()
              if ('problem' in shown) return shown.problem
              return shown.openings.length === 0
                ? 'It does not open within a year.'
                : `Opens next ${shown.openings
                    .slice(0, 3)
                    .map((at) => (exact(at, localZone()).split('\n').at(-1) ?? at).slice(0, 16))
                    .join(', ')} (${localZone()}).`
            }}
          </Show>
        </p>
      </Show>
    </fieldset>
  )
}
