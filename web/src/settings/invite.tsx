import { createSignal, For, Show } from 'solid-js'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { createAction, createReading } from '../reading.ts'
import { linkOf } from '../session/enter.tsx'
import { NOT_PROVED, useProof } from '../session/proof.tsx'
import { localZone, stamp } from '../time.ts'
import { Button } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { ProblemNotice } from '../ui/notice.tsx'

const DAY_MS = 86_400_000

/** A link that was made: for whom, and its secret, which is shown once. */
export interface Link {
  readonly name: string
  readonly secret: string
}

/** Asks whom to invite, until when, and to what: everything an auditor may see, or single bundles. */
export function InviteAuditor(props: {
  open: boolean
  onClose: () => void
  onInvited: (link: Link) => void
  /** The one bundle that the invitation is for; otherwise it is chosen. */
  bundle?: string
}) {
  return (
    <Dialog
      open={props.open}
      onClose={props.onClose}
      title="Invite an auditor"
      description="They get a link, no password. Their door closes by itself."
    >
      <InviteForm onClose={props.onClose} onInvited={props.onInvited} bundle={props.bundle} />
    </Dialog>
  )
}

function InviteForm(props: {
  onClose: () => void
  onInvited: (link: Link) => void
  bundle: string | undefined
}) {
  const live = useLive()
  const proof = useProof()
  const [name, setName] = createSignal('')
  const [days, setDays] = createSignal(14)
  const [single, setSingle] = createSignal(false)
  const [chosen, setChosen] = createSignal<readonly string[]>([])
  const bundles = createReading(api.evidence.listBundles, () =>
    props.bundle === undefined ? { query: { limit: 50 } } : undefined,
  )
  const sealed = () => (bundles.data()?.items ?? []).filter(({ state }) => state === 'sealed')
  const seen = (): string[] | null => {
    if (props.bundle !== undefined) return [props.bundle]
    return single() ? [...chosen()] : null
  }
  const invite = createAction(async () => {
    const until = new Date(Date.now() + days() * DAY_MS).toISOString()
    const body = { name: name(), until, bundles: seen() }
    const reply = await proof.guarded(() => api.gateway.inviteAuditor({ body }))
    if (reply === NOT_PROVED) return
    live.touch([api.gateway.listAuditors.id])
    props.onInvited({ name: name(), secret: reply.secret })
    props.onClose()
  })
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault()
        void invite.run()
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
      <Show
        when={props.bundle === undefined}
        fallback={
          <p class="soft">They see this one bundle, and nothing of the ledger or of other bundles.</p>
        }
      >
        <fieldset class="choices">
          <legend>Sees</legend>
          <div class="chips">
            <button type="button" class="chip" aria-pressed={!single()} onClick={() => setSingle(false)}>
              All bundles and the ledger
            </button>
            <button type="button" class="chip" aria-pressed={single()} onClick={() => setSingle(true)}>
              Single bundles
            </button>
          </div>
          <Show when={single()}>
            <For
              each={sealed()}
              fallback={<p class="soft">No bundle is sealed yet; build one under Evidence first.</p>}
            >
              {(row) => (
                <label class="choice">
                  <input
                    type="checkbox"
                    checked={chosen().includes(row.bundle)}
                    onChange={(event) =>
                      setChosen(
                        event.currentTarget.checked
                          ? [...chosen(), row.bundle]
                          : chosen().filter((bundle) => bundle !== row.bundle),
                      )
                    }
                  />
                  <span>
                    <strong class="tabular">
                      {stamp(row.period.from, localZone()).slice(0, 10)} to{' '}
                      {stamp(row.period.to, localZone()).slice(0, 10)}
                    </strong>
                    <span class="soft">{row.reports.length} reports</span>
                  </span>
                </label>
              )}
            </For>
          </Show>
        </fieldset>
      </Show>
      <ProblemNotice problem={invite.problem()} />
      <div class="dialog-actions">
        <Button onClick={props.onClose}>Cancel</Button>
        <Button
          kind="primary"
          type="submit"
          busy={invite.busy()}
          disabled={props.bundle === undefined && single() && chosen().length === 0}
        >
          Invite
        </Button>
      </div>
    </form>
  )
}

/** The link of an invitation, shown once. */
export function LinkShown(props: { link: Link | undefined; onClose: () => void }) {
  return (
    <Dialog
      open={props.link !== undefined}
      onClose={props.onClose}
      title="The link, shown once"
      description="It opens one session and nothing more. Hand it over by a way that only its reader sees."
      keep
    >
      <Show when={props.link}>
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
              <Button kind="primary" onClick={props.onClose}>
                Done
              </Button>
            </div>
          </div>
        )}
      </Show>
    </Dialog>
  )
}
