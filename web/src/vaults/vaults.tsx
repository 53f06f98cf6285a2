import Check from 'lucide-solid/icons/check'
import Minus from 'lucide-solid/icons/minus'
import Unplug from 'lucide-solid/icons/unplug'
import X from 'lucide-solid/icons/x'
import { createMemo, For, Show } from 'solid-js'
import { useAddress } from '../address.ts'
import { api, type ReplyOf } from '../api.ts'
import { count, counted } from '../numbers.ts'
import { createReading } from '../reading.ts'
import { Badge } from '../ui/badge.tsx'
import { Code } from '../ui/copy.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { PageHead } from '../ui/panel.tsx'
import { SearchBox } from '../ui/search.tsx'
import { Facts, SidePanel } from '../ui/side-panel.tsx'
import { type Posture, POSTURE_NAMES, postureOf, UNREACHABLE } from './posture.ts'

type VaultRow = ReplyOf<typeof api.discovery.listVaults.endpoint>['items'][number]

const total = (v: VaultRow): number => v.items.secrets + v.items.keys + v.items.certificates

/** Vaults with their posture; those that cannot be read come first, with the reason and what to do. */
export function Vaults() {
  const address = useAddress('/vaults', ['search', 'only', 'vault'])
  const vaults = createReading(api.discovery.listVaults, () => ({ query: { limit: 1000 } }))
  const shown = createMemo(() =>
    (vaults.data()?.items ?? [])
      .filter((v) => v.facts.name.toLowerCase().includes(address.get('search').toLowerCase()))
      .filter((v) => address.get('only') !== 'unreachable' || v.unreachable !== null)
      .toSorted(
        (a, b) =>
          Number(b.unreachable !== null) - Number(a.unreachable !== null) ||
          a.facts.name.localeCompare(b.facts.name),
      ),
  )
  const unreachable = (): number => (vaults.data()?.items ?? []).filter((v) => v.unreachable !== null).length
  const chosen = (): VaultRow | undefined =>
    vaults.data()?.items.find((v) => v.vault === address.get('vault'))
  return (
    <div class="list-page" data-open={chosen() ? '' : undefined}>
      <div class="list-main">
        <PageHead
          title="Vaults"
          note={
            <Show when={vaults.data()}>
              {(page) => (
                <span class="tabular">
                  {counted(page().total, 'vault')}, {count(unreachable())} not readable
                </span>
              )}
            </Show>
          }
        />
        <div class="filters" role="search">
          <SearchBox
            label="Search vaults"
            value={address.get('search')}
            onChange={(search) => address.set({ search })}
          />
          <button
            type="button"
            class="chip"
            aria-pressed={address.get('only') === 'unreachable'}
            onClick={() => address.set({ only: address.get('only') === 'unreachable' ? '' : 'unreachable' })}
          >
            Not readable <span class="chip-count">{count(unreachable())}</span>
          </button>
        </div>
        <ProblemNotice problem={vaults.problem()} again={vaults.again} />
        <Show
          when={vaults.data()}
          fallback={
            <Show when={vaults.loading()}>
              <Skeleton lines={10} />
            </Show>
          }
        >
          <div class="scroll" tabindex="0" role="region" aria-label="Vaults">
            <Show
              when={shown().length > 0}
              fallback={
                <Show
                  when={(vaults.data()?.total ?? 0) > 0}
                  fallback={
                    <Empty title="No vault is known yet">
                      The first scan finds them. Start it from the overview.
                    </Empty>
                  }
                >
                  <Empty title="No vault matches">Change the search, or clear it.</Empty>
                </Show>
              }
            >
              <table class="table">
                <thead>
                  <tr>
                    <th scope="col">Vault</th>
                    <For each={POSTURE_NAMES}>
                      {(name) => (
                        <th scope="col" class="wide-only">
                          {name}
                        </th>
                      )}
                    </For>
                    <th scope="col" class="numeric">
                      Holds
                    </th>
                  </tr>
                </thead>
                <tbody>
                  <For each={shown()}>
                    {(vault) => (
                      <tr data-selected={vault.vault === address.get('vault') ? '' : undefined}>
                        <th scope="row">
                          <a class="table-link" data-row="" href={address.with({ vault: vault.vault })}>
                            <span class="clip">{vault.facts.name}</span>
                          </a>
                          <Show when={vault.unreachable}>
                            {(why) => (
                              <Badge tone="high" icon={<Unplug size={12} aria-hidden="true" />}>
                                {UNREACHABLE[why()].says}
                              </Badge>
                            )}
                          </Show>
                        </th>
                        <For each={postureOf(vault.facts)}>
                          {(p) => (
                            <td class="wide-only">
                              <PostureMark posture={p} />
                            </td>
                          )}
                        </For>
                        <td class="numeric tabular">
                          {vault.unreachable ? <span class="faint">unknown</span> : count(total(vault))}
                        </td>
                      </tr>
                    )}
                  </For>
                </tbody>
              </table>
            </Show>
          </div>
        </Show>
      </div>
      <Show when={chosen()}>
        {(vault) => <VaultDetail vault={vault()} back={address.with({ vault: '' })} />}
      </Show>
    </div>
  )
}

