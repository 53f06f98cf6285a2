import ArrowRight from 'lucide-solid/icons/arrow-right'
import Plus from 'lucide-solid/icons/plus'
import { createSignal, For, Show } from 'solid-js'
import { api, type ReplyOf } from '../api.ts'
import { useLive } from '../live.tsx'
import { count, counted } from '../numbers.ts'
import { createAction, createReading } from '../reading.ts'
import { useSession } from '../session/session.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { RouteSettingsDialog } from './route-form.tsx'
import type { SyncAddress } from './sync.tsx'
import { KINDS, NEEDS, OUTCOMES, whenOf } from './words.ts'

type Route = ReplyOf<typeof api.sync.listRoutes.endpoint>['items'][number]

/** Every route with what it keeps where, and what it wants of a person. */
export function Routes(props: { address: SyncAddress }) {
  const { may } = useSession()
  const routes = createReading(api.sync.listRoutes, () => ({ query: { limit: 200 } }))
  const connectors = createReading(api.sync.listConnectors, () => ({}))
  return (
    <div class="stack">
      <div class="part-head">
        <p class="soft">A route copies chosen secrets of one vault to one account, and nothing else there.</p>
        <Show when={may(api.sync.openRoute)}>
          <Button
            kind="primary"
            icon={<Plus size={14} aria-hidden="true" />}
            onClick={() => props.address.set({ edit: 'new' })}
          >
            Open a route
          </Button>
        </Show>
      </div>
      <ProblemNotice problem={routes.problem()} again={routes.again} />
      <Show
        when={routes.data()}
        fallback={
          <Show when={routes.loading()}>
            <Skeleton lines={8} />
          </Show>
        }
      >
        {(page) => (
          <For
            each={page().items}
            fallback={
              <Empty title="No route is open">
                <Show
                  when={connectors.data()?.items.length}
                  fallback={
                    <>
                      <a href={props.address.with({ part: 'accounts' })}>Connect an account</a> first, then
                      open a route.
                    </>
                  }
                >
                  {(n) => <>{counted(n(), 'account')} can be written to. Open a route from a vault to one.</>}
                </Show>{' '}
                Its first run is a plan; nothing is written before you accept it.
              </Empty>
            }
          >
            {(route) => <RouteCard route={route} address={props.address} />}
          </For>
        )}
      </Show>
      <Show when={props.address.get('edit') === 'new'}>
        <RouteSettingsDialog onClose={() => props.address.set({ edit: '' })} />
      </Show>
    </div>
  )
}

function RouteCard(props: { route: Route; address: SyncAddress }) {
  const { may } = useSession()
  const live = useLive()
  const where = () => ({ params: { route: props.route.route } })
  const start = createAction(async () => {
    await api.sync.startRun({ ...where(), body: { planOnly: false } })
    live.touch(['sync'])
  })
  const change = createAction(async (wish: 'pause' | 'resume' | 'close') => {
    await api.sync.changeRoute({ ...where(), body: { wish } })
    live.touch(['sync'])
  })
  const [closing, setClosing] = createSignal(false)
  const waits = () => {
    const run = props.route.lastRun
    return run?.needs && run.decided === null ? run : undefined
  }
  const figures = () =>
    [
      [props.route.copies.inSync, 'in sync', ''],
      [props.route.copies.drifted, 'drifted', 'drifted'],
      [props.route.copies.conflicts, 'conflicts', 'conflicts'],
      [props.route.copies.retrying, 'retrying', ''],
      [props.route.copies.failed, 'set aside', ''],
    ] as const
  return (
    <Panel
      title={props.route.settings.name}
      note={
        <>
          <Show when={props.route.state === 'paused'}>
            <Badge tone="medium">Paused</Badge>{' '}
          </Show>
          {whenOf(props.route.settings)}
        </>
      }
      actions={
        <>
          <Show when={may(api.sync.startRun)}>
            <Button busy={start.busy()} onClick={() => void start.run()}>
              Run now
            </Button>
          </Show>
          <Show when={may(api.sync.changeRoute)}>
            <Button
              busy={change.busy()}
              onClick={() => void change.run(props.route.state === 'paused' ? 'resume' : 'pause')}
            >
              {props.route.state === 'paused' ? 'Resume' : 'Pause'}
            </Button>
          </Show>
          <Show when={may(api.sync.reviseRoute)}>
            <Button onClick={() => props.address.set({ edit: props.route.route })}>Settings</Button>
          </Show>
          <Show when={may(api.sync.changeRoute)}>
            <Button onClick={() => setClosing(true)}>Close</Button>
          </Show>
        </>
      }
    >
      <div class="sync-card">
        <ProblemNotice problem={start.problem() ?? change.problem()} />
        <p class="sync-way">
          <strong>{props.route.source.name}</strong> <ArrowRight size={14} aria-label="to" />{' '}
          <strong>{props.route.target.name}</strong>{' '}
          <span class="soft">
            {KINDS[props.route.settings.kind]} in <code>{props.route.target.account}</code>, as{' '}
            <code>{props.route.settings.template}</code>
          </span>
        </p>
        <ul class="figures">
          <For each={figures()}>
            {([n, word, filter]) => (
              <li>
                <a
                  href={props.address.with({
                    part: 'copies',
                    route: props.route.route,
                    conflicts: filter === 'conflicts' ? 'true' : '',
                  })}
                >
                  <strong class="tabular">{count(n)}</strong> {word}
                </a>
              </li>
            )}
          </For>
        </ul>
        <Show when={waits()}>
          {(run) => (
            <div class="notice" data-tone="medium">
              <div class="notice-text">
                <p>{NEEDS[run().needs ?? '']}</p>
                <p class="faint tabular">
                  {counted(run().planned?.create ?? 0, 'creation')},{' '}
                  {counted(run().planned?.update ?? 0, 'update')},{' '}
                  {counted(run().planned?.prune ?? 0, 'deletion')}
                </p>
              </div>
              <a class="button" data-kind="primary" href={props.address.with({ plan: run().run, copy: '' })}>
                Look at the plan
              </a>
            </div>
          )}
        </Show>
        <p class="faint">
          <Show when={props.route.lastRun} fallback="It has not run yet.">
            {(run) => (
              <>
                Last run <Instant at={run().startedAt} />:{' '}
                {(OUTCOMES[run().outcome ?? '']?.word ?? 'running').toLowerCase()}
                <Show when={run().problem}>{(problem) => <>. {problem()}</>}</Show>
              </>
            )}
          </Show>
          <Show when={props.route.held > 0}> {counted(props.route.held, 'run')} held by a kill switch.</Show>{' '}
          <a href={props.address.with({ part: 'runs', route: props.route.route })}>History</a>
        </p>
      </div>
      <Show when={props.address.get('edit') === props.route.route}>
        <RouteSettingsDialog route={props.route} onClose={() => props.address.set({ edit: '' })} />
      </Show>
      <Dialog
        open={closing()}
        onClose={() => setClosing(false)}
        title={`Close ${props.route.settings.name}`}
        description="It never runs again. Its copies stay where they are, with its mark on them."
      >
        <ProblemNotice problem={change.problem()} />
        <div class="dialog-actions">
          <Button onClick={() => setClosing(false)}>Cancel</Button>
          <Button kind="danger" busy={change.busy()} onClick={() => void change.run('close')}>
            Close the route
          </Button>
        </div>
      </Dialog>
    </Panel>
  )
}
