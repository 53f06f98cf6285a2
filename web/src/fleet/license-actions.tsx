import { Tier, TIERS } from '@attestry/contracts'
import { createSignal, For, type JSX, Match, Show, Switch, untrack } from 'solid-js'
import { createAction } from '../reading.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { endDay } from './end-day.tsx'
import { fleetApi } from './fleet-api.ts'
import type { LicenseDetail } from './license.tsx'
import { FleetNotice } from './notice.tsx'
import { endOfDay, InstallsField, installsOf, KeyOnce, LastDayField, TierField } from './terms.tsx'
import { useVendor } from './vendor.tsx'
import { FEATURE_WORDS, TIER_WORDS } from './words.ts'

/** What is being done to a licence. */
export type Deed =
  | { readonly do: 'extend' | 'tier' | 'suspend' | 'reinstate' | 'revoke' | 'rotate' | 'file' }
  | { readonly do: 'release'; readonly install: string }

interface Of {
  readonly license: LicenseDetail
  readonly onClose: () => void
}

/** A dialog that says what will be, asks for what is needed, and does it when it is confirmed. */
function Confirm(
  props: Of & {
    title: string
    says: string
    word: string
    danger?: boolean
    ready?: boolean
    work: () => Promise<unknown>
    children?: JSX.Element
  },
) {
  const vendor = useVendor()
  const act = createAction(async () => {
    await props.work()
    vendor.changed()
    props.onClose()
  })
  return (
    <Dialog open onClose={props.onClose} title={props.title} description={props.says} keep>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          if (props.ready !== false) void act.run()
        }}
      >
        {props.children}
        <FleetNotice problem={act.problem()} />
        <div class="dialog-actions">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button
            kind={props.danger ? 'danger' : 'primary'}
            type="submit"
            busy={act.busy()}
            disabled={props.ready === false}
          >
            {props.word}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

const where = (license: LicenseDetail) => ({ params: { license: license.license } })

function Reason(props: { value: string; onInput: (text: string) => void }) {
  return (
    <Field label="Reason" hint="Written into the audit. No names and no addresses.">
      {(id, note) => (
        <input
          id={id}
          type="text"
          required
          minLength={3}
          maxLength={300}
          autocomplete="off"
          aria-describedby={note}
          value={props.value}
          onInput={(event) => props.onInput(event.currentTarget.value)}
        />
      )}
    </Field>
  )
}

function Extend(props: Of) {
  const from = untrack(() => Math.max(Date.parse(props.license.expiresAt), Date.now()))
  const [ends, setEnds] = createSignal(new Date(from + 365 * 86_400_000).toISOString().slice(0, 10))
  return (
    <Confirm
      {...props}
      title="Extend the licence"
      says={`It lasts until ${endDay(props.license.expiresAt)} now. Installs hear of it at their next check.`}
      word="Extend"
      work={() => fleetApi.extendLicense({ ...where(props.license), body: { expiresAt: endOfDay(ends()) } })}
    >
      <LastDayField value={ends()} onInput={setEnds} />
    </Confirm>
  )
}

function ChangeTier(props: Of) {
  const [tier, setTier] = createSignal<Tier>(untrack(() => props.license.tier))
  const [installs, setInstalls] = createSignal('')
  const differing = (gained: boolean): string[] => {
    const [before, after] = [props.license.features, TIERS[tier()].features]
    return (gained ? after.filter((f) => !before.includes(f)) : before.filter((f) => !after.includes(f))).map(
      (f) => FEATURE_WORDS[f],
    )
  }
  return (
    <Confirm
      {...props}
      title="Change the tier"
      says={`${TIER_WORDS[props.license.tier]} now. What already runs at an install is never stopped; what the new tier lacks is no longer started.`}
      word="Change the tier"
      ready={installsOf(installs()) !== undefined}
      work={() =>
        fleetApi.changeTier({ ...where(props.license), body: { tier: tier(), ...installsOf(installs()) } })
      }
    >
      <TierField value={tier()} onChange={setTier} />
      <InstallsField tier={tier()} value={installs()} onInput={setInstalls} />
      <ul class="plain-list">
        <For each={differing(true)}>{(feature) => <li>Gains: {feature}</li>}</For>
        <For each={differing(false)}>{(feature) => <li>Loses: {feature}</li>}</For>
      </ul>
    </Confirm>
  )
}

function Suspend(props: Of) {
  const [reason, setReason] = createSignal('')
  return (
    <Confirm
      {...props}
      title="Suspend the licence"
      says="Installs are told at their next check, within about an hour, and start nothing that needs a licence. What runs is finished; reading and evidence work on."
      word="Suspend"
      danger
      work={() => fleetApi.suspendLicense({ ...where(props.license), body: { reason: reason() } })}
    >
      <Reason value={reason()} onInput={setReason} />
    </Confirm>
  )
}

function Reinstate(props: Of) {
  const [reason, setReason] = createSignal('')
  return (
    <Confirm
      {...props}
      title="Reinstate the licence"
      says="It counts again from the installs’ next check on."
      word="Reinstate"
      work={() => fleetApi.reinstateLicense({ ...where(props.license), body: { reason: reason() } })}
    >
      <Reason value={reason()} onInput={setReason} />
    </Confirm>
  )
}

