import type { RouteSettings, TargetKind } from '@attestry/contracts'
import { createSignal, createUniqueId, For, type JSX, Show, untrack } from 'solid-js'
import { api, type ReplyOf } from '../api.ts'
import { useLive } from '../live.tsx'
import { counted } from '../numbers.ts'
import { createAction, createReading } from '../reading.ts'
import { localZone } from '../time.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { ProblemNotice } from '../ui/notice.tsx'
import { CAREFUL, formOf, type RouteForm, settingsOf } from './route-settings.ts'
import { KINDS, kindsOf } from './words.ts'

type Route = ReplyOf<typeof api.sync.listRoutes.endpoint>['items'][number]

const EVERY = [
  ['15', 'Every 15 minutes'],
  ['60', 'Every hour'],
  ['360', 'Every 6 hours'],
  ['1440', 'Every day'],
  ['0', 'Not by interval'],
] as const

/** Opens a route, or changes one that is open. What is not touched overwrites and deletes nothing. */
export function RouteSettingsDialog(props: { route?: Route; onClose: () => void }) {
  const live = useLive()
  // A dialog is of one route for as long as it is open.
  const before = untrack(() => props.route)
  const sources = createReading(api.sync.listSources, () => (before ? undefined : {}))
  const connectors = createReading(api.sync.listConnectors, () => (before ? undefined : {}))
  const [source, setSource] = createSignal('')
  const [connector, setConnector] = createSignal('')
  const [form, setForm] = createSignal<RouteForm>(formOf(before?.settings ?? CAREFUL))
  const set = (more: Partial<RouteSettings>) =>
    setForm((known) => ({ ...known, settings: { ...known.settings, ...more } }))
  const settings = () => form().settings
  const kinds = (): TargetKind[] =>
    before
      ? [before.settings.kind]
      : kindsOf(connectors.data()?.items.find((c) => c.connector === connector())?.cloud ?? 'none')
  /** The chosen one where the account has it, else the account's first. */
  const kind = () => kinds().find((one) => one === settings().kind) ?? kinds()[0]
  const save = createAction(async () => {
    const chosen = kind()
    if (!chosen) return
    const body = { ...settingsOf(form()), kind: chosen }
    if (before) await api.sync.reviseRoute({ params: { route: before.route }, body })
    else await api.sync.openRoute({ body: { source: source(), connector: connector(), settings: body } })
    live.touch(['sync'])
    props.onClose()
  })
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={before ? `Settings of ${before.settings.name}` : 'Open a route'}
      description={
        before
          ? 'Where a change says otherwise what is written where, the next plan waits for somebody.'
          : 'Its first run is a plan. Nothing is written before somebody accepts it.'
      }
      wide
    >
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          void save.run()
        }}
      >
        <Text label="Name" value={settings().name} most={80} onInput={(name) => set({ name })} />
        <Show when={!before}>
          <div class="side-by-side form-pair">
            <Choice
              label="From"
              value={source()}
              onChange={setSource}
              options={[
                ['', 'Choose a vault'],
                ...(sources.data()?.items ?? []).map(
                  (vault) => [vault.vault, `${vault.name} (${counted(vault.secrets, 'secret')})`] as const,
                ),
              ]}
            />
            <Choice
              label="To"
              value={connector()}
              onChange={setConnector}
              options={[
                ['', 'Choose an account'],
                ...(connectors.data()?.items ?? []).map((one) => [one.connector, one.name] as const),
              ]}
            />
          </div>
          <Show when={kinds().length > 1}>
            <Choice
              label="Store"
              value={kind() ?? ''}
              // The options are kinds of targets.
              onChange={(value) => set({ kind: value as TargetKind })}
              options={kinds().map((one) => [one, KINDS[one]] as const)}
            />
          </Show>
        </Show>

        <Part title="What is copied">
          <Lines
            label="Names"
            hint="One a line, * for any characters. Empty takes all."
            value={form().names}
            onInput={(names) => setForm({ ...form(), names })}
          />
          <div class="side-by-side">
            <Lines
              label="Only with these tags"
              hint="sync = aws, or a name for any value."
              value={form().tagged}
              onInput={(tagged) => setForm({ ...form(), tagged })}
            />
            <Lines
              label="Only of these content types"
              hint="text/plain, or application/*."
              value={form().types}
              onInput={(types) => setForm({ ...form(), types })}
            />
          </div>
          <Choice
            label="Values that are base64 by their content type"
            value={settings().binary}
            // The options are the setting's own.
            onChange={(binary) => set({ binary: binary as RouteSettings['binary'] })}
            options={[
              ['as-text', 'As the text they are'],
              ['decode', 'As the bytes they stand for'],
            ]}
          />
        </Part>

        <Part title="What it is called there">
          <Text
            label="Name at the target"
            hint="{name}, {name.lower}, {name.upper}, {name.snake} and {vault} stand for what they say."
            value={settings().template}
            most={400}
            onInput={(template) => set({ template })}
          />
          <div class="side-by-side">
            <Lines
              label="Names of their own"
              hint="name in the vault = name at the target"
              value={form().overrides}
              onInput={(overrides) => setForm({ ...form(), overrides })}
            />
            <Lines
              label="Tags that go along"
              hint="* for all; owner = team gives one another name. What is absent clears nothing."
              value={form().tags}
              onInput={(tags) => setForm({ ...form(), tags })}
            />
          </div>
        </Part>

        <Part title="When it runs">
          <div class="side-by-side">
            <Choice
              label="By interval"
              value={String(settings().everyMinutes ?? 0)}
              onChange={(every) => set({ everyMinutes: Number(every) || null })}
              options={withOwn(EVERY, settings().everyMinutes)}
            />
            <Choice
              label="Whether it asks"
              value={settings().approval}
              // The options are the setting's own.
              onChange={(approval) => set({ approval: approval as RouteSettings['approval'] })}
              options={[
                ['first-run', 'Before the first run'],
                ['always', 'Before every run that writes'],
              ]}
            />
          </div>
          <Tick
            label="Once a day at a time of day"
            says="Besides the interval, if there is one."
            checked={Boolean(settings().daily)}
            onChange={(daily) => set({ daily: daily ? { at: '02:30', zone: localZone() } : null })}
          />
          <Show when={settings().daily}>
            {(daily) => (
              <div class="side-by-side">
                <Text
                  label="At"
                  hint="Hours and minutes, such as 02:30."
                  value={daily().at}
                  most={5}
                  onInput={(at) => set({ daily: { ...daily(), at } })}
                />
                <Text
                  label="Time zone"
                  value={daily().zone}
                  most={60}
                  suggested={Intl.supportedValuesOf('timeZone')}
                  onInput={(zone) => set({ daily: { ...daily(), zone } })}
                />
              </div>
            )}
          </Show>
          <Tick
            label="On change"
            says="At once when a rotation stored a new version, or a scan saw a change."
            checked={settings().onChange}
            onChange={(onChange) => set({ onChange })}
          />
        </Part>

        <Part title="What becomes of copies">
          <div class="side-by-side">
            <Choice
              label="Somebody wrote over a copy"
              value={settings().onDrift}
              // The options are the setting's own.
              onChange={(onDrift) => set({ onDrift: onDrift as RouteSettings['onDrift'] })}
              options={[
                ['alert', 'Tell, and leave it'],
                ['reassert', 'Tell, and write the source’s value'],
              ]}
            />
            <Choice
              label="Its source is disabled or expired"
              value={settings().onDisabled}
              // The options are the setting's own.
              onChange={(onDisabled) => set({ onDisabled: onDisabled as RouteSettings['onDisabled'] })}
              options={[
                ['skip', 'Leave the copy'],
                ['disable', 'Disable the copy, where the target can'],
              ]}
            />
          </div>
          <Count
            label="Versions to keep"
            hint="Where the target bills every one; older ones are destroyed after a delay."
            value={settings().keepVersions}
            onInput={(n) => set({ keepVersions: n ?? 10 })}
          />
          <Tick
            label="Delete copies whose source is gone"
            says="Only what carries this route’s mark, and recoverably where the target can."
            checked={settings().deletePolicy === 'prune'}
            onChange={(prune) => set({ deletePolicy: prune ? 'prune' : 'keep' })}
          />
          <Show when={settings().deletePolicy === 'prune'}>
            <Count
              label="Deletions of one run without being asked"
              hint="Empty is the smaller of 5 and 10 % of the route’s copies."
              value={settings().pruneLimit}
              onInput={(pruneLimit) => set({ pruneLimit })}
            />
          </Show>
        </Part>

        <ProblemNotice problem={save.problem()} />
        <div class="dialog-actions">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button kind="primary" type="submit" busy={save.busy()}>
            {before ? 'Save' : 'Open and plan'}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

