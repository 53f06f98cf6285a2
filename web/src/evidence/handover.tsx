import Download from 'lucide-solid/icons/download'
import { For, type JSX, type ParentProps, Show } from 'solid-js'
import { api } from '../api.ts'
import { createReading } from '../reading.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
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
              <Handed
                title="signer.pub"
                note={
                  <Badge tone={known().signer.kind === 'key-vault' ? 'good' : 'medium'}>
                    {known().signer.kind === 'key-vault' ? 'in Key Vault' : 'local key'}
                  </Badge>
                }
                file="signer.pub"
                text={known().signerPem}
              >
                <p class="fingerprint">
                  <code>{grouped(known().signer.fingerprint)}</code>
                  <CopyButton text={known().signer.fingerprint} label="Copy the fingerprint" />
                </p>
              </Handed>
              <Handed
                title="checkpoint.vkey"
                note={<span class="faint">the log’s keys: who signed the checkpoints</span>}
                file="checkpoint.vkey"
                text={known().checkpointVerifiers}
              />
              <For each={known().tsa}>
                {(tsa, i) => (
                  <Handed
                    title={tsa.name}
                    note={
                      <Badge tone={tsa.independent ? 'good' : 'medium'}>
                        {tsa.independent ? 'independent' : 'local, not independent'}
                      </Badge>
                    }
                    file={i() === 0 ? 'tsa-root.pem' : `tsa-root-${i() + 1}.pem`}
                    text={tsa.rootPem}
                  />
                )}
              </For>
            </>
          )}
        </Show>
      </Panel>
    </>
  )
}

/** One file to hand over: what it is, and a button that saves it. */
function Handed(props: ParentProps<{ title: string; note: JSX.Element; file: string; text: string }>) {
  return (
    <div class="handed">
      <p>
        <strong>{props.title}</strong> {props.note}
      </p>
      {props.children}
      <Button onClick={() => save(props.file, props.text)} icon={<Download size={14} aria-hidden="true" />}>
        {props.file}
      </Button>
    </div>
  )
}
