import type { Endpoint, RotationDetail } from '@attestry/contracts/http'
import { createSignal, For, Show } from 'solid-js'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { createAction } from '../reading.ts'
import { rolesNeeded } from '../session/roles.ts'
import { NOT_PROVED, useProof } from '../session/proof.tsx'
import { useSession } from '../session/session.tsx'
import { Button } from '../ui/button.tsx'
import { Code } from '../ui/copy.tsx'
import { Field } from '../ui/field.tsx'
import { Confirm, Line, Why } from './confirm.tsx'
import { type Offer, offersOf } from './offers.ts'

interface Act {
  readonly word: string
  readonly title: string
  readonly kind: 'primary' | 'plain' | 'danger'
  readonly operation: { readonly endpoint: Endpoint }
  /** What will happen, told before it does. */
  readonly says: (detail: RotationDetail) => readonly string[]
  readonly asks?: 'why' | 'request' | 'chain'
}

const people = (n: number): string => (n === 1 ? 'one other person' : `${n} other people`)

const ACTS: Readonly<Record<Offer, Act>> = {
  request: {
    word: 'Request',
    title: 'Ask for this plan to be carried out',
    kind: 'primary',
    operation: api.rotation.requestRotation,
    asks: 'request',
    says: (d) => [
      d.approvals.needed > 0
        ? `Nothing happens until ${people(d.approvals.needed)} approved exactly this plan.`
        : 'No approval is needed: it begins as soon as the window is open and nothing is frozen.',
      'Every precondition is checked first. If one fails, nothing is changed.',
      'A new credential is issued and proved for at least a minute before a vault serves it. The old one goes on working.',
      d.mode === 'compromise'
        ? 'There is no grace: whoever still uses an old credential is locked out.'
        : `Both work for ${d.graceHours} hours or more; the old one is removed only on proof that nobody uses it.`,
      'You can pause it, roll it back or take it over at any time before the old credential is removed.',
    ],
  },
  approve: {
    word: 'Approve',
    title: 'Approve this plan',
    kind: 'primary',
    operation: api.rotation.approveRotation,
    says: (d) => [
      'You approve exactly the plan on this page. If what it was made of changes before it begins, your approval is void.',
      d.approvals.given.length + 1 < d.approvals.needed
        ? `It then waits for ${people(d.approvals.needed - d.approvals.given.length - 1)}.`
        : 'It begins as soon as the window is open.',
    ],
  },
  reject: {
    word: 'Reject',
    title: 'Reject this plan',
    kind: 'plain',
    operation: api.rotation.rejectRotation,
    asks: 'why',
    says: () => ['Nothing was changed and nothing will be. The plan ends; another can be made.'],
  },
  pause: {
    word: 'Pause',
    title: 'Pause this rotation',
    kind: 'plain',
    operation: api.rotation.pauseRotation,
    says: () => [
      'The step at hand is finished; then nothing more is changed until somebody lets it go on.',
      'Whatever credential works now goes on working.',
    ],
  },
  resume: {
    word: 'Resume',
    title: 'Let this rotation go on',
    kind: 'primary',
    operation: api.rotation.resumeRotation,
    says: (d) => [`It goes on from where it stands: ${d.now.says}`],
  },
  'go-on': {
    word: 'Let it go on',
    title: 'Let it go on from where it stands',
    kind: 'primary',
    operation: api.rotation.goOnRotation,
    asks: 'why',
    says: () => [
      'You looked, and it may try again. Dependents that failed or did not confirm are switched once more.',
    ],
  },
  'waive-use': {
    word: 'Waive proof of disuse',
    title: 'Retire without proof that nobody uses the old credential',
    kind: 'plain',
    operation: api.rotation.waiveUse,
    asks: 'why',
    says: (d) => [
      'Nothing more has to tell that the old credential is not used. The grace still runs to its end.',
      `Whoever still uses ${d.retires.join(', ') || 'it'} then loses access, and you take responsibility for that.`,
    ],
  },
  merge: {
    word: 'Bring the certificate',
    title: 'Bring the signed certificate',
    kind: 'primary',
    operation: api.rotation.mergeCertificate,
    asks: 'chain',
    says: () => ['It is merged with its pending key in the vault, if it belongs to it.'],
  },
  'roll-back': {
    word: 'Roll back',
    title: 'Roll back',
    kind: 'danger',
    operation: api.rotation.rollBackRotation,
    asks: 'why',
    says: (d) => d.undo,
  },
  'take-over': {
    word: 'Take over by hand',
    title: 'Finish by hand',
    kind: 'danger',
    operation: api.rotation.takeOverRotation,
    asks: 'why',
    says: () => [
      'The rotation ends here; the product changes nothing more in it, and cannot take it up again.',
      'The steps that are left stay on this page with their exact names. Whatever works now goes on working.',
    ],
  },
}

/** PEM certificates of a text, leaf first. */
const chainOf = (text: string): string[] =>
  text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []

