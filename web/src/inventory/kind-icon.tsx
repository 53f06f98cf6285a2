import type { AssetKind } from '@attestry/contracts/http'
import AppWindow from 'lucide-solid/icons/app-window'
import FileBadge from 'lucide-solid/icons/file-badge'
import IdCard from 'lucide-solid/icons/id-card'
import KeyRound from 'lucide-solid/icons/key-round'
import LockKeyhole from 'lucide-solid/icons/lock-keyhole'
import { Dynamic } from 'solid-js/web'

const ICONS = {
  secret: LockKeyhole,
  key: KeyRound,
  certificate: FileBadge,
  'app-secret': AppWindow,
  'app-certificate': IdCard,
} as const satisfies Record<AssetKind, typeof KeyRound>

export function KindIcon(props: { kind: AssetKind }) {
  return <Dynamic component={ICONS[props.kind]} class="kind-icon" size={15} aria-hidden="true" />
}
