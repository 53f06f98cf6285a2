import { BundleRow } from '@attestry/contracts/http'
import Download from 'lucide-solid/icons/download'
import { createEffect, createMemo, createSignal, For, on, Show } from 'solid-js'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { bytes, count, counted } from '../numbers.ts'
import { createAction } from '../reading.ts'
import { useProof } from '../session/proof.tsx'
import { useSession } from '../session/session.tsx'
import { exact, localZone, stamp } from '../time.ts'
import { Badge, type Tone } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Code } from '../ui/copy.tsx'
import { Instant } from '../ui/instant.tsx'
import { ProblemNotice } from '../ui/notice.tsx'
import { Progress } from '../ui/progress.tsx'
import { createWatch } from '../watch.ts'
import { InviteAuditor, type Link, LinkShown } from '../settings/invite.tsx'
import { REPORTS } from './reports.ts'
import { FRAMEWORKS } from './wish.ts'

const STATES: Readonly<Record<BundleRow['state'], { word: string; tone: Tone }>> = {
  queued: { word: 'Queued', tone: 'low' },
  building: { word: 'Building', tone: 'seal' },
  sealed: { word: 'Sealed', tone: 'good' },
  failed: { word: 'Failed', tone: 'critical' },
  cancelled: { word: 'Cancelled', tone: 'plain' },
  expired: { word: 'Expired', tone: 'plain' },
}

const isOpen = (bundle: BundleRow): boolean => bundle.state === 'queued' || bundle.state === 'building'

