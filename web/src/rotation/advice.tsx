import { For, Show } from 'solid-js'
import { api } from '../api.ts'
import { createReading } from '../reading.ts'
import { Badge } from '../ui/badge.tsx'
import { Empty, ProblemNotice, Skeleton } from '../ui/notice.tsx'

/** Credentials that need not be: the best rotation is none. */
export function AdviceList() {
  const advice = createReading(api.rotation.listAdvice, () => ({}))
  return (
    <div class="scroll" tabindex="0" role="region" aria-label="Secretless">
      <div class="stack rotation-part">
        <p class="soft">
          Secrets that a managed identity or a federation would make needless. Told of policies whose vault
          secret a person verified, by who uses it.
        </p>
        <ProblemNotice problem={advice.problem()} again={advice.again} />
        <Show when={advice.data()} fallback={<Skeleton lines={5} />}>
          {(known) => (
            <ul class="cards">
              <For
                each={known().items}
                fallback={
                  <li>
                    <Empty title="No advice now">
                      Verify the matches of your policies; then it is known which workloads share which
                      secret.
                    </Empty>
                  </li>
                }
              >
                {(row) => (
                  <li>
                    <p class="named">
                      <strong class="clip">{row.name}</strong>
                      <Badge tone="low">
                        {row.advice === 'managed-identity' ? 'Managed identity' : 'Federation'}
                      </Badge>
                    </p>
                    <p>{row.says}</p>
                    <p class="faint">
                      Used by {row.resources.join(', ')}.{' '}
                      <a href={`/inventory?asset=${row.credential}`}>The credential</a>
                    </p>
                  </li>
                )}
              </For>
            </ul>
          )}
        </Show>
      </div>
    </div>
  )
}
