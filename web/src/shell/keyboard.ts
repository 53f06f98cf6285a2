import { createEffect, onCleanup } from 'solid-js'
import { CHORD_MS, type KeyWish, readPress } from './keys.ts'

const writingIn = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable ||
    ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName) ||
    target.closest('[role=dialog]') !== null)

/** Moves the focus along the rows of the page's list: each row's link carries `data-row`. */
function step(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('[data-row]')]
  const at = rows.findIndex((row) => row === document.activeElement || row.contains(document.activeElement))
  const to = rows[at === -1 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by))]
  to?.focus()
  to?.scrollIntoView({ block: 'nearest' })
}

/** Listens for the console's keys. `/`, `j` and `k` act on whatever list the page shows. */
export function useKeyboard(
  places: () => ReadonlyMap<string, string>,
  act: (wish: Exclude<KeyWish, 'search' | 'next' | 'previous'>) => void,
): void {
  let chordAt = 0
  const listen = (event: KeyboardEvent): void => {
    if (event.defaultPrevented) return
    const wish = readPress(
      {
        key: event.key,
        ctrl: event.ctrlKey || event.metaKey,
        alt: event.altKey,
        writing: writingIn(event.target),
      },
      event.timeStamp - chordAt < CHORD_MS && chordAt > 0,
      places(),
    )
    chordAt = wish === 'chord' ? event.timeStamp : 0
    if (wish === null || wish === 'chord') return
    if (wish !== 'close') event.preventDefault()
    if (wish === 'next') step(1)
    else if (wish === 'previous') step(-1)
    else if (wish === 'search') document.querySelector<HTMLInputElement>('input[data-search]')?.focus()
    else act(wish)
  }
  createEffect(() => {
    document.addEventListener('keydown', listen)
    onCleanup(() => document.removeEventListener('keydown', listen))
  })
}

const closers: (() => void)[] = []

/** What Escape closes on this page: the one opened last goes first. */
export function useEscape(close: () => void): void {
  closers.push(close)
  onCleanup(() => closers.splice(closers.indexOf(close), 1))
}

export const escape = (): void => closers.at(-1)?.()
