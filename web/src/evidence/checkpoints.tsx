import type { CheckpointRow } from '@attestry/contracts/http'
import { For, Show } from 'solid-js'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { count, counted } from '../numbers.ts'
import { createAction, createReading } from '../reading.ts'
import { useSession } from '../session/session.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Instant } from '../ui/instant.tsx'
import { ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { save } from './save.ts'

const SHOWN = 6
const COPIES = { blob: 'write-once container', webhook: 'webhook', mail: 'mailbox' } as const

/** Checkpoints of the ledger: up to where it is anchored, who vouches for the time, and where copies lie. */
export function Checkpoints() {
  const { may } = useSession()
  const live = useLive()
  const checkpoints = createReading(api.evidence.listCheckpoints, () => ({ query: { limit: SHOWN } }))
  const anchor = createAction(async () => {
    await api.evidence.anchorNow({})
    live.touch([api.evidence.listCheckpoints.id])
  })
  const fetchOne = createAction(async (size: number) => {
    const { note, token } = await api.evidence.readCheckpoint({ params: { size: String(size) } })
    save(`${size}.checkpoint`, note)
    if (token !== null) save(`${size}.tsr`, Uint8Array.fromBase64(token))
  })
  return (
    <Panel
      title="Checkpoints"
      note={<Show when={checkpoints.data()}>{(page) => <>{counted(page().total, 'checkpoint')}</>}</Show>}
      actions={
        <Show when={may(api.evidence.anchorNow)}>
          <Button
            busy={anchor.busy()}
            onClick={() => void anchor.run()}
            title="Signs and stamps the ledger as it stands, without waiting for the hour."
          >
            Anchor now
          </Button>
        </Show>
      }
    >
      <ProblemNotice
        problem={checkpoints.problem() ?? anchor.problem() ?? fetchOne.problem()}
        again={checkpoints.again}
      />
      <Show
        when={checkpoints.data()}
        fallback={
          <Show when={checkpoints.loading()}>
            <Skeleton lines={4} />
          </Show>
        }
      >
        {(page) => (
          <ul class="checkpoints">
            <For
              each={page().items}
              fallback={
                <li class="soft">
                  None yet. The ledger is signed and time-stamped every hour while events arrive, and before
                  each bundle.
                </li>
              }
            >
              {(row) => (
                <li>
                  <span class="tabular">
                    <strong>{count(row.size)}</strong> events
                  </span>
                  <span>
                    <Stamped timestamp={row.timestamp} />
                  </span>
                  <span class="faint">
                    <Instant at={row.at} />
                    <Show when={row.copies.length > 0}>
                      {' '}
                      · copied to {row.copies.map((place) => COPIES[place]).join(', ')}
                    </Show>
                  </span>
                  <Button
                    kind="quiet"
                    onClick={() => void fetchOne.run(row.size)}
                    aria-label={`Keep checkpoint of ${count(row.size)} events`}
                    title="Saves the signed note and its timestamp: an auditor who keeps one finds any later rewriting."
                  >
                    Keep
                  </Button>
                </li>
              )}
            </For>
          </ul>
        )}
      </Show>
    </Panel>
  )
}

function Stamped(props: { timestamp: CheckpointRow['timestamp'] }) {
  return (
    <Show when={props.timestamp.status === 'stamped'} fallback={<Badge tone="medium">time pending</Badge>}>
      <Badge
        tone={props.timestamp.independent ? 'good' : 'medium'}
        title={`${props.timestamp.genTime} by ${props.timestamp.tsa}`}
      >
        {props.timestamp.independent ? 'stamped' : 'stamped locally'}
      </Badge>
    </Show>
  )
}
