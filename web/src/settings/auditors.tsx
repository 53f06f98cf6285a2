import type { AuditorRow } from '@attestry/contracts/http'
import DoorOpen from 'lucide-solid/icons/door-open'
import { createSignal, For, Show } from 'solid-js'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { createAction, createReading } from '../reading.ts'
import { linkOf } from '../session/enter.tsx'
import { NOT_PROVED, useProof } from '../session/proof.tsx'
import { Badge, type Tone } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, ProblemNotice, Skeleton } from '../ui/notice.tsx'

const TONES: Readonly<Record<AuditorRow['state'], Tone>> = {
  invited: 'low',
  entered: 'good',
  expired: 'plain',
  revoked: 'plain',
}
const DAY_MS = 86_400_000

/** Auditors from outside: a link that opens one session, until a time. A link is shown once. */
export function Auditors() {
  const live = useLive()
  const proof = useProof()
  const auditors = createReading(api.gateway.listAuditors, () => ({ query: { limit: 200 } }))
  const [inviting, setInviting] = createSignal(false)
  const [shown, setShown] = createSignal<{ name: string; secret: string }>()
  const refresh = (): void => live.touch([api.gateway.listAuditors.id])
  const invite = createAction(async (name: string, days: number) => {
    const until = new Date(Date.now() + days * DAY_MS).toISOString()
    const reply = await proof.guarded(() =>
      api.gateway.inviteAuditor({ body: { name, until, bundles: null } }),
    )
    if (reply === NOT_PROVED) return
    setInviting(false)
    setShown({ name, secret: reply.secret })
    refresh()
  })
  const issue = createAction(async (row: AuditorRow) => {
    const reply = await proof.guarded(() =>
      api.gateway.issueAuditorLink({ params: { auditor: row.auditor } }),
    )
    if (reply === NOT_PROVED) return
    setShown({ name: row.name, secret: reply.secret })
    refresh()
  })
  const revoke = createAction(async (row: AuditorRow) => {
    await proof.guarded(() => api.gateway.revokeAuditor({ params: { auditor: row.auditor } }))
    refresh()
  })
  const isOpen = (row: AuditorRow): boolean => row.state === 'invited' || row.state === 'entered'
  return (
    <div class="stack">
      <div class="part-head">
        <p class="soft">
          An auditor sees bundles, the ledger and its verification until the door closes, and changes nothing.
        </p>
        <Button
          kind="primary"
          onClick={() => setInviting(true)}
          icon={<DoorOpen size={14} aria-hidden="true" />}
        >
          Invite an auditor
        </Button>
      </div>
      <ProblemNotice problem={auditors.problem()} again={auditors.again} />
      <ProblemNotice problem={issue.problem() ?? revoke.problem()} />
      <Show
        when={auditors.data()}
        fallback={
          <Show when={auditors.loading()}>
            <Skeleton lines={4} />
          </Show>
        }
      >
        {(page) => (
          <Show
            when={page().items.length > 0}
            fallback={
              <Empty title="No auditor was invited">
                An invitation gives a link that opens one session; it ends by itself.
              </Empty>
            }
          >
            <div class="table-scroll" tabindex="0" role="region" aria-label="Auditors">
              <table class="table">
                <thead>
                  <tr>
                    <th scope="col">Name</th>
                    <th scope="col">State</th>
                    <th scope="col">Door closes</th>
                    <th scope="col" class="wide-only">
                      Last visit
                    </th>
                    <th scope="col" class="wide-only">
                      Sees
                    </th>
                    <th scope="col">
                      <span class="unseen">Actions</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  <For each={page().items}>
                    {(row) => (
                      <tr>
                        <th scope="row">{row.name}</th>
                        <td>
                          <Badge tone={TONES[row.state]}>{row.state}</Badge>
                        </td>
                        <td>
                          <Instant at={row.until} />
                        </td>
                        <td class="wide-only">
                          <Instant at={row.enteredAt} none="never" />
                        </td>
                        <td class="wide-only">
                          {row.bundles ? `${row.bundles.length} of the bundles` : 'all bundles, the ledger'}
                        </td>
                        <td class="actions">
                          <Show when={isOpen(row)}>
                            <Button
                              kind="quiet"
                              onClick={() => void issue.run(row)}
                              aria-label={`New link for ${row.name}`}
                            >
                              New link
                            </Button>
                            <Button
                              kind="quiet"
                              onClick={() => void revoke.run(row)}
                              aria-label={`Close the door of ${row.name}`}
                            >
                              Close
                            </Button>
                          </Show>
                        </td>
                      </tr>
                    )}
                  </For>
                </tbody>
              </table>
            </div>
          </Show>
        )}
      </Show>
      <Invite
        open={inviting()}
        onClose={() => setInviting(false)}
        busy={invite.busy()}
        problem={<ProblemNotice problem={invite.problem()} />}
        onInvite={(name, days) => void invite.run(name, days)}
      />
      <Dialog
        open={shown() !== undefined}
        onClose={() => setShown(undefined)}
        title="The link, shown once"
        description="It opens one session and nothing more. Hand it over by a way that only its reader sees."
      >
        <Show when={shown()}>
          {(link) => (
            <div class="stack">
              <p>
                For <strong>{link().name}</strong>
              </p>
              <div class="command">
                <code tabindex="0">{linkOf(window.location.origin, link().secret)}</code>
                <CopyButton text={linkOf(window.location.origin, link().secret)} label="Copy the link" />
              </div>
              <div class="dialog-actions">
                <Button kind="primary" onClick={() => setShown(undefined)}>
                  Done
                </Button>
              </div>
            </div>
          )}
        </Show>
      </Dialog>
    </div>
  )
}

function Invite(props: {
  open: boolean
  busy: boolean
  problem: ReturnType<typeof ProblemNotice>
  onClose: () => void
  onInvite: (name: string, days: number) => void
}) {
  const [name, setName] = createSignal('')
  const [days, setDays] = createSignal(14)
  return (
    <Dialog
      open={props.open}
      onClose={props.onClose}
      title="Invite an auditor"
      description="They get a link, no password. Their door closes by itself."
    >
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          props.onInvite(name(), days())
        }}
      >
        <Field label="Name and firm">
          {(id) => (
            <input
              id={id}
              type="text"
              required
              maxLength={200}
              value={name()}
              onInput={(event) => setName(event.currentTarget.value)}
            />
          )}
        </Field>
        <Field label="Days until the door closes, at most 90">
          {(id) => (
            <input
              id={id}
              type="number"
              required
              min={1}
              max={90}
              value={days()}
              onInput={(event) => setDays(event.currentTarget.valueAsNumber)}
            />
          )}
        </Field>
        {props.problem}
        <div class="dialog-actions">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button kind="primary" type="submit" busy={props.busy}>
            Invite
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
