import { Role } from '@attestry/contracts'
import UserPlus from 'lucide-solid/icons/user-plus'
import { createSignal, For, type JSX, Show, untrack } from 'solid-js'
import { api, type ReplyOf } from '../api.ts'
import { useLive } from '../live.tsx'
import { createAction, createReading } from '../reading.ts'
import { NOT_PROVED, useProof } from '../session/proof.tsx'
import { ROLE_NAMES, ROLE_PURPOSE } from '../session/roles.ts'
import { useSession } from '../session/session.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { Instant } from '../ui/instant.tsx'
import { ProblemNotice, Skeleton } from '../ui/notice.tsx'

type Operator = ReplyOf<typeof api.gateway.listOperators.endpoint>['items'][number]

/** Who may sign in. A one-time password is shown once, to the administrator who made it. */
export function People() {
  const { may } = useSession()
  const live = useLive()
  const proof = useProof()
  const people = createReading(api.gateway.listOperators, () => ({ query: { limit: 1000 } }))
  const [adding, setAdding] = createSignal(false)
  const [changing, setChanging] = createSignal<Operator>()
  const [secret, setSecret] = createSignal<{ name: string; password: string }>()
  const refresh = (): void => live.touch([api.gateway.listOperators.id])
  const add = createAction(async (name: string, roles: readonly Role[]) => {
    const reply = await proof.guarded(() => api.gateway.addOperator({ body: { name, roles: [...roles] } }))
    if (reply === NOT_PROVED) return
    setAdding(false)
    setSecret({ name, password: reply.oneTimePassword })
    refresh()
  })
  const setRoles = createAction(async (operator: string, roles: readonly Role[]) => {
    const done = await proof.guarded(() =>
      api.gateway.setRoles({ params: { operator }, body: { roles: [...roles] } }),
    )
    if (done === NOT_PROVED) return
    setChanging(undefined)
    refresh()
  })
  const act = createAction(async (what: 'disableOperator' | 'enableOperator', operator: string) => {
    await proof.guarded(() => api.gateway[what]({ params: { operator } }))
    refresh()
  })
  const reset = createAction(async (operator: Operator) => {
    const reply = await proof.guarded(() =>
      api.gateway.resetPassword({ params: { operator: operator.operator } }),
    )
    if (reply === NOT_PROVED) return
    setSecret({ name: operator.name, password: reply.oneTimePassword })
    refresh()
  })
  return (
    <div class="stack">
      <div class="part-head">
        <p class="soft">Roles say what somebody may do; the server refuses the rest.</p>
        <Show when={may(api.gateway.addOperator)}>
          <Button
            kind="primary"
            onClick={() => {
              add.clear()
              setAdding(true)
            }}
            icon={<UserPlus size={14} aria-hidden="true" />}
          >
            Add somebody
          </Button>
        </Show>
      </div>
      <ProblemNotice problem={people.problem()} again={people.again} />
      <ProblemNotice problem={act.problem() ?? reset.problem()} />
      <Show
        when={people.data()}
        fallback={
          <Show when={people.loading()}>
            <Skeleton lines={6} />
          </Show>
        }
      >
        {(page) => (
          <div class="table-scroll" tabindex="0" role="region" aria-label="People">
            <table class="table">
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">Roles</th>
                  <th scope="col">State</th>
                  <th scope="col" class="wide-only">
                    Last sign-in
                  </th>
                  <th scope="col">
                    <span class="unseen">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                <For each={page().items}>
                  {(operator) => (
                    <tr>
                      <th scope="row">{operator.name}</th>
                      <td>{operator.roles.map((r) => ROLE_NAMES[r]).join(', ')}</td>
                      <td>
                        <Badge
                          tone={
                            { active: 'good', disabled: 'plain', locked: 'high' }[operator.state] as 'good'
                          }
                        >
                          {operator.state}
                        </Badge>{' '}
                        <Show when={operator.mustChangePassword}>
                          <span class="faint">one-time password</span>
                        </Show>
                      </td>
                      <td class="wide-only">
                        <Instant at={operator.lastSignIn} none="never" />
                      </td>
                      <td class="actions">
                        <Show when={may(api.gateway.setRoles)}>
                          <Button
                            kind="quiet"
                            onClick={() => {
                              // What was refused of another does not stand under this one.
                              setRoles.clear()
                              setChanging(operator)
                            }}
                            aria-label={`Roles of ${operator.name}`}
                          >
                            Roles
                          </Button>
                        </Show>
                        <Show when={may(api.gateway.resetPassword)}>
                          <Button
                            kind="quiet"
                            busy={reset.busy()}
                            onClick={() => void reset.run(operator)}
                            aria-label={`Reset password of ${operator.name}`}
                          >
                            Reset password
                          </Button>
                        </Show>
                        <Show when={may(api.gateway.disableOperator)}>
                          <Show
                            when={operator.state === 'active'}
                            fallback={
                              <Button
                                kind="quiet"
                                busy={act.busy()}
                                onClick={() => void act.run('enableOperator', operator.operator)}
                                aria-label={`Enable ${operator.name}`}
                              >
                                Enable
                              </Button>
                            }
                          >
                            <Button
                              kind="quiet"
                              busy={act.busy()}
                              onClick={() => void act.run('disableOperator', operator.operator)}
                              aria-label={`Disable ${operator.name}`}
                            >
                              Disable
                            </Button>
                          </Show>
                        </Show>
                      </td>
                    </tr>
                  )}
                </For>
              </tbody>
            </table>
          </div>
        )}
      </Show>
      <Show when={adding()}>
        <EditRoles
          title="Add somebody"
          busy={add.busy()}
          onClose={() => setAdding(false)}
          onSave={(name, roles) => void add.run(name, roles)}
          problem={<ProblemNotice problem={add.problem()} />}
        />
      </Show>
      <Show when={changing()} keyed>
        {(operator) => (
          <EditRoles
            title={`Roles of ${operator.name}`}
            operator={operator}
            busy={setRoles.busy()}
            onClose={() => setChanging(undefined)}
            onSave={(_, roles) => void setRoles.run(operator.operator, roles)}
            problem={<ProblemNotice problem={setRoles.problem()} />}
          />
        )}
      </Show>
      <Dialog
        open={secret() !== undefined}
        onClose={() => setSecret(undefined)}
        title="One-time password"
        description={`For ${secret()?.name ?? ''}. It is shown this once; whoever signs in with it must choose another.`}
        keep
      >
        <p class="one-time">
          <code>{secret()?.password}</code>
          <CopyButton text={secret()?.password ?? ''} label="Copy the password" word="Copy" />
        </p>
        <div class="dialog-actions">
          <Button kind="primary" onClick={() => setSecret(undefined)}>
            I have handed it over
          </Button>
        </div>
      </Dialog>
    </div>
  )
}

