import { For, Show } from 'solid-js'
import { api } from '../api.ts'
import { counted } from '../numbers.ts'
import { createReading } from '../reading.ts'
import { Badge } from '../ui/badge.tsx'
import { Empty, ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { SearchBox } from '../ui/search.tsx'
import type { SyncAddress } from './sync.tsx'
import { ACTIONS, reasonOf, STATES } from './words.ts'

/** Secrets against routes; narrowed to one route or to conflicts it is a list with the reason of each. */
export function Matrix(props: { address: SyncAddress }) {
  const narrowed = (): boolean => props.address.get('route') !== '' || props.address.get('conflicts') !== ''
  return (
    <div class="stack">
      <div class="filters" role="search">
        <SearchBox
          label="Search copies"
          value={props.address.get('search')}
          onChange={(search) => props.address.set({ search })}
        />
        <button
          type="button"
          class="chip"
          aria-pressed={props.address.get('conflicts') === 'true'}
          onClick={() =>
            props.address.set({ conflicts: props.address.get('conflicts') === 'true' ? '' : 'true' })
          }
        >
          Conflicts
        </button>
        <Show when={props.address.get('route')}>
          <button
            type="button"
            class="chip"
            aria-pressed="true"
            onClick={() => props.address.set({ route: '' })}
          >
            One route
          </button>
        </Show>
      </div>
      <Show when={narrowed()} fallback={<Grid address={props.address} />}>
        <List address={props.address} />
      </Show>
    </div>
  )
}

function Grid(props: { address: SyncAddress }) {
  const matrix = createReading(api.sync.readMatrix, () => ({
    query: { limit: 500, ...(props.address.get('search') ? { search: props.address.get('search') } : {}) },
  }))
  return (
    <>
      <ProblemNotice problem={matrix.problem()} again={matrix.again} />
      <Show when={matrix.data()} fallback={<Skeleton lines={10} />}>
        {(known) => (
          <Show
            when={known().items.length > 0}
            fallback={<Empty title="Nothing is copied yet">Open a route and accept its first plan.</Empty>}
          >
            <div class="table-scroll" tabindex="0" role="region" aria-label="Secrets against routes">
              <table class="table">
                <thead>
                  <tr>
                    <th scope="col">Secret</th>
                    <For each={known().routes}>
                      {(route) => (
                        <th scope="col">
                          {route.name}
                          <span class="sync-target">{route.target}</span>
                        </th>
                      )}
                    </For>
                  </tr>
                </thead>
                <tbody>
                  <For each={known().items}>
                    {(row) => (
                      <tr>
                        <th scope="row">{row.name}</th>
                        <For each={known().routes}>
                          {(route) => {
                            const cell = () => row.cells.find((c) => c.route === route.route)
                            return (
                              <td>
                                <Show when={cell()} fallback={<span class="faint">–</span>}>
                                  {(found) => (
                                    <a href={props.address.with({ copy: found().copy, plan: '' })}>
                                      <Badge tone={STATES[found().state]?.tone ?? 'plain'}>
                                        {STATES[found().state]?.word ?? found().state}
                                      </Badge>
                                    </a>
                                  )}
                                </Show>
                              </td>
                            )
                          }}
                        </For>
                      </tr>
                    )}
                  </For>
                </tbody>
              </table>
            </div>
            <p class="faint">{counted(known().total, 'secret')}</p>
          </Show>
        )}
      </Show>
    </>
  )
}

function List(props: { address: SyncAddress }) {
  const copies = createReading(api.sync.listCopies, () => ({
    query: {
      limit: 500,
      ...(props.address.get('route') ? { route: props.address.get('route') } : {}),
      ...(props.address.get('conflicts') ? { conflicts: 'true' as const } : {}),
      ...(props.address.get('search') ? { search: props.address.get('search') } : {}),
    },
  }))
  return (
    <>
      <ProblemNotice problem={copies.problem()} again={copies.again} />
      <Show when={copies.data()} fallback={<Skeleton lines={10} />}>
        {(known) => (
          <Show
            when={known().items.length > 0}
            fallback={<Empty title="No copy matches">Change the filter.</Empty>}
          >
            <div class="table-scroll" tabindex="0" role="region" aria-label="Copies">
              <table class="table">
                <thead>
                  <tr>
                    <th scope="col">Secret</th>
                    <th scope="col">State</th>
                    <th scope="col" class="wide-only">
                      What the plan says
                    </th>
                  </tr>
                </thead>
                <tbody>
                  <For each={known().items}>
                    {(copy) => (
                      <tr data-selected={copy.copy === props.address.get('copy') ? '' : undefined}>
                        <th scope="row">
                          <a
                            class="table-link"
                            data-row=""
                            href={props.address.with({ copy: copy.copy, plan: '' })}
                          >
                            <span class="clip">{copy.sourceName}</span>
                          </a>
                        </th>
                        <td>
                          <Badge tone={STATES[copy.state]?.tone ?? 'plain'}>{STATES[copy.state]?.word}</Badge>
                        </td>
                        <td class="wide-only">
                          <Show
                            when={copy.line}
                            fallback={<span class="faint">{copy.reason ?? 'Nothing to do.'}</span>}
                          >
                            {(line) => (
                              <>
                                {ACTIONS[line().action]?.word}: {reasonOf(line().reason)}
                              </>
                            )}
                          </Show>
                        </td>
                      </tr>
                    )}
                  </For>
                </tbody>
              </table>
            </div>
            <p class="faint">{counted(known().total, 'copy', 'copies')}</p>
          </Show>
        )}
      </Show>
    </>
  )
}