/** The usual choices, and the route's own where it is none of them. */
const withOwn = (usual: typeof EVERY, own: number | null): (readonly [string, string])[] =>
  own === null || usual.some(([value]) => value === String(own))
    ? [...usual]
    : [[String(own), `Every ${counted(own, 'minute')}`], ...usual]

function Part(props: { title: string; children: JSX.Element }) {
  return (
    <fieldset class="stack form-part">
      <legend>{props.title}</legend>
      {props.children}
    </fieldset>
  )
}

function Text(props: {
  label: string
  hint?: string
  value: string
  most: number
  suggested?: readonly string[]
  onInput: (value: string) => void
}) {
  const list = createUniqueId()
  return (
    <Field label={props.label} {...(props.hint ? { hint: props.hint } : {})}>
      {(id, note) => (
        <>
          <input
            id={id}
            type="text"
            required
            maxLength={props.most}
            spellcheck={false}
            aria-describedby={note}
            list={props.suggested ? list : undefined}
            value={props.value}
            onInput={(event) => props.onInput(event.currentTarget.value)}
          />
          <Show when={props.suggested}>
            {(suggested) => (
              <datalist id={list}>
                <For each={suggested()}>{(value) => <option value={value} />}</For>
              </datalist>
            )}
          </Show>
        </>
      )}
    </Field>
  )
}

