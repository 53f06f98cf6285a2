import RefreshCw from 'lucide-solid/icons/refresh-cw'
import { For, Show } from 'solid-js'
import { api } from '../api.ts'
import { createReading } from '../reading.ts'
import { STAGES } from '../rotation/words.ts'
import { useSession } from '../session/session.tsx'
import { Instant } from '../ui/instant.tsx'

/** Rotations shown at most; the page Rotation has them all. */
const SHOWN = 3

/** Rotations that wait for a person: one that stands still holds two live credentials. */
export function RotationsNeed() {
  const { may } = useSession()
  const waiting = createReading(api.rotation.listRotations, () =>
    may(api.rotation.listRotations) ? { query: { state: 'attention' as const, limit: 20 } } : undefined,
  )
  const shown = () => (waiting.data()?.items ?? []).filter((r) => r.endedAt === null).slice(0, SHOWN)
  return (
    <Show when={shown().length > 0}>
      <ol class="needs-list" aria-label="Rotations that wait for a person">
        <For each={shown()}>
          {(row) => (
            <li>
              <a href={`/rotation/${row.rotation}`} data-row="">
                <RefreshCw size={14} aria-hidden="true" />
                <span class="needs-text">
                  <span class="clip">{row.needsOperator?.reason ?? 'A rotation waits for approval.'}</span>
                  <span class="clip soft">
                    {row.name}, {STAGES[row.stage].word.toLowerCase()}
                  </span>
                </span>
                <Instant at={row.since} form="short" />
              </a>
            </li>
          )}
        </For>
      </ol>
    </Show>
  )
}
