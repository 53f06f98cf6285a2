import type { AuditorRow } from '@attestry/contracts/http'
import DoorOpen from 'lucide-solid/icons/door-open'
import { createSignal, For, Show } from 'solid-js'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { createAction, createReading } from '../reading.ts'
import { NOT_PROVED, useProof } from '../session/proof.tsx'
import { Badge, type Tone } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { InviteAuditor, type Link, LinkShown } from './invite.tsx'

const TONES: Readonly<Record<AuditorRow['state'], Tone>> = {
  invited: 'low',
  entered: 'good',
  expired: 'plain',
  revoked: 'plain',
}

/** Auditors from outside: a link that opens one session, until a time. A link is shown once. */
export function Auditors() {
  const live = useLive()
  const proof = useProof()
  const auditors = createReading(api.gateway.listAuditors, () => ({ query: { limit: 200 } }))
  const [inviting, setInviting] = createSignal(false)
  const [shown, setShown] = createSignal<Link>()
  const refresh = (): void => live.touch([api.gateway.listAuditors.id])
  const issue = createAction(async (row: AuditorRow) => {
    const reply = await proof.guarded(() =>
      api.gateway.issueAuditorLink({ params: { auditor: row.auditor } }),
    )
    if (reply === NOT_PROVED) return
    setShown({ name: row.name, secret: reply.secret })
    refresh()
  })
  const revoke = createAction(async (row: AuditorRow) => {
    await proof.guarded(() => api.gateway.revokeAuditor({ params: { auditor: row.auditor } }))
    refresh()
  })
  const isOpen = (row: AuditorRow): boolean => row.state === 'invited' || row.state === 'entered'
  return (
    <div class="stack">
      <div class="part-head">
        <p class="soft">
          An auditor sees bundles, the ledger and its verification until the door closes, and changes nothing.
        </p>
        <Button
          kind="primary"
          onClick={() => setInviting(true)}
          icon={<DoorOpen size={14} aria-hidden="true" />}
        >
          Invite an auditor
        </Button>
      </div>
      <ProblemNotice problem={auditors.problem()} again={auditors.again} />
      <ProblemNotice problem={issue.problem() ?? revoke.problem()} />
      <Show
        when={auditors.data()}
        fallback={
          <Show when={auditors.loading()}>
            <Skeleton lines={4} />
          </Show>
        }
      >
        {(page) => (
          <Show
            when={page().items.length > 0}
            fallback={
              <Empty title="No auditor was invited">
                An invitation gives a link that opens one session; it ends by itself.
              </Empty>
            }
          >
            <div class="table-scroll" tabindex="0" role="region" aria-label="Auditors">
              <table class="table">
                <thead>
                  <tr>
                    <th scope="col">Name</th>
                    <th scope="col">State</th>
                    <th scope="col">Door closes</th>
                    <th scope="col" class="wide-only">
                      Last visit
                    </th>
                    <th scope="col" class="wide-only">
                      Sees
                    </th>
                    <th scope="col">
                      <span class="unseen">Actions</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  <For each={page().items}>
                    {(row) => (
                      <tr>
                        <th scope="row">{row.name}</th>
                        <td>
                          <Badge tone={TONES[row.state]}>{row.state}</Badge>
                        </td>
                        <td>
                          <Instant at={row.until} />
                        </td>
                        <td class="wide-only">
                          <Instant at={row.enteredAt} none="never" />
                        </td>
                        <td class="wide-only">
                          {row.bundles ? `${row.bundles.length} of the bundles` : 'all bundles, the ledger'}
                        </td>
                        <td class="actions">
                          <Show when={isOpen(row)}>
                            <Button
                              kind="quiet"
                              onClick={() => void issue.run(row)}
                              aria-label={`New link for ${row.name}`}
                            >
                              New link
                            </Button>
                            <Button
                              kind="quiet"
                              onClick={() => void revoke.run(row)}
                              aria-label={`Close the door of ${row.name}`}
                            >
                              Close
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
        )}
      </Show>
      <InviteAuditor open={inviting()} onClose={() => setInviting(false)} onInvited={setShown} />
      <LinkShown link={shown()} onClose={() => setShown(undefined)} />
    </div>
  )
}
