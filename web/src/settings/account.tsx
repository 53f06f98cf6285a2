import { createSignal, For, Show } from 'solid-js'
import { ChangePassword } from '../session/change-password.tsx'
import { ROLE_NAMES, ROLE_PURPOSE } from '../session/roles.ts'
import { useSession } from '../session/session.tsx'
import { Instant } from '../ui/instant.tsx'
import { Panel } from '../ui/panel.tsx'
import { Facts } from '../ui/side-panel.tsx'

/** One's own account: what one may do, and a new password. */
export function Account() {
  const { session } = useSession()
  const [done, setDone] = createSignal(false)
  return (
    <div class="settings-columns">
      <Panel title="Who you are">
        <Facts
          rows={[
            ['Name', session().name],
            ['Organisation', session().tenant],
            ['Session ends', <Instant at={session().expiresAt} />],
            ['Version', session().productVersion],
          ]}
        />
        <ul class="plain-list">
          <For each={session().roles}>
            {(role) => (
              <li>
                <strong>{ROLE_NAMES[role]}</strong> <span class="soft">{ROLE_PURPOSE[role]}</span>
              </li>
            )}
          </For>
        </ul>
      </Panel>
      <Panel title="Password">
        <Show when={!done()} fallback={<p role="status">Changed. Your other sessions have ended.</p>}>
          <ChangePassword onDone={() => setDone(true)} />
        </Show>
      </Panel>
    </div>
  )
}
