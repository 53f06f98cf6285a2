import { createVirtualizer } from '@tanstack/solid-virtual'
import ArrowDown from 'lucide-solid/icons/arrow-down'
import ArrowUp from 'lucide-solid/icons/arrow-up'
import { createEffect, createSignal, For, type JSX, onCleanup, onMount, Show } from 'solid-js'
import type { Pages } from '../pages.ts'

/** A column of a long list. In a narrow list each row is two lines, and `narrow` says which place a cell takes. */
export interface Column<T> {
  readonly id: string
  readonly label: string
  /** A CSS grid track: `minmax(0, 2fr)`, `96px`. */
  readonly track: string
  readonly cell: (row: T) => JSX.Element
  readonly numeric?: boolean
  readonly narrow: 'title' | 'end' | 'sub' | 'sub-end' | 'hidden'
  /** The server can sort by it. */
  readonly sort?: string
}

export interface Sorting {
  readonly by: string
  readonly order: 'asc' | 'desc'
}

/** Below this width of the list, pixels, each row is two lines: on a phone, or beside an open panel. */
const COMPACT = 720
const WIDE_ROW = 36
const COMPACT_ROW = 58

/**
 * A list of any length: only the rows in view are in the document, and more is read as somebody scrolls. Each row
 * is one link; `href` is its address.
 */
export function Rows<T>(props: {
  label: string
  pages: Pages<T>
  columns: readonly Column<T>[]
  href: (row: T) => string
  name: (row: T) => string
  selected?: (row: T) => boolean
  dimmed?: (row: T) => boolean
  sorting?: Sorting
  onSort?: (by: string) => void
  empty: JSX.Element
}) {
  let body: HTMLDivElement | undefined
  const [scroller, setScroller] = createSignal<HTMLDivElement | null>(null)
  // Not in `ref`: until it is in the page the element belongs to its template's document, which has no window.
  onMount(() => {
    if (!body) return
    setScroller(body)
    const sized = new ResizeObserver(([entry]) => setCompact((entry?.contentRect.width ?? COMPACT) < COMPACT))
    sized.observe(body)
    onCleanup(() => sized.disconnect())
  })
  const [compact, setCompact] = createSignal(globalThis.innerWidth < COMPACT)
  const size = (): number => (compact() ? COMPACT_ROW : WIDE_ROW)
  const virtual = createVirtualizer<HTMLDivElement, HTMLDivElement>({
    get count() {
      return props.pages.total() ?? 0
    },
    getScrollElement: scroller,
    estimateSize: () => size(),
    overscan: 8,
  })
  createEffect(() => {
    size()
    virtual.measure()
  })
  createEffect(() => {
    const last = virtual.getVirtualItems().at(-1)
    if (last) props.pages.reach(last.index)
  })
  const tracks = (): string => props.columns.map((c) => c.track).join(' ')
  return (
    <div
      class="rows"
      role="table"
      aria-label={props.label}
      aria-rowcount={(props.pages.total() ?? 0) + 1}
      aria-busy={props.pages.loading() ? 'true' : undefined}
      data-settling={props.pages.settling() && props.pages.rows().length > 0 ? '' : undefined}
      data-compact={compact() ? '' : undefined}
      style={{ '--tracks': tracks() }}
    >
      <div class="rows-head" role="rowgroup">
        <div class="row" role="row" aria-rowindex={1}>
          <For each={props.columns}>
            {(column) => (
              <span
                role="columnheader"
                class="cell"
                data-numeric={column.numeric ? '' : undefined}
                data-narrow={column.narrow}
                aria-sort={ariaSort(column, props.sorting)}
              >
                <Show when={column.sort && props.onSort} fallback={column.label}>
                  <button type="button" class="sort" onClick={() => props.onSort?.(column.sort ?? '')}>
                    {column.label}
                    <Show when={props.sorting?.by === column.sort}>
                      <Show
                        when={props.sorting?.order === 'desc'}
                        fallback={<ArrowUp size={12} aria-hidden="true" />}
                      >
                        <ArrowDown size={12} aria-hidden="true" />
                      </Show>
                    </Show>
                  </button>
                </Show>
              </span>
            )}
          </For>
        </div>
      </div>
      <div class="rows-scroll" ref={body} role="rowgroup" tabindex="0" aria-label={`${props.label}: rows`}>
        <Show
          when={props.pages.total() !== 0}
          fallback={
            <div role="row">
              <div role="cell">{props.empty}</div>
            </div>
          }
        >
          <Show when={props.pages.total() !== undefined} fallback={<Waiting />}>
            <div class="rows-space" role="presentation" style={{ height: `${virtual.getTotalSize()}px` }}>
              <For each={virtual.getVirtualItems()}>
                {(item) => (
                  <Show
                    when={props.pages.rows()[item.index]}
                    fallback={
                      <div
                        class="row"
                        role="row"
                        data-waiting=""
                        aria-rowindex={item.index + 2}
                        style={{ transform: `translateY(${item.start}px)` }}
                      >
                        <span class="cell" role="cell" data-narrow="title">
                          <span class="unseen">Loading</span>
                        </span>
                      </div>
                    }
                  >
                    {(row) => (
                      <div
                        class="row"
                        role="row"
                        aria-rowindex={item.index + 2}
                        data-selected={props.selected?.(row()) ? '' : undefined}
                        data-dimmed={props.dimmed?.(row()) ? '' : undefined}
                        style={{ transform: `translateY(${item.start}px)` }}
                      >
                        <For each={props.columns}>
                          {(column, i) => (
                            <span
                              class="cell"
                              role="cell"
                              data-numeric={column.numeric ? '' : undefined}
                              data-narrow={column.narrow}
                            >
                              <Show when={i() === 0} fallback={column.cell(row())}>
                                <a
                                  class="row-link"
                                  data-row=""
                                  href={props.href(row())}
                                  aria-label={props.name(row())}
                                />
                                {column.cell(row())}
                              </Show>
                            </span>
                          )}
                        </For>
                      </div>
                    )}
                  </Show>
                )}
              </For>
            </div>
          </Show>
        </Show>
      </div>
    </div>
  )
}

function Waiting() {
  return (
    <div role="row">
      <div role="cell" class="rows-waiting">
        <span class="unseen">Loading</span>
        <For each={Array.from({ length: 12 })}>{() => <span class="rows-ghost" />}</For>
      </div>
    </div>
  )
}

function ariaSort<T>(
  column: Column<T>,
  sorting: Sorting | undefined,
): 'ascending' | 'descending' | undefined {
  if (!sorting || !column.sort || sorting.by !== column.sort) return undefined
  return sorting.order === 'asc' ? 'ascending' : 'descending'
}
