import type { Tier } from '@attestry/contracts'
import { createSignal, Show } from 'solid-js'
import { createAction } from '../reading.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { fleetApi } from './fleet-api.ts'
import { FleetNotice } from './notice.tsx'
import { dayIn, endOfDay, InstallsField, installsOf, KeyOnce, LastDayField, TierField } from './terms.tsx'
import { useVendor } from './vendor.tsx'

/** Issues a licence: what is wished, then the key, which nobody can show again. */
export function IssueLicense(props: { onClose: () => void }) {
  const vendor = useVendor()
  const [tier, setTier] = createSignal<Tier>('pro')
  const [customer, setCustomer] = createSignal('')
  const [contact, setContact] = createSignal('')
  const [ends, setEnds] = createSignal(dayIn(365))
  const [installs, setInstalls] = createSignal('')
  const [issued, setIssued] = createSignal<{ license: string; key: string }>()
  const issue = createAction(async () => {
    const reply = await fleetApi.issueLicense({
      body: {
        tier: tier(),
        customer: customer().trim(),
        contact: contact().trim() === '' ? null : contact().trim(),
        expiresAt: endOfDay(ends()),
        ...installsOf(installs()),
      },
    })
    setIssued(reply)
    vendor.changed()
  })
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={issued() ? 'Licence issued' : 'Issue a licence'}
      keep
      {...(issued()
        ? {
            description: `For ${customer().trim()}. The key is shown this once: we keep only a digest of it.`,
          }
        : {})}
    >
      <Show
        when={issued()}
        fallback={
          <form
            class="stack"
            onSubmit={(event) => {
              event.preventDefault()
              if (installsOf(installs()) !== undefined) void issue.run()
            }}
          >
            <Field label="Customer">
              {(id) => (
                <input
                  id={id}
                  type="text"
                  required
                  maxLength={120}
                  autocomplete="off"
                  value={customer()}
                  onInput={(event) => setCustomer(event.currentTarget.value)}
                />
              )}
            </Field>
            <Field label="Contact" hint="Address that is told before the licence ends. May stay empty.">
              {(id, note) => (
                <input
                  id={id}
                  type="text"
                  inputmode="email"
                  maxLength={200}
                  autocomplete="off"
                  aria-describedby={note}
                  value={contact()}
                  onInput={(event) => setContact(event.currentTarget.value)}
                />
              )}
            </Field>
            <div class="side-by-side">
              <TierField value={tier()} onChange={setTier} />
              <LastDayField value={ends()} onInput={setEnds} />
            </div>
            <InstallsField tier={tier()} value={installs()} onInput={setInstalls} />
            <FleetNotice problem={issue.problem()} />
            <div class="dialog-actions">
              <Button onClick={props.onClose}>Cancel</Button>
              <Button kind="primary" type="submit" busy={issue.busy()}>
                Issue the licence
              </Button>
            </div>
          </form>
        }
      >
        {(reply) => (
          <>
            <KeyOnce value={reply().key} />
            <div class="dialog-actions">
              <a class="button" href={`/fleet/licences/${reply().license}`} onClick={props.onClose}>
                Open the licence
              </a>
              <Button kind="primary" onClick={props.onClose}>
                I have handed it over
              </Button>
            </div>
          </>
        )}
      </Show>
    </Dialog>
  )
}
