import { createEffect, createMemo, For, Show } from 'solid-js'
import type { api, ReplyOf } from '../api.ts'
import { count } from '../numbers.ts'
import type { Reading } from '../reading.ts'
import { Severity, Verdict } from '../ui/badge.tsx'
import { Empty, ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { SearchBox } from '../ui/search.tsx'

type Rules = ReplyOf<typeof api.compliance.listRules.endpoint>

/** The rules with weight and last result. A chosen one is open. */
export function RuleTable(props: {
  rules: Reading<Rules>
  chosen: string
  search: string
  onSearch: (text: string) => void
  href: (rule: string) => string
}) {
  const shown = createMemo(() =>
    (props.rules.data()?.items ?? []).filter((r) =>
      `${r.rule} ${r.name} ${r.family}`.toLowerCase().includes(props.search.toLowerCase()),
    ),
  )
  return (
    <>
      <div class="filters" role="search">
        <SearchBox label="Search rules" value={props.search} onChange={props.onSearch} />
      </div>
      <ProblemNotice problem={props.rules.problem()} again={props.rules.again} />
      <Show
        when={props.rules.data()}
        fallback={
          <Show when={props.rules.loading()}>
            <Skeleton lines={12} />
          </Show>
        }
      >
        <Show when={shown().length > 0} fallback={<Empty title="No rule matches">Change the search.</Empty>}>
          <table class="table rules-table">
            <thead>
              <tr>
                <th scope="col">Rule</th>
                <th scope="col" class="wide-only">
                  Severity
                </th>
                <th scope="col" class="numeric">
                  Weight
                </th>
                <th scope="col">Result</th>
                <th scope="col" class="numeric wide-only">
                  Failed
                </th>
                <th scope="col" class="numeric wide-only">
                  Of
                </th>
              </tr>
            </thead>
            <tbody>
              <For each={shown()}>
                {(rule) => (
                  <RuleRows
                    rule={rule}
                    open={rule.rule === props.chosen}
                    href={props.href(rule.rule === props.chosen ? '' : rule.rule)}
                  />
                )}
              </For>
            </tbody>
          </table>
        </Show>
      </Show>
    </>
  )
}

function RuleRows(props: { rule: Rules['items'][number]; open: boolean; href: string }) {
  let row: HTMLTableRowElement | undefined
  createEffect(() => {
    if (props.open) row?.scrollIntoView({ block: 'nearest' })
  })
  return (
    <>
      <tr data-selected={props.open ? '' : undefined} ref={row}>
        <th scope="row">
          <a class="table-link" data-row="" href={props.href} aria-expanded={props.open}>
            <code class="soft">{props.rule.rule}</code> <span>{props.rule.name}</span>
          </a>
        </th>
        <td class="wide-only">
          <Severity of={props.rule.severity} />
        </td>
        <td class="numeric tabular">{props.rule.weight}</td>
        <td>
          <Show when={props.rule.result} fallback={<span class="faint">not evaluated</span>}>
            {(result) => <Verdict of={result().verdict} />}
          </Show>
        </td>
        <td class="numeric tabular wide-only">{props.rule.result ? count(props.rule.result.failed) : '—'}</td>
        <td class="numeric tabular wide-only">
          {props.rule.result ? count(props.rule.result.population) : '—'}
        </td>
      </tr>
      <Show when={props.open}>
        <tr class="rule-detail">
          <td colspan="6">
            <p>{props.rule.says}</p>
            <p class="remedy">{props.rule.remedy}</p>
            <Show when={props.rule.result}>
              {(result) => (
                <p class="soft tabular">
                  {count(result().passed)} passed, {count(result().failed)} failed, {count(result().unknown)}{' '}
                  unknown, {count(result().waived)} waived
                  <Show when={props.rule.share < 1}>
                    ; at least {Math.round(props.rule.share * 100)}% must pass
                  </Show>
                  . <a href={`/findings?rule=${props.rule.rule}`}>Its findings</a>
                </p>
              )}
            </Show>
            <p class="control-rules">
              <For
                each={props.rule.controls}
                fallback={<span class="faint">Operational: no framework asks for it.</span>}
              >
                {(c) => (
                  <a href={`/compliance?framework=${c.framework}`}>
                    {c.framework} <code>{c.published.length > 0 ? c.published.join(', ') : c.control}</code>
                  </a>
                )}
              </For>
            </p>
          </td>
        </tr>
      </Show>
    </>
  )
}
