import type { Retention as Kept } from '@attestry/contracts/http'
import { createSignal, Show, untrack } from 'solid-js'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { counted } from '../numbers.ts'
import { createAction, createReading } from '../reading.ts'
import { NOT_PROVED, useProof } from '../session/proof.tsx'
import { useSession } from '../session/session.tsx'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { ProblemNotice } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'

/** How long files of bundles and the record of acts are kept. */
export function Retention() {
  const { may } = useSession()
  const [changing, setChanging] = createSignal(false)
  const retention = createReading(api.audit.readRetention, () => ({}))
  return (
    <Panel
      title="Kept"
      actions={
        <Show when={may(api.audit.setRetention) && retention.data()}>
          <Button onClick={() => setChanging(true)}>Change</Button>
        </Show>
      }
    >
      <ProblemNotice problem={retention.problem()} again={retention.again} />
      <Show when={retention.data()}>
        {(known) => (
          <>
            <p class="soft">
              Files of bundles for {counted(known().bundleDays, 'day')}, bodies of acts for{' '}
              {counted(known().auditDays, 'day')}. Hashes and proofs are kept for ever, and an expired bundle
              can be built again.
            </p>
            <Dialog
              open={changing()}
              onClose={() => setChanging(false)}
              title="How long is kept what may go"
              description="Decided by you, recorded in the ledger. The database itself refuses anything earlier."
            >
              <RetentionForm known={known()} onClose={() => setChanging(false)} />
            </Dialog>
          </>
        )}
      </Show>
    </Panel>
  )
}

function RetentionForm(props: { known: Kept; onClose: () => void }) {
  const live = useLive()
  const proof = useProof()
  // What stands there when the form opens; a refresh behind it must not undo what is typed.
  const { auditDays: acts, bundleDays: files } = untrack(() => props.known)
  const [auditDays, setAuditDays] = createSignal(acts)
  const [bundleDays, setBundleDays] = createSignal(files)
  const [reason, setReason] = createSignal('')
  const set = createAction(async () => {
    const body = { auditDays: auditDays(), bundleDays: bundleDays() }
    const request = { body, reason: reason().trim() }
    const done = await proof.guarded(() => api.audit.setRetention(request))
    if (done === NOT_PROVED) return
    live.touch([api.audit.readRetention.id, api.evidence.listBundles.id])
    props.onClose()
  })
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault()
        void set.run()
      }}
    >
      <Field label="Days that the record of acts stays in full" hint="At least 365.">
        {(id, describedBy) => (
          <input
            id={id}
            type="number"
            required
            min={365}
            max={36500}
            aria-describedby={describedBy}
            value={auditDays()}
            onInput={(event) => setAuditDays(event.currentTarget.valueAsNumber)}
          />
        )}
      </Field>
      <Field label="Days that the file of a bundle stays">
        {(id) => (
          <input
            id={id}
            type="number"
            required
            min={1}
            max={36500}
            value={bundleDays()}
            onInput={(event) => setBundleDays(event.currentTarget.valueAsNumber)}
          />
        )}
      </Field>
      <Field label="Reason">
        {(id) => (
          <input
            id={id}
            type="text"
            required
            maxLength={300}
            value={reason()}
            onInput={(event) => setReason(event.currentTarget.value)}
          />
        )}
      </Field>
      <ProblemNotice problem={set.problem()} />
      <div class="dialog-actions">
        <Button onClick={props.onClose}>Cancel</Button>
        <Button kind="primary" type="submit" busy={set.busy()}>
          Keep so
        </Button>
      </div>
    </form>
  )
}
