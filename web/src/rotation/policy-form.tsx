import type { CredentialKind } from '@attestry/contracts'
import type { PolicyRow } from '@attestry/contracts/http'
import { createSignal, For, Show, untrack } from 'solid-js'
import { createStore, unwrap } from 'solid-js/store'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { createAction, createReading } from '../reading.ts'
import { localZone } from '../time.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { ProblemNotice } from '../ui/notice.tsx'
import { Line } from './confirm.tsx'
import {
  errorsOf,
  formOf,
  freshTerms,
  issuesOf,
  saidOf,
  type Terms,
  type TermsForm,
  termsOf,
} from './terms.ts'
import { TermsFields } from './terms-fields.tsx'
import { KINDS } from './words.ts'

type Whom = 'credential' | 'selector' | 'subject'
const WHOM: readonly (readonly [Whom, string])[] = [
  ['credential', 'one credential that discovery knows'],
  ['selector', 'every application secret with a part in its name'],
  ['subject', 'something that discovery does not list'],
]
/** Kinds that are named by where they stand, with what stands there. */
const PLACES: Partial<Record<CredentialKind, readonly [at: string, part: string | null]>> = {
  'sp-secret': ['Object id of the service principal', 'Its appId'],
  'storage-key': ['Resource id of the storage account', null],
  'servicebus-key': ['Resource id of the namespace', 'Name of the authorization rule'],
}
const ROTATABLE = ['app-secret', 'key', 'certificate'] as const
type Rotatable = (typeof ROTATABLE)[number]
/** Credentials offered at once; a search narrows them. */
const OFFERED = 100

/** Makes a policy, or changes the terms of one. What could never run is refused beside its field. */
export function PolicyForm(props: {
  /** The policy whose terms are changed. */
  policy?: PolicyRow
  /** The credential that a new policy is for. */
  credential?: string
  onClose: () => void
  onSaved: (policy: string | null) => void
}) {
  const live = useLive()
  // What it starts from; what is typed afterwards is the form's own.
  const given = untrack(() => ({
    credential: props.credential ?? '',
    kind: props.policy?.subject.kind ?? ('app-secret' as const),
    form: props.policy ? formOf(props.policy, localZone()) : freshTerms(localZone()),
  }))
  const [whom, setWhom] = createSignal<Whom>('credential')
  const [credential, setCredential] = createSignal(given.credential)
  const [kind, setKind] = createSignal<CredentialKind>(given.kind)
  const [namePart, setNamePart] = createSignal('')
  const [place, setPlace] = createStore({ at: '', part: '', name: '' })
  const [form, set] = createStore<TermsForm>(given.form)
  const [issues, setIssues] = createSignal<ReadonlyMap<string, string>>(new Map())
  const inVault = (): boolean => kind() === 'key' || kind() === 'certificate'
  const terms = (): Terms => {
    const given = termsOf(unwrap(form))
    return inVault() ? { ...given, settings: { ...given.settings, targets: [] } } : given
  }
  const save = createAction(async () => {
    setIssues(new Map())
    const { policy } = props
    if (policy) {
      const body = terms()
      if (wrong(api.rotation.revisePolicy.endpoint.body, body)) return
      await api.rotation.revisePolicy({ params: { policy: policy.policy }, body })
      done(policy.policy)
    } else if (whom() === 'selector') {
      const body = { ...terms(), namePart: namePart().trim() }
      if (wrong(api.rotation.saveSelector.endpoint.body, body)) return
      await api.rotation.saveSelector({ body })
      done(null)
    } else {
      const body =
        whom() === 'subject'
          ? {
              ...terms(),
              subject: {
                kind: kind(),
                at: place.at.trim(),
                part: place.part.trim() || null,
                name: place.name.trim(),
              },
            }
          : { ...terms(), credential: credential() }
      if (wrong(api.rotation.savePolicy.endpoint.body, body)) return
      const saved = await api.rotation.savePolicy({ body })
      done(saved.policy)
    }
  })
  const wrong = (schema: Parameters<typeof issuesOf>[0], body: unknown): boolean => {
    const found = issuesOf(schema, body)
    setIssues(found)
    return found.size > 0
  }
  const done = (policy: string | null): void => {
    live.touch(['rotation', 'compliance'])
    props.onSaved(policy)
  }
  const errors = (): ReadonlyMap<string, string> => (issues().size > 0 ? issues() : errorsOf(save.problem()))
  const error = (field: string): string | undefined => saidOf(errors(), field)
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={props.policy ? `Terms of ${props.policy.subject.name}` : 'New policy'}
      wide
    >
      <form
        class="stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          void save.run()
        }}
      >
        <Show when={!props.policy}>
          <Field label="For">
            {(id) => (
              <select
                id={id}
                onChange={(e) => {
                  // The options are those of WHOM.
                  const next = e.currentTarget.value as Whom
                  setWhom(next)
                  setKind(next === 'subject' ? 'sp-secret' : 'app-secret')
                }}
              >
                <For each={WHOM}>
                  {([value, word]) => (
                    <option value={value} selected={value === whom()}>
                      {word}
                    </option>
                  )}
                </For>
              </select>
            )}
          </Field>
          <Show when={whom() === 'credential'}>
            <ChooseCredential
              chosen={credential()}
              error={error('credential')}
              onChoose={(asset, its) => {
                setCredential(asset)
                setKind(its)
              }}
            />
          </Show>
          <Show when={whom() === 'selector'}>
            <Line
              label="Part of the application’s name"
              hint="Compared without regard to case. Empty takes every application."
              most={120}
              error={error('namePart')}
              value={namePart()}
              onInput={setNamePart}
            />
          </Show>
          <Show when={whom() === 'subject'}>
            <Field label="Kind">
              {(id) => (
                // The options are kinds.
                <select id={id} onChange={(e) => setKind(e.currentTarget.value as CredentialKind)}>
                  <For each={Object.keys(PLACES) as (keyof typeof PLACES)[]}>
                    {(one) => (
                      <option value={one} selected={one === kind()}>
                        {KINDS[one]}
                      </option>
                    )}
                  </For>
                </select>
              )}
            </Field>
            <Line
              label={PLACES[kind()]?.[0] ?? 'Where it stands'}
              required
              most={400}
              error={error('subject.at')}
              value={place.at}
              onInput={(value) => setPlace('at', value)}
            />
            <Show when={PLACES[kind()]?.[1]}>
              {(label) => (
                <Line
                  label={label()}
                  most={200}
                  error={error('subject.part')}
                  value={place.part}
                  onInput={(value) => setPlace('part', value)}
                />
              )}
            </Show>
            <Line
              label="What you call it"
              required
              most={300}
              error={error('subject.name')}
              value={place.name}
              onInput={(value) => setPlace('name', value)}
            />
          </Show>
        </Show>
        <TermsFields
          form={form}
          set={set}
          errors={errors()}
          inVault={inVault()}
          strings={kind() === 'storage-key' || kind() === 'servicebus-key'}
        />
        <Show when={issues().size > 0}>
          <p class="field-note" data-error="" role="alert">
            Correct what is named beside its field, then save again.
          </p>
        </Show>
        <ProblemNotice problem={save.problem()} />
        <div class="dialog-actions">
          <span class="faint">Saving changes nothing in any cloud.</span>
          <Button onClick={props.onClose}>Cancel</Button>
          <Button kind="primary" type="submit" busy={save.busy()}>
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

