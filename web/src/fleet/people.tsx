import { createSignal, Show } from 'solid-js'
import { counted } from '../numbers.ts'
import type { ReplyOf } from '../operation.ts'
import { createAction } from '../reading.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { Empty } from '../ui/notice.tsx'
import { PageHead, Panel } from '../ui/panel.tsx'
import { fleetApi } from './fleet-api.ts'
import { FleetNotice } from './notice.tsx'
import { useVendor } from './vendor.tsx'

type Stored = ReplyOf<typeof fleetApi.exportSubject.endpoint>

/** What is stored of a person's address, for them, and its erasure. */
export function People() {
  const vendor = useVendor()
  const [email, setEmail] = createSignal('')
  const [stored, setStored] = createSignal<Stored>()
  const [erasing, setErasing] = createSignal(false)
  const look = createAction(async () => {
    setStored(undefined)
    setStored(await fleetApi.exportSubject({ body: { email: email().trim() } }))
  })
  const erase = createAction(async () => {
    await fleetApi.eraseSubject({ body: { email: stored()?.email ?? '' } })
    setErasing(false)
    vendor.changed()
    await look.run()
  })
  const empty = (of: Stored): boolean => of.licenses.length + of.trials.length === 0
  return (
    <div class="page">
      <PageHead
        title="Personal data"
        note="When a person asks what is stored about them, or to have it erased."
      />
      <Show
        when={vendor.may(fleetApi.exportSubject)}
        fallback={<Empty title="This needs the role Manager">Ask somebody whose token has it.</Empty>}
      >
        <form
          class="fleet-ask"
          onSubmit={(event) => {
            event.preventDefault()
            void look.run()
          }}
        >
          <Field label="Address">
            {(id) => (
              <input
                id={id}
                type="text"
                inputmode="email"
                required
                autocomplete="off"
                value={email()}
                onInput={(event) => setEmail(event.currentTarget.value)}
              />
            )}
          </Field>
          <Button type="submit" kind="primary" busy={look.busy()}>
            Look
          </Button>
        </form>
        <FleetNotice problem={look.problem()} />
        <Show when={stored()}>
          {(known) => (
            <Panel
              title={known().email}
              note={`${counted(known().licenses.length, 'licence')}, ${counted(known().trials.length, 'trial')}, ${counted(known().notices.length, 'notice')}, ${counted(known().installs.length, 'install')}`}
              actions={
                <Show when={!empty(known())}>
                  <Button kind="danger" onClick={() => setErasing(true)}>
                    Erase
                  </Button>
                </Show>
              }
            >
              <Show
                when={!empty(known())}
                fallback={<p class="faint">Nothing is stored about this address.</p>}
              >
                <pre class="sent-text" tabIndex={0} aria-label="What is stored">
                  {JSON.stringify(known(), null, 2)}
                </pre>
              </Show>
            </Panel>
          )}
        </Show>
      </Show>
      <Show when={erasing()}>
        <Dialog
          open
          onClose={() => setErasing(false)}
          title="Erase the person’s data"
          description="Name and address are gone for good, and the contact is told nothing any more. The licences stay: somebody’s install runs on them."
        >
          <FleetNotice problem={erase.problem()} />
          <div class="dialog-actions">
            <Button onClick={() => setErasing(false)}>Cancel</Button>
            <Button kind="danger" busy={erase.busy()} onClick={() => void erase.run()}>
              Erase
            </Button>
          </div>
        </Dialog>
      </Show>
    </div>
  )
}
