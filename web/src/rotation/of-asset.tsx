import type { AssetRow } from '@attestry/contracts/http'
import { createSignal, Show } from 'solid-js'
import { api } from '../api.ts'
import { createReading } from '../reading.ts'
import { useSession } from '../session/session.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Instant } from '../ui/instant.tsx'
import { ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { Advice } from './one.tsx'
import { PlanNow } from './plan-now.tsx'
import { STAGES } from './words.ts'

/** What rotation knows of one asset of the inventory: its policy, its history, and a plan for those who may. */
export function RotationOf(props: { asset: Pick<AssetRow, 'asset' | 'kind'> }) {
  const { may } = useSession()
  const vaultSecret = (): boolean => props.asset.kind === 'secret'
  const rotatable = (): boolean => ['app-secret', 'key', 'certificate'].includes(props.asset.kind)
  const query = () => (rotatable() ? { query: { credential: props.asset.asset, limit: 1 } } : undefined)
  const policies = createReading(api.rotation.listPolicies, query)
  const rotations = createReading(api.rotation.listRotations, query)
  const matches = createReading(api.rotation.listMatches, () =>
    vaultSecret() ? { query: { secret: props.asset.asset, limit: 5 } } : undefined,
  )
  const [planning, setPlanning] = createSignal(false)
  const policy = () => policies.data()?.items[0]
  const last = () => rotations.data()?.items[0]
  return (
    <Show when={rotatable() || (matches.data()?.items.length ?? 0) > 0}>
      <section aria-label="Rotation">
        <h3>Rotation</h3>
        <ProblemNotice problem={policies.problem() ?? rotations.problem()} />
        <Show when={vaultSecret()}>
          <ul class="plain-list">
            <li>
              Seems to hold{' '}
              <a href={`/rotation?part=policies&policy=${matches.data()?.items[0]?.policy ?? ''}`}>
                {matches.data()?.items[0]?.policyName}
              </a>{' '}
              <span class="faint">({matches.data()?.items[0]?.confidence}% sure)</span>
            </li>
          </ul>
        </Show>
        <Show when={rotatable()}>
          <Show when={policies.data()} fallback={<Skeleton lines={2} />}>
            <Show
              when={policy()}
              fallback={
                <p class="soft">
                  No policy rotates it.{' '}
                  <Show when={may(api.rotation.savePolicy)}>
                    <a href={`/rotation?part=policies&new=${props.asset.asset}`}>Make one</a>
                  </Show>
                </p>
              }
            >
              {(known) => (
                <>
                  <p>
                    <a href={`/rotation?part=policies&policy=${known().policy}`}>Its policy</a>:{' '}
                    {known().enabled ? (
                      <>
                        every {known().cadenceDays} days, due <Instant at={known().dueAt} none="by hand" />
                      </>
                    ) : (
                      'disabled'
                    )}
                  </p>
                  <Advice credential={props.asset.asset} />
                </>
              )}
            </Show>
            <Show when={last()}>
              {(one) => (
                <p>
                  <a href={`/rotation/${one().rotation}`}>Last rotation</a>{' '}
                  <Badge tone={STAGES[one().stage].tone}>{STAGES[one().stage].word}</Badge>{' '}
                  <span class="faint">
                    since <Instant at={one().since} />
                  </span>
                  {', '}
                  <a href={`/rotation?credential=${props.asset.asset}`}>its history</a>
                </p>
              )}
            </Show>
            <Show when={policy()?.enabled && policy()?.running === null && may(api.rotation.planRotation)}>
              <div class="row-actions">
                <Button onClick={() => setPlanning(true)}>Plan a rotation</Button>
              </div>
            </Show>
          </Show>
        </Show>
        <Show when={planning() && policy()}>
          {(known) => (
            <PlanNow policy={known().policy} name={known().subject.name} onClose={() => setPlanning(false)} />
          )}
        </Show>
      </section>
    </Show>
  )
}
