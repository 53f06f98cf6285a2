import * as Kobalte from '@kobalte/core/dialog'
import { useNavigate } from '@solidjs/router'
import CornerDownLeft from 'lucide-solid/icons/corner-down-left'
import { createEffect, createMemo, createSignal, For, Show } from 'solid-js'
import { api } from '../api.ts'
import { createReading } from '../reading.ts'
import { useSession } from '../session/session.tsx'
import { type Choice, match } from './choices.ts'

/** The command palette: pages, actions, and what the estate holds by name. */
export function Palette(props: { open: boolean; onClose: () => void; choices: readonly Choice[] }) {
  const navigate = useNavigate()
  const { may } = useSession()
  const [text, setText] = createSignal('')
  const [at, setAt] = createSignal(0)
  const asked = (): string => text().trim()
  const assets = createReading(api.discovery.listAssets, () =>
    props.open && asked().length >= 2 && may(api.discovery.listAssets)
      ? { query: { search: asked(), limit: 6 } }
      : undefined,
  )
  const found = createMemo((): readonly Choice[] => {
    const own = match(props.choices, asked())
    if (asked().length < 2) return own
    const things = (assets.data()?.items ?? []).map((asset) => ({
      name: asset.name,
      hint: `${asset.kind.replace('-', ' ')} in ${asset.holderName}`,
      group: 'In the estate',
      run: () => navigate(`/inventory?asset=${asset.asset}`),
    }))
    const search: Choice = {
      name: `Search the inventory for “${asked()}”`,
      hint: '',
      group: 'In the estate',
      run: () => navigate(`/inventory?search=${encodeURIComponent(asked())}`),
    }
    return [...own, ...things, search]
  })
  createEffect(() => {
    if (props.open) setText('')
  })
  createEffect(() => {
    found()
    setAt(0)
  })
  const choose = (choice: Choice | undefined): void => {
    if (!choice) return
    props.onClose()
    choice.run()
  }
  const onKey = (event: KeyboardEvent): void => {
    const last = found().length - 1
    if (event.key === 'ArrowDown') setAt((n) => Math.min(last, n + 1))
    else if (event.key === 'ArrowUp') setAt((n) => Math.max(0, n - 1))
    else if (event.key === 'Enter') choose(found()[at()])
    else return
    event.preventDefault()
  }
  return (
    <Kobalte.Root open={props.open} onOpenChange={(open) => (open ? undefined : props.onClose())}>
      <Kobalte.Portal>
        <Kobalte.Overlay class="dialog-overlay" />
        <div class="dialog-place" data-high="">
          <Kobalte.Content class="palette" aria-label="Commands">
            <Kobalte.Title class="unseen">Commands</Kobalte.Title>
            <input
              type="text"
              role="combobox"
              aria-expanded="true"
              aria-controls="palette-list"
              aria-activedescendant={found().length > 0 ? `palette-${at()}` : undefined}
              aria-label="Go to a page, do something, or find a credential"
              placeholder="Go to, do, or find…"
              autocomplete="off"
              spellcheck={false}
              value={text()}
              onInput={(event) => setText(event.currentTarget.value)}
              onKeyDown={onKey}
            />
            <div id="palette-list" role="listbox" aria-label="Matches">
              <For each={found()} fallback={<p class="palette-none">Nothing matches.</p>}>
                {(choice, i) => (
                  <div
                    id={`palette-${i()}`}
                    role="option"
                    aria-selected={i() === at()}
                    data-group={found()[i() - 1]?.group === choice.group ? undefined : choice.group}
                    onPointerMove={() => setAt(i())}
                    onClick={() => choose(choice)}
                  >
                    <span class="palette-name">{choice.name}</span>
                    <Show when={choice.hint}>
                      <span class="palette-hint">{choice.hint}</span>
                    </Show>
                    <Show when={i() === at()}>
                      <CornerDownLeft size={14} aria-hidden="true" />
                    </Show>
                  </div>
                )}
              </For>
            </div>
          </Kobalte.Content>
        </div>
      </Kobalte.Portal>
    </Kobalte.Root>
  )
}
