import type { Severity as SeverityName, Verdict as VerdictName } from '@attestry/contracts'
import Check from 'lucide-solid/icons/check'
import CircleHelp from 'lucide-solid/icons/circle-question-mark'
import CircleSlash from 'lucide-solid/icons/circle-slash'
import ShieldCheck from 'lucide-solid/icons/shield-check'
import X from 'lucide-solid/icons/x'
import { For, type JSX, type ParentProps, Show } from 'solid-js'

export type Tone = 'critical' | 'high' | 'medium' | 'low' | 'good' | 'plain' | 'seal'

/** A short word with a tone; the word says it all, the colour only repeats it. */
export function Badge(props: ParentProps<{ tone?: Tone; icon?: JSX.Element; title?: string }>) {
  return (
    <span class="badge" data-tone={props.tone ?? 'plain'} title={props.title}>
      <Show when={props.icon}>{props.icon}</Show>
      {props.children}
    </span>
  )
}

export const SEVERITY_WORDS: Readonly<Record<SeverityName, string>> = {
  critical: 'Critical',
  high: 'High',
  medium: 'Medium',
  low: 'Low',
}

/** One to four bars: a severity is read from its shape as well. */
export function Severity(props: { of: SeverityName; wordless?: boolean }) {
  const bars = (): number => ({ critical: 4, high: 3, medium: 2, low: 1 })[props.of]
  return (
    <span class="severity" data-tone={props.of}>
      <svg viewBox="0 0 14 12" width="14" height="12" aria-hidden="true">
        <For each={[0, 1, 2, 3]}>
          {(n) => (
            <rect
              x={n * 3.6}
              y={9 - n * 3}
              width="2.6"
              height={3 + n * 3}
              rx="0.8"
              data-on={n < bars() ? '' : undefined}
            />
          )}
        </For>
      </svg>
      <span class={props.wordless ? 'unseen' : undefined}>{SEVERITY_WORDS[props.of]}</span>
    </span>
  )
}

const VERDICTS: Readonly<Record<VerdictName, { word: string; tone: Tone; says: string }>> = {
  pass: { word: 'Pass', tone: 'good', says: 'Evaluated, and every subject satisfies it.' },
  fail: { word: 'Fail', tone: 'critical', says: 'Evaluated, and at least one subject does not satisfy it.' },
  unknown: { word: 'Unknown', tone: 'medium', says: 'Could not be evaluated: some data could not be read.' },
  'not-applicable': { word: 'Not applicable', tone: 'plain', says: 'There is nothing that it speaks of.' },
  waived: { word: 'Waived', tone: 'low', says: 'The risk was accepted by a person, until a date.' },
}

export function Verdict(props: { of: VerdictName }) {
  const icon = (): JSX.Element => {
    switch (props.of) {
      case 'pass':
        return <Check size={13} aria-hidden="true" />
      case 'fail':
        return <X size={13} aria-hidden="true" />
      case 'unknown':
        return <CircleHelp size={13} aria-hidden="true" />
      case 'not-applicable':
        return <CircleSlash size={13} aria-hidden="true" />
      case 'waived':
        return <ShieldCheck size={13} aria-hidden="true" />
    }
  }
  return (
    <Badge tone={VERDICTS[props.of].tone} title={VERDICTS[props.of].says} icon={icon()}>
      {VERDICTS[props.of].word}
    </Badge>
  )
}
