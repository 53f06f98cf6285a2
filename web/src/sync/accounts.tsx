import Plus from 'lucide-solid/icons/plus'
import { createSignal, For, Show } from 'solid-js'
import { api, type ReplyOf, type RequestOf } from '../api.ts'
import { useLive } from '../live.tsx'
import { counted } from '../numbers.ts'
import { createAction, createReading } from '../reading.ts'
import { useProof } from '../session/proof.tsx'
import { useSession } from '../session/session.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { cloudName, HOWS } from './words.ts'

type Connector = ReplyOf<typeof api.sync.listConnectors.endpoint>['items'][number]
type Wish = RequestOf<typeof api.sync.addConnector.endpoint>['body']

/** Accounts that secrets may be copied to, how each is signed in to, and its own kill switch. */
export function Accounts() {
  const { may } = useSession()
  const [adding, setAdding] = createSignal(false)
  const connectors = createReading(api.sync.listConnectors, () => ({}))
  return (
    <div class="stack">
      <div class="part-head">
        <p class="soft">
          Sign in by federation or an assumed role where you can; a stored key is encrypted and never shown.
        </p>
        <Show when={may(api.sync.addConnector)}>
          <Button kind="primary" icon={<Plus size={14} aria-hidden="true" />} onClick={() => setAdding(true)}>
            Connect an account
          </Button>
        </Show>
      </div>
      <ProblemNotice problem={connectors.problem()} again={connectors.again} />
      <Show when={connectors.data()} fallback={<Skeleton lines={6} />}>
        {(known) => (
          <For
            each={known().items}
            fallback={<Empty title="No account is connected">Its sign-in is tried before it is saved.</Empty>}
          >
            {(connector) => <AccountCard connector={connector} />}
          </For>
        )}
      </Show>
      <Show when={adding()}>
        <Connect onClose={() => setAdding(false)} />
      </Show>
    </div>
  )
}

function AccountCard(props: { connector: Connector }) {
  const { may } = useSession()
  const live = useLive()
  const params = () => ({ params: { connector: props.connector.connector } })
  const thrown = () => props.connector.stopped !== null
  const test = createAction(async () => {
    await api.sync.testConnector(params())
    live.touch(['sync'])
  })
  const flip = createAction(async () => {
    const reason = thrown() ? 'released on the accounts page' : 'thrown on the accounts page'
    await api.sync.throwSwitch({
      body: { connector: props.connector.connector, thrown: !thrown(), reason },
    })
    live.touch(['sync'])
  })
  const remove = createAction(async () => {
    await api.sync.removeConnector(params())
    live.touch(['sync'])
  })
  return (
    <Panel
      title={props.connector.name}
      note={`${cloudName(props.connector.cloud)}, ${counted(props.connector.routes, 'route')}`}
      actions={
        <>
          <Show when={may(api.sync.testConnector)}>
            <Button busy={test.busy()} onClick={() => void test.run()}>
              Test
            </Button>
          </Show>
          <Show when={may(api.sync.throwSwitch)}>
            <Button kind={thrown() ? 'primary' : 'danger'} busy={flip.busy()} onClick={() => void flip.run()}>
              {thrown() ? 'Release' : 'Stop'}
            </Button>
          </Show>
          <Show when={may(api.sync.removeConnector) && props.connector.routes === 0}>
            <Button busy={remove.busy()} onClick={() => void remove.run()}>
              Remove
            </Button>
          </Show>
        </>
      }
    >
      <ProblemNotice problem={test.problem() ?? flip.problem() ?? remove.problem()} />
      <p>
        <code>{props.connector.account}</code>
        <Show when={props.connector.region}>{(region) => <> in {region()}</>}</Show>{' '}
        <span class="soft">by {HOWS[props.connector.how]}</span>
      </p>
      <p class="faint">
        <Show when={props.connector.test} fallback="Never tried.">
          {(test) => (
            <>
              <Badge tone={test().ok ? 'good' : 'critical'}>
                {test().ok ? 'Signs in' : 'Does not sign in'}
              </Badge>{' '}
              tried <Instant at={test().at} />
              <Show when={test().problem}>{(problem) => <>: {problem()}</>}</Show>
            </>
          )}
        </Show>
        <Show when={props.connector.stopped}>
          {(stopped) => (
            <>
              {' '}
              <Badge tone="critical">Stopped</Badge> <Instant at={stopped().at} />: {stopped().reason}
            </>
          )}
        </Show>
      </p>
    </Panel>
  )
}