function PostureMark(props: { posture: Posture; long?: boolean }) {
  return (
    <span
      class="posture"
      data-check={props.posture.check}
      title={[`${props.posture.name}: ${props.posture.says}`, props.posture.more].filter(Boolean).join(', ')}
    >
      <Show
        when={props.posture.check === 'good'}
        fallback={
          <Show when={props.posture.check === 'bad'} fallback={<Minus size={14} aria-hidden="true" />}>
            <X size={14} aria-hidden="true" />
          </Show>
        }
      >
        <Check size={14} aria-hidden="true" />
      </Show>
      <span class={props.long ? undefined : 'clip'}>
        {props.posture.says}
        <Show when={props.long && props.posture.more}>{(more) => <span class="faint">, {more()}</span>}</Show>
      </span>
    </span>
  )
}

function VaultDetail(props: { vault: VaultRow; back: string }) {
  return (
    <SidePanel
      title={props.vault.facts.name}
      kicker={<>Vault in {props.vault.facts.location}</>}
      back={props.back}
      of={props.vault.vault}
    >
      <div class="side-panel-body">
        <Show when={props.vault.unreachable}>
          {(why) => (
            <div class="notice" data-tone="high">
              <span class="notice-icon">
                <Unplug size={16} aria-hidden="true" />
              </span>
              <div class="notice-text">
                <p>This vault cannot be read: {UNREACHABLE[why()].says}. What it holds counts as unknown.</p>
                <p class="soft">{UNREACHABLE[why()].todo}</p>
              </div>
            </div>
          )}
        </Show>
        <section aria-label="Posture">
          <h3>Posture</h3>
          <ul class="plain-list posture-list">
            <For each={postureOf(props.vault.facts)}>
              {(p) => (
                <li>
                  <span>{p.name}</span>
                  <PostureMark posture={p} long />
                  <a class="faint" href={`/findings?rule=${p.rule}`}>
                    {p.rule}
                  </a>
                </li>
              )}
            </For>
          </ul>
        </section>
        <section aria-label="Holds">
          <h3>Holds</h3>
          <Show when={!props.vault.unreachable} fallback={<p class="faint">Unknown until it can be read.</p>}>
            <ul class="figures">
              <For each={['secrets', 'keys', 'certificates'] as const}>
                {(kind) => (
                  <li>
                    <a href={`/inventory?holder=${props.vault.vault}&kind=${kind.slice(0, -1)}`}>
                      <strong class="tabular">{count(props.vault.items[kind])}</strong> {kind}
                    </a>
                  </li>
                )}
              </For>
            </ul>
          </Show>
          <p>
            <a href={`/findings?search=${encodeURIComponent(props.vault.facts.name)}`}>
              Findings in this vault
            </a>
          </p>
        </section>
        <Facts
          rows={[
            ['Address', <Code text={props.vault.facts.uri} label="address" />],
            ['Subscription', <Code text={props.vault.facts.subscription} label="subscription" short />],
            ['Resource id', <Code text={props.vault.facts.resourceId} label="resource id" short />],
            ['Last change', <Instant at={props.vault.lastChange} />],
          ]}
        />
        <Show when={props.vault.facts.tags.length > 0} fallback={<p class="faint">No tags.</p>}>
          <ul class="tags" aria-label="Tags">
            <For each={props.vault.facts.tags}>
              {([name, value]) => (
                <li>
                  <span class="faint">{name}</span> {value}
                </li>
              )}
            </For>
          </ul>
        </Show>
      </div>
    </SidePanel>
  )
}
