import type { DiffLine, RotationDetail } from '@attestry/contracts/http'
import { For, Show } from 'solid-js'
import { Code } from '../ui/copy.tsx'
import { Instant } from '../ui/instant.tsx'
import { Facts } from '../ui/side-panel.tsx'

const SIGNS: Readonly<Record<DiffLine['change'], { readonly sign: string; readonly word: string }>> = {
  add: { sign: '+', word: 'Adds' },
  change: { sign: '~', word: 'Changes' },
  remove: { sign: '−', word: 'Removes' },
  keep: { sign: '=', word: 'Keeps' },
}

/** What a plan would change where, what could fail and how to undo it. It holds no value. */
export function Diff(props: { detail: RotationDetail }) {
  return (
    <div class="stack">
      <ul class="rotation-diff" aria-label="What would change">
        <For each={props.detail.diff}>
          {(line) => (
            <li data-change={line.change}>
              <span class="rotation-sign" aria-hidden="true">
                {SIGNS[line.change].sign}
              </span>
              <span>
                <span class="unseen">{SIGNS[line.change].word}: </span>
                <strong>{line.where}</strong> {line.what}
                <Show when={line.before ?? line.after}>
                  <span class="soft">
                    {' '}
                    (
                    <Show when={line.before}>
                      {(before) => (
                        <>
                          {before()}
                          <Show when={line.after}> → </Show>
                        </>
                      )}
                    </Show>
                    {line.after})
                  </span>
                </Show>
              </span>
            </li>
          )}
        </For>
      </ul>
      <Show when={props.detail.risks.length > 0}>
        <section aria-label="What could fail">
          <h3>What could fail</h3>
          <ul class="rotation-will">
            <For each={props.detail.risks}>{(risk) => <li>{risk}</li>}</For>
          </ul>
        </section>
      </Show>
      <section aria-label="How to undo it">
        <h3>How to undo it</h3>
        <ol class="rotation-will" data-numbered="">
          <For each={props.detail.undo}>{(step) => <li>{step}</li>}</For>
        </ol>
      </section>
      <Facts
        rows={[
          ['Grace', `${props.detail.graceHours} h at least`],
          [
            'Retires',
            props.detail.retires.length === 0 ? (
              'nothing'
            ) : (
              <For each={props.detail.retires}>{(key) => <Code text={key} label="key id" short />}</For>
            ),
          ],
          ['Change ticket', props.detail.ticket],
          ['Incident', props.detail.incident],
          [
            'Valid until',
            props.detail.stage === 'planned' || props.detail.stage === 'awaiting-approval' ? (
              <Instant at={props.detail.expiresAt} />
            ) : null,
          ],
          ['Bound to', <Code text={props.detail.planHash} label="hash of the plan" short />],
        ]}
      />
    </div>
  )
}
