import FileSearch from 'lucide-solid/icons/file-search'
import { createSignal, For, Show } from 'solid-js'
import { api } from '../api.ts'
import { createAction, createReading } from '../reading.ts'
import { useSession } from '../session/session.tsx'
import { Button } from '../ui/button.tsx'
import { Field } from '../ui/field.tsx'
import { ProblemNotice } from '../ui/notice.tsx'
import { PageHead } from '../ui/panel.tsx'

type Verified = Awaited<ReturnType<typeof import('../verifier/files.ts').verifyFiles>>

const MARKS = { true: 'holds', false: 'FAILS', 'not-checked': 'not asked' } as const

/** Verifies a bundle in this page with the auditor's verifier: nothing is uploaded. */
export function VerifyBundle() {
  const { may } = useSession()
  const [bundle, setBundle] = createSignal<File>()
  const [against, setAgainst] = createSignal<File>()
  const [signer, setSigner] = createSignal<File>()
  const [roots, setRoots] = createSignal<File>()
  const [checkpoint, setCheckpoint] = createSignal<File>()
  const [over, setOver] = createSignal(false)
  const [outcome, setOutcome] = createSignal<{ verdict: Verified; words: string }>()
  const keys = createReading(api.evidence.readKeys, () => (may(api.evidence.readKeys) ? {} : undefined))
  const own = (): boolean => !signer() && !roots() && !checkpoint()
  /** How often a file was chosen: a verdict is of the files that are still the chosen ones, or of none. */
  let choices = 0
  const choose = (set: () => void): void => {
    choices += 1
    setOutcome(undefined)
    set()
  }
  const take = (file: File | undefined): void => choose(() => setBundle(file))
  const verify = createAction(async () => {
    const file = bundle()
    if (!file) return
    setOutcome(undefined)
    const asked = choices
    const { verdictWords, verifyFiles } = await import('../verifier/files.ts')
    const known = keys.data()
    const text = (given: File | undefined, ours: string | null | undefined): Blob | null =>
      given ?? (own() && ours ? new Blob([ours]) : null)
    const verdict = await verifyFiles(
      {
        bundle: file,
        signer: text(signer(), known?.signerPem),
        roots: text(roots(), known?.tsa.map(({ rootPem }) => rootPem).join('\n')),
        checkpoint: text(checkpoint(), known?.checkpointVerifiers),
        against: against() ?? null,
        from: '',
        to: '',
      },
      new Date(),
    )
    if (asked === choices) setOutcome({ verdict, words: verdictWords(verdict) })
  })
  const Chosen = (chosen: {
    label: string
    hint: string
    accept: string
    set: (file: File | undefined) => void
  }) => (
    <Field label={chosen.label} hint={chosen.hint}>
      {(id, describedBy) => (
        <input
          id={id}
          type="file"
          accept={chosen.accept}
          aria-describedby={describedBy}
          onChange={(event) => {
            const file = event.currentTarget.files?.[0]
            choose(() => chosen.set(file))
          }}
        />
      )}
    </Field>
  )
  return (
    <div class="page">
      <PageHead
        title="Verify a bundle"
        note={<>in this page; nothing is uploaded</>}
        actions={<a href="/evidence">All bundles</a>}
      />
      <div class="verify-page">
        <form
          class="panel stack"
          onSubmit={(event) => {
            event.preventDefault()
            void verify.run()
          }}
        >
          <label
            class="drop"
            data-over={over() ? '' : undefined}
            onDragOver={(event) => {
              event.preventDefault()
              setOver(true)
            }}
            onDragLeave={() => setOver(false)}
            onDrop={(event) => {
              event.preventDefault()
              setOver(false)
              take(event.dataTransfer?.files[0])
            }}
          >
            <FileSearch size={20} aria-hidden="true" />
            <span>{bundle()?.name ?? 'Drop a bundle here, or choose one'}</span>
            <input
              type="file"
              class="unseen"
              accept=".zip"
              aria-label="Bundle"
              onChange={(event) => take(event.currentTarget.files?.[0])}
            />
          </label>
          <details class="narrowing">
            <summary>Keys that came to you another way, and a bundle to compare with</summary>
            <div class="stack">
              <Chosen
                label="signer.pub"
                hint="Every key that bundles were signed with."
                accept=".pub,.pem"
                set={setSigner}
              />
              <Chosen
                label="tsa-root.pem"
                hint="Roots of the time-stamp authorities."
                accept=".pem"
                set={setRoots}
              />
              <Chosen
                label="checkpoint.vkey"
                hint="The log’s key, one line."
                accept=".vkey,.txt"
                set={setCheckpoint}
              />
              <Chosen
                label="Another bundle"
                hint="Of the same ledger, from earlier or later."
                accept=".zip"
                set={setAgainst}
              />
            </div>
          </details>
          <Show when={own()}>
            <p class="notice" data-tone="medium">
              With no files chosen, the keys of this install are used. That finds damage and forgery by
              strangers, not by whoever runs this install: an auditor uses keys that came another way, and the
              verifier as a file of their own.
            </p>
          </Show>
          <ProblemNotice problem={verify.problem() ?? keys.problem()} />
          <div class="dialog-actions">
            <Button kind="primary" type="submit" busy={verify.busy()} disabled={!bundle()}>
              Verify
            </Button>
          </div>
        </form>
        <section class="panel" aria-label="Verdict" aria-live="polite">
          <Show
            when={outcome()}
            fallback={
              <p class="soft">
                {verify.busy()
                  ? 'Reading every file, every event and every signature …'
                  : 'Each check is listed here with what it found. What each proves, and what nothing proves, is in docs/verification.md.'}
              </p>
            }
          >
            {(found) => (
              <>
                <h2 class="verdict" data-ok={String(found().verdict.ok)}>
                  {found().words}
                </h2>
                <ol class="checks">
                  <For each={found().verdict.checks}>
                    {(check) => (
                      <li data-ok={String(check.ok)}>
                        <span class="check-mark">{MARKS[`${check.ok}`]}</span>
                        <span>
                          <strong>{check.title}</strong>
                          <span class="soft">{check.detail}</span>
                        </span>
                      </li>
                    )}
                  </For>
                </ol>
              </>
            )}
          </Show>
        </section>
      </div>
    </div>
  )
}
