import type { evidenceScopeHttp } from '@attestry/contracts/http'
import { createSignal, Show, untrack } from 'solid-js'
import type * as z from 'zod'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { counted } from '../numbers.ts'
import { createAction, createReading } from '../reading.ts'
import { NOT_PROVED, useProof } from '../session/proof.tsx'
import { useSession } from '../session/session.tsx'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { Instant } from '../ui/instant.tsx'
import { ProblemNotice } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { Declared } from './declared.tsx'

type Statement = z.output<typeof evidenceScopeHttp.readScope.reply>['statement']

/** One entry a line, without empty ones. */
const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')

/** What is declared to be in scope of evidence, and what another identity listed to hold the scans against. */
export function Scope() {
  const { may } = useSession()
  const live = useLive()
  const [declaring, setDeclaring] = createSignal(false)
  const scope = createReading(api.evidence.readScope, () => ({}))
  const bring = createAction(async (file: File) => {
    await api.evidence.importListing({ upload: await file.text() })
    live.touch([api.evidence.readScope.id])
  })
  return (
    <Panel
      title="Scope"
      actions={
        <Show when={may(api.evidence.declareScope) && scope.data()}>
          <Button onClick={() => setDeclaring(true)}>Declare</Button>
        </Show>
      }
    >
      <ProblemNotice problem={scope.problem()} again={scope.again} />
      <Show when={scope.data()}>
        {(known) => (
          <div class="stack">
            <Show
              when={known().statement}
              fallback={
                <p class="soft">
                  No scope statement was declared. Packets say so, and list what the scans reached.
                </p>
              }
            >
              {(declared) => <Declared statement={declared().statement} at={declared().at} />}
            </Show>
            <Show
              when={known().listing}
              fallback={<p class="soft">No listing of another identity was imported.</p>}
            >
              {(listing) => (
                <p class="soft">
                  Held against a listing of {counted(listing().resources, 'resource')} with{' '}
                  {counted(listing().vaults, 'vault')}, imported <Instant at={listing().at} />.
                </p>
              )}
            </Show>
            <Show when={may(api.evidence.importListing)}>
              <Field
                label="Import a listing"
                hint="What az resource list prints, as JSON, run by somebody who does not run the scans. At most one megabyte."
              >
                {(id, describedBy) => (
                  <input
                    id={id}
                    type="file"
                    accept=".json,application/json"
                    aria-describedby={describedBy}
                    disabled={bring.busy()}
                    onChange={(event) => {
                      const [file] = event.currentTarget.files ?? []
                      // The same file, mended, can be chosen again.
                      event.currentTarget.value = ''
                      if (file) void bring.run(file)
                    }}
                  />
                )}
              </Field>
              <ProblemNotice problem={bring.problem()} />
            </Show>
            <Dialog
              open={declaring()}
              onClose={() => setDeclaring(false)}
              title="What is in scope of evidence"
              description="Signed with your name, recorded in the ledger, and printed in every packet from now on."
            >
              <ScopeForm known={known().statement} onClose={() => setDeclaring(false)} />
            </Dialog>
          </div>
        )}
      </Show>
    </Panel>
  )
}

function ScopeForm(props: { known: Statement; onClose: () => void }) {
  const live = useLive()
  const proof = useProof()
  // What stands there when the form opens; a refresh behind it must not undo what is typed.
  const before = untrack(() => props.known)
  const [statement, setStatement] = createSignal(before?.statement ?? '')
  const [subscriptions, setSubscriptions] = createSignal((before?.subscriptions ?? []).join('\n'))
  const [vaults, setVaults] = createSignal((before?.vaults ?? []).join('\n'))
  const declare = createAction(async () => {
    const body = {
      statement: statement(),
      subscriptions: linesOf(subscriptions()),
      vaults: linesOf(vaults()),
    }
    if ((await proof.guarded(() => api.evidence.declareScope({ body }))) === NOT_PROVED) return
    live.touch([api.evidence.readScope.id])
    props.onClose()
  })
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault()
        void declare.run()
      }}
    >
      <Field label="In words" hint="What is covered, what is not, and why.">
        {(id, describedBy) => (
          <textarea
            id={id}
            rows={4}
            required
            maxLength={4000}
            aria-describedby={describedBy}
            value={statement()}
            onInput={(event) => setStatement(event.currentTarget.value)}
          />
        )}
      </Field>
      <Field label="Subscriptions" hint="Their ids, one a line. None: every subscription that is scanned.">
        {(id, describedBy) => (
          <textarea
            id={id}
            rows={2}
            aria-describedby={describedBy}
            value={subscriptions()}
            onInput={(event) => setSubscriptions(event.currentTarget.value)}
          />
        )}
      </Field>
      <Field label="Vaults" hint="Their names, one a line. None: every vault of those subscriptions.">
        {(id, describedBy) => (
          <textarea
            id={id}
            rows={2}
            aria-describedby={describedBy}
            value={vaults()}
            onInput={(event) => setVaults(event.currentTarget.value)}
          />
        )}
      </Field>
      <ProblemNotice problem={declare.problem()} />
      <div class="dialog-actions">
        <Button onClick={props.onClose}>Cancel</Button>
        <Button kind="primary" type="submit" busy={declare.busy()}>
          Declare
        </Button>
      </div>
    </form>
  )
}
