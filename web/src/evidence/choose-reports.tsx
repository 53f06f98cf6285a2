import type { ReportFormat, ReportType } from '@attestry/contracts'
import { For } from 'solid-js'
import { Field } from '../ui/field.tsx'
import type { Choosing } from './build.tsx'
import { REPORT_TYPES, REPORTS } from './reports.ts'
import { FORMATS, FRAMEWORK_IDS, FRAMEWORKS } from './wish.ts'

/** For a framework or by hand: which reports, in which forms. */
export function ChooseReports(props: Choosing) {
  const toggle = (report: ReportType): void => {
    const chosen = props.wish.reports
    const on = !chosen.includes(report)
    props.change({ reports: REPORT_TYPES.filter((r) => (r === report ? on : chosen.includes(r))) })
  }
  const form = (format: ReportFormat): void => {
    const chosen = props.wish.formats
    const on = !chosen.includes(format)
    const kept = FORMATS.map(([f]) => f).filter((f) => (f === format ? on : chosen.includes(f)))
    props.change({ formats: ['csv', ...kept] })
  }
  return (
    <>
      <Field
        label="For"
        hint="A packet for a framework names its controls with both numbers, and findings are those of its rules."
      >
        {(id, describedBy) => (
          <select
            id={id}
            aria-describedby={describedBy}
            onChange={(event) =>
              props.change({
                framework: FRAMEWORK_IDS.find((f) => f === event.currentTarget.value) ?? null,
              })
            }
          >
            <option value="">No framework: reports as chosen below</option>
            <For each={FRAMEWORK_IDS}>
              {(framework) => (
                <option value={framework} selected={props.wish.framework === framework}>
                  {FRAMEWORKS[framework]}
                </option>
              )}
            </For>
          </select>
        )}
      </Field>
      <fieldset class="choices">
        <legend>Reports</legend>
        <For each={REPORT_TYPES}>
          {(report) => (
            <label class="choice">
              <input
                type="checkbox"
                checked={props.wish.reports.includes(report)}
                onChange={() => toggle(report)}
              />
              <span>
                <strong>{REPORTS[report].name}</strong>
                <span class="soft">{REPORTS[report].says}</span>
              </span>
            </label>
          )}
        </For>
      </fieldset>
      <fieldset class="choices">
        <legend>Forms beside CSV, which is always there</legend>
        <div class="chips">
          <For each={FORMATS}>
            {([format, name]) => (
              <button
                type="button"
                class="chip"
                aria-pressed={props.wish.formats.includes(format)}
                onClick={() => form(format)}
              >
                {name}
              </button>
            )}
          </For>
        </div>
      </fieldset>
    </>
  )
}
