import { For, Show } from 'solid-js'
import { api } from '../api.ts'
import { count } from '../numbers.ts'
import { createReading } from '../reading.ts'
import { useSession } from '../session/session.tsx'
import { Badge } from '../ui/badge.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, ProblemNotice } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'

/** Where the audit log is sent as it happens, and how far that is. */
export function Streams(props: { everyMs: number }) {
  const { may } = useSession()
  const streams = createReading(api.audit.listStreams, () => ({}), { everyMs: () => props.everyMs })
  return (
    <Show when={may(api.audit.listStreams)}>
      <Panel title="Audit log" note="sent on as it happens">
        <ProblemNotice problem={streams.problem()} again={streams.again} />
        <ul class="stuck">
          <For
            each={streams.data()?.items}
            fallback={
              <li>
                <Empty title="Sent nowhere">
                  Syslog, a webhook or a container can get it: see ATTESTRY_AUDIT_SYSLOG and its neighbours.
                </Empty>
              </li>
            }
          >
            {(stream) => (
              <li>
                <div>
                  <p>
                    <strong>{stream.target}</strong> <code class="soft">{stream.where}</code>{' '}
                    <Badge tone={stream.problem ? 'high' : 'good'}>
                      {stream.problem ? 'away' : 'arrives'}
                    </Badge>
                  </p>
                  <Show when={stream.problem}>
                    {(problem) => (
                      <p class="soft">
                        {problem()}, since <Instant at={stream.since} />. It is tried again from where it
                        stopped.
                      </p>
                    )}
                  </Show>
                  <p class="faint tabular">
                    {count(stream.cursor)} of {count(stream.head)} events, last{' '}
                    <Instant at={stream.deliveredAt} none="never" />
                  </p>
                </div>
              </li>
            )}
          </For>
        </ul>
      </Panel>
    </Show>
  )
}
