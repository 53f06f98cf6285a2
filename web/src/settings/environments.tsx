import Plus from 'lucide-solid/icons/plus'
import { createSignal, For, Show, untrack } from 'solid-js'
import { api, type ReplyOf } from '../api.ts'
import { useLive } from '../live.tsx'
import { counted } from '../numbers.ts'
import { createAction, createReading } from '../reading.ts'
import { useSession } from '../session/session.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { readSubscriptions, SCHEDULES } from './scope.ts'

type Environment = ReplyOf<typeof api.discovery.listEnvironments.endpoint>['items'][number]

/** What is scanned, how often, and whether settings may be looked at. */
export function Environments() {
  const { may, session } = useSession()
  const environments = createReading(api.discovery.listEnvironments, () => ({}))
  const [adding, setAdding] = createSignal(false)
  return (
    <div class="stack">
      <div class="part-head">
        <p class="soft">An environment is a set of subscriptions that one identity can read.</p>
        <Show when={may(api.discovery.connectEnvironment)}>
          <Button kind="primary" onClick={() => setAdding(true)} icon={<Plus size={14} aria-hidden="true" />}>
            Connect an environment
          </Button>
        </Show>
      </div>
      <Show when={session().origin === 'demo'}>
        <p class="notice" data-tone="medium">
          This is a demonstration: it takes no real connection, now or ever. Start a fresh install for your
          own cloud.
        </p>
      </Show>
      <ProblemNotice problem={environments.problem()} again={environments.again} />
      <Show
        when={environments.data()}
        fallback={
          <Show when={environments.loading()}>
            <Skeleton lines={6} />
          </Show>
        }
      >
        {(known) => (
          <For
            each={known().items}
            fallback={<Empty title="Nothing is connected">Connect the first environment.</Empty>}
          >
            {(environment) => <One environment={environment} />}
          </For>
        )}
      </Show>
      <Show when={adding()}>
        <Edit open onClose={() => setAdding(false)} />
      </Show>
    </div>
  )
}

function One(props: { environment: Environment }) {
  const { may } = useSession()
  const live = useLive()
  const [editing, setEditing] = createSignal(false)
  const [leaving, setLeaving] = createSignal(false)
  const [tested, setTested] = createSignal<ReplyOf<typeof api.discovery.testEnvironment.endpoint>>()
  const where = () => ({ params: { environment: props.environment.environment } })
  const test = createAction(async () => setTested(await api.discovery.testEnvironment(where())))
  const leave = createAction(async () => {
    await api.discovery.disconnectEnvironment(where())
    live.touch(['discovery'])
    setLeaving(false)
  })
  return (
    <Panel
      title={props.environment.name}
      note={
        <>
          connected <Instant at={props.environment.connectedAt} />
        </>
      }
      actions={
        <>
          <Show when={may(api.discovery.testEnvironment)}>
            <Button busy={test.busy()} onClick={() => void test.run()}>
              Test
            </Button>
          </Show>
          <Show when={may(api.discovery.reviseEnvironment)}>
            <Button onClick={() => setEditing(true)}>Change</Button>
          </Show>
          <Show when={may(api.discovery.disconnectEnvironment)}>
            <Button onClick={() => setLeaving(true)}>Disconnect</Button>
          </Show>
        </>
      }
    >
      <ProblemNotice problem={test.problem()} />
      <Show when={tested()}>
        {(t) => (
          <p class="notice" data-tone={t().ok ? 'good' : 'high'} role="status">
            {t().ok
              ? `The connection works: the identity sees ${counted(t().subscriptions, 'subscription')}.`
              : (t().problem ?? 'The connection does not work.')}
          </p>
        )}
      </Show>
      <dl class="facts">
        <div>
          <dt>Scope</dt>
          <dd>
            <Show
              when={props.environment.scope.subscriptions.length > 0}
              fallback="all subscriptions that the identity can see"
            >
              <ul class="plain-list">
                <For each={props.environment.scope.subscriptions}>
                  {(s) => (
                    <li>
                      <code>{s}</code>
                    </li>
                  )}
                </For>
              </ul>
            </Show>
          </dd>
        </div>
        <div>
          <dt>Schedule</dt>
          <dd>
            {props.environment.everyHours === null
              ? 'only by hand'
              : `every ${counted(props.environment.everyHours, 'hour')}`}
          </dd>
        </div>
        <div>
          <dt>App settings</dt>
          <dd>
            <Show when={props.environment.settingsScan} fallback={<Badge>not looked at</Badge>}>
              <Badge tone="seal">looked at</Badge>
            </Show>{' '}
            <span class="faint">
              {props.environment.settingsScan
                ? 'values are seen for a moment and never kept'
                : 'hard-coded credentials stay unknown'}
            </span>
          </dd>
        </div>
      </dl>
      <Show when={editing()}>
        <Edit open environment={props.environment} onClose={() => setEditing(false)} />
      </Show>
      <Dialog
        open={leaving()}
        onClose={() => setLeaving(false)}
        title={`Disconnect ${props.environment.name}?`}
        description="Scanning stops. What was recorded stays in the ledger and in evidence; findings are no longer refreshed."
      >
        <ProblemNotice problem={leave.problem()} />
        <div class="dialog-actions">
          <Button onClick={() => setLeaving(false)}>Keep it</Button>
          <Button kind="danger" busy={leave.busy()} onClick={() => void leave.run()}>
            Disconnect
          </Button>
        </div>
      </Dialog>
    </Panel>
  )
}

