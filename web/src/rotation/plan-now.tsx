import { useNavigate } from '@solidjs/router'
import { createSignal, Show } from 'solid-js'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { createAction } from '../reading.ts'
import { Confirm } from './confirm.tsx'

/** Makes a plan and shows it. Nothing is changed by that. */
export function PlanNow(props: { policy: string; name: string; onClose: () => void }) {
  const live = useLive()
  const navigate = useNavigate()
  const [compromised, setCompromised] = createSignal(false)
  const plan = createAction(async () => {
    const planned = await api.rotation.planRotation({
      body: { policy: props.policy, mode: compromised() ? 'compromise' : 'normal' },
    })
    live.touch(['rotation'])
    navigate(`/rotation/${planned.rotation}`)
  })
  return (
    <Confirm
      title={`Plan a rotation of ${props.name}`}
      says={[
        'It looks at the credential, the vaults and who uses them, and changes nothing.',
        'You see what would change where before you ask for it.',
      ]}
      word="Plan"
      action={plan}
      onClose={props.onClose}
    >
      <label class="choice">
        <input
          type="checkbox"
          checked={compromised()}
          onChange={(e) => setCompromised(e.currentTarget.checked)}
        />
        <span>
          <strong>It may be in wrong hands</strong>
          <span class="soft">
            No grace, and every other credential of the same principal goes too. Needs the id of an incident
            and two other people’s approval.
          </span>
        </span>
      </label>
      <Show when={compromised()}>
        <p class="soft">
          Whoever still uses an old credential is locked out as soon as the new one is served.
        </p>
      </Show>
    </Confirm>
  )
}
