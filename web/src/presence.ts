/**
 * Whether somebody is at the page. What an untouched page asks for by itself, because events arrive, must not keep
 * its session alive: the server is told, and lets the idle time run.
 */
export interface Presence {
  /** True once nobody has touched the page for a minute. */
  away(): boolean
}

/** How long after the last touch a person still counts as there, milliseconds. */
const THERE_FOR_MS = 60_000

const TOUCHES = ['pointerdown', 'keydown', 'wheel', 'touchstart'] as const

/** Watches a target for the touches of a person. Opening the page counts as one. */
export function watchPresence(target: Pick<EventTarget, 'addEventListener'>, now: () => number): Presence {
  let touchedAt = now()
  const touched = () => {
    touchedAt = now()
  }
  for (const touch of TOUCHES) target.addEventListener(touch, touched, { passive: true, capture: true })
  return { away: () => now() - touchedAt >= THERE_FOR_MS }
}
