import { createSignal, For, type JSX, Show } from 'solid-js'
import { api } from '../api.ts'
import { createReading } from '../reading.ts'
import { Button } from '../ui/button.tsx'
import { ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { Bundle } from './bundle.tsx'

/** Bundles that one page holds. */
export const BUNDLES_A_PAGE = 100

/** The newest bundles, or those that stand behind a place in the list; and behind a button the next ones. */
export function BundlePage(props: { after?: string; fresh: string; empty?: JSX.Element }) {
  const [more, setMore] = createSignal(false)
  const bundles = createReading(api.evidence.listBundles, () => ({
    query: { limit: BUNDLES_A_PAGE, ...(props.after === undefined ? {} : { after: props.after }) },
  }))
  return (
    <>
      <ProblemNotice problem={bundles.problem()} again={bundles.again} />
      <Show
        when={bundles.data()}
        fallback={
          <Show when={bundles.loading()}>
            <Skeleton lines={8} />
          </Show>
        }
      >
        {(page) => (
          <>
            <ul class="bundles">
              <For
                each={page().items}
                fallback={<Show when={props.empty}>{(said) => <li>{said()}</li>}</Show>}
              >
                {(bundle) => <Bundle bundle={bundle} fresh={bundle.bundle === props.fresh} />}
              </For>
            </ul>
            <Show when={page().next}>
              {(next) => (
                <Show
                  when={more()}
                  fallback={<Button onClick={() => setMore(true)}>Show older bundles</Button>}
                >
                  <BundlePage after={next()} fresh={props.fresh} />
                </Show>
              )}
            </Show>
          </>
        )}
      </Show>
    </>
  )
}
