import type { FleetHealth } from '@attestry/contracts/http'
import { Standing } from '@attestry/contracts/http'
import { COUNTERS } from '@attestry/contracts'
import Plus from 'lucide-solid/icons/plus'
import { createSignal, For, type JSX, Show } from 'solid-js'
import { useAddress } from '../address.ts'
import { count, counted } from '../numbers.ts'
import { createReading } from '../reading.ts'
import { Button } from '../ui/button.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, Skeleton } from '../ui/notice.tsx'
import { PageHead, Panel } from '../ui/panel.tsx'
import { fleetApi } from './fleet-api.ts'
import { IssueLicense } from './issue.tsx'
import { FleetNotice } from './notice.tsx'
import { Trends } from './trends.tsx'
import { useVendor } from './vendor.tsx'
import { counterWord, STANDINGS, TIER_WORDS } from './words.ts'

const EVERY_MS = 60_000
/** Rows of the short lists. */
const FEW = 6

/** Shares as bars, the largest first; the number beside says it too. */
function Shares(props: {
  label: string
  of: readonly { readonly name: string; readonly installs: number }[]
  nameOf: (name: string) => JSX.Element
}) {
  const all = (): number => Math.max(1, ...props.of.map((o) => o.installs))
  return (
    <ul class="shares" aria-label={props.label}>
      <For each={props.of} fallback={<li class="faint">None yet.</li>}>
        {(one) => (
          <li>
            <span class="clip">{props.nameOf(one.name)}</span>
            <meter min={0} max={all()} value={one.installs} aria-hidden="true" />
            <span class="tabular">{count(one.installs)}</span>
          </li>
        )}
      </For>
    </ul>
  )
}

function Figures(props: { health: FleetHealth }) {
  const licenses = () => props.health.licenses
  return (
    <div class="fleet-figures">
      <Panel title="Installs" note={<>as of {<Instant at={props.health.at} />}</>}>
        <ul class="figures">
          <li>
            <a href="/fleet/installs">
              <strong class="tabular">{count(props.health.installs)}</strong>{' '}
              {props.health.complete ? 'in all' : 'and more'}
            </a>
          </li>
          <li>
            <a href="/fleet/installs?silent=true" data-tone={props.health.silent > 0 ? 'high' : undefined}>
              <strong class="tabular">{count(props.health.silent)}</strong> silent for two days
            </a>
          </li>
          <li>
            <span class="soft">
              <strong class="tabular">{count(props.health.sendCounts)}</strong> send counts
            </span>
          </li>
        </ul>
      </Panel>
      <Panel title="Licences">
        <ul class="figures">
          <For each={Standing.options}>
            {(standing) => (
              <li>
                <a
                  href={`/fleet/licences?standing=${standing}${standing === 'expiring' ? '&order=ends-first' : ''}`}
                  data-tone={licenses()[standing] > 0 ? STANDINGS[standing].tone : undefined}
                >
                  <strong class="tabular">{count(licenses()[standing])}</strong>{' '}
                  {STANDINGS[standing].word.toLowerCase()}
                </a>
              </li>
            )}
          </For>
        </ul>
      </Panel>
    </div>
  )
}

function EndingSoon() {
  const soon = createReading(
    fleetApi.listLicenses,
    () => ({ query: { standing: 'expiring' as const, order: 'ends-first' as const, limit: FEW } }),
    { everyMs: () => EVERY_MS },
  )
  return (
    <Panel
      title="Ending within 30 days"
      actions={<a href="/fleet/licences?standing=expiring&order=ends-first">All</a>}
    >
      <FleetNotice problem={soon.problem()} again={soon.again} />
      <Show when={soon.data()} fallback={<Show when={soon.loading()}>{<Skeleton lines={3} />}</Show>}>
        {(page) => (
          <ul class="brief">
            <For each={page().items} fallback={<li class="faint">No licence ends within 30 days.</li>}>
              {(license) => (
                <li>
                  <a href={`/fleet/licences/${license.license}`}>{license.customer ?? license.prefix}</a>
                  <span class="faint">{TIER_WORDS[license.tier]}</span>
                  <Instant at={license.expiresAt} form="short" />
                </li>
              )}
            </For>
          </ul>
        )}
      </Show>
    </Panel>
  )
}

function Silent() {
  const silent = createReading(
    fleetApi.listInstalls,
    () => ({ query: { silent: 'true' as const, limit: FEW } }),
    {
      everyMs: () => EVERY_MS,
    },
  )
  return (
    <Panel title="Silent installs" actions={<a href="/fleet/installs?silent=true">All</a>}>
      <FleetNotice problem={silent.problem()} again={silent.again} />
      <Show when={silent.data()} fallback={<Show when={silent.loading()}>{<Skeleton lines={3} />}</Show>}>
        {(page) => (
          <ul class="brief">
            <For each={page().items} fallback={<li class="faint">Every install was heard of lately.</li>}>
              {(install) => (
                <li>
                  <a href={`/fleet/licences/${install.license}`}>{install.customer ?? install.license}</a>
                  <code class="faint">{install.version}</code>
                  <Instant at={install.seenAt} form="short" />
                </li>
              )}
            </For>
          </ul>
        )}
      </Show>
    </Panel>
  )
}

/** The health of the fleet, and what needs the vendor now. */
export function Overview() {
  const { may } = useVendor()
  const address = useAddress('/fleet/', ['days', 'what'])
  const [issuing, setIssuing] = createSignal(false)
  const health = createReading(fleetApi.fleetHealth, () => ({}), { everyMs: () => EVERY_MS })
  return (
    <div class="page">
      <PageHead
        title="Fleet"
        actions={
          <Show when={may(fleetApi.issueLicense)}>
            <Button
              kind="primary"
              icon={<Plus size={14} aria-hidden="true" />}
              onClick={() => setIssuing(true)}
            >
              Issue a licence
            </Button>
          </Show>
        }
      />
      <FleetNotice problem={health.problem()} again={health.again} />
      <Show
        when={health.data()}
        fallback={
          <Show when={health.loading()}>
            <Panel title="Installs">
              <Skeleton lines={5} />
            </Panel>
          </Show>
        }
      >
        {(known) => (
          <>
            <Figures health={known()} />
            <div class="fleet-columns">
              <Panel title="Versions">
                <Shares
                  label="Installs by version"
                  of={known().versions}
                  nameOf={(version) => <a href={`/fleet/installs?version=${version}`}>{version}</a>}
                />
              </Panel>
              <Panel title="Tiers">
                <Shares
                  label="Installs by tier"
                  of={known().tiers}
                  nameOf={(tier) =>
                    tier in TIER_WORDS ? TIER_WORDS[tier as keyof typeof TIER_WORDS] : 'Licence gone'
                  }
                />
              </Panel>
              <EndingSoon />
              <Silent />
            </div>
            <Trends address={address} />
            <Panel
              title="Counts of all installs"
              note={`${counted(known().sendCounts, 'install')} send them; the others have switched it off.`}
            >
              <Show
                when={known().sendCounts > 0}
                fallback={<Empty title="No install sends counts">Each customer chooses that.</Empty>}
              >
                <dl class="totals">
                  <For each={COUNTERS}>
                    {(name) => (
                      <div>
                        <dt>{counterWord(name)}</dt>
                        <dd class="tabular">{count(known().totals[name] ?? 0)}</dd>
                      </div>
                    )}
                  </For>
                </dl>
              </Show>
            </Panel>
          </>
        )}
      </Show>
      <Show when={issuing()}>
        <IssueLicense onClose={() => setIssuing(false)} />
      </Show>
    </div>
  )
}
