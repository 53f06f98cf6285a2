import type { PolicyRow } from '@attestry/contracts/http'
import { useNavigate } from '@solidjs/router'
import { createSignal, For, Show } from 'solid-js'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { counted } from '../numbers.ts'
import { createAction, createReading } from '../reading.ts'
import { useSession } from '../session/session.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Code } from '../ui/copy.tsx'
import { Instant } from '../ui/instant.tsx'
import { now } from '../ui/now.ts'
import { ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { Facts, SidePanel } from '../ui/side-panel.tsx'
import { Confirm } from './confirm.tsx'
import { MatchCards } from './matches.tsx'
import { Advice } from './one.tsx'
import { PlanNow } from './plan-now.tsx'
import { PolicyForm } from './policy-form.tsx'
import { KINDS, STAGES } from './words.ts'
import { WebhookKey } from './webhook-key.tsx'
import { type Settings, whyNot } from './why-not.ts'

/** One policy: why it runs or not, its terms, which secret holds the credential, and what can be done. */
export function PolicyPanel(props: { policy: string; settings: Settings | undefined; back: string }) {
  const found = createReading(api.rotation.listPolicies, () => ({
    query: { policy: props.policy, limit: 1 },
  }))
  const matches = createReading(api.rotation.listMatches, () => ({
    query: { policy: props.policy, limit: 100 },
  }))
  const row = () => found.data()?.items.find((p) => p.policy === props.policy)
  return (
    <SidePanel
      title={row()?.subject.name ?? 'Policy'}
      kicker={<>Policy{row() ? ` of ${KINDS[row()?.subject.kind ?? 'key'].toLowerCase()}` : ''}</>}
      back={props.back}
      of={props.policy}
    >
      <div class="side-panel-body">
        <ProblemNotice problem={found.problem() ?? matches.problem()} again={found.again} />
        <Show
          when={row()}
          fallback={
            <Show
              when={found.loading() || found.settling()}
              fallback={<p class="soft">There is no such policy.</p>}
            >
              <Skeleton lines={8} />
            </Show>
          }
        >
          {(policy) => (
            <>
              <Acts row={policy()} />
              <section aria-label="When it runs">
                <h3>When it runs</h3>
                <p>
                  <Show when={policy().dueAt} fallback="It is never due by itself.">
                    {(due) => (
                      <>
                        Due <Instant at={due()} />
                        <Show when={policy().endsAt}>
                          {(ends) => (
                            <>
                              ; the credential ends <Instant at={ends()} />
                            </>
                          )}
                        </Show>
                        .
                      </>
                    )}
                  </Show>
                </p>
                <ul class="rotation-will">
                  <For each={whyNot(policy(), props.settings, now())}>
                    {(reason) => (
                      <li data-holds={reason.holds ? '' : undefined}>
                        <Show when={reason.holds}>
                          <Badge tone="high">Held up</Badge>{' '}
                        </Show>
                        {reason.says}
                      </li>
                    )}
                  </For>
                </ul>
                <p>
                  <Show when={policy().running}>
                    {(running) => (
                      <a href={`/rotation/${running().rotation}`}>
                        The rotation at work ({STAGES[running().stage].word.toLowerCase()})
                      </a>
                    )}
                  </Show>
                </p>
                <p>
                  <Show when={policy().last}>
                    {(last) => (
                      <a href={`/rotation/${last().rotation}`}>
                        The last one: {STAGES[last().stage].word.toLowerCase()}{' '}
                        <Instant at={last().endedAt} />
                      </a>
                    )}
                  </Show>
                </p>
                <p>
                  <a href={`/rotation?policy=${policy().policy}`}>All of its rotations</a>
                </p>
              </section>
              <Advice credential={policy().credential} />
              <section aria-label="Matches">
                <h3>Which secret holds it</h3>
                <Show when={matches.data()} fallback={<Skeleton lines={2} />}>
                  {(page) => (
                    <Show
                      when={page().items.length > 0}
                      fallback={<p class="faint">No vault secret looks like it.</p>}
                    >
                      <MatchCards rows={page().items} />
                    </Show>
                  )}
                </Show>
              </section>
              <section aria-label="Terms">
                <h3>Terms</h3>
                <Terms row={policy()} />
              </section>
            </>
          )}
        </Show>
      </div>
    </SidePanel>
  )
}

function Terms(props: { row: PolicyRow }) {
  const { may } = useSession()
  const settings = () => props.row.settings
  return (
    <Facts
      rows={[
        ['Cadence', counted(props.row.cadenceDays, 'day')],
        ['Before expiry', counted(settings().daysBeforeExpiry, 'day')],
        [
          'Stored in',
          settings().targets.length === 0 ? (
            'where it is'
          ) : (
            <For each={settings().targets}>
              {(target, n) => (
                <span class="rotation-place">
                  {props.row.vaultNames[n()] || target.vault} / {target.secret}
                </span>
              )}
            </For>
          ),
        ],
        [
          'Window',
          <Show when={settings().window} fallback="any time">
            {(window) => (
              <>
                <code>{window().cron}</code> {window().zone}, {counted(window().minutes, 'minute')}
              </>
            )}
          </Show>,
        ],
        ['Approval', settings().approvals === 0 ? 'none' : `${settings().approvals} other`],
        ['Dependents', settings().dependents === 'switch' ? 'switched and confirmed' : 'by a checklist'],
        ['Grace', counted(settings().graceHours, 'hour')],
        ['Pre-stage', settings().prestageDays === null ? null : counted(settings().prestageDays ?? 0, 'day')],
        [
          'Owner',
          settings().owner === null
            ? 'nobody is told'
            : [settings().owner?.name, settings().owner?.mail, settings().owner?.webhook]
                .filter(Boolean)
                .join(', '),
        ],
        [
          'Webhook key',
          settings().owner?.webhook && may(api.rotation.showWebhookKey) ? (
            <WebhookKey policy={props.row.policy} />
          ) : null,
        ],
        ['Made by', props.row.selector === null ? null : 'a selector'],
        ['Credential', <a href={`/inventory?asset=${props.row.credential}`}>in the inventory</a>],
        ['Policy id', <Code text={props.row.policy} label="policy id" short />],
      ]}
    />
  )
}

function Acts(props: { row: PolicyRow }) {
  const { may } = useSession()
  const live = useLive()
  const navigate = useNavigate()
  const [open, setOpen] = createSignal<'plan' | 'edit' | 'disable'>()
  const close = (): void => {
    setOpen(undefined)
  }
  const disable = createAction(async () => {
    await api.rotation.disablePolicy({ params: { policy: props.row.policy } })
    live.touch(['rotation', 'compliance'])
    close()
  })
  return (
    <>
      <div class="rotation-acts">
        <Show when={may(api.rotation.planRotation) && props.row.enabled && props.row.running === null}>
          <Button kind="primary" onClick={() => setOpen('plan')}>
            Plan a rotation
          </Button>
        </Show>
        <Show when={may(api.rotation.revisePolicy) && props.row.enabled}>
          <Button onClick={() => setOpen('edit')}>Change terms</Button>
        </Show>
        <Show when={may(api.rotation.disablePolicy) && props.row.enabled}>
          <Button kind="danger" onClick={() => setOpen('disable')}>
            Delete
          </Button>
        </Show>
        <Show when={may(api.rotation.savePolicy) && !props.row.enabled}>
          <Button onClick={() => navigate(`/rotation?part=policies&new=${props.row.credential}`)}>
            Make it anew
          </Button>
        </Show>
      </div>
      <Show when={open() === 'plan'}>
        <PlanNow policy={props.row.policy} name={props.row.subject.name} onClose={close} />
      </Show>
      <Show when={open() === 'edit'}>
        <PolicyForm policy={props.row} onClose={close} onSaved={close} />
      </Show>
      <Show when={open() === 'disable'}>
        <Confirm
          title={`Delete the policy of ${props.row.subject.name}`}
          says={[
            'Nothing is rotated by it any more, and the rules that look for policies say so at the next evaluation.',
            'A rotation that runs goes on. History and matches stay in the ledger.',
          ]}
          word="Delete"
          danger
          action={disable}
          onClose={close}
        />
      </Show>
    </>
  )
}
