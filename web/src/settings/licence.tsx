import type { LicenseView } from '@attestry/contracts/http'
import { For, Show } from 'solid-js'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { createReading } from '../reading.ts'
import { NOT_PROVED, useProof } from '../session/proof.tsx'
import { useSession } from '../session/session.tsx'
import { Badge } from '../ui/badge.tsx'
import { Instant } from '../ui/instant.tsx'
import { ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { Facts } from '../ui/side-panel.tsx'
import { LicenceSettings } from './licence-settings.tsx'
import { LicenceSource } from './licence-source.tsx'

const FEATURES = {
  rotation: 'Rotation',
  'custom-rules': 'Custom rules',
  sync: 'Sync to other clouds',
  sso: 'Single sign-on',
  'cloud-writes': 'Writing to a real cloud',
} as const

const STATES = {
  valid: { tone: 'good', says: 'valid' },
  grace: { tone: 'medium', says: 'no answer; everything still works' },
  expired: { tone: 'critical', says: 'nothing new is started; reading, exporting and what runs go on' },
} as const

/** Why nothing new is started, and what to do. */
const REFUSALS: Readonly<Record<NonNullable<LicenseView['refused']>, string>> = {
  expired: 'The licence ended. Ask the vendor to extend it; the next check brings it back.',
  suspended: 'The vendor suspended the licence. Write to the vendor.',
  invalid: 'The vendor knows no such key. Enter another one.',
  'too-many-installs': 'As many installs as the licence has use it already. Ask the vendor to free one.',
  'other-install': 'The licence file was made for another install.',
  unreachable: 'The licence service did not answer for the time of grace. Let this machine reach it.',
  'answer-altered': 'What the vendor signed was changed in the database. The next answer mends it.',
  'clock-set-back': 'This machine’s clock was set back. Set it right.',
}

const LIMITS = {
  vaults: 'Vaults',
  subscriptions: 'Subscriptions',
  users: 'People and machines',
  manualRotations: 'Rotations by hand this month',
} as const

function Features(props: { of: readonly string[] }) {
  return (
    <ul class="plain-list">
      <For each={Object.entries(FEATURES)}>
        {([feature, name]) => (
          <li>
            <Show when={props.of.includes(feature)} fallback={<Badge>not included</Badge>}>
              <Badge tone="good">included</Badge>
            </Show>{' '}
            {name}
          </li>
        )}
      </For>
    </ul>
  )
}

function Limits(props: { license: LicenseView }) {
  // The keys are those of LIMITS; Object.entries forgets it.
  const rows = Object.entries(LIMITS) as [keyof typeof LIMITS, string][]
  return (
    <Facts
      rows={rows.map(([name, title]) => {
        const most = (): number | null => props.license.limits[name]
        const over = (): boolean => most() !== null && props.license.used[name] > (most() ?? 0)
        return [
          title,
          <span>
            {props.license.used[name].toLocaleString('en')}
            <Show when={most() !== null} fallback={<span class="faint">, no limit</span>}>
              {' '}
              of {most()?.toLocaleString('en')}
            </Show>{' '}
            <Show when={over()}>
              <Badge tone="medium">above it; what is there stays</Badge>
            </Show>
          </span>,
        ] as const
      })}
    />
  )
}

function State(props: { license: LicenseView }) {
  return (
    <>
      <Facts
        rows={[
          ['Tier', <strong class="capital">{props.license.tier}</strong>],
          [
            'State',
            <Badge tone={STATES[props.license.state].tone}>{STATES[props.license.state].says}</Badge>,
          ],
          ['Until', <Instant at={props.license.graceUntil ?? props.license.expiresAt} none="no end" />],
          ['Days left', props.license.daysLeft === null ? 'no end' : String(props.license.daysLeft)],
        ]}
      />
      <Show when={props.license.refused}>
        {(refused) => (
          <div class="notice" data-tone="high" role="status">
            <p class="notice-text">{REFUSALS[refused()]}</p>
          </div>
        )}
      </Show>
      <Show when={props.license.updateNotice.newer}>
        {(newer) => (
          <div class="notice" data-tone="info" role="status">
            <p class="notice-text">
              Version {newer().version} is there. {newer().notice}
            </p>
          </div>
        )}
      </Show>
      <Features of={props.license.features} />
    </>
  )
}

/** The whole of it, for those who may read it. */
function Whole() {
  const { may } = useSession()
  const live = useLive()
  const proof = useProof()
  const licence = createReading(api.licensing.readLicense, () => ({}), { everyMs: () => 60_000 })
  const changed = (): void =>
    live.touch([api.licensing.readLicense.id, api.licensing.previewCheck.id, api.gateway.licenseStatus.id])
  const guarded = async <T,>(work: () => Promise<T>): Promise<boolean> => {
    const done = await proof.guarded(work)
    changed()
    return done !== NOT_PROVED
  }
  return (
    <>
      <ProblemNotice problem={licence.problem()} again={licence.again} />
      <Show
        when={licence.data()}
        fallback={
          <Show when={licence.loading()}>
            <Panel title="Licence">
              <Skeleton lines={6} />
            </Panel>
          </Show>
        }
      >
        {(known) => (
          <div class="settings-columns">
            <Panel title="Licence">
              <State license={known()} />
            </Panel>
            <Panel title="Limits" note="What is there above a limit stays and works.">
              <Limits license={known()} />
            </Panel>
            <LicenceSource license={known()} mayChange={may(api.licensing.enterKey)} guarded={guarded} />
            <LicenceSettings
              license={known()}
              mayChange={may(api.licensing.choosePreferences)}
              changed={changed}
            />
          </div>
        )}
      </Show>
    </>
  )
}

/** What anybody may know, for those who may read no more. */
function Public() {
  const licence = createReading(api.gateway.licenseStatus, () => ({}))
  return (
    <div class="settings-columns">
      <Panel title="Licence">
        <ProblemNotice problem={licence.problem()} again={licence.again} />
        <Show when={licence.data()} fallback={<Skeleton lines={4} />}>
          {(known) => (
            <>
              <Facts
                rows={[
                  ['Tier', <strong class="capital">{known().tier}</strong>],
                  ['State', <Badge tone={STATES[known().state].tone}>{STATES[known().state].says}</Badge>],
                  ['Until', <Instant at={known().expiresAt} none="no end" />],
                ]}
              />
              <Features of={known().features} />
            </>
          )}
        </Show>
      </Panel>
    </div>
  )
}

/** What the install may do, where that comes from, and what is told to the vendor. */
export function Licence() {
  const { may } = useSession()
  return (
    <Show when={may(api.licensing.readLicense)} fallback={<Public />}>
      <Whole />
    </Show>
  )
}
