/** What a press of keys asks for, for the whole console. */
export type KeyWish =
  | { readonly to: string }
  | 'palette'
  | 'help'
  | 'search'
  | 'next'
  | 'previous'
  | 'open'
  | 'close'

export interface Press {
  readonly key: string
  readonly ctrl: boolean
  readonly alt: boolean
  /** The press went into a field or an open dialog, where letters are text. */
  readonly writing: boolean
}

/** Two presses of `g x` must follow within this time, milliseconds. */
export const CHORD_MS = 1200

/**
 * Reads a press. Pure: `chord` says that `g` was pressed just before, `places` maps the letters after it.
 * Answers the wish, 'chord' when this press starts one, or null.
 */
export function readPress(
  press: Press,
  chord: boolean,
  places: ReadonlyMap<string, string>,
): KeyWish | 'chord' | null {
  if (press.ctrl && press.key.toLowerCase() === 'k') return 'palette'
  if (press.ctrl || press.alt) return null
  if (press.key === 'Escape') return press.writing ? null : 'close'
  if (press.writing) return null
  if (chord) {
    const to = places.get(press.key)
    return to === undefined ? null : { to }
  }
  switch (press.key) {
    case 'g':
      return 'chord'
    case '?':
      return 'help'
    case '/':
      return 'search'
    case 'j':
      return 'next'
    case 'k':
      return 'previous'
    default:
      return null
  }
}
