import type { Finding } from '@attestry/contracts/http'
import ArrowRight from 'lucide-solid/icons/arrow-right'
import { For, Show } from 'solid-js'
import { api } from '../api.ts'
import { createReading } from '../reading.ts'
import { Badge, Severity } from '../ui/badge.tsx'
import { Code } from '../ui/copy.tsx'
import { Instant } from '../ui/instant.tsx'
import { Facts, SidePanel } from '../ui/side-panel.tsx'
import { kindHeld, subjectAddress } from './subject.ts'

/** Why a finding is closed, in words. */
const CLOSED = {
  passed: 'resolved: it passed',
  'asset-removed': 'closed: the asset is gone',
  'not-applicable': 'closed: the rule no longer speaks of it',
} as const

export function FindingDetail(props: { finding: Finding; back: string }) {
  const rules = createReading(api.compliance.listRules, () => ({}))
  const rule = () => rules.data()?.items.find((r) => r.rule === props.finding.rule)
  return (
    <SidePanel
      title={props.finding.ruleName}
      kicker={<Severity of={props.finding.severity} />}
      back={props.back}
      of={props.finding.finding}
    >
      <div class="side-panel-body">
        <section aria-label="Why">
          <h3>Why</h3>
          <p>{props.finding.reason}</p>
          <Show when={props.finding.stale}>
            <p class="notice" data-tone="medium">
              The last evaluation could not read this. The finding stays open until a scan reaches it again.
            </p>
          </Show>
        </section>
        <section aria-label="What to do">
          <h3>What to do</h3>
          <p class="remedy">{props.finding.remedy}</p>
        </section>
        <section aria-label="On">
          <h3>On</h3>
          <a class="card-link" href={subjectAddress(props.finding)}>
            <span class="clip">
              <strong>{props.finding.subjectName}</strong>{' '}
              <span class="faint">{kindHeld(props.finding)}</span>
            </span>
            <ArrowRight size={14} aria-hidden="true" />
          </a>
        </section>
        <Facts
          rows={[
            [
              'State',
              props.finding.state === 'open' ? (
                <Badge tone="high">open</Badge>
              ) : (
                <Badge tone="good">{CLOSED[props.finding.because ?? 'passed']}</Badge>
              ),
            ],
            ['First seen', <Instant at={props.finding.firstSeen} />],
            ['Last seen', <Instant at={props.finding.lastSeen} />],
            ['Resolved', props.finding.resolvedAt ? <Instant at={props.finding.resolvedAt} /> : null],
            ['Came back', props.finding.reopened > 0 ? `${props.finding.reopened}×` : null],
            ['Rule', <a href={`/compliance?part=rules&rule=${props.finding.rule}`}>{props.finding.rule}</a>],
            ['Weight', rule() ? `${rule()?.weight} in the score` : null],
            ['Finding id', <Code text={props.finding.finding} label="finding id" short />],
          ]}
        />
        <Show when={(rule()?.controls.length ?? 0) > 0}>
          <section aria-label="Controls">
            <h3>Speaks to</h3>
            <ul class="plain-list">
              <For each={rule()?.controls}>
                {(c) => (
                  <li>
                    <a href={`/compliance?framework=${c.framework}`}>{c.framework}</a>{' '}
                    <code>{c.published.length > 0 ? c.published.join(', ') : c.control}</code>
                  </li>
                )}
              </For>
            </ul>
          </section>
        </Show>
      </div>
    </SidePanel>
  )
}
