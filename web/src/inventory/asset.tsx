import ArrowRight from 'lucide-solid/icons/arrow-right'
import { For, Show } from 'solid-js'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { counted } from '../numbers.ts'
import { createAction, createReading, type Reading } from '../reading.ts'
import type { ReplyOf } from '../api.ts'
import { useSession } from '../session/session.tsx'
import { Badge, Severity } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Code } from '../ui/copy.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { Facts, SidePanel } from '../ui/side-panel.tsx'
import { RotationOf } from '../rotation/of-asset.tsx'
import { Expiry } from './expiry.tsx'
import { KIND_WORDS, strength } from './kinds.ts'

type Detail = ReplyOf<typeof api.discovery.readAsset.endpoint>
type Dependent = Detail['usedBy'][number]

const VIA: Readonly<Record<Dependent['edge']['via'], string>> = {
  'key-vault-reference': 'Key Vault reference',
  tag: 'tag',
  name: 'similar name',
}
const RESOURCES: Readonly<Record<Dependent['facts']['type'], string>> = {
  'app-service': 'App Service',
  function: 'Function app',
  'container-app': 'Container app',
}

/** One asset: its facts, what is wrong with it, who uses it, and what the ledger saw of it. */
export function Asset(props: { asset: string; back: string }) {
  const asset = createReading(api.discovery.readAsset, () => ({ params: { asset: props.asset } }))
  const findings = createReading(api.compliance.listFindings, () => ({
    query: { subject: props.asset, state: 'open' as const, limit: 50 },
  }))
  return (
    <SidePanel
      title={asset.data()?.name ?? (asset.loading() ? 'Loading…' : 'Asset')}
      kicker={
        <Show when={asset.data()}>
          {(a) => (
            <>
              {KIND_WORDS[a().kind]} in {a().holderName}
            </>
          )}
        </Show>
      }
      back={props.back}
      of={props.asset}
    >
      <ProblemNotice problem={asset.problem()} again={asset.again} />
      <Show
        when={asset.data()}
        fallback={
          <Show when={asset.loading()}>
            <Skeleton lines={8} />
          </Show>
        }
      >
        {(a) => (
          <div class="side-panel-body" data-settling={asset.settling() ? '' : undefined}>
            <AssetFacts asset={a()} />
            <OpenFindings findings={findings} />
            <RotationOf asset={a()} />
            <UsedBy asset={a()} />
            <section aria-label="History">
              <h3>History</h3>
              <ol class="history">
                <For each={a().history}>
                  {(h) => (
                    <li>
                      <span>
                        {{ found: 'First seen', changed: 'Changed', lost: 'No longer there' }[h.what]}
                      </span>
                      <Instant at={h.at} />
                      <span class="faint tabular" title="Its place in the ledger">
                        #{h.seq}
                      </span>
                    </li>
                  )}
                </For>
              </ol>
            </section>
          </div>
        )}
      </Show>
    </SidePanel>
  )
}

function AssetFacts(props: { asset: Detail }) {
  return (
    <>
      <Facts
        rows={[
          ['Expires', <Expiry at={props.asset.expires} long />],
          ['State', props.asset.enabled ? 'enabled' : 'disabled'],
          ['Newest version', <Instant at={props.asset.created} none="not said" />],
          ['Changed', <Instant at={props.asset.updated} none="not said" />],
          ['Valid from', props.asset.item?.notBefore ? <Instant at={props.asset.item.notBefore} /> : null],
          ['Made of', strength(props.asset)],
          ['Content type', props.asset.contentType],
          ['Issuer', props.asset.item?.issuer ?? null],
          [
            'Thumbprint',
            props.asset.item?.thumbprint ? (
              <Code text={props.asset.item.thumbprint} label="thumbprint" short />
            ) : null,
          ],
          [
            'Key id',
            props.asset.credential ? <Code text={props.asset.credential.keyId} label="key id" short /> : null,
          ],
          [
            'Subscription',
            props.asset.subscription ? (
              <Code text={props.asset.subscription} label="subscription" short />
            ) : null,
          ],
          ['First seen', <Instant at={props.asset.firstSeen} />],
          ['Asset id', <Code text={props.asset.asset} label="asset id" short />],
        ]}
      />
      <Show
        when={props.asset.tags.length > 0}
        fallback={<p class="faint">No tags. An owner tag tells whom to ask before rotating.</p>}
      >
        <ul class="tags" aria-label="Tags">
          <For each={props.asset.tags}>
            {([name, value]) => (
              <li>
                <span class="faint">{name}</span> {value}
              </li>
            )}
          </For>
        </ul>
      </Show>
    </>
  )
}

