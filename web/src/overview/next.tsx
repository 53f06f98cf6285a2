import { For, Show } from 'solid-js'
import { api } from '../api.ts'
import { Expiry } from '../inventory/expiry.tsx'
import { KindIcon } from '../inventory/kind-icon.tsx'
import { count } from '../numbers.ts'
import { createReading } from '../reading.ts'

/** The next few to expire, with how much depends on each. */
export function NextToExpire() {
  const assets = createReading(api.discovery.listAssets, () => ({
    query: { state: 'expires-30d' as const, sort: 'expires' as const, limit: 5 },
  }))
  return (
    <Show when={(assets.data()?.items.length ?? 0) > 0}>
      <h3 class="next-head">Next to expire</h3>
      <ul class="next">
        <For each={assets.data()?.items}>
          {(asset) => (
            <li>
              <a href={`/inventory?asset=${asset.asset}`} data-row="">
                <KindIcon kind={asset.kind} />
                <strong class="clip">{asset.name}</strong>
                <span class="clip soft">{asset.holderName}</span>
                <span class="soft tabular">
                  {asset.dependents === 0 ? 'no known use' : `used by ${count(asset.dependents)}`}
                </span>
                <Expiry at={asset.expires} />
              </a>
            </li>
          )}
        </For>
      </ul>
    </Show>
  )
}
