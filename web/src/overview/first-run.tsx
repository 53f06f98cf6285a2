import Check from 'lucide-solid/icons/check'
import { type JSX, Show } from 'solid-js'
import { useSession } from '../session/session.tsx'
import { Panel } from '../ui/panel.tsx'
import type { Environments } from './scan.tsx'

/** The way from nothing to first findings. Each step says how far it is; it goes away when all are done. */
export function FirstRun(props: { environments: Environments; evaluated: boolean }) {
  const { session } = useSession()
  const demo = (): boolean => session().origin === 'demo'
  const connected = (): boolean => props.environments.items.length > 0
  const scanned = (): boolean => props.environments.items.some((e) => e.lastScan?.state === 'completed')
  const running = (): boolean =>
    props.environments.items.some((e) => e.lastScan?.state === 'running' || e.lastScan?.state === 'queued')
  return (
    <Show when={!props.evaluated}>
      <Panel title="From connection to first findings" class="first-run">
        <ol class="steps">
          <Step done={connected()} now={!connected()} title="Connect an environment">
            <Show
              when={demo()}
              fallback={
                <>
                  Give the identity Attestry runs as Reader on the subscriptions and Key Vault Reader on the
                  vaults, then <a href="/settings/environments">connect it</a>. Values of secrets are never
                  read.
                </>
              }
            >
              Done for you: a simulated estate stands behind this demonstration.
            </Show>
          </Step>
          <Step done={scanned()} now={connected() && !scanned()} title="Scan it">
            {running()
              ? 'The first scan runs; you see it below. You may leave this page.'
              : 'Press Scan now below. A hundred vaults take a few minutes; nothing is changed in the cloud.'}
          </Step>
          <Step done={props.evaluated} now={scanned() && !props.evaluated} title="See what is wrong">
            Forty rules are evaluated a moment after the scan. Findings come worst first, each with what to
            do.
          </Step>
          <Step done={false} now={false} title="Hand an auditor the evidence">
            A signed, timestamped bundle that can be verified offline. <a href="/evidence">Evidence</a>
          </Step>
        </ol>
      </Panel>
    </Show>
  )
}

function Step(props: { done: boolean; now: boolean; title: string; children: JSX.Element }) {
  return (
    <li data-done={props.done ? '' : undefined} aria-current={props.now ? 'step' : undefined}>
      <span class="step-mark">
        <Show when={props.done}>
          <Check size={14} aria-label="done" />
        </Show>
      </span>
      <div>
        <strong>{props.title}</strong>
        <p class="soft">{props.children}</p>
      </div>
    </li>
  )
}
