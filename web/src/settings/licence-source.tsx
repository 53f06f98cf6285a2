import type { LicenseView } from '@attestry/contracts/http'
import { createSignal, Show } from 'solid-js'
import { api } from '../api.ts'
import { createAction } from '../reading.ts'
import { Button } from '../ui/button.tsx'
import { Field } from '../ui/field.tsx'
import { Instant } from '../ui/instant.tsx'
import { ProblemNotice } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { Facts } from '../ui/side-panel.tsx'

const SOURCES = { none: 'none: an evaluation', key: 'a key', file: 'a licence file' } as const

/** Where the licence comes from: a key or a file, and how the checks go. */
export function LicenceSource(props: {
  license: LicenseView
  mayChange: boolean
  guarded: <T>(work: () => Promise<T>) => Promise<boolean>
}) {
  const [key, setKey] = createSignal('')
  const enter = createAction(async (typed: string) => {
    if (await props.guarded(() => api.licensing.enterKey({ body: { key: typed } }))) setKey('')
  })
  const load = createAction(async (file: File) => {
    const text = await file.text()
    await props.guarded(() => api.licensing.loadFile({ body: { file: text } }))
  })
  const remove = createAction(() => props.guarded(() => api.licensing.removeKey({})))
  const check = createAction(() => props.guarded(() => api.licensing.checkNow({})))
  return (
    <Panel title="Where it comes from">
      <Facts
        rows={[
          ['Source', SOURCES[props.license.source]],
          ['Key', props.license.keyPrefix ? `${props.license.keyPrefix}…` : 'none'],
          ['Licence service', props.license.service ?? 'none configured'],
          ['Last answer', <Instant at={props.license.lastAnswerAt} none="never" />],
          ['Next check', <Instant at={props.license.nextAttemptAt} none="none" />],
          ['This install', <code>{props.license.install}</code>],
        ]}
      />
      <Show when={props.license.problem}>
        {(problem) => (
          <div class="notice" data-tone="high" role="status">
            <p class="notice-text">{problem()}</p>
          </div>
        )}
      </Show>
      <Show
        when={props.mayChange && !props.license.keyConfigured}
        fallback={
          <Show when={props.license.keyConfigured}>
            <p class="field-note">The key comes from ATTESTRY_LICENSE_KEY and is changed there.</p>
          </Show>
        }
      >
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault()
            void enter.run(key())
          }}
        >
          <Field
            label="Licence key"
            hint="ATT- and six groups of five characters. It is checked at once and kept sealed."
          >
            {(id, described) => (
              <input
                id={id}
                type="text"
                aria-describedby={described}
                autocomplete="off"
                spellcheck={false}
                required
                value={key()}
                onInput={(event) => setKey(event.currentTarget.value)}
              />
            )}
          </Field>
          <ProblemNotice problem={enter.problem()} />
          <div class="dialog-actions">
            <Button kind="primary" type="submit" busy={enter.busy()}>
              Enter key
            </Button>
          </div>
        </form>
        <Field
          label="Licence file"
          hint="For an install that reaches nobody: the vendor makes it for the number of this install."
        >
          {(id, described) => (
            <input
              id={id}
              aria-describedby={described}
              type="file"
              accept=".json,.license,application/json"
              onChange={(event) => {
                const [file] = event.currentTarget.files ?? []
                if (file) void load.run(file)
                event.currentTarget.value = ''
              }}
            />
          )}
        </Field>
        <ProblemNotice problem={load.problem()} />
        <Show when={props.license.source !== 'none'}>
          <Button busy={remove.busy()} onClick={() => void remove.run()}>
            Remove it and go on as an evaluation
          </Button>
          <ProblemNotice problem={remove.problem()} />
        </Show>
      </Show>
      <Show when={props.mayChange && props.license.source !== 'none'}>
        <Button busy={check.busy()} onClick={() => void check.run()}>
          Check now
        </Button>
        <ProblemNotice problem={check.problem()} />
      </Show>
    </Panel>
  )
}
