import Download from 'lucide-solid/icons/download'
import { For, Show } from 'solid-js'
import { api } from '../api.ts'
import { createReading } from '../reading.ts'
import { Badge } from '../ui/badge.tsx'
import { CopyButton } from '../ui/copy.tsx'
import { ProblemNotice, Skeleton } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { COMMANDS, grouped } from './reports.ts'
import { save } from './save.ts'

/** What an auditor is given by another way than the bundle, and how to verify with tools of their own. */
export function Handover() {
  const keys = createReading(api.evidence.readKeys, () => ({}))
  return (
    <>
      <Panel title="Verify a bundle" class="verify" note="no tool of ours needed">
        <ol class="commands">
          <For each={COMMANDS}>
            {(c) => (
              <li>
                <p>{c.says}</p>
                <div class="command">
                  <code tabindex="0" aria-label={`Command: ${c.command}`}>
                    {c.command}
                  </code>
                  <CopyButton text={c.command} label="Copy the command" />
                </div>
              </li>
            )}
          </For>
        </ol>
        <p class="faint">Run inside the unzipped bundle, with the two files below beside it.</p>
        <p>
          <a href="/evidence/verify">Or drop a bundle on a page that verifies it here</a>
        </p>
      </Panel>
      <Panel title="Hand over by another way" class="keys">
        <p class="soft">
          Give these to the auditor by mail, in person, or in a contract: a bundle’s own copy is a hint, never
          proof.
        </p>
        <ProblemNotice problem={keys.problem()} again={keys.again} />
        <Show
          when={keys.data()}
          fallback={
            <Show when={keys.loading()}>
              <Skeleton lines={4} />
            </Show>
          }
        >
          {(known) => (
            <>
              <div class="handed">
                <p>
                  <strong>signer.pub</strong>{' '}
                  <Badge tone={known().signer.kind === 'key-vault' ? 'good' : 'medium'}>
                    {known().signer.kind === 'key-vault' ? 'in Key Vault' : 'local key'}
                  </Badge>
                </p>
                <p class="fingerprint">
                  <code>{grouped(known().signer.fingerprint)}</code>
                  <CopyButton text={known().signer.fingerprint} label="Copy the fingerprint" />
                </p>
                <button
                  type="button"
                  class="button"
                  data-kind="plain"
                  onClick={() => save('signer.pub', known().signerPem)}
                >
                  <Download size={14} aria-hidden="true" />
                  signer.pub
                </button>
              </div>
              <div class="handed">
                <p>
                  <strong>checkpoint.vkey</strong>{' '}
                  <span class="faint">the log’s keys: who signed the checkpoints</span>
                </p>
                <button
                  type="button"
                  class="button"
                  data-kind="plain"
                  onClick={() => save('checkpoint.vkey', known().checkpointVerifiers)}
                >
                  <Download size={14} aria-hidden="true" />
                  checkpoint.vkey
                </button>
              </div>
              <For each={known().tsa}>
                {(tsa, i) => (
                  <div class="handed">
                    <p>
                      <strong>{tsa.name}</strong>{' '}
                      <Badge tone={tsa.independent ? 'good' : 'medium'}>
                        {tsa.independent ? 'independent' : 'local, not independent'}
                      </Badge>
                    </p>
                    <button
                      type="button"
                      class="button"
                      data-kind="plain"
                      onClick={() =>
                        save(i() === 0 ? 'tsa-root.pem' : `tsa-root-${i() + 1}.pem`, tsa.rootPem)
                      }
                    >
                      <Download size={14} aria-hidden="true" />
                      {i() === 0 ? 'tsa-root.pem' : `tsa-root-${i() + 1}.pem`}
                    </button>
                  </div>
                )}
              </For>
            </>
          )}
        </Show>
      </Panel>
    </>
  )
}
