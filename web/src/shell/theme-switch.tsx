import Monitor from 'lucide-solid/icons/monitor'
import Moon from 'lucide-solid/icons/moon'
import Sun from 'lucide-solid/icons/sun'
import { For, type JSX } from 'solid-js'
import { setTheme, type Theme, theme } from './theme.ts'

const THEMES: readonly (readonly [theme: Theme, name: string, icon: () => JSX.Element])[] = [
  ['auto', 'As the system', () => <Monitor size={14} aria-hidden="true" />],
  ['light', 'Light', () => <Sun size={14} aria-hidden="true" />],
  ['dark', 'Dark', () => <Moon size={14} aria-hidden="true" />],
]

/** Light, dark, or as the system. */
export function ThemeSwitch() {
  return (
    <div class="segments" role="group" aria-label="Theme">
      <For each={THEMES}>
        {([value, name, icon]) => (
          <button
            type="button"
            aria-pressed={theme() === value}
            aria-label={name}
            title={name}
            onClick={() => setTheme(value)}
          >
            {icon()}
          </button>
        )}
      </For>
    </div>
  )
}
