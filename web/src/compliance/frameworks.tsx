import { For, Show } from 'solid-js'
import { api, type ReplyOf } from '../api.ts'
import { counted } from '../numbers.ts'
import type { Reading } from '../reading.ts'
import { Badge, Verdict } from '../ui/badge.tsx'
import { Empty, ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { controlName, COVERAGE } from './coverage.ts'

type Frameworks = ReplyOf<typeof api.compliance.listFrameworks.endpoint>
type Framework = Frameworks['items'][number]
type Control = Framework['controls'][number]

/** Frameworks beside each other, and the controls of the chosen one. */
export function FrameworkList(props: {
  frameworks: Reading<Frameworks>
  chosen: string
  ids: 'published' | 'product'
  href: (framework: string) => string
  onIds: (ids: 'published' | 'product') => void
}) {
  const current = (): Framework | undefined =>
    props.frameworks.data()?.items.find((f) => f.framework === props.chosen) ??
    props.frameworks.data()?.items[0]
  return (
    <>
      <ProblemNotice problem={props.frameworks.problem()} again={props.frameworks.again} />
      <Show
        when={props.frameworks.data()}
        fallback={
          <Show when={props.frameworks.loading()}>
            <Skeleton lines={10} />
          </Show>
        }
      >
        {(known) => (
          <div class="frameworks">
            <nav aria-label="Frameworks">
              <ul>
                <For each={known().items}>
                  {(framework) => (
                    <li>
                      <a
                        href={props.href(framework.framework)}
                        aria-current={framework.framework === current()?.framework ? 'page' : undefined}
                        data-row=""
                      >
                        <span>{framework.title}</span>
                        <Tally controls={framework.controls} />
                      </a>
                    </li>
                  )}
                </For>
              </ul>
            </nav>
            <Show when={current()} fallback={<Empty title="No frameworks">None is installed.</Empty>}>
              {(framework) => (
                <section class="framework" aria-label={framework().title}>
                  <header>
                    <h2>{framework().title}</h2>
                    <label class="toggle">
                      <input
                        type="checkbox"
                        checked={props.ids === 'product'}
                        onChange={(event) =>
                          props.onIds(event.currentTarget.checked ? 'product' : 'published')
                        }
                      />
                      Product ids
                    </label>
                  </header>
                  <p class="soft">{framework().limits}</p>
                  <ul class="controls">
                    <For each={framework().controls}>
                      {(control) => <ControlRow control={control} ids={props.ids} />}
                    </For>
                  </ul>
                </section>
              )}
            </Show>
          </div>
        )}
      </Show>
    </>
  )
}

function Tally(props: { controls: readonly Control[] }) {
  const of = (verdict: Control['verdict']): number =>
    props.controls.filter((c) => c.verdict === verdict).length
  return (
    <span class="tally tabular">
      <span data-tone="good" title="controls whose rules all pass">
        {of('pass')} pass
      </span>
      <span data-tone="critical" title="controls with a failing rule">
        {of('fail')} fail
      </span>
      <Show when={of('unknown') > 0}>
        <span data-tone="medium">{of('unknown')} unknown</span>
      </Show>
    </span>
  )
}

function ControlRow(props: { control: Control; ids: 'published' | 'product' }) {
  return (
    <li class="control">
      <span class="control-id">
        <code>{controlName(props.control, props.ids)}</code>
        <Show when={props.ids === 'published' && !props.control.published.includes(props.control.control)}>
          <span class="faint" title="What the product calls this row">
            {props.control.control}
          </span>
        </Show>
      </span>
      <div class="control-text">
        <strong>{props.control.title}</strong>
        <span class="control-marks">
          <Show
            when={props.control.coverage !== 'customer'}
            fallback={<Badge title={COVERAGE.customer.says}>{COVERAGE.customer.word}</Badge>}
          >
            <Verdict of={props.control.verdict} />
            <Badge title={COVERAGE[props.control.coverage].says}>
              {COVERAGE[props.control.coverage].word}
            </Badge>
          </Show>
          <Show when={props.control.passed + props.control.failed + props.control.unknown > 0}>
            <span class="soft tabular">
              {counted(props.control.passed + props.control.failed + props.control.unknown, 'rule')}:{' '}
              {[
                [props.control.passed, 'pass'],
                [props.control.failed, 'fail'],
                [props.control.unknown, 'unknown'],
              ]
                .filter(([n]) => n !== 0)
                .map(([n, word]) => `${n} ${word}`)
                .join(', ')}
            </span>
          </Show>
        </span>
        <Show when={props.control.customerAction}>{(action) => <p class="remedy">{action()}</p>}</Show>
        <Show when={props.control.note}>{(note) => <p class="faint">{note()}</p>}</Show>
        <Show when={props.control.rules.length > 0}>
          <p class="control-rules">
            <For each={props.control.rules}>
              {(rule) => (
                <a href={`/compliance?part=rules&rule=${rule}`}>
                  <code>{rule}</code>
                </a>
              )}
            </For>
          </p>
        </Show>
      </div>
    </li>
  )
}