function Lines(props: { label: string; hint: string; value: string; onInput: (value: string) => void }) {
  return (
    <Field label={props.label} hint={props.hint}>
      {(id, note) => (
        <textarea
          id={id}
          rows="2"
          spellcheck={false}
          aria-describedby={note}
          value={props.value}
          onInput={(event) => props.onInput(event.currentTarget.value)}
        />
      )}
    </Field>
  )
}

function Choice(props: {
  label: string
  value: string
  options: readonly (readonly [value: string, text: string])[]
  onChange: (value: string) => void
}) {
  return (
    <Field label={props.label}>
      {(id) => (
        <select id={id} required onChange={(event) => props.onChange(event.currentTarget.value)}>
          <For each={props.options}>
            {([value, text]) => (
              <option value={value} selected={value === props.value}>
                {text}
              </option>
            )}
          </For>
        </select>
      )}
    </Field>
  )
}

/** A whole number; null where nothing is written. */
function Count(props: {
  label: string
  hint: string
  value: number | null
  onInput: (value: number | null) => void
}) {
  return (
    <Field label={props.label} hint={props.hint}>
      {(id, note) => (
        <input
          id={id}
          type="text"
          inputmode="numeric"
          pattern="[0-9]{0,4}"
          aria-describedby={note}
          value={props.value ?? ''}
          onInput={(event) => {
            const text = event.currentTarget.value.trim()
            props.onInput(/^\d+$/.test(text) ? Number(text) : null)
          }}
        />
      )}
    </Field>
  )
}

function Tick(props: {
  label: string
  says: string
  checked: boolean
  onChange: (checked: boolean) => void
}) {
  return (
    <label class="choice">
      <input
        type="checkbox"
        checked={props.checked}
        onChange={(event) => props.onChange(event.currentTarget.checked)}
      />
      <span>
        <strong>{props.label}</strong>
        <span class="soft">{props.says}</span>
      </span>
    </label>
  )
}