function OpenFindings(props: { findings: Reading<ReplyOf<typeof api.compliance.listFindings.endpoint>> }) {
  return (
    <section aria-label="Open findings">
      <h3>Open findings</h3>
      <ProblemNotice problem={props.findings.problem()} />
      <Show when={props.findings.data()} fallback={<Skeleton lines={2} />}>
        {(page) => (
          <ul class="cards">
            <For
              each={page().items}
              fallback={<li class="faint">None. Every rule that speaks of it is satisfied.</li>}
            >
              {(finding) => (
                <li>
                  <a
                    class="card-link"
                    href={`/findings?finding=${finding.finding}&subject=${finding.subject}`}
                  >
                    <Severity of={finding.severity} />
                    <span class="clip">{finding.ruleName}</span>
                    <ArrowRight size={14} aria-hidden="true" />
                  </a>
                  <p class="soft">{finding.reason}</p>
                </li>
              )}
            </For>
          </ul>
        )}
      </Show>
    </section>
  )
}

function UsedBy(props: { asset: Detail }) {
  const { may } = useSession()
  const live = useLive()
  const judge = createAction(async (edge: string, verdict: 'confirmed' | 'rejected') => {
    await api.discovery.judgeEdge({ params: { edge }, body: { verdict } })
    live.touch([api.discovery.readAsset.id, api.discovery.listAssets.id])
  })
  return (
    <section aria-label="Used by">
      <h3>
        Used by <span class="faint">{counted(props.asset.usedBy.length, 'resource')}</span>
      </h3>
      <ProblemNotice problem={judge.problem()} />
      <ul class="cards">
        <For
          each={props.asset.usedBy}
          fallback={
            <li>
              <Empty title="No dependents known">
                That is not proof that nobody uses it: only what the scan may read is mapped.
              </Empty>
            </li>
          }
        >
          {(d) => (
            <li>
              <p class="named">
                <strong class="clip">{d.facts.name}</strong>
                <span class="faint">{RESOURCES[d.facts.type]}</span>
              </p>
              <p class="soft">
                <code>{d.edge.setting}</code> by {VIA[d.edge.via]}, {d.edge.confidence}% sure
                <Show when={d.edge.status}>{(status) => <> · {status()}</>}</Show>
              </p>
              <div class="row-actions">
                <Badge
                  tone={d.verdict === 'confirmed' ? 'good' : d.verdict === 'rejected' ? 'plain' : 'medium'}
                >
                  {{ proposed: 'Supposed', confirmed: 'Confirmed', rejected: 'Rejected' }[d.verdict]}
                </Badge>
                <Show when={d.verdict === 'proposed' && may(api.discovery.judgeEdge)}>
                  <Button
                    kind="plain"
                    busy={judge.busy()}
                    onClick={() => void judge.run(d.edge.edge, 'confirmed')}
                  >
                    It does
                  </Button>
                  <Button
                    kind="plain"
                    busy={judge.busy()}
                    onClick={() => void judge.run(d.edge.edge, 'rejected')}
                  >
                    It does not
                  </Button>
                </Show>
              </div>
            </li>
          )}
        </For>
      </ul>
    </section>
  )
}
