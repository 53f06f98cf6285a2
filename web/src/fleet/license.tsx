import { isSilent } from '@attestry/contracts/http'
import { useParams } from '@solidjs/router'
import { createSignal, For, Show } from 'solid-js'
import { count } from '../numbers.ts'
import type { ReplyOf } from '../operation.ts'
import { createReading } from '../reading.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Code } from '../ui/copy.tsx'
import { Instant } from '../ui/instant.tsx'
import { Skeleton } from '../ui/notice.tsx'
import { now } from '../ui/now.ts'
import { PageHead, Panel } from '../ui/panel.tsx'
import { Facts } from '../ui/side-panel.tsx'
import { LicenseActions, type Deed } from './license-actions.tsx'
import { EndDay } from './end-day.tsx'
import { fleetApi } from './fleet-api.ts'
import { StandingBadge } from './licenses.tsx'
import { FleetNotice } from './notice.tsx'
import { useVendor } from './vendor.tsx'
import { ACTION_WORDS, FEATURE_WORDS, ROLE_WORDS, TIER_WORDS } from './words.ts'

export type LicenseDetail = ReplyOf<typeof fleetApi.readLicense.endpoint>

const LIMITS = [
  ['vaults', 'Vaults'],
  ['subscriptions', 'Subscriptions'],
  ['users', 'People'],
  ['manualRotations', 'Rotations by hand a month'],
] as const

function Terms(props: { license: LicenseDetail }) {
  return (
    <Panel title="Terms">
      <Facts
        rows={[
          ['Tier', TIER_WORDS[props.license.tier]],
          ['Ends', <EndDay at={props.license.expiresAt} />],
          [
            'Installs',
            `${count(props.license.seated)} of ${props.license.installs === null ? 'any number' : count(props.license.installs)}`,
          ],
          ['Contact', props.license.contact ?? <span class="faint">none</span>],
          ['Issued', <Instant at={props.license.issuedAt} />],
          ['Id', <Code text={props.license.license} label="the id" />],
        ]}
      />
      <h3 class="fleet-part">Allows</h3>
      <ul class="tags">
        <For each={props.license.features} fallback={<li>Reading alone</li>}>
          {(feature) => <li>{FEATURE_WORDS[feature]}</li>}
        </For>
        <For each={LIMITS.filter(([name]) => props.license.limits[name] !== null)}>
          {([name, word]) => (
            <li>
              {word}: {count(props.license.limits[name] ?? 0)}
            </li>
          )}
        </For>
      </ul>
    </Panel>
  )
}

function Keys(props: { license: LicenseDetail; begin: (deed: Deed) => void }) {
  const { may } = useVendor()
  return (
    <Panel
      title="Keys"
      actions={
        <Show when={may(fleetApi.rotateKey) && props.license.state !== 'revoked'}>
          <Button onClick={() => props.begin({ do: 'rotate' })}>New key</Button>
        </Show>
      }
    >
      <ul class="brief">
        <For each={props.license.keys}>
          {(key) => (
            <li>
              <code>{key.prefix}…</code>
              <span class="faint">
                since <Instant at={key.since} form="day" />
              </span>
              <Show when={key.until} fallback={<Badge tone="good">in use</Badge>}>
                {(until) => (
                  <Show when={Date.parse(until()) > now()} fallback={<Badge>no longer</Badge>}>
                    <span>
                      <Badge tone="medium">overlaps</Badge> until <EndDay at={until()} />
                    </span>
                  </Show>
                )}
              </Show>
            </li>
          )}
        </For>
      </ul>
      <p class="field-note">The beginning of a key is all that is kept to read.</p>
    </Panel>
  )
}

