import CircleCheck from 'lucide-solid/icons/circle-check'
import { For, Show } from 'solid-js'
import { api } from '../api.ts'
import { held } from '../findings/subject.ts'
import { count } from '../numbers.ts'
import { createReading, type Reading } from '../reading.ts'
import type { ReplyOf } from '../api.ts'
import { Severity } from '../ui/badge.tsx'
import { Instant } from '../ui/instant.tsx'
import { Empty, ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { RotationsNeed } from './rotations-need.tsx'

/** What needs somebody now: the worst open findings, each with what to do. */
export function Needs(props: { score: Reading<ReplyOf<typeof api.compliance.readScore.endpoint>> }) {
  const findings = createReading(api.compliance.listFindings, () => ({
    query: { state: 'open' as const, limit: 6 },
  }))
  return (
    <Panel
      title="Needs you now"
      class="needs"
      note={
        <For each={props.score.data()?.open ?? []}>
          {(open) => (
            <a class="quiet-link" href={`/findings?severity=${open.severity}`}>
              <Severity of={open.severity} wordless /> <span class="tabular">{count(open.count)}</span>
            </a>
          )}
        </For>
      }
      actions={
        <a href="/findings" aria-label="All findings">
          All
        </a>
      }
    >
      <RotationsNeed />
      <ProblemNotice problem={findings.problem()} again={findings.again} />
      <Show
        when={findings.data()}
        fallback={
          <Show when={findings.loading()}>
            <Skeleton lines={7} />
          </Show>
        }
      >
        {(page) => (
          <ol class="needs-list">
            <For
              each={page().items}
              fallback={
                <li>
                  <Show
                    when={props.score.data()?.current}
                    fallback={<Empty title="Nothing was evaluated yet">The first scan tells.</Empty>}
                  >
                    <Empty title="Nothing needs you" icon={<CircleCheck size={20} aria-hidden="true" />}>
                      Every rule that could be evaluated is satisfied.
                    </Empty>
                  </Show>
                </li>
              }
            >
              {(finding) => (
                <li>
                  <a href={`/findings?finding=${finding.finding}`} data-row="" title={finding.reason}>
                    <Severity of={finding.severity} wordless />
                    <span class="needs-text">
                      <span class="clip">{finding.reason}</span>
                      <span class="clip soft">{held(finding)}</span>
                    </span>
                    <Instant at={finding.firstSeen} form="short" />
                  </a>
                </li>
              )}
            </For>
          </ol>
        )}
      </Show>
    </Panel>
  )
}
