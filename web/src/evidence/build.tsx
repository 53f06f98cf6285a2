import { createMemo } from 'solid-js'
import { createStore } from 'solid-js/store'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { createAction, createReading } from '../reading.ts'
import { NOT_PROVED, useProof } from '../session/proof.tsx'
import { useSession } from '../session/session.tsx'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { ProblemNotice } from '../ui/notice.tsx'
import { ChooseAssertion } from './choose-assertion.tsx'
import { ChoosePeriod } from './choose-period.tsx'
import { ChooseReports } from './choose-reports.tsx'
import { ChooseScope } from './choose-scope.tsx'
import { bodyOf, newWish, scopeWords, type Wish, wrongWith } from './wish.ts'

/** A part of the form: what is wished so far, and how it is changed. */
export interface Choosing {
  readonly wish: Wish
  readonly change: (more: Partial<Wish>) => void
}

/** Asks what a bundle should hold. The period is chosen in days of a zone and shown as the instants it means. */
export function BuildBundle(props: {
  open: boolean
  onClose: () => void
  onAsked: (bundle: string) => void
}) {
  return (
    <Dialog
      open={props.open}
      onClose={props.onClose}
      title="Build an evidence bundle"
      description="Reports folded from the ledger, signed and timestamped, to be verified offline by anybody."
      wide
    >
      <BuildForm onClose={props.onClose} onAsked={props.onAsked} />
    </Dialog>
  )
}

function BuildForm(props: { onClose: () => void; onAsked: (bundle: string) => void }) {
  const live = useLive()
  const proof = useProof()
  const { may } = useSession()
  const [wish, setWish] = createStore<Wish>(newWish(Date.now()))
  const change = (more: Partial<Wish>): void => setWish(more)
  // Only who may read the estate chooses vaults by name; an auditor names subscriptions and tags.
  const vaults = createReading(api.discovery.listVaults, () =>
    may(api.discovery.listVaults) ? { query: { limit: 1000 } } : undefined,
  )
  const names = createMemo(
    () => new Map((vaults.data()?.items ?? []).map((row) => [row.vault, row.facts.name] as const)),
  )
  const wrong = (): string | undefined => wrongWith(wish, Date.now())
  const build = createAction(async () => {
    if (wrong()) return
    const body = bodyOf(wish, Date.now())
    const reason = wish.reason.trim()
    const reply = await proof.guarded(() => api.evidence.requestBundle({ body, reason }))
    if (reply === NOT_PROVED) return
    live.touch([api.evidence.listBundles.id])
    props.onAsked(reply.bundle)
    props.onClose()
  })
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault()
        void build.run()
      }}
    >
      <ChooseReports wish={wish} change={change} />
      <ChoosePeriod wish={wish} change={change} wrong={wrong()} />
      <ChooseScope wish={wish} change={change} names={names()} />
      <ChooseAssertion wish={wish} change={change} />
      <Field label="Reason, if there is one" hint="Stands in the audit log beside the request.">
        {(id, describedBy) => (
          <input
            id={id}
            type="text"
            aria-describedby={describedBy}
            maxLength={300}
            placeholder="SOC 2 audit, second half"
            value={wish.reason}
            onInput={(event) => change({ reason: event.currentTarget.value })}
          />
        )}
      </Field>
      <p class="soft">
        <strong>Scope:</strong> {scopeWords(wish, names())}
      </p>
      <ProblemNotice problem={build.problem()} />
      <div class="dialog-actions">
        <span class="faint">Signing asks for your password.</span>
        <Button onClick={props.onClose}>Cancel</Button>
        <Button kind="primary" type="submit" busy={build.busy()} disabled={wrong() !== undefined}>
          Build
        </Button>
      </div>
    </form>
  )
}
