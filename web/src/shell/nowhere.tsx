import Compass from 'lucide-solid/icons/compass'
import { Empty } from '../ui/notice.tsx'
import { PageHead } from '../ui/panel.tsx'

export function Nowhere() {
  return (
    <div class="page">
      <PageHead title="No such page" />
      <Empty
        title="Nothing is at this address"
        icon={<Compass size={20} aria-hidden="true" />}
        action={
          <a class="button" data-kind="plain" href="/">
            Go to the overview
          </a>
        }
      >
        The address may be of a newer version, or mistyped.
      </Empty>
    </div>
  )
}