/** The buttons of one rotation: what can be done now, for those who may. */
export function Actions(props: { detail: RotationDetail; onDone: (detail: RotationDetail) => void }) {
  const { session, may } = useSession()
  const [open, setOpen] = createSignal<Offer>()
  const offers = () => offersOf(props.detail)
  const own = (): boolean => props.detail.approvals.requestedBy === session().operator
  const shown = () => offers().filter((o) => may(ACTS[o].operation) && !(o === 'approve' && own()))
  const lacking = (): string | undefined => {
    const [first] = offers().filter((o) => !may(ACTS[o].operation))
    return first && shown().length === 0 ? rolesNeeded(ACTS[first].operation.endpoint) : undefined
  }
  return (
    <>
      <Show when={shown().length > 0}>
        <div class="rotation-acts" role="group" aria-label="What can be done now">
          <For each={shown()}>
            {(offer) => (
              <Button kind={ACTS[offer].kind} onClick={() => setOpen(offer)}>
                {ACTS[offer].word}
              </Button>
            )}
          </For>
        </div>
      </Show>
      <Show when={offers().includes('approve') && own()}>
        <p class="soft">You asked for it, so somebody else has to approve.</p>
      </Show>
      <Show when={lacking()}>
        {(roles) => <p class="soft">To act on it you would need to be {roles()}.</p>}
      </Show>
      <Show when={open()} keyed>
        {(offer) => (
          <Ask
            offer={offer}
            detail={props.detail}
            onClose={() => setOpen(undefined)}
            onDone={(detail) => {
              setOpen(undefined)
              props.onDone(detail)
            }}
          />
        )}
      </Show>
    </>
  )
}

function Ask(props: {
  offer: Offer
  detail: RotationDetail
  onClose: () => void
  onDone: (detail: RotationDetail) => void
}) {
  const live = useLive()
  const proof = useProof()
  const [why, setWhy] = createSignal('')
  const [ticket, setTicket] = createSignal('')
  const [incident, setIncident] = createSignal('')
  const [glass, setGlass] = createSignal(false)
  const [chain, setChain] = createSignal('')
  const act = (): Act => ACTS[props.offer]
  const text = (value: string): string | null => value.trim() || null
  const done = createAction(async () => {
    const { planHash } = props.detail
    const params = { rotation: props.detail.rotation }
    const reason = (): string => why().trim()
    const call = (): Promise<RotationDetail> => {
      switch (props.offer) {
        case 'request':
          return api.rotation.requestRotation({
            params,
            body: {
              planHash,
              ticket: text(ticket()),
              incident: text(incident()),
              breakGlass: glass() ? reason() : null,
            },
          })
        case 'approve':
          return api.rotation.approveRotation({ params, body: { planHash } })
        case 'reject':
          return api.rotation.rejectRotation({ params, body: { reason: reason() } })
        case 'pause':
          return api.rotation.pauseRotation({ params })
        case 'resume':
          return api.rotation.resumeRotation({ params })
        case 'go-on':
          return api.rotation.goOnRotation({ params, body: { reason: reason() } })
        case 'waive-use':
          return api.rotation.waiveUse({ params, body: { reason: reason() } })
        case 'merge':
          return api.rotation.mergeCertificate({ params, body: { chain: chainOf(chain()) } })
        case 'roll-back':
          return api.rotation.rollBackRotation({ params, body: { reason: reason() } })
        case 'take-over':
          return api.rotation.takeOverRotation({ params, body: { reason: reason() } })
      }
    }
    const answer = act().operation.endpoint.reauthenticate ? await proof.guarded(call) : await call()
    if (answer === NOT_PROVED) return
    live.touch(['rotation'])
    props.onDone(answer)
  })
  return (
    <Confirm
      title={act().title}
      says={act().says(props.detail)}
      word={act().word}
      danger={act().kind === 'danger'}
      action={done}
      onClose={props.onClose}
    >
      <Show when={props.offer === 'request' || props.offer === 'approve'}>
        <p class="faint">
          Bound to <Code text={props.detail.planHash} label="hash of the plan" short />
        </p>
      </Show>
      <Show when={act().asks === 'request'}>
        <Line
          label="Change ticket"
          hint="Stands in the ledger beside your name. May stay empty."
          most={120}
          value={ticket()}
          onInput={setTicket}
        />
        <Show when={props.detail.mode === 'compromise'}>
          <Line
            label="Incident"
            hint="The id of the incident in which the credential was compromised."
            required
            most={120}
            value={incident()}
            onInput={setIncident}
          />
        </Show>
        <label class="choice">
          <input type="checkbox" checked={glass()} onChange={(e) => setGlass(e.currentTarget.checked)} />
          <span>
            <strong>Break the glass</strong>
            <span class="soft">
              Passes over approval, window and freeze. It is recorded under your name and told to the owner.
            </span>
          </span>
        </label>
      </Show>
      <Show when={act().asks === 'why' || glass()}>
        <Why value={why()} onInput={setWhy} />
      </Show>
      <Show when={act().asks === 'chain'}>
        <Field label="Certificates as PEM" hint="The signed certificate first, then those above it.">
          {(id, note) => (
            <textarea
              id={id}
              rows="8"
              required
              spellcheck={false}
              aria-describedby={note}
              value={chain()}
              onInput={(e) => setChain(e.currentTarget.value)}
            />
          )}
        </Field>
      </Show>
    </Confirm>
  )
}