function ChooseCredential(props: {
  chosen: string
  error: string | undefined
  onChoose: (asset: string, kind: Rotatable) => void
}) {
  const [kind, setKind] = createSignal<Rotatable>('app-secret')
  const [search, setSearch] = createSignal('')
  const given = createReading(api.discovery.readAsset, () =>
    props.chosen === '' ? undefined : { params: { asset: props.chosen } },
  )
  const found = createReading(api.discovery.listAssets, () => ({
    query: { kind: kind(), limit: OFFERED, ...(search().trim() === '' ? {} : { search: search().trim() }) },
  }))
  const offered = () => {
    const items = (found.data()?.items ?? []).map((a) => ({ ...a }))
    const own = given.data()
    return own && own.asset === props.chosen && !items.some((a) => a.asset === own.asset)
      ? [own, ...items]
      : items
  }
  return (
    <>
      <div class="side-by-side">
        <Field label="Kind">
          {(id) => (
            // The options are those of ROTATABLE.
            <select id={id} onChange={(e) => setKind(e.currentTarget.value as Rotatable)}>
              <For each={ROTATABLE}>
                {(one) => (
                  <option value={one} selected={one === kind()}>
                    {KINDS[one]}
                  </option>
                )}
              </For>
            </select>
          )}
        </Field>
        <Line label="Search by name" most={100} value={search()} onInput={setSearch} />
      </div>
      <Field
        label="Credential"
        error={props.error}
        hint={
          (found.data()?.total ?? 0) > OFFERED
            ? 'More match than are listed: narrow the search.'
            : 'Scanned ones.'
        }
      >
        {(id, note) => (
          <select
            id={id}
            required
            aria-describedby={note}
            onChange={(e) => {
              const asset = offered().find((a) => a.asset === e.currentTarget.value)
              const its = ROTATABLE.find((k) => k === asset?.kind)
              if (asset && its) props.onChoose(asset.asset, its)
            }}
          >
            <option value="">Choose a credential</option>
            <For each={offered()}>
              {(asset) => (
                <option value={asset.asset} selected={asset.asset === props.chosen}>
                  {asset.holderName} / {asset.name}
                </option>
              )}
            </For>
          </select>
        )}
      </Field>
    </>
  )
}
