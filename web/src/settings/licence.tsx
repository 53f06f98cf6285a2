import { For, Show } from 'solid-js'
import { api } from '../api.ts'
import { createReading } from '../reading.ts'
import { Badge } from '../ui/badge.tsx'
import { Instant } from '../ui/instant.tsx'
import { ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { Facts } from '../ui/side-panel.tsx'

const FEATURES = {
  rotation: 'Rotation',
  'custom-rules': 'Custom rules',
  sync: 'Sync to other clouds',
  sso: 'Single sign-on',
  'cloud-writes': 'Writing to a real cloud',
} as const

const STATES = {
  valid: { tone: 'good', says: 'valid' },
  grace: { tone: 'medium', says: 'ran out; everything still works for a while' },
  expired: { tone: 'critical', says: 'expired; reading, exporting and verifying still work' },
} as const

/** What the install may do. */
export function Licence() {
  const licence = createReading(api.gateway.licenseStatus, () => ({}))
  return (
    <div class="settings-columns">
      <Panel title="Licence">
        <ProblemNotice problem={licence.problem()} again={licence.again} />
        <Show
          when={licence.data()}
          fallback={
            <Show when={licence.loading()}>
              <Skeleton lines={4} />
            </Show>
          }
        >
          {(known) => (
            <>
              <Facts
                rows={[
                  ['Tier', <strong class="capital">{known().tier}</strong>],
                  ['State', <Badge tone={STATES[known().state].tone}>{STATES[known().state].says}</Badge>],
                  ['Until', <Instant at={known().expiresAt} none="no end" />],
                ]}
              />
              <ul class="plain-list">
                <For each={Object.entries(FEATURES)}>
                  {([feature, name]) => (
                    <li>
                      <Show
                        when={known().features.some((f) => f === feature)}
                        fallback={<Badge>not included</Badge>}
                      >
                        <Badge tone="good">included</Badge>
                      </Show>{' '}
                      {name}
                    </li>
                  )}
                </For>
              </ul>
            </>
          )}
        </Show>
      </Panel>
    </div>
  )
}
