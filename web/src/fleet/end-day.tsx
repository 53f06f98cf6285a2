import { dayOf, exact, localZone } from '../time.ts'

/** The day on which something ends, UTC as it was chosen; the exact time is in the tooltip. */
export const endDay = (at: string): string => dayOf(at, 'UTC')

export function EndDay(props: { at: string }) {
  return (
    <time class="tabular" dateTime={props.at} title={exact(props.at, localZone())}>
      {endDay(props.at)}
    </time>
  )
}
