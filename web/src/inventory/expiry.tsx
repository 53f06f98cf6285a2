import CircleAlert from 'lucide-solid/icons/circle-alert'
import Clock from 'lucide-solid/icons/clock'
import { Show } from 'solid-js'
import { Instant } from '../ui/instant.tsx'
import { now } from '../ui/now.ts'
import { nearness } from './kinds.ts'

/** When something expires; what is over or near is marked by a sign as well as a colour. */
export function Expiry(props: { at: string | null; long?: boolean }) {
  const near = () => nearness(props.at, now())
  return (
    <span class="expiry" data-near={near()}>
      <Show when={near() === 'expired'}>
        <CircleAlert size={13} aria-label="Expired" />
      </Show>
      <Show when={near() === 'week'}>
        <Clock size={13} aria-label="Within a week" />
      </Show>
      <Instant at={props.at} form={props.long ? 'long' : 'short'} none="no expiry" />
    </span>
  )
}
