import ArrowRight from 'lucide-solid/icons/arrow-right'
import { createMemo, For, Show } from 'solid-js'
import type { api, ReplyOf } from '../api.ts'
import { count, counted } from '../numbers.ts'
import type { Reading } from '../reading.ts'
import { Severity } from '../ui/badge.tsx'
import { Empty, ProblemNotice, Skeleton } from '../ui/notice.tsx'

type Rules = ReplyOf<typeof api.compliance.listRules.endpoint>

const ORDER = ['critical', 'high', 'medium', 'low']

/** Open findings gathered by the rule that found them: one remedy often closes many. */
export function ByRule(props: {
  rules: Reading<Rules>
  severity: string
  search: string
  href: (rule: string) => string
}) {
  const failing = createMemo(() =>
    (props.rules.data()?.items ?? [])
      .filter((r) => (r.result?.failed ?? 0) > 0)
      .filter((r) => props.severity === '' || r.severity === props.severity)
      .filter((r) => `${r.rule} ${r.name}`.toLowerCase().includes(props.search.toLowerCase()))
      .toSorted(
        (a, b) =>
          ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity) ||
          (b.result?.failed ?? 0) - (a.result?.failed ?? 0),
      ),
  )
  return (
    <div class="scroll" tabindex="0" role="region" aria-label="Findings by rule">
      <ProblemNotice problem={props.rules.problem()} again={props.rules.again} />
      <Show when={props.rules.data()} fallback={<Skeleton lines={8} />}>
        <ul class="by-rule">
          <For each={failing()} fallback={<Empty title="No rule fails">Nothing to gather.</Empty>}>
            {(rule) => (
              <li>
                <a href={props.href(rule.rule)} data-row="" class="by-rule-head">
                  <Severity of={rule.severity} />
                  <strong>{rule.name}</strong>
                  <code class="soft">{rule.rule}</code>
                  <span class="by-rule-count tabular">
                    {counted(rule.result?.failed ?? 0, 'finding')}
                    <span class="faint"> of {count(rule.result?.population ?? 0)}</span>
                  </span>
                  <ArrowRight size={14} aria-hidden="true" />
                </a>
                <p class="soft">{rule.says}</p>
                <p class="remedy">{rule.remedy}</p>
              </li>
            )}
          </For>
        </ul>
      </Show>
    </div>
  )
}
