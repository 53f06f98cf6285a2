import OctagonX from 'lucide-solid/icons/octagon-x'
import { createSignal, For, Match, Show, Switch } from 'solid-js'
import { useAddress } from '../address.ts'
import { api, type ReplyOf } from '../api.ts'
import { useLive } from '../live.tsx'
import { count, counted } from '../numbers.ts'
import { createAction, createReading } from '../reading.ts'
import { useProof } from '../session/proof.tsx'
import { useSession } from '../session/session.tsx'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { Instant } from '../ui/instant.tsx'
import { ProblemNotice } from '../ui/notice.tsx'
import { PageHead } from '../ui/panel.tsx'
import { Accounts } from './accounts.tsx'
import { CopyPanel } from './copy-panel.tsx'
import { Matrix } from './matrix.tsx'
import { PlanPanel } from './plan-panel.tsx'
import { Routes } from './routes.tsx'
import { Runs } from './runs.tsx'

type Status = ReplyOf<typeof api.sync.readStatus.endpoint>

const PARTS = [
  ['', 'Routes'],
  ['copies', 'Copies'],
  ['runs', 'History'],
  ['accounts', 'Accounts'],
] as const

/** What an address of this page holds; `edit` is a route whose settings are open, or `new`. */
const KEYS = ['part', 'search', 'route', 'copy', 'plan', 'conflicts', 'edit'] as const

/** Copies in other clouds: where they come from, what would be written, what is where, and how to stop it. */
export function Sync() {
  const address = useAddress('/sync', KEYS)
  const status = createReading(api.sync.readStatus, () => ({}), { everyMs: () => 10_000 })
  const open = (): boolean => address.get('copy') !== '' || address.get('plan') !== ''
  return (
    <div class="list-page" data-open={open() ? '' : undefined}>
      <div class="list-main">
        <PageHead
          title="Sync"
          note={
            <Show when={status.data()}>
              {(s) => (
                <span class="tabular">
                  {counted(s().routes, 'route')}, {counted(s().conflicts, 'conflict')}, {count(s().failed)}{' '}
                  set aside
                </span>
              )}
            </Show>
          }
          actions={<Show when={status.data()}>{(s) => <KillSwitch status={s()} />}</Show>}
        />
        <nav class="tabs" aria-label="Parts of sync">
          <For each={PARTS}>
            {([part, name]) => (
              <a
                href={address.with({
                  part,
                  copy: '',
                  plan: '',
                  search: '',
                  route: '',
                  conflicts: '',
                  edit: '',
                })}
                aria-current={address.get('part') === part ? 'page' : undefined}
              >
                {name}
              </a>
            )}
          </For>
        </nav>
        <ProblemNotice problem={status.problem()} again={status.again} />
        <div class="scroll sync-scroll" tabindex="0" role="region" aria-label="Sync">
          <Show when={status.data()}>{(s) => <Standing status={s()} />}</Show>
          <Switch>
            <Match when={address.get('part') === 'copies'}>
              <Matrix address={address} />
            </Match>
            <Match when={address.get('part') === 'runs'}>
              <Runs address={address} />
            </Match>
            <Match when={address.get('part') === 'accounts'}>
              <Accounts />
            </Match>
            <Match when={true}>
              <Routes address={address} />
            </Match>
          </Switch>
        </div>
      </div>
      <Show when={address.get('plan')}>
        {(run) => <PlanPanel run={run()} back={address.with({ plan: '' })} />}
      </Show>
      <Show when={address.get('copy')}>
        {(copy) => <CopyPanel copy={copy()} back={address.with({ copy: '' })} />}
      </Show>
    </div>
  )
}

export type SyncAddress = ReturnType<typeof useAddress<(typeof KEYS)[number]>>

/** What keeps sync from writing, each with what to do about it. */
function Standing(props: { status: Status }) {
  const { may } = useSession()
  const live = useLive()
  const proof = useProof()
  const allow = createAction(async (allowed: boolean) => {
    await proof.guarded(() => api.sync.allowWrites({ body: { allowed } }))
    live.touch(['sync'])
  })
  return (
    <>
      <Show when={!props.status.licensed}>
        <div class="notice" data-tone="medium">
          <div class="notice-text">
            <p>
              The licence of this install does not include writes by sync. Plans can be made and looked at.
            </p>
          </div>
        </div>
      </Show>
      <Show when={props.status.licensed && !props.status.writesAllowed}>
        <div class="notice" data-tone="low">
          <div class="notice-text">
            <p>
              Writes are off. Routes can be planned; nothing reaches a target before an administrator allows
              it.
            </p>
            <ProblemNotice problem={allow.problem()} />
          </div>
          <Show when={may(api.sync.allowWrites)}>
            <Button busy={allow.busy()} onClick={() => void allow.run(true)}>
              Allow writes
            </Button>
          </Show>
        </div>
      </Show>
      <Show when={props.status.stopped}>
        {(stopped) => (
          <div class="notice" data-tone="critical" role="alert">
            <span class="notice-icon">
              <OctagonX size={16} aria-hidden="true" />
            </span>
            <div class="notice-text">
              <p>
                Everything is stopped since <Instant at={stopped().at} />: {stopped().reason}
              </p>
              <p class="faint">{counted(props.status.held, 'run')} wait and go on when it is released.</p>
            </div>
          </div>
        )}
      </Show>
      <Show when={props.status.routes > 0 && !props.status.worker.running}>
        <div class="notice" data-tone="critical" role="alert">
          <div class="notice-text">
            <p>
              No sync worker runs, so nothing is copied. Start the sync service, and see in its log why it
              ended.
            </p>
          </div>
        </div>
      </Show>
    </>
  )
}

/** Stops all writing at once, or lets it go on. */
function KillSwitch(props: { status: Status }) {
  const { may } = useSession()
  const live = useLive()
  const [asking, setAsking] = createSignal(false)
  const [reason, setReason] = createSignal('')
  const flip = createAction(async () => {
    await api.sync.throwSwitch({
      body: { connector: null, thrown: !props.status.stopped, reason: reason().trim() },
    })
    live.touch(['sync'])
    setAsking(false)
    setReason('')
  })
  return (
    <Show when={may(api.sync.throwSwitch)}>
      <Button
        kind={props.status.stopped ? 'primary' : 'danger'}
        icon={<OctagonX size={14} aria-hidden="true" />}
        onClick={() => setAsking(true)}
      >
        {props.status.stopped ? 'Release' : 'Stop everything'}
      </Button>
      <Dialog
        open={asking()}
        onClose={() => setAsking(false)}
        title={props.status.stopped ? 'Let sync go on' : 'Stop all writing'}
        description={
          props.status.stopped
            ? 'What waited is run now, each route once.'
            : 'No route writes until this is released. What is due waits; nothing is dropped.'
        }
      >
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault()
            void flip.run()
          }}
        >
          <Field label="Why" hint="Stands in the ledger with your name.">
            {(id, note) => (
              <input
                id={id}
                type="text"
                required
                maxLength={500}
                aria-describedby={note}
                value={reason()}
                onInput={(event) => setReason(event.currentTarget.value)}
              />
            )}
          </Field>
          <ProblemNotice problem={flip.problem()} />
          <div class="dialog-actions">
            <Button onClick={() => setAsking(false)}>Cancel</Button>
            <Button kind={props.status.stopped ? 'primary' : 'danger'} type="submit" busy={flip.busy()}>
              {props.status.stopped ? 'Release' : 'Stop everything'}
            </Button>
          </div>
        </form>
      </Dialog>
    </Show>
  )
}
