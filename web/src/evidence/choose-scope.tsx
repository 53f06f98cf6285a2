import { createSignal, For, Show } from 'solid-js'
import { api } from '../api.ts'
import { createReading } from '../reading.ts'
import { Field } from '../ui/field.tsx'
import type { Choosing } from './build.tsx'
import { Declared } from './declared.tsx'

/** Vaults that are offered at once; the rest is found by typing. */
const OFFERED = 8

/** What the bundle is narrowed to, and what the operator declared to be in scope. */
export function ChooseScope(props: Choosing & { names: ReadonlyMap<string, string> }) {
  const declared = createReading(api.evidence.readScope, () => ({}))
  const [search, setSearch] = createSignal('')
  const offered = (): readonly (readonly [string, string])[] => {
    const chosen = props.wish.vaults
    const found = [...props.names].filter(([, name]) => name.includes(search().trim().toLowerCase()))
    return [
      ...found.filter(([vault]) => chosen.includes(vault)),
      ...found.filter(([vault]) => !chosen.includes(vault)).slice(0, OFFERED),
    ]
  }
  const toggle = (vault: string): void => {
    const chosen = props.wish.vaults
    props.change({
      vaults: chosen.includes(vault) ? chosen.filter((v) => v !== vault) : [...chosen, vault],
    })
  }
  return (
    <fieldset class="choices">
      <legend>Scope</legend>
      <Show when={declared.data()}>
        {(scope) => (
          <Show
            when={scope().statement}
            fallback={
              <p class="soft">
                No scope statement was declared. The packet says so, and lists what the scans reached.
              </p>
            }
          >
            {(statement) => <Declared statement={statement().statement} at={statement().at} />}
          </Show>
        )}
      </Show>
      <details class="narrowing">
        <summary>Narrow it to subscriptions, vaults or tags</summary>
        <div class="stack">
          <Field label="Subscriptions" hint="Ids, parted by commas.">
            {(id, describedBy) => (
              <input
                id={id}
                type="text"
                aria-describedby={describedBy}
                value={props.wish.subscriptions}
                onInput={(event) => props.change({ subscriptions: event.currentTarget.value })}
              />
            )}
          </Field>
          <Show when={props.names.size > 0}>
            <Field label="Vaults" hint={`${props.names.size} are known; type to find one.`}>
              {(id, describedBy) => (
                <input
                  id={id}
                  type="text"
                  aria-describedby={describedBy}
                  value={search()}
                  onInput={(event) => setSearch(event.currentTarget.value)}
                />
              )}
            </Field>
            <div class="chips">
              <For each={offered()} fallback={<p class="faint">No vault is called so.</p>}>
                {([vault, name]) => (
                  <button
                    type="button"
                    class="chip"
                    aria-pressed={props.wish.vaults.includes(vault)}
                    onClick={() => toggle(vault)}
                  >
                    {name}
                  </button>
                )}
              </For>
            </div>
          </Show>
          <Field label="Tags" hint="One name=value a line; a name alone admits any value.">
            {(id, describedBy) => (
              <textarea
                id={id}
                rows={2}
                aria-describedby={describedBy}
                value={props.wish.tags}
                onInput={(event) => props.change({ tags: event.currentTarget.value })}
              />
            )}
          </Field>
        </div>
      </details>
    </fieldset>
  )
}
