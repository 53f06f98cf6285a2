import type { ReportType } from '@attestry/contracts'
import { createSignal, For, Show } from 'solid-js'
import { api } from '../api.ts'
import { useLive } from '../live.tsx'
import { createAction } from '../reading.ts'
import { NOT_PROVED, useProof } from '../session/proof.tsx'
import { localZone, stamp } from '../time.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { ProblemNotice } from '../ui/notice.tsx'
import { type Days, offsetWords, periodOf, PRESETS, type Preset, presetDays, todayIn } from './period.ts'
import { REPORT_TYPES, REPORTS } from './reports.ts'

/** What management usually states; to be changed where it is not so. */
const STATEMENT =
  'Management asserts that the records in these reports are complete and accurate for the scope and period stated, to the best of its knowledge, with these exceptions: none.'

/** Asks what a bundle should hold. The period is chosen in local days and shown as the instants it means. */
export function BuildBundle(props: {
  open: boolean
  onClose: () => void
  onAsked: (bundle: string) => void
}) {
  const live = useLive()
  const proof = useProof()
  const zone = localZone()
  const today = (): string => todayIn(zone, Date.now())
  const [reports, setReports] = createSignal<readonly ReportType[]>(REPORT_TYPES)
  const [preset, setPreset] = createSignal<Preset | 'custom'>('last-30')
  const [custom, setCustom] = createSignal<Days>(presetDays('last-30', today()))
  const [asserted, setAsserted] = createSignal(false)
  const [signer, setSigner] = createSignal('')
  const [office, setOffice] = createSignal('')
  const [statement, setStatement] = createSignal(STATEMENT)
  const days = (): Days => {
    const chosen = preset()
    return chosen === 'custom' ? custom() : presetDays(chosen, today())
  }
  const period = () => periodOf(days(), zone, Date.now())
  const wrong = (): string | undefined => {
    if (reports().length === 0) return 'Choose at least one report.'
    if (days().from > days().to) return 'The period ends before it begins.'
    return days().from > today() ? 'The period lies in the future.' : undefined
  }
  const build = createAction(async () => {
    if (wrong()) return
    const assertion = asserted() ? { name: signer(), title: office(), statement: statement() } : undefined
    const body = { reports: [...reports()], ...period(), ...(assertion ? { assertion } : {}) }
    const reply = await proof.guarded(() => api.evidence.requestBundle({ body }))
    if (reply === NOT_PROVED) return
    live.touch([api.evidence.listBundles.id])
    props.onAsked(reply.bundle)
    props.onClose()
  })
  const toggle = (report: ReportType): void => {
    setReports((chosen) =>
      REPORT_TYPES.filter((r) => (r === report ? !chosen.includes(r) : chosen.includes(r))),
    )
  }
  return (
    <Dialog
      open={props.open}
      onClose={props.onClose}
      title="Build an evidence bundle"
      description="Reports folded from the ledger, signed and timestamped, to be verified offline by anybody."
      wide
    >
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          void build.run()
        }}
      >
        <fieldset class="choices">
          <legend>Reports</legend>
          <For each={REPORT_TYPES}>
            {(report) => (
              <label class="choice">
                <input type="checkbox" checked={reports().includes(report)} onChange={() => toggle(report)} />
                <span>
                  <strong>{REPORTS[report].name}</strong>
                  <span class="soft">{REPORTS[report].says}</span>
                </span>
              </label>
            )}
          </For>
        </fieldset>
        <fieldset class="choices">
          <legend>Period</legend>
          <div class="chips">
            <For each={[...PRESETS, ['custom', 'Other dates'] as const]}>
              {([value, name]) => (
                <button
                  type="button"
                  class="chip"
                  aria-pressed={preset() === value}
                  onClick={() => {
                    if (value === 'custom') setCustom(days())
                    setPreset(value)
                  }}
                >
                  {name}
                </button>
              )}
            </For>
          </div>
          <Show when={preset() === 'custom'}>
            <div class="side-by-side">
              <Field label="From">
                {(id) => (
                  <input
                    id={id}
                    type="date"
                    required
                    max={today()}
                    value={custom().from}
                    onInput={(event) => setCustom({ ...custom(), from: event.currentTarget.value })}
                  />
                )}
              </Field>
              <Field label="To, inclusive">
                {(id) => (
                  <input
                    id={id}
                    type="date"
                    required
                    max={today()}
                    value={custom().to}
                    onInput={(event) => setCustom({ ...custom(), to: event.currentTarget.value })}
                  />
                )}
              </Field>
            </div>
          </Show>
          <Show
            when={!wrong()}
            fallback={
              <p class="field-note" data-error="">
                {wrong()}
              </p>
            }
          >
            <p class="soft tabular">
              {stamp(period().from, zone).slice(0, 16)} to {stamp(period().to, zone).slice(0, 16)} in {zone} (
              {offsetWords(zone, Date.now())})
              <br />
              <span class="faint">
                recorded as {stamp(period().from, 'UTC').slice(0, 16)} to{' '}
                {stamp(period().to, 'UTC').slice(0, 16)} UTC
              </span>
            </p>
          </Show>
        </fieldset>
        <fieldset class="choices">
          <legend>Management assertion</legend>
          <label class="choice">
            <input
              type="checkbox"
              checked={asserted()}
              onChange={(event) => setAsserted(event.currentTarget.checked)}
            />
            <span>
              <strong>Sign a statement</strong>
              <span class="soft">
                Printed on the reports with your name and the time, and kept as an event.
              </span>
            </span>
          </label>
          <Show when={asserted()}>
            <div class="side-by-side">
              <Field label="Name">
                {(id) => (
                  <input
                    id={id}
                    type="text"
                    required
                    maxLength={200}
                    value={signer()}
                    onInput={(event) => setSigner(event.currentTarget.value)}
                  />
                )}
              </Field>
              <Field label="Office">
                {(id) => (
                  <input
                    id={id}
                    type="text"
                    required
                    maxLength={200}
                    value={office()}
                    onInput={(event) => setOffice(event.currentTarget.value)}
                  />
                )}
              </Field>
            </div>
            <Field label="Statement">
              {(id) => (
                <textarea
                  id={id}
                  required
                  rows={5}
                  minLength={20}
                  maxLength={4000}
                  value={statement()}
                  onInput={(event) => setStatement(event.currentTarget.value)}
                />
              )}
            </Field>
          </Show>
        </fieldset>
        <ProblemNotice problem={build.problem()} />
        <div class="dialog-actions">
          <span class="faint">Signing asks for your password.</span>
          <Button onClick={props.onClose}>Cancel</Button>
          <Button kind="primary" type="submit" busy={build.busy()} disabled={wrong() !== undefined}>
            Build
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
