import type { RouteSettings, TargetKind } from '@attestry/contracts'
import { createSignal, For, Show } from 'solid-js'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { counted } from '../numbers.ts'
import { createAction, createReading } from '../reading.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { ProblemNotice } from '../ui/notice.tsx'
import { KINDS, kindsOf } from './words.ts'

const lines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')

/** Opens a route with settings that overwrite and delete nothing by themselves; the rest can be changed later. */
export function OpenRoute(props: { onClose: () => void }) {
  const live = useLive()
  const sources = createReading(api.sync.listSources, () => ({}))
  const connectors = createReading(api.sync.listConnectors, () => ({}))
  const [source, setSource] = createSignal('')
  const [connector, setConnector] = createSignal('')
  const [kind, setKind] = createSignal<TargetKind | ''>('')
  const [name, setName] = createSignal('')
  const [names, setNames] = createSignal('')
  const [template, setTemplate] = createSignal('{name}')
  const [prune, setPrune] = createSignal(false)
  const [onChange, setOnChange] = createSignal(true)
  const [every, setEvery] = createSignal('60')
  const kinds = () =>
    kindsOf(connectors.data()?.items.find((c) => c.connector === connector())?.cloud ?? 'none')
  const save = createAction(async () => {
    const chosen = kind() || kinds()[0]
    if (!chosen) return
    const settings: RouteSettings = {
      name: name().trim(),
      kind: chosen,
      selector: { names: lines(names()), tags: [], contentTypes: [] },
      template: template().trim(),
      overrides: [],
      tags: [['*', '*']],
      binary: 'as-text',
      deletePolicy: prune() ? 'prune' : 'keep',
      pruneLimit: null,
      onDisabled: 'skip',
      onDrift: 'alert',
      keepVersions: 10,
      approval: 'first-run',
      everyMinutes: every() === '' ? null : Number(every()),
      onChange: onChange(),
    }
    await api.sync.openRoute({ body: { source: source(), connector: connector(), settings } })
    live.touch(['sync'])
    props.onClose()
  })
  return (
    <Dialog
      open
      onClose={props.onClose}
      title="Open a route"
      description="Its first run is a plan. Nothing is written before somebody accepts it."
      wide
    >
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          void save.run()
        }}
      >
        <Field label="Name">
          {(id) => (
            <input
              id={id}
              type="text"
              required
              maxLength={80}
              value={name()}
              onInput={(e) => setName(e.currentTarget.value)}
            />
          )}
        </Field>
        <Field label="From">
          {(id) => (
            <select id={id} required onChange={(e) => setSource(e.currentTarget.value)}>
              <option value="">Choose a vault</option>
              <For each={sources.data()?.items ?? []}>
                {(vault) => (
                  <option value={vault.vault} selected={vault.vault === source()}>
                    {vault.name} ({counted(vault.secrets, 'secret')})
                  </option>
                )}
              </For>
            </select>
          )}
        </Field>
        <Field label="To">
          {(id) => (
            <select id={id} required onChange={(e) => setConnector(e.currentTarget.value)}>
              <option value="">Choose an account</option>
              <For each={connectors.data()?.items ?? []}>
                {(one) => (
                  <option value={one.connector} selected={one.connector === connector()}>
                    {one.name}
                  </option>
                )}
              </For>
            </select>
          )}
        </Field>
        <Show when={kinds().length > 1}>
          <Field label="Store">
            {(id) => (
              // The options are kinds of targets.
              <select id={id} onChange={(e) => setKind(e.currentTarget.value as TargetKind)}>
                <For each={kinds()}>
                  {(one) => (
                    <option value={one} selected={one === kind()}>
                      {KINDS[one]}
                    </option>
                  )}
                </For>
              </select>
            )}
          </Field>
        </Show>
        <Field label="Which secrets" hint="One name a line, * for any characters. Empty takes all.">
          {(id, note) => (
            <textarea
              id={id}
              rows="3"
              spellcheck={false}
              aria-describedby={note}
              value={names()}
              onInput={(e) => setNames(e.currentTarget.value)}
            />
          )}
        </Field>
        <Field
          label="Name at the target"
          hint="{name}, {name.lower}, {name.upper}, {name.snake} and {vault} stand for what they say."
        >
          {(id, note) => (
            <input
              id={id}
              type="text"
              required
              aria-describedby={note}
              value={template()}
              onInput={(e) => setTemplate(e.currentTarget.value)}
            />
          )}
        </Field>
        <Field label="Run">
          {(id) => (
            <select id={id} onChange={(e) => setEvery(e.currentTarget.value)}>
              <For
                each={
                  [
                    ['15', 'Every 15 minutes'],
                    ['60', 'Every hour'],
                    ['1440', 'Every day'],
                    ['', 'Only when asked'],
                  ] as const
                }
              >
                {([value, word]) => (
                  <option value={value} selected={value === every()}>
                    {word}
                  </option>
                )}
              </For>
            </select>
          )}
        </Field>
        <label class="choice">
          <input
            type="checkbox"
            checked={onChange()}
            onChange={(e) => setOnChange(e.currentTarget.checked)}
          />
          <span>
            <strong>Copy on change</strong>
            <span class="soft">At once when a rotation stored a new version, or a scan saw a change.</span>
          </span>
        </label>
        <label class="choice">
          <input type="checkbox" checked={prune()} onChange={(e) => setPrune(e.currentTarget.checked)} />
          <span>
            <strong>Delete copies whose source is gone</strong>
            <span class="soft">
              Only what carries this route’s mark, recoverably where the target can, and never more than a few
              without being asked.
            </span>
          </span>
        </label>
        <ProblemNotice problem={save.problem()} />
        <div class="dialog-actions">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button kind="primary" type="submit" busy={save.busy()}>
            Open and plan
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
