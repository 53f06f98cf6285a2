import { useParams } from '@solidjs/router'
import { For, Match, Show, Switch } from 'solid-js'
import { api } from '../api.ts'
import { rolesNeeded } from '../session/roles.ts'
import { useSession } from '../session/session.tsx'
import { Refused } from '../ui/notice.tsx'
import { PageHead } from '../ui/panel.tsx'
import { Account } from './account.tsx'
import { Auditors } from './auditors.tsx'
import { Environments } from './environments.tsx'
import { Licence } from './licence.tsx'
import { People } from './people.tsx'

const PARTS = [
  ['people', 'People'],
  ['auditors', 'Auditors'],
  ['environments', 'Environments'],
  ['licence', 'Licence'],
  ['account', 'Your account'],
] as const

export function Settings() {
  const { may } = useSession()
  const params = useParams<{ part?: string }>()
  const part = (): string => params.part ?? (may(api.gateway.listOperators) ? 'people' : 'environments')
  return (
    <div class="page">
      <PageHead title="Settings" />
      <nav class="tabs" aria-label="Parts of settings">
        <For each={PARTS}>
          {([path, name]) => (
            <a href={`/settings/${path}`} aria-current={part() === path ? 'page' : undefined}>
              {name}
            </a>
          )}
        </For>
      </nav>
      <Switch>
        <Match when={part() === 'people'}>
          <Show
            when={may(api.gateway.listOperators)}
            fallback={<Refused what="People" needs={rolesNeeded(api.gateway.listOperators.endpoint)} />}
          >
            <People />
          </Show>
        </Match>
        <Match when={part() === 'auditors'}>
          <Show
            when={may(api.gateway.listAuditors)}
            fallback={<Refused what="Auditors" needs={rolesNeeded(api.gateway.listAuditors.endpoint)} />}
          >
            <Auditors />
          </Show>
        </Match>
        <Match when={part() === 'environments'}>
          <Environments />
        </Match>
        <Match when={part() === 'licence'}>
          <Licence />
        </Match>
        <Match when={true}>
          <Account />
        </Match>
      </Switch>
    </div>
  )
}
