import { For } from 'solid-js'
import { Dialog } from '../ui/dialog.tsx'
import { PLACES } from './places.ts'

const KEYS: readonly (readonly [keys: readonly string[], does: string])[] = [
  [['Ctrl', 'K'], 'Commands and search over everything (⌘ K on a Mac)'],
  [['/'], 'Search in the list of this page'],
  [['j'], 'Next row'],
  [['k'], 'Previous row'],
  [['Enter'], 'Open the row'],
  [['Esc'], 'Close what is open'],
  [['?'], 'This list'],
]

export function KeyHelp(props: { open: boolean; onClose: () => void }) {
  return (
    <Dialog open={props.open} onClose={props.onClose} title="Keys" wide>
      <div class="key-help">
        <dl>
          <For each={KEYS}>
            {([keys, does]) => (
              <div>
                <dt>
                  <For each={keys}>{(key) => <kbd>{key}</kbd>}</For>
                </dt>
                <dd>{does}</dd>
              </div>
            )}
          </For>
        </dl>
        <dl>
          <For each={PLACES}>
            {(place) => (
              <div>
                <dt>
                  <kbd>g</kbd>
                  <kbd>{place.key}</kbd>
                </dt>
                <dd>{place.name}</dd>
              </div>
            )}
          </For>
        </dl>
      </div>
    </Dialog>
  )
}
