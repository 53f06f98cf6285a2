import RotateCcw from 'lucide-solid/icons/rotate-ccw'
import { For, Show } from 'solid-js'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { count, counted } from '../numbers.ts'
import { createAction, createReading } from '../reading.ts'
import { rolesNeeded } from '../session/roles.ts'
import { useSession } from '../session/session.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, ProblemNotice, Refused, Skeleton } from '../ui/notice.tsx'
import { PageHead, Panel } from '../ui/panel.tsx'
import { Streams } from './streams.tsx'

/** How often lag is read while somebody looks, milliseconds. */
const EVERY_MS = 5000

/** How far each service is behind the ledger, and work that got stuck. */
export function Operations() {
  const { may } = useSession()
  return (
    <Show
      when={may(api.gateway.listOperations)}
      fallback={
        <div class="page">
          <PageHead title="Operations" />
          <Refused what="Operations" needs={rolesNeeded(api.gateway.listOperations.endpoint)} />
        </div>
      }
    >
      <Board />
    </Show>
  )
}

function Board() {
  const { may } = useSession()
  const live = useLive()
  const operations = createReading(api.gateway.listOperations, () => ({}), { everyMs: () => EVERY_MS })
  const replay = createAction(async (service: string, id: string) => {
    await api.gateway.replayStuck({ params: { service, id } })
    live.touch([api.gateway.listOperations.id])
  })
  return (
    <div class="page">
      <PageHead title="Operations" note="read every five seconds" />
      <ProblemNotice problem={operations.problem()} again={operations.again} />
      <Show
        when={operations.data()}
        fallback={
          <Show when={operations.loading()}>
            <Skeleton lines={10} />
          </Show>
        }
      >
        {(known) => (
          <div class="stack">
            <Panel
              title="Stuck work"
              note={known().stuck.length === 0 ? undefined : counted(known().stuck.length, 'piece')}
            >
              <ProblemNotice problem={replay.problem()} />
              <ul class="stuck">
                <For
                  each={known().stuck}
                  fallback={
                    <li>
                      <Empty title="Nothing is stuck">
                        Work that failed too often would wait here to be tried again.
                      </Empty>
                    </li>
                  }
                >
                  {(work) => (
                    <li>
                      <div>
                        <p>
                          <strong>{work.service}</strong> <code class="soft">{work.consumer}</code>
                          <Show when={work.seq !== null}>
                            <span class="faint tabular"> at event {count(work.seq ?? 0)}</span>
                          </Show>
                        </p>
                        <p class="soft">{work.reason}</p>
                        <p class="faint">
                          since <Instant at={work.since} />
                        </p>
                      </div>
                      <Show when={may(api.gateway.replayStuck)}>
                        <Button
                          busy={replay.busy()}
                          onClick={() => void replay.run(work.service, work.id)}
                          icon={<RotateCcw size={14} aria-hidden="true" />}
                        >
                          Try again
                        </Button>
                      </Show>
                    </li>
                  )}
                </For>
              </ul>
            </Panel>
            <Streams everyMs={EVERY_MS} />
            <Panel title="Services" note="how far each is behind the ledger">
              <div class="table-scroll" tabindex="0" role="region" aria-label="Services and their lag">
                <table class="table">
                  <thead>
                    <tr>
                      <th scope="col">Service</th>
                      <th scope="col">Consumer</th>
                      <th scope="col" class="wide-only">
                        Context
                      </th>
                      <th scope="col" class="numeric wide-only">
                        At
                      </th>
                      <th scope="col" class="numeric">
                        Behind
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    <For each={known().services}>
                      {(row) => (
                        <tr>
                          <th scope="row">{row.service}</th>
                          <td>
                            <code>{row.consumer}</code>
                          </td>
                          <td class="wide-only">{row.context}</td>
                          <td class="numeric tabular wide-only">
                            {count(row.cursor)} <span class="faint">of {count(row.head)}</span>
                          </td>
                          <td class="numeric tabular">
                            <Show
                              when={row.head > row.cursor}
                              fallback={<Badge tone="good">up to date</Badge>}
                            >
                              <Badge tone="medium">{counted(row.head - row.cursor, 'event')}</Badge>
                            </Show>
                          </td>
                        </tr>
                      )}
                    </For>
                  </tbody>
                </table>
              </div>
            </Panel>
          </div>
        )}
      </Show>
    </div>
  )
}
