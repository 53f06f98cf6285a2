import { ScanRow } from '@attestry/contracts/http'
import { useSearchParams } from '@solidjs/router'
import Radar from 'lucide-solid/icons/radar'
import { createEffect, createMemo, For, on, Show } from 'solid-js'
import { api, type ReplyOf } from '../api.ts'
import { useLive } from '../live.tsx'
import { count, counted } from '../numbers.ts'
import { createAction, type Reading } from '../reading.ts'
import { useSession } from '../session/session.tsx'
import { duration } from '../time.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { Progress } from '../ui/progress.tsx'
import { createWatch } from '../watch.ts'

export type Environments = ReplyOf<typeof api.discovery.listEnvironments.endpoint>
type Environment = Environments['items'][number]

const PHASES: Readonly<Record<ScanRow['progress']['phase'], string>> = {
  queued: 'Waiting to start',
  subscriptions: 'Listing subscriptions',
  vaults: 'Listing vaults',
  items: 'Reading what vaults hold',
  applications: 'Reading app registrations',
  resources: 'Reading what depends on them',
  done: 'Finishing',
}

const isOpen = (scan: ScanRow | null): scan is ScanRow =>
  scan?.state === 'queued' || scan?.state === 'running'

/** The state of scanning, an environment at a time, with progress as it happens. */
export function Scans(props: { environments: Reading<Environments> }) {
  return (
    <Panel title="Scan" class="scans">
      <ProblemNotice problem={props.environments.problem()} again={props.environments.again} />
      <Show
        when={props.environments.data()}
        fallback={
          <Show when={props.environments.loading()}>
            <Skeleton lines={3} />
          </Show>
        }
      >
        {(known) => (
          <For
            each={known().items}
            fallback={<Empty title="Nothing is connected">Connect an environment in Settings.</Empty>}
          >
            {(environment) => <EnvironmentScan environment={environment} />}
          </For>
        )}
      </Show>
    </Panel>
  )
}

function EnvironmentScan(props: { environment: Environment }) {
  const { may } = useSession()
  const live = useLive()
  const [search, setSearch] = useSearchParams<{ scan?: string }>()
  const known = (): ScanRow | null => props.environment.lastScan
  const watched = createWatch(() => {
    const last = known()
    return isOpen(last) ? api.discovery.watchScan.address({ params: { scan: last.scan } }) : undefined
  }, ScanRow)
  /** The watched row is newer than the list's, as long as it speaks of the same scan. */
  const scan = createMemo((): ScanRow | null => {
    const seen = watched()
    return seen && seen.scan === known()?.scan ? seen : known()
  })
  createEffect(
    on(
      () => watched()?.state,
      (state) => {
        if (state && state !== 'running' && state !== 'queued') live.touch(['discovery', 'compliance'])
      },
      { defer: true },
    ),
  )
  const start = createAction(async () => {
    await api.discovery.startScan({ body: { environment: props.environment.environment } })
    live.touch(['discovery'])
  })
  const cancel = createAction(async () => {
    const running = scan()
    if (!running) return
    await api.discovery.cancelScan({ params: { scan: running.scan } })
    live.touch(['discovery'])
  })
  createEffect(() => {
    if (search.scan !== 'now' || !may(api.discovery.startScan)) return
    setSearch({ scan: undefined }, { replace: true })
    if (!isOpen(scan())) void start.run()
  })
  return (
    <div class="scan">
      <div class="scan-head">
        <strong>{props.environment.name}</strong>
        <ScanState scan={scan()} />
        <span class="scan-actions">
          <Show when={isOpen(scan())}>
            <Show when={may(api.discovery.cancelScan)}>
              <Button
                busy={cancel.busy()}
                onClick={() => void cancel.run()}
                title="Ends the scan early; what it recorded stays."
              >
                Cancel
              </Button>
            </Show>
          </Show>
          <Show when={!isOpen(scan()) && may(api.discovery.startScan)}>
            <Button
              kind="primary"
              busy={start.busy()}
              onClick={() => void start.run()}
              icon={<Radar size={14} aria-hidden="true" />}
            >
              Scan now
            </Button>
          </Show>
        </span>
      </div>
      <ProblemNotice problem={start.problem() ?? cancel.problem()} />
      <Show when={scan()} fallback={<p class="soft">Never scanned.</p>}>
        {(row) => (
          <Show
            when={isOpen(row())}
            fallback={<Ended scan={row()} everyHours={props.environment.everyHours} />}
          >
            <div class="scan-progress">
              <Progress
                label="Vaults read"
                done={row().progress.vaultsDone}
                total={row().progress.vaultsTotal}
              />
              <p class="soft tabular" role="status">
                {PHASES[row().progress.phase]}
                <Show when={row().progress.vaultsTotal > 0}>
                  {' '}
                  · {count(row().progress.vaultsDone)} of {counted(row().progress.vaultsTotal, 'vault')}
                </Show>{' '}
                · {counted(row().progress.items, 'item')} · {counted(row().progress.calls, 'call')}
              </p>
            </div>
          </Show>
        )}
      </Show>
    </div>
  )
}

function ScanState(props: { scan: ScanRow | null }) {
  return (
    <Show when={props.scan}>
      {(scan) => {
        const tone = () =>
          ({
            queued: 'low',
            running: 'seal',
            completed: 'good',
            failed: 'critical',
            cancelled: 'plain',
          }) as const
        return <Badge tone={tone()[scan().state]}>{scan().state}</Badge>
      }}
    </Show>
  )
}

function Ended(props: { scan: ScanRow; everyHours: number | null }) {
  const took = (): string | null => {
    const { startedAt, endedAt } = props.scan
    return startedAt && endedAt ? duration(Date.parse(endedAt) - Date.parse(startedAt)) : null
  }
  return (
    <div class="soft scan-ended">
      <p>
        <Instant at={props.scan.endedAt ?? props.scan.startedAt} />
        <Show when={took()}>{(t) => <span class="tabular"> in {t()}</span>}</Show>
        <Show when={props.scan.counts}>
          {(counts) => (
            <span class="tabular">
              {' '}
              · {counted(counts().vaults, 'vault')} ·{' '}
              {counted(counts().secrets + counts().keys + counts().certificates, 'item')} ·{' '}
              {counted(counts().credentials, 'app credential')}
            </span>
          )}
        </Show>
        {' · '}
        {props.everyHours === null ? 'no schedule' : `every ${props.everyHours} h`}
      </p>
      <Show when={props.scan.problem}>
        {(problem) => (
          <p class="notice" data-tone={props.scan.state === 'failed' ? 'critical' : 'medium'}>
            {problem()}
          </p>
        )}
      </Show>
    </div>
  )
}
