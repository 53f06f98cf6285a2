import Check from 'lucide-solid/icons/check'
import Copy from 'lucide-solid/icons/copy'
import { createSignal, Show } from 'solid-js'
import { Button } from './button.tsx'

/** Copies a text, and says so. */
export function CopyButton(props: { text: string; label: string; word?: string }) {
  const [state, setState] = createSignal<'idle' | 'copied' | 'failed'>('idle')
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(props.text)
      setState('copied')
    } catch {
      // No clipboard without a secure origin or permission: say so, the text can still be selected.
      setState('failed')
    }
    setTimeout(() => setState('idle'), 2000)
  }
  return (
    <Button
      kind="quiet"
      square={!props.word}
      aria-label={state() === 'copied' ? `${props.label}: copied` : props.label}
      title={
        state() === 'failed' ? 'The browser allows no copying here: select the text instead.' : props.label
      }
      onClick={() => void copy()}
      icon={
        <Show when={state() === 'copied'} fallback={<Copy size={14} aria-hidden="true" />}>
          <Check size={14} aria-hidden="true" />
        </Show>
      }
    >
      {props.word}
    </Button>
  )
}

/** An id or digest in mono, shortened in the middle, whole in the tooltip, with a copy button. */
export function Code(props: { text: string; label: string; short?: boolean }) {
  const shown = (): string =>
    props.short && props.text.length > 22 ? `${props.text.slice(0, 12)}…${props.text.slice(-6)}` : props.text
  return (
    <span class="code">
      <code title={props.text}>{shown()}</code>
      <CopyButton text={props.text} label={`Copy ${props.label}`} />
    </span>
  )
}