function Revoke(props: Of) {
  const [reason, setReason] = createSignal('')
  const [typed, setTyped] = createSignal('')
  return (
    <Confirm
      {...props}
      title="Revoke the licence"
      says="Its key becomes a key that nobody knows: installs hear so within about an hour, one that reaches nobody within seven days, and a licence file counts until it ends. What runs is finished."
      word="Revoke"
      danger
      ready={typed().trim().toUpperCase() === props.license.prefix}
      work={() => fleetApi.revokeLicense({ ...where(props.license), body: { reason: reason() } })}
    >
      <Reason value={reason()} onInput={setReason} />
      <Field label={`Type ${props.license.prefix} to confirm`}>
        {(id) => (
          <input
            id={id}
            type="text"
            required
            autocomplete="off"
            spellcheck={false}
            value={typed()}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        )}
      </Field>
    </Confirm>
  )
}

function Release(props: Of & { install: string }) {
  return (
    <Confirm
      {...props}
      title="Release an install"
      says="Its place is free for another, and what it sent is forgotten. If it asks again while there is a place, it takes one again."
      word="Release"
      danger
      work={() =>
        fleetApi.releaseInstall({ params: { license: props.license.license, install: props.install } })
      }
    >
      <code>{props.install}</code>
    </Confirm>
  )
}

function RotateKey(props: Of) {
  const vendor = useVendor()
  const [days, setDays] = createSignal('14')
  const [made, setMade] = createSignal<{ key: string; oldUntil: string }>()
  const rotate = createAction(async () => {
    setMade(await fleetApi.rotateKey({ ...where(props.license), body: { overlapDays: Number(days()) } }))
    vendor.changed()
  })
  return (
    <Dialog
      open
      onClose={props.onClose}
      keep
      title={made() ? 'The new key' : 'Give the licence a new key'}
      description={
        made()
          ? `Shown this once. The old key works until ${endDay(made()?.oldUntil ?? '')}.`
          : 'The old key works on for some days, so that nobody is shut out while it is entered.'
      }
    >
      <Show
        when={made()}
        fallback={
          <form
            class="stack"
            onSubmit={(event) => {
              event.preventDefault()
              void rotate.run()
            }}
          >
            <Field label="Days that the old key works on" hint="From 0 to 90. With 0 it ends at once.">
              {(id, note) => (
                <input
                  id={id}
                  type="text"
                  inputmode="numeric"
                  pattern="\d{1,2}"
                  required
                  autocomplete="off"
                  aria-describedby={note}
                  value={days()}
                  onInput={(event) => setDays(event.currentTarget.value)}
                />
              )}
            </Field>
            <FleetNotice problem={rotate.problem()} />
            <div class="dialog-actions">
              <Button onClick={props.onClose}>Cancel</Button>
              <Button kind="primary" type="submit" busy={rotate.busy()}>
                Make a new key
              </Button>
            </div>
          </form>
        }
      >
        {(reply) => (
          <>
            <KeyOnce value={reply().key} />
            <div class="dialog-actions">
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

/** Hands a text over as a file. */
function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}

async function makeFile(license: LicenseDetail, install: string): Promise<void> {
  const file = await fleetApi.licenseFile({ ...where(license), body: { install } })
  download(`attestry-licence-${license.prefix.toLowerCase()}.json`, JSON.stringify(file))
}

function LicenseFile(props: Of) {
  const [install, setInstall] = createSignal('')
  return (
    <Confirm
      {...props}
      title="Licence file"
      says="For one install that reaches nobody. It counts for that install alone until the licence ends, and cannot be called back; it takes one of the licence’s places."
      word="Make and download"
      work={() => makeFile(props.license, install().trim())}
    >
      <Field label="Number of the install" hint="The customer finds it in Settings → Licence.">
        {(id, note) => (
          <input
            id={id}
            type="text"
            required
            autocomplete="off"
            spellcheck={false}
            aria-describedby={note}
            placeholder="01890a5d-ac96-774b-bcce-b302099a8057"
            value={install()}
            onInput={(event) => setInstall(event.currentTarget.value)}
          />
        )}
      </Field>
    </Confirm>
  )
}

/** The dialog of whatever is being done. */
export function LicenseActions(props: Of & { deed: Deed | undefined }) {
  const of = (): Of => ({ license: props.license, onClose: props.onClose })
  const releasing = () => (props.deed?.do === 'release' ? props.deed : undefined)
  return (
    <Switch>
      <Match when={props.deed?.do === 'extend'}>
        <Extend {...of()} />
      </Match>
      <Match when={props.deed?.do === 'tier'}>
        <ChangeTier {...of()} />
      </Match>
      <Match when={props.deed?.do === 'suspend'}>
        <Suspend {...of()} />
      </Match>
      <Match when={props.deed?.do === 'reinstate'}>
        <Reinstate {...of()} />
      </Match>
      <Match when={props.deed?.do === 'revoke'}>
        <Revoke {...of()} />
      </Match>
      <Match when={props.deed?.do === 'rotate'}>
        <RotateKey {...of()} />
      </Match>
      <Match when={props.deed?.do === 'file'}>
        <LicenseFile {...of()} />
      </Match>
      <Match when={releasing()}>{(deed) => <Release {...of()} install={deed().install} />}</Match>
    </Switch>
  )
}
