import { A } from '@solidjs/router'
import Compass from 'lucide-solid/icons/compass'
import { Empty } from '../ui/notice.tsx'

export function Nowhere() {
  return (
    <Empty
      title="There is no such page"
      icon={<Compass size={20} aria-hidden="true" />}
      action={
        <A class="button" data-kind="plain" href="/">
          Go to the overview
        </A>
      }
    >
      The address may be of a newer version, or mistyped.
    </Empty>
  )
}
