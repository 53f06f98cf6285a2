import { Show } from 'solid-js'
import { dayOf, exact, localZone, relative, relativeShort } from '../time.ts'
import { now } from './now.ts'

/** An instant as people say it; the exact time, in UTC and local, is in the tooltip. */
export function Instant(props: { at: string | null; form?: 'long' | 'short' | 'day'; none?: string }) {
  const text = (at: string): string => {
    if (props.form === 'day') return dayOf(at, localZone())
    // An instant of this very moment is not "in 2 seconds" because the tick is half a minute old.
    const present = Math.max(now(), Date.parse(at) < Date.now() ? Date.parse(at) : 0)
    return props.form === 'short' ? relativeShort(at, present) : relative(at, present)
  }
  return (
    <Show when={props.at} fallback={<span class="faint">{props.none ?? '—'}</span>}>
      {(at) => (
        <time class="tabular" dateTime={at()} title={exact(at(), localZone())}>
          {text(at())}
        </time>
      )}
    </Show>
  )
}