type How = Wish['access']['how']

/** What each way of signing in asks for. */
const ASKS: Readonly<Record<How, readonly (readonly [field: string, label: string, secret?: true])[]>> = {
  'own-identity': [],
  'web-identity': [
    ['roleArn', 'Role that trusts Entra (ARN)'],
    ['audience', 'Audience of the token'],
  ],
  'assume-role': [
    ['roleArn', 'Role (ARN)'],
    ['externalId', 'External id'],
  ],
  'access-key': [
    ['accessKeyId', 'Access key id'],
    ['secret', 'Secret access key', true],
  ],
  federation: [
    ['audience', 'Workload identity provider'],
    ['tokenAudience', 'Audience of the token'],
    ['serviceAccount', 'Service account (where one is acted as)'],
  ],
  'service-account-key': [['secret', 'Service account key (JSON)', true]],
}
const HOWS_OF: Readonly<Record<Wish['cloud'], readonly How[]>> = {
  azure: ['own-identity'],
  aws: ['web-identity', 'assume-role', 'access-key'],
  gcp: ['federation', 'service-account-key'],
}
const ACCOUNT: Readonly<Record<Wish['cloud'], string>> = {
  azure: 'Address of the vault',
  aws: 'Account, 12 digits',
  gcp: 'Project id',
}

function Connect(props: { onClose: () => void }) {
  const live = useLive()
  const proof = useProof()
  const [cloud, setCloud] = createSignal<Wish['cloud']>('aws')
  const [how, setHow] = createSignal<How>('web-identity')
  const [fields, setFields] = createSignal<Readonly<Record<string, string>>>({})
  const put = (name: string, value: string) => setFields({ ...fields(), [name]: value })
  const of = (name: string): string => (fields()[name] ?? '').trim()
  const save = createAction(async () => {
    const access = Object.fromEntries(
      ASKS[how()].flatMap(([name]) => (of(name) === '' ? [] : [[name, of(name)]])),
    )
    const region = cloud() === 'aws' ? of('region') || null : null
    const body = {
      cloud: cloud(),
      name: of('name'),
      account: of('account'),
      region,
      access: { how: how(), ...access },
    }
    await proof.guarded(() => api.sync.addConnector({ body }))
    live.touch(['sync'])
    props.onClose()
  })
  const text = (name: string, label: string, secret = false, required = true) => (
    <Field label={label}>
      {(id) => (
        <input
          id={id}
          type={secret ? 'password' : 'text'}
          autocomplete="off"
          required={required}
          value={fields()[name] ?? ''}
          onInput={(event) => put(name, event.currentTarget.value)}
        />
      )}
    </Field>
  )
  return (
    <Dialog open onClose={props.onClose} title="Connect an account" wide>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          void save.run()
        }}
      >
        <Field label="Cloud">
          {(id) => (
            <select
              id={id}
              onChange={(event) => {
                // The options are the clouds.
                const next = event.currentTarget.value as Wish['cloud']
                setCloud(next)
                setHow(HOWS_OF[next][0] ?? 'own-identity')
              }}
            >
              <For each={['aws', 'gcp', 'azure'] as const}>
                {(one) => (
                  <option value={one} selected={one === cloud()}>
                    {one === 'azure' ? 'Azure Key Vault' : cloudName(one)}
                  </option>
                )}
              </For>
            </select>
          )}
        </Field>
        {text('name', 'Name')}
        {text('account', ACCOUNT[cloud()])}
        <Show when={cloud() === 'aws'}>{text('region', 'Region')}</Show>
        <Field label="Sign-in" hint="The first of these needs no stored secret.">
          {(id, note) => (
            <select
              id={id}
              aria-describedby={note}
              // The options are the ways of signing in.
              onChange={(event) => setHow(event.currentTarget.value as How)}
            >
              <For each={HOWS_OF[cloud()]}>
                {(one) => (
                  <option value={one} selected={one === how()}>
                    {HOWS[one]}
                  </option>
                )}
              </For>
            </select>
          )}
        </Field>
        <For each={ASKS[how()]}>
          {([name, label, secret]) => text(name, label, secret === true, name !== 'serviceAccount')}
        </For>
        <ProblemNotice problem={save.problem()} />
        <div class="dialog-actions">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button kind="primary" type="submit" busy={save.busy()}>
            Try and connect
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