/** One bundle: what it holds, how far it is, what stamped it. Progress survives a reload, since it is the server's. */
export function Bundle(props: { bundle: BundleRow; fresh: boolean }) {
  const { may } = useSession()
  const live = useLive()
  const watched = createWatch(
    () =>
      isOpen(props.bundle)
        ? api.evidence.watchBundle.address({ params: { bundle: props.bundle.bundle } })
        : undefined,
    BundleRow,
  )
  const bundle = createMemo(() => watched() ?? props.bundle)
  createEffect(
    on(
      () => watched()?.state,
      (state) => {
        if (state && state !== 'queued' && state !== 'building') live.touch([api.evidence.listBundles.id])
      },
      { defer: true },
    ),
  )
  const cancel = createAction(async () => {
    await api.evidence.cancelBundle({ params: { bundle: props.bundle.bundle } })
    live.touch([api.evidence.listBundles.id])
  })
  const proof = useProof()
  const resume = createAction(async () => {
    const request = { params: { bundle: props.bundle.bundle } }
    await proof.guarded(() => api.evidence.resumeBundle(request))
    live.touch([api.evidence.listBundles.id])
  })
  const ended = (): boolean => bundle().state === 'failed' || bundle().state === 'cancelled'
  const zone = localZone()
  const [inviting, setInviting] = createSignal(false)
  const [link, setLink] = createSignal<Link>()
  return (
    <li class="bundle" data-fresh={props.fresh ? '' : undefined} data-state={bundle().state}>
      <header class="bundle-head">
        <Badge tone={STATES[bundle().state].tone}>{STATES[bundle().state].word}</Badge>
        <h2
          title={`${exact(bundle().period.from, zone)}\nto\n${exact(bundle().period.to, zone)}`}
          class="tabular"
        >
          {stamp(bundle().period.from, zone).slice(0, 10)} to{' '}
          {stamp(new Date(Date.parse(bundle().period.to) - 1).toISOString(), zone).slice(0, 10)}
        </h2>
        <span class="bundle-actions">
          <Show when={isOpen(bundle()) && may(api.evidence.cancelBundle)}>
            <Button
              busy={cancel.busy()}
              onClick={() => void cancel.run()}
              title="Stops building; nothing is handed out."
            >
              Cancel
            </Button>
          </Show>
          <Show when={ended() && may(api.evidence.resumeBundle)}>
            <Button
              busy={resume.busy()}
              onClick={() => void resume.run()}
              title="Builds it as it was asked for, from the ledger as it is now."
            >
              Build after all
            </Button>
          </Show>
          <Show when={bundle().state === 'sealed' && may(api.gateway.inviteAuditor)}>
            <Button
              kind="quiet"
              onClick={() => setInviting(true)}
              title="A link for an auditor who sees this bundle and nothing else."
            >
              Invite an auditor
            </Button>
          </Show>
          <Show when={bundle().state === 'sealed' && may(api.evidence.downloadBundle)}>
            <a
              class="button"
              data-kind="primary"
              href={api.evidence.downloadBundle.address({ params: { bundle: bundle().bundle } })}
              download=""
              title="Each download is recorded in the ledger."
            >
              <Download size={14} aria-hidden="true" />
              Download
              <Show when={bundle().bytes}>{(n) => <span class="tabular">{bytes(n())}</span>}</Show>
            </a>
          </Show>
        </span>
      </header>
      <Show when={bundle().framework}>
        {(framework) => <p class="bundle-for">For {FRAMEWORKS[framework()]}</p>}
      </Show>
      <Show when={bundle().scope}>
        {(scope) => (
          <p class="soft" title={narrowedTo(scope())}>
            Narrowed to {narrowedTo(scope())}
          </p>
        )}
      </Show>
      <ul class="bundle-reports">
        <For each={bundle().reports}>{(report) => <li>{REPORTS[report].name}</li>}</For>
        <li class="faint">
          asked for <Instant at={bundle().requestedAt} />
        </li>
      </ul>
      <ProblemNotice problem={cancel.problem() ?? resume.problem()} />
      <InviteAuditor
        open={inviting()}
        onClose={() => setInviting(false)}
        onInvited={setLink}
        bundle={bundle().bundle}
      />
      <LinkShown link={link()} onClose={() => setLink(undefined)} />
      <Show when={isOpen(bundle())}>
        <div class="scan-progress">
          <Progress
            label="Building the bundle"
            done={bundle().progress.done}
            total={bundle().progress.total}
          />
          <p class="soft tabular" role="status">
            {bundle().progress.step}
            <Show when={bundle().progress.total > 0}>
              {' '}
              · {count(bundle().progress.done)} of {count(bundle().progress.total)}
            </Show>
          </p>
        </div>
      </Show>
      <Show when={bundle().problem}>
        {(problem) => (
          <p class="notice" data-tone={bundle().state === 'failed' ? 'critical' : 'medium'}>
            {problem()}
          </p>
        )}
      </Show>
      <Show when={bundle().state === 'expired'}>
        <p class="soft">
          Its retention is over and the file was deleted. The facts stay: build the same period again from the
          ledger.
        </p>
      </Show>
      <Show when={bundle().state === 'sealed'}>
        <dl class="bundle-facts">
          <div>
            <dt>Timestamp</dt>
            <dd>
              <Stamp timestamp={bundle().timestamp} />
            </dd>
          </div>
          <Show when={bundle().sumsSha256}>
            {(digest) => (
              <div>
                <dt title="SHA-256 of SHA256SUMS, the signed list of all files">Digest</dt>
                <dd>
                  <Code text={digest()} label="digest of the signed list" short />
                </dd>
              </div>
            )}
          </Show>
          <Show when={bundle().assertion}>
            {(signed) => (
              <div>
                <dt>Asserted by</dt>
                <dd title={signed().statement}>
                  {signed().name}, {signed().title} <Instant at={signed().at} />
                </dd>
              </div>
            )}
          </Show>
          <div>
            <dt>Fetched</dt>
            <dd>
              {bundle().downloads === 0 ? 'never' : `${count(bundle().downloads)} times, last `}
              <Show when={bundle().downloadedAt}>{(at) => <Instant at={at()} />}</Show>
              <Show when={bundle().expiresAt}>
                {(at) => (
                  <span class="faint">
                    {' '}
                    · file kept until <Instant at={at()} />
                  </span>
                )}
              </Show>
            </dd>
          </div>
          <Show when={bundle().signingKey}>
            {(key) => (
              <div>
                <dt>Signed by</dt>
                <dd>
                  <Code text={key()} label="signing key" short />
                </dd>
              </div>
            )}
          </Show>
        </dl>
      </Show>
    </li>
  )
}

/** Counts of what a bundle is narrowed to: names of tags, and how many vaults and subscriptions. */
function narrowedTo({ subscriptions, vaults, tags }: NonNullable<BundleRow['scope']>): string {
  return [
    ...(subscriptions.length > 0 ? [counted(subscriptions.length, 'subscription')] : []),
    ...(vaults.length > 0 ? [counted(vaults.length, 'vault')] : []),
    ...tags.map(([name, value]) => (value ? `${name}=${value}` : name)),
  ].join(', ')
}

function Stamp(props: { timestamp: BundleRow['timestamp'] }) {
  return (
    <Show when={props.timestamp} fallback={<span class="faint">none</span>}>
      {(timestamp) => (
        <Show
          when={timestamp().status === 'stamped'}
          fallback={
            <span>
              <Badge tone="medium">Pending</Badge>{' '}
              <span class="soft">No authority has answered yet; it is asked again. Never invented.</span>
            </span>
          }
        >
          <span>
            <Instant at={timestamp().genTime} /> by {timestamp().tsa ?? 'an unnamed authority'}{' '}
            <Show
              when={timestamp().independent}
              fallback={
                <Badge
                  tone="medium"
                  title="The authority is part of this install: it proves order, not independence."
                >
                  local, not independent
                </Badge>
              }
            >
              <Badge tone="good">independent</Badge>
            </Show>
          </span>
        </Show>
      )}
    </Show>
  )
}
