import { createSignal } from 'solid-js'

export type Theme = 'auto' | 'light' | 'dark'

const KEY = 'attestry.theme'

const [theme, setSignal] = createSignal<Theme>(kept())

function kept(): Theme {
  const value = document.documentElement.dataset['theme']
  return value === 'light' || value === 'dark' ? value : 'auto'
}

/** Chooses a theme for this browser; `auto` follows the system. */
export function setTheme(next: Theme): void {
  if (next === 'auto') {
    delete document.documentElement.dataset['theme']
    localStorage.removeItem(KEY)
  } else {
    document.documentElement.dataset['theme'] = next
    localStorage.setItem(KEY, next)
  }
  setSignal(next)
}

export { theme }