/** Connects a new environment, or changes one. */
function Edit(props: { open: boolean; onClose: () => void; environment?: Environment }) {
  const live = useLive()
  // The form starts from what was there when it was opened, and is the operator's from then on.
  const before = untrack(() => props.environment)
  const [name, setName] = createSignal(before?.name ?? '')
  const [scope, setScope] = createSignal((before?.scope.subscriptions ?? []).join('\n'))
  const [settingsScan, setSettingsScan] = createSignal(before?.settingsScan ?? false)
  const [everyHours, setEveryHours] = createSignal(before ? before.everyHours : 24)
  const subscriptions = () => readSubscriptions(scope())
  const save = createAction(async () => {
    const read = subscriptions()
    if (read.wrong.length > 0) return
    const body = { subscriptions: [...read.ids], settingsScan: settingsScan(), everyHours: everyHours() }
    if (before) await api.discovery.reviseEnvironment({ params: { environment: before.environment }, body })
    else await api.discovery.connectEnvironment({ body: { name: name().trim(), ...body } })
    live.touch(['discovery'])
    props.onClose()
  })
  const wrong = (): string | undefined => {
    const lines = subscriptions().wrong
    return lines.length > 0 ? `not a subscription id: ${lines.slice(0, 3).join(', ')}` : undefined
  }
  return (
    <Dialog
      open={props.open}
      onClose={props.onClose}
      title={before ? `Change ${before.name}` : 'Connect an environment'}
      wide
    >
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          void save.run()
        }}
      >
        <Show when={!before}>
          <Field label="Name">
            {(id) => (
              <input
                id={id}
                type="text"
                required
                maxLength={80}
                value={name()}
                onInput={(event) => setName(event.currentTarget.value)}
              />
            )}
          </Field>
        </Show>
        <Field
          label="Subscriptions in scope"
          hint="One id a line. Empty means all that the identity can see. Evidence states this scope and what was reached of it."
          error={wrong()}
        >
          {(id, note) => (
            <textarea
              id={id}
              rows="4"
              spellcheck={false}
              aria-describedby={note}
              value={scope()}
              onInput={(event) => setScope(event.currentTarget.value)}
            />
          )}
        </Field>
        <Field label="Scan">
          {(id) => (
            <select
              id={id}
              value={String(everyHours() ?? '')}
              onChange={(event) =>
                setEveryHours(event.currentTarget.value === '' ? null : Number(event.currentTarget.value))
              }
            >
              <For each={SCHEDULES}>
                {([hours, text]) => (
                  <option value={String(hours ?? '')} selected={hours === everyHours()}>
                    {text}
                  </option>
                )}
              </For>
            </select>
          )}
        </Field>
        <label class="choice">
          <input
            type="checkbox"
            checked={settingsScan()}
            onChange={(event) => setSettingsScan(event.currentTarget.checked)}
          />
          <span>
            <strong>Look at the values of app settings</strong>
            <span class="soft">
              Finds credentials written in plain sight. The scanner sees each value for a moment, keeps only
              the setting’s name, and needs a permission that reads more than metadata. Off by default.
            </span>
          </span>
        </label>
        <ProblemNotice problem={save.problem()} />
        <div class="dialog-actions">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button kind="primary" type="submit" busy={save.busy()} disabled={wrong() !== undefined}>
            {before ? 'Save' : 'Connect'}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
