import Check from 'lucide-solid/icons/check'
import X from 'lucide-solid/icons/x'
import { createSignal, For, Show } from 'solid-js'
import { api, type ReplyOf } from '../api.ts'
import { useLive } from '../live.tsx'
import { createAction } from '../reading.ts'
import { rolesMay, rolesNeeded } from '../session/roles.ts'
import { NOT_PROVED, useProof } from '../session/proof.tsx'
import { useSession } from '../session/session.tsx'
import { Button } from '../ui/button.tsx'
import { Confirm } from './confirm.tsx'

type Settings = ReplyOf<typeof api.rotation.readRotationSettings.endpoint>

/** What must be on before a rotation may change anything, where something is not, and who may turn it on. */
export function Standing(props: { settings: Settings }) {
  const { session, may } = useSession()
  const lines = () => [
    {
      on: props.settings.entitled,
      says: 'The licence includes rotation and writes to the cloud.',
      todo: 'PRO and above do. Settings › Licence shows what this install has.',
    },
    {
      on: props.settings.writes,
      says: 'Writing to the cloud is switched on.',
      todo: may(api.rotation.switchWrites)
        ? 'You may switch it on, at the top of this page, with your password.'
        : `A ${rolesNeeded(api.rotation.switchWrites.endpoint).toLowerCase()} switches it on, at the top of this page.`,
    },
    {
      on: rolesMay(session().roles, api.rotation.requestRotation.endpoint),
      says: 'Your role may ask for a rotation.',
      todo: `That needs ${rolesNeeded(api.rotation.requestRotation.endpoint)}. Ask a tenant administrator.`,
    },
  ]
  return (
    <Show when={!props.settings.entitled || !props.settings.writes}>
      <div class="notice" data-tone="low" role="status">
        <div class="notice-text">
          <p>
            <strong>Rotations are off.</strong> Policies and plans can be made and looked at; nothing is
            changed anywhere before all of this holds:
          </p>
          <ul class="rotation-needs">
            <For each={lines()}>
              {(line) => (
                <li data-on={line.on ? '' : undefined}>
                  <Show when={line.on} fallback={<X size={14} aria-label="Not so" />}>
                    <Check size={14} aria-label="So it is" />
                  </Show>
                  <span>
                    {line.says} <Show when={!line.on}>{line.todo}</Show>
                  </span>
                </li>
              )}
            </For>
          </ul>
          <p class="faint">
            The identity needs rights of its own: ownership of the applications, and on each vault a role that
            writes secrets. Each preflight looks and names what is missing.
          </p>
        </div>
      </div>
    </Show>
  )
}

/** Switches writing to the cloud on or off, for those who may. */
export function WritesSwitch(props: { settings: Settings }) {
  const { may } = useSession()
  const live = useLive()
  const proof = useProof()
  const [asking, setAsking] = createSignal(false)
  const flip = createAction(async () => {
    const { writes } = props.settings
    const done = await proof.guarded(() => api.rotation.switchWrites({ body: { writes: !writes } }))
    if (done === NOT_PROVED) return
    live.touch(['rotation'])
    setAsking(false)
  })
  return (
    <Show
      when={props.settings.demonstration}
      fallback={
        <Show when={may(api.rotation.switchWrites) && props.settings.entitled}>
          <Button kind={props.settings.writes ? 'plain' : 'primary'} onClick={() => setAsking(true)}>
            {props.settings.writes ? 'Switch writing off' : 'Switch writing on'}
          </Button>
          <Show when={asking()}>
            <Confirm
              title={
                props.settings.writes ? 'Switch writing to the cloud off' : 'Switch writing to the cloud on'
              }
              says={
                props.settings.writes
                  ? [
                      'No rotation begins any more.',
                      'What runs finishes: both credentials go on working meanwhile.',
                    ]
                  : [
                      'Policies that are due are planned and asked for by themselves, in their windows.',
                      'A policy that wants approval waits for it. What begins can be paused and rolled back.',
                    ]
              }
              word={props.settings.writes ? 'Switch off' : 'Switch on'}
              danger={props.settings.writes}
              action={flip}
              onClose={() => setAsking(false)}
            />
          </Show>
        </Show>
      }
    >
      <span class="faint">A demonstration writes to its own simulated cloud alone.</span>
    </Show>
  )
}
