import { For, Show } from 'solid-js'
import { api } from '../api.ts'
import { count, counted } from '../numbers.ts'
import { createReading } from '../reading.ts'
import { Badge } from '../ui/badge.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, ProblemNotice, Skeleton } from '../ui/notice.tsx'
import type { SyncAddress } from './sync.tsx'
import { OUTCOMES } from './words.ts'

/** What ran, why, and what came of it; newest first. */
export function Runs(props: { address: SyncAddress }) {
  const runs = createReading(api.sync.listRuns, () => ({
    query: { limit: 200, ...(props.address.get('route') ? { route: props.address.get('route') } : {}) },
  }))
  return (
    <div class="stack">
      <Show when={props.address.get('route')}>
        <div class="filters">
          <button
            type="button"
            class="chip"
            aria-pressed="true"
            onClick={() => props.address.set({ route: '' })}
          >
            One route
          </button>
        </div>
      </Show>
      <ProblemNotice problem={runs.problem()} again={runs.again} />
      <Show when={runs.data()} fallback={<Skeleton lines={10} />}>
        {(page) => (
          <Show
            when={page().items.length > 0}
            fallback={<Empty title="Nothing ran yet">A route runs when it is opened.</Empty>}
          >
            <div class="table-scroll" tabindex="0" role="region" aria-label="Runs">
              <table class="table">
                <thead>
                  <tr>
                    <th scope="col">Route</th>
                    <th scope="col">When</th>
                    <th scope="col">Outcome</th>
                    <th scope="col" class="wide-only">
                      Why
                    </th>
                    <th scope="col" class="numeric wide-only">
                      Written
                    </th>
                    <th scope="col" class="numeric wide-only">
                      Left alone
                    </th>
                    <th scope="col" class="numeric wide-only">
                      Values read
                    </th>
                  </tr>
                </thead>
                <tbody>
                  <For each={page().items}>
                    {(run) => (
                      <tr>
                        <th scope="row">
                          <a
                            class="table-link"
                            data-row=""
                            href={props.address.with({ plan: run.run, copy: '' })}
                          >
                            <span class="clip">{run.routeName}</span>
                          </a>
                        </th>
                        <td>
                          <Instant at={run.startedAt} />
                        </td>
                        <td>
                          <Badge
                            tone={OUTCOMES[run.outcome ?? '']?.tone ?? 'plain'}
                            title={run.problem ?? ''}
                          >
                            {OUTCOMES[run.outcome ?? '']?.word ??
                              (run.progress ? `${run.progress.done} of ${run.progress.total}` : 'Running')}
                          </Badge>
                        </td>
                        <td class="wide-only">{run.trigger}</td>
                        <td class="numeric tabular wide-only">
                          {count((run.done?.create ?? 0) + (run.done?.update ?? 0) + (run.done?.prune ?? 0))}
                        </td>
                        <td class="numeric tabular wide-only">{count(run.done?.noop ?? 0)}</td>
                        <td class="numeric tabular wide-only">{count(run.valuesRead)}</td>
                      </tr>
                    )}
                  </For>
                </tbody>
              </table>
            </div>
            <p class="faint">{counted(page().total, 'run')}</p>
          </Show>
        )}
      </Show>
    </div>
  )
}
