import { For, Match, Show, Switch } from 'solid-js'
import { useAddress } from '../address.ts'
import { api } from '../api.ts'
import { createReading } from '../reading.ts'
import { PageHead } from '../ui/panel.tsx'
import { AdviceList } from './advice.tsx'
import { Calendar } from './calendar.tsx'
import { RotationList } from './list.tsx'
import { Matches } from './matches.tsx'
import { Policies } from './policies.tsx'
import { PolicyPanel } from './policy-panel.tsx'
import { Standing, WritesSwitch } from './standing.tsx'

const PARTS = [
  ['', 'Rotations'],
  ['policies', 'Policies'],
  ['matches', 'Matches'],
  ['calendar', 'Calendar'],
  ['advice', 'Secretless'],
] as const
const NAMES = ['part', 'state', 'policy', 'credential', 'search', 'month', 'new', 'secret'] as const

/** Credentials replaced without an outage: what runs, by which policies, when, and what it could do without. */
export function Rotation() {
  const address = useAddress('/rotation', NAMES)
  const settings = createReading(api.rotation.readRotationSettings, () => ({}))
  const open = (): boolean => address.get('part') === 'policies' && address.get('policy') !== ''
  return (
    <div class="list-page" data-open={open() ? '' : undefined}>
      <div class="list-main">
        <PageHead
          title="Rotation"
          actions={<Show when={settings.data()}>{(s) => <WritesSwitch settings={s()} />}</Show>}
        />
        <nav class="tabs" aria-label="Parts of rotation">
          <For each={PARTS}>
            {([part, name]) => (
              <a
                href={part === '' ? '/rotation' : `/rotation?part=${part}`}
                aria-current={address.get('part') === part ? 'page' : undefined}
              >
                {name}
              </a>
            )}
          </For>
        </nav>
        <Show when={settings.data()}>{(s) => <Standing settings={s()} />}</Show>
        <Switch>
          <Match when={address.get('part') === 'policies'}>
            <Policies address={address} settings={settings.data()} />
          </Match>
          <Match when={address.get('part') === 'matches'}>
            <Matches address={address} />
          </Match>
          <Match when={address.get('part') === 'calendar'}>
            <Calendar address={address} />
          </Match>
          <Match when={address.get('part') === 'advice'}>
            <AdviceList />
          </Match>
          <Match when={true}>
            <RotationList address={address} />
          </Match>
        </Switch>
      </div>
      <Show when={open()}>
        <PolicyPanel
          policy={address.get('policy')}
          settings={settings.data()}
          back={address.with({ policy: '' })}
        />
      </Show>
    </div>
  )
}

export type RotationAddress = ReturnType<typeof useAddress<(typeof NAMES)[number]>>