function Seats(props: { license: LicenseDetail; begin: (deed: Deed) => void }) {
  const { may } = useVendor()
  const seen = () => new Map(props.license.seen.map((i) => [i.install, i]))
  const canFile = (): boolean => may(fleetApi.licenseFile) && props.license.state === 'active'
  return (
    <Panel
      title="Installs"
      note="An install that is silent for a month gives its place up to a new one."
      actions={
        <Show when={canFile()}>
          <Button onClick={() => props.begin({ do: 'file' })}>Licence file</Button>
        </Show>
      }
    >
      <Show
        when={props.license.seats.length > 0}
        fallback={<p class="faint">No install uses this licence yet.</p>}
      >
        <div class="table-scroll" tabindex="0" role="region" aria-label="Installs of this licence">
          <table class="table">
            <thead>
              <tr>
                <th scope="col">Install</th>
                <th scope="col">Version</th>
                <th scope="col">Last seen</th>
                <th scope="col" class="wide-only">
                  Counts
                </th>
                <th scope="col">
                  <span class="unseen">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              <For each={props.license.seats}>
                {(seat) => (
                  <tr>
                    <th scope="row">
                      <Code text={seat.install} label="the install’s number" short />
                    </th>
                    <td>
                      <code>{seen().get(seat.install)?.version ?? '—'}</code>
                    </td>
                    <td>
                      <Show when={seen().get(seat.install)} fallback={<span class="faint">by file</span>}>
                        {(install) => (
                          <>
                            <Instant at={install().seenAt} form="short" />{' '}
                            <Show when={isSilent(install(), now())}>
                              <Badge tone="high">silent</Badge>
                            </Show>
                          </>
                        )}
                      </Show>
                    </td>
                    <td class="wide-only tabular">
                      <Show
                        when={seen().get(seat.install)?.counts}
                        fallback={<span class="faint">not sent</span>}
                      >
                        {(counts) => (
                          <>
                            {count(counts().vaults ?? 0)} vaults, {count(counts().secrets ?? 0)} secrets,{' '}
                            {count(counts().operators ?? 0)} people
                          </>
                        )}
                      </Show>
                    </td>
                    <td class="actions">
                      <Show when={may(fleetApi.releaseInstall)}>
                        <Button
                          kind="quiet"
                          aria-label={`Release install ${seat.install}`}
                          onClick={() => props.begin({ do: 'release', install: seat.install })}
                        >
                          Release
                        </Button>
                      </Show>
                    </td>
                  </tr>
                )}
              </For>
            </tbody>
          </table>
        </div>
      </Show>
    </Panel>
  )
}

function History(props: { license: LicenseDetail }) {
  return (
    <Panel title="What was done">
      <ol class="fleet-history">
        <For each={props.license.audit}>
          {(line) => (
            <li>
              <span>
                <strong>{ACTION_WORDS[line.action] ?? line.action}</strong>{' '}
                <span class="soft">{line.detail}</span>
              </span>
              <span class="faint">
                {line.by}, {ROLE_WORDS[line.role].toLowerCase()}
              </span>
              <Instant at={line.at} form="short" />
            </li>
          )}
        </For>
      </ol>
    </Panel>
  )
}

/** One licence: its terms, keys, installs and history, and everything that may be done to it. */
export function License() {
  const { may } = useVendor()
  const params = useParams<{ license: string }>()
  const [deed, setDeed] = createSignal<Deed>()
  const license = createReading(fleetApi.readLicense, () => ({ params: { license: params.license } }))
  return (
    <div class="page">
      <FleetNotice problem={license.problem()} again={license.again} />
      <Show
        when={license.data()}
        fallback={
          <Show when={license.loading()}>
            <Skeleton lines={8} label="Loading the licence" />
          </Show>
        }
      >
        {(known) => (
          <>
            <PageHead
              title={known().customer ?? 'Erased customer'}
              note={
                <span class="named">
                  <StandingBadge license={known()} />
                  <Show when={known().trial}>
                    <Badge>trial</Badge>
                  </Show>
                  <code>{known().prefix}…</code>
                </span>
              }
              actions={
                <span class="fleet-actions">
                  <Show when={known().state !== 'revoked'}>
                    <Show when={may(fleetApi.extendLicense)}>
                      <Button onClick={() => setDeed({ do: 'extend' })}>Extend</Button>
                    </Show>
                    <Show when={may(fleetApi.changeTier)}>
                      <Button onClick={() => setDeed({ do: 'tier' })}>Change tier</Button>
                    </Show>
                    <Show when={may(fleetApi.suspendLicense) && known().state === 'active'}>
                      <Button onClick={() => setDeed({ do: 'suspend' })}>Suspend</Button>
                    </Show>
                  </Show>
                  <Show when={may(fleetApi.reinstateLicense) && known().state !== 'active'}>
                    <Button onClick={() => setDeed({ do: 'reinstate' })}>Reinstate</Button>
                  </Show>
                  <Show when={may(fleetApi.revokeLicense) && known().state !== 'revoked'}>
                    <Button kind="danger" onClick={() => setDeed({ do: 'revoke' })}>
                      Revoke
                    </Button>
                  </Show>
                </span>
              }
            />
            <div class="fleet-license">
              <Terms license={known()} />
              <Keys license={known()} begin={setDeed} />
              <Seats license={known()} begin={setDeed} />
              <History license={known()} />
            </div>
            <LicenseActions license={known()} deed={deed()} onClose={() => setDeed(undefined)} />
          </>
        )}
      </Show>
    </div>
  )
}
