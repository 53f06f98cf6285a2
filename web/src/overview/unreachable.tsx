import Unplug from 'lucide-solid/icons/unplug'
import { For, Show } from 'solid-js'
import { UNREACHABLE } from '../vaults/posture.ts'
import { Panel } from '../ui/panel.tsx'
import type { Environments } from './scan.tsx'

/** Vaults that the last scan could not read: their assets are unknown, never passed. */
export function UnreachableVaults(props: { environments: Environments | undefined }) {
  const vaults = () => (props.environments?.items ?? []).flatMap((e) => e.lastScan?.unreachable ?? [])
  return (
    <Show when={vaults().length > 0}>
      <Panel
        title="Not readable"
        class="unreachable"
        note="what they hold counts as unknown, never as a pass"
        actions={<a href="/vaults?only=unreachable">All</a>}
      >
        <ul class="plain-rows">
          <For each={vaults().slice(0, 6)}>
            {(vault) => (
              <li>
                <a href={`/vaults?vault=${vault.vault}`} data-row="">
                  <Unplug size={15} aria-hidden="true" />
                  <strong class="clip">{vault.name}</strong>
                  <span class="clip soft">{UNREACHABLE[vault.why].says}</span>
                </a>
              </li>
            )}
          </For>
        </ul>
      </Panel>
    </Show>
  )
}
