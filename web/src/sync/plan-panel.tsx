import { For, Show } from 'solid-js'
import { api, type ReplyOf } from '../api.ts'
import { useLive } from '../live.tsx'
import { count, counted } from '../numbers.ts'
import { createAction, createReading } from '../reading.ts'
import { useProof } from '../session/proof.tsx'
import { useSession } from '../session/session.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Code } from '../ui/copy.tsx'
import { ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { SidePanel } from '../ui/side-panel.tsx'
import { ACTIONS, NEEDS, reasonOf } from './words.ts'

type Run = ReplyOf<typeof api.sync.readRun.endpoint>

const ORDER = ['create', 'update', 'prune', 'conflict', 'skip'] as const

/** A plan line by line, and where it waits, the two things that can be said of it. */
export function PlanPanel(props: { run: string; back: string }) {
  const run = createReading(api.sync.readRun, () => ({ params: { run: props.run } }))
  const plan = createReading(api.sync.listPlan, () => ({ params: { run: props.run }, query: { limit: 500 } }))
  return (
    <SidePanel
      title={run.data()?.routeName ?? 'Plan'}
      kicker={<>Plan of a route</>}
      back={props.back}
      of={props.run}
    >
      <div class="side-panel-body">
        <ProblemNotice problem={run.problem() ?? plan.problem()} again={plan.again} />
        <Show when={run.data()}>{(known) => <Decision run={known()} />}</Show>
        <Show when={plan.data()} fallback={<Skeleton lines={8} />}>
          {(page) => (
            <>
              <For each={ORDER.filter((a) => page().items.some((line) => line.action === a))}>
                {(action) => (
                  <section aria-label={ACTIONS[action]?.word}>
                    <h3>
                      <Badge tone={ACTIONS[action]?.tone ?? 'plain'}>{ACTIONS[action]?.word}</Badge>{' '}
                      <span class="faint tabular">
                        {count(page().items.filter((line) => line.action === action).length)}
                      </span>
                    </h3>
                    <ul class="plain-list sync-lines">
                      <For each={page().items.filter((line) => line.action === action)}>
                        {(line) => (
                          <li>
                            <p>
                              <strong>{line.sourceName}</strong> <span class="faint">as</span>{' '}
                              <code>{line.targetName}</code>
                            </p>
                            <p class="soft">
                              {reasonOf(line.reason)}
                              <Show when={line.droppedTags > 0}>
                                {' '}
                                The target does not take {counted(line.droppedTags, 'tag')}.
                              </Show>
                            </p>
                          </li>
                        )}
                      </For>
                    </ul>
                  </section>
                )}
              </For>
              <Show when={page().items.length === 0}>
                <p class="faint">Nothing to do, or a newer plan took the place of this one.</p>
              </Show>
              <Show when={page().next !== null}>
                <p class="faint">{counted(page().total - page().items.length, 'line')} more.</p>
              </Show>
            </>
          )}
        </Show>
      </div>
    </SidePanel>
  )
}

function Decision(props: { run: Run }) {
  const { may } = useSession()
  const live = useLive()
  const proof = useProof()
  const decide = createAction(async (decision: 'accept' | 'reject') => {
    const { run, plan } = props.run
    if (plan === null) return
    await proof.guarded(() => api.sync.decidePlan({ params: { run }, body: { decision, plan } }))
    live.touch(['sync'])
  })
  return (
    <>
      <Show when={props.run.plan}>
        {(hash) => (
          <p class="faint">
            Bound to <Code text={hash()} label="hash of the plan" short />
          </p>
        )}
      </Show>
      <Show when={props.run.needs && props.run.decided === null}>
        <div class="notice" data-tone="medium">
          <div class="notice-text">
            <p>{NEEDS[props.run.needs ?? '']}</p>
            <p class="faint">No value was read for this plan, and it holds none.</p>
            <ProblemNotice problem={decide.problem()} />
          </div>
        </div>
        <Show when={may(api.sync.decidePlan)}>
          <div class="dialog-actions">
            <Button busy={decide.busy()} onClick={() => void decide.run('reject')}>
              Reject
            </Button>
            <Button kind="primary" busy={decide.busy()} onClick={() => void decide.run('accept')}>
              Accept and write
            </Button>
          </div>
        </Show>
      </Show>
      <Show when={props.run.decided}>
        {(decided) => <Badge tone={decided() === 'accepted' ? 'good' : 'plain'}>{decided()}</Badge>}
      </Show>
    </>
  )
}
