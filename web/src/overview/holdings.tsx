import AppWindow from 'lucide-solid/icons/app-window'
import Boxes from 'lucide-solid/icons/boxes'
import Vault from 'lucide-solid/icons/vault'
import { For, Show } from 'solid-js'
import type { api, ReplyOf } from '../api.ts'
import { type KIND_WORDS, KINDS } from '../inventory/kinds.ts'
import { KindIcon } from '../inventory/kind-icon.tsx'
import { count } from '../numbers.ts'
import type { Reading } from '../reading.ts'
import { Skeleton } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'

const PLURALS: Readonly<Record<keyof typeof KIND_WORDS, string>> = {
  secret: 'Secrets',
  key: 'Keys',
  certificate: 'Certificates',
  'app-secret': 'App secrets',
  'app-certificate': 'App certificates',
}

/** How much there is, by kind. */
export function Holdings(props: {
  summary: Reading<ReplyOf<typeof api.discovery.summariseAssets.endpoint>>
}) {
  return (
    <Panel title="Estate" class="holdings" actions={<a href="/inventory">Inventory</a>}>
      <Show
        when={props.summary.data()}
        fallback={
          <Show when={props.summary.loading()}>
            <Skeleton lines={4} />
          </Show>
        }
      >
        {(summary) => (
          <ul class="holdings-list">
            <For each={summary().kinds.toSorted((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind))}>
              {(kind) => (
                <li>
                  <a href={`/inventory?kind=${kind.kind}`}>
                    <KindIcon kind={kind.kind} />
                    <span>{PLURALS[kind.kind]}</span>
                    <strong class="tabular">{count(kind.count)}</strong>
                  </a>
                </li>
              )}
            </For>
            <li>
              <a href="/vaults">
                <Vault class="kind-icon" size={15} aria-hidden="true" />
                <span>Vaults</span>
                <strong class="tabular">{count(summary().vaults)}</strong>
              </a>
            </li>
            <li>
              <span class="holdings-row">
                <AppWindow class="kind-icon" size={15} aria-hidden="true" />
                <span>Applications</span>
                <strong class="tabular">{count(summary().applications)}</strong>
              </span>
            </li>
            <li>
              <span class="holdings-row">
                <Boxes class="kind-icon" size={15} aria-hidden="true" />
                <span>Dependents</span>
                <strong class="tabular">{count(summary().resources)}</strong>
              </span>
            </li>
          </ul>
        )}
      </Show>
    </Panel>
  )
}