function EditRoles(props: {
  title: string
  operator?: Operator
  busy: boolean
  onClose: () => void
  onSave: (name: string, roles: readonly Role[]) => void
  problem: JSX.Element
}) {
  const before = untrack(() => props.operator)
  const [name, setName] = createSignal('')
  const [roles, setRoles] = createSignal<readonly Role[]>(before?.roles ?? ['viewer'])
  const toggle = (role: Role): void => {
    setRoles((chosen) => Role.options.filter((r) => (r === role ? !chosen.includes(r) : chosen.includes(r))))
  }
  return (
    <Dialog open onClose={props.onClose} title={props.title} wide>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          props.onSave(name().trim(), roles())
        }}
      >
        <Show when={!before}>
          <Field label="Name" hint="What they sign in with.">
            {(id, note) => (
              <input
                id={id}
                type="text"
                required
                maxLength={200}
                autocomplete="off"
                aria-describedby={note}
                value={name()}
                onInput={(event) => setName(event.currentTarget.value)}
              />
            )}
          </Field>
        </Show>
        <fieldset class="choices">
          <legend>Roles</legend>
          <For each={Role.options}>
            {(role) => (
              <label class="choice">
                <input type="checkbox" checked={roles().includes(role)} onChange={() => toggle(role)} />
                <span>
                  <strong>{ROLE_NAMES[role]}</strong>
                  <span class="soft">{ROLE_PURPOSE[role]}</span>
                </span>
              </label>
            )}
          </For>
        </fieldset>
        {props.problem}
        <div class="dialog-actions">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button kind="primary" type="submit" busy={props.busy} disabled={roles().length === 0}>
            {before ? 'Save roles' : 'Add'}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
