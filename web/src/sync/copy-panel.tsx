import { For, Show } from 'solid-js'
import { api, type ReplyOf } from '../api.ts'
import { useLive } from '../live.tsx'
import { count } from '../numbers.ts'
import { createAction, createReading } from '../reading.ts'
import { useProof } from '../session/proof.tsx'
import { useSession } from '../session/session.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Code } from '../ui/copy.tsx'
import { Instant } from '../ui/instant.tsx'
import { ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { Facts, SidePanel } from '../ui/side-panel.tsx'
import { reasonOf, STATES } from './words.ts'

type Detail = ReplyOf<typeof api.sync.readCopy.endpoint>

const ADOPTABLE = ['unmanaged', 'unmarked', 'drifted', 'holds-another-secret', 'pending-deletion']

/** One copy: what is there against what was written, what to do about it, and where every version came from. */
export function CopyPanel(props: { copy: string; back: string }) {
  const detail = createReading(api.sync.readCopy, () => ({ params: { copy: props.copy } }))
  return (
    <SidePanel
      title={detail.data()?.copy.sourceName ?? 'Copy'}
      kicker={<>Copy by {detail.data()?.copy.routeName ?? 'a route'}</>}
      back={props.back}
      of={props.copy}
    >
      <div class="side-panel-body">
        <ProblemNotice problem={detail.problem()} again={detail.again} />
        <Show when={detail.data()} fallback={<Skeleton lines={8} />}>
          {(known) => (
            <>
              <p>
                <Badge tone={STATES[known().copy.state]?.tone ?? 'plain'}>
                  {STATES[known().copy.state]?.word}
                </Badge>{' '}
                <span class="soft">{known().copy.reason}</span>
              </p>
              <Conflict copy={known().copy} />
              <Facts
                rows={[
                  ['Name at the target', <Code text={known().copy.targetName} label="name at the target" />],
                  ['Source version', <Version of={known().copy.sourceVersion} />],
                  ['Target version', <Version of={known().copy.targetVersion} />],
                  [
                    'Written',
                    <Show when={known().copy.writtenAt} fallback="never">
                      {(at) => <Instant at={at()} />}
                    </Show>,
                  ],
                ]}
              />
              <Provenance rows={known().provenance} />
            </>
          )}
        </Show>
      </div>
    </SidePanel>
  )
}

function Version(props: { of: string | null }) {
  return (
    <Show when={props.of} fallback={<span class="faint">none</span>}>
      {(version) => <Code text={version()} label="version" short />}
    </Show>
  )
}

/** Side by side what was written and what is there, by metadata alone. */
function Conflict(props: { copy: Detail['copy'] }) {
  const { may } = useSession()
  const live = useLive()
  const proof = useProof()
  const adopt = createAction(async (targetVersion: string | null) => {
    const { copy } = props.copy
    await proof.guarded(() => api.sync.adoptCopy({ params: { copy }, body: { targetVersion } }))
    live.touch(['sync'])
  })
  const retry = createAction(async () => {
    await api.sync.retryCopy({ params: { copy: props.copy.copy } })
    live.touch(['sync'])
  })
  const line = () => (props.copy.line?.action === 'conflict' ? props.copy.line : undefined)
  return (
    <>
      <Show when={line()}>
        {(conflict) => (
          <section aria-label="Conflict">
            <h3>Conflict</h3>
            <p>{reasonOf(conflict().reason)}</p>
            <table class="table sync-sides">
              <thead>
                <tr>
                  <td />
                  <th scope="col">Written by this route</th>
                  <th scope="col">There now</th>
                </tr>
              </thead>
              <tbody>
                <tr>
                  <th scope="row">Version</th>
                  <td>
                    <Version of={props.copy.targetVersion} />
                  </td>
                  <td>
                    <Version of={conflict().targetVersion ?? props.copy.drift?.found ?? null} />
                  </td>
                </tr>
                <tr>
                  <th scope="row">Digest</th>
                  <td>
                    <Version of={props.copy.targetMac} />
                  </td>
                  <td class="faint">not read</td>
                </tr>
              </tbody>
            </table>
            <Show when={may(api.sync.adoptCopy) && ADOPTABLE.includes(conflict().reason)}>
              <p class="soft">
                Adopting gives what is there to this route, unread: the next run writes the source’s value
                over it.
              </p>
              <ProblemNotice problem={adopt.problem()} />
              <Button
                kind="danger"
                busy={adopt.busy()}
                onClick={() => void adopt.run(conflict().targetVersion)}
              >
                Adopt and write over it
              </Button>
            </Show>
          </section>
        )}
      </Show>
      <Show when={props.copy.state === 'failed' && may(api.sync.retryCopy)}>
        <ProblemNotice problem={retry.problem()} />
        <Button busy={retry.busy()} onClick={() => void retry.run()}>
          Try again
        </Button>
      </Show>
      <Show when={props.copy.retryAt}>
        {(at) => (
          <p class="soft">
            Failed {count(props.copy.attempt)} times; next try <Instant at={at()} />.
          </p>
        )}
      </Show>
    </>
  )
}

/** Every version that was written, by whose doing, from the ledger. */
function Provenance(props: { rows: Detail['provenance'] }) {
  return (
    <section aria-label="Provenance">
      <h3>Provenance</h3>
      <ul class="plain-list sync-lines">
        <For each={props.rows} fallback={<li class="faint">Nothing was written yet.</li>}>
          {(row) => (
            <li>
              <p>
                <strong>{row.what.replaceAll('-', ' ')}</strong> <Instant at={row.at} />{' '}
                <span class="faint tabular">event {count(row.seq)}</span>
              </p>
              <p class="soft">
                by {row.actor.kind} <code>{row.actor.id}</code>
                <Show when={row.detail}>{(detail) => <>: {detail()}</>}</Show>
              </p>
              <Show when={row.sourceVersion}>
                <p class="soft">
                  source <Version of={row.sourceVersion} /> to target <Version of={row.targetVersion} />
                </p>
                <p class="soft">
                  digest <Version of={row.targetMac} />
                  <Show when={row.plan}>
                    {' '}
                    under plan <Version of={row.plan} />
                  </Show>
                </p>
              </Show>
            </li>
          )}
        </For>
      </ul>
    </section>
  )
}
