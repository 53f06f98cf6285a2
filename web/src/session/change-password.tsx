import { Password } from '@attestry/contracts/http'
import { useQueryClient } from '@tanstack/solid-query'
import { createSignal, Show } from 'solid-js'
import { api } from '../api.ts'
import { createAction } from '../reading.ts'
import { Wordmark } from '../shell/mark.tsx'
import { Button } from '../ui/button.tsx'
import { Field } from '../ui/field.tsx'
import { ProblemNotice } from '../ui/notice.tsx'
import { useSession } from './session.tsx'

/** The form for a new password, in the door (forced) and in Settings (chosen). */
export function ChangePassword(props: { onDone?: () => void }) {
  const { session } = useSession()
  const queries = useQueryClient()
  const [current, setCurrent] = createSignal('')
  const [next, setNext] = createSignal('')
  const [again, setAgain] = createSignal('')
  const [tried, setTried] = createSignal(false)
  const weak = (): string | undefined => Password.safeParse(next()).error?.issues[0]?.message
  const differs = (): boolean => next() !== again()
  const change = createAction(async () => {
    setTried(true)
    if (weak() || differs()) return
    await api.gateway.changePassword({ body: { current: current(), next: next() } })
    await queries.invalidateQueries({ queryKey: [api.gateway.session.id] })
    props.onDone?.()
  })
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault()
        void change.run()
      }}
    >
      <input
        type="text"
        class="unseen"
        autocomplete="username"
        value={session().name}
        readOnly
        tabIndex={-1}
        aria-label="Name"
      />
      <Field label={session().mustChangePassword ? 'One-time password' : 'Present password'}>
        {(id) => (
          <input
            id={id}
            type="password"
            autocomplete="current-password"
            required
            value={current()}
            onInput={(event) => setCurrent(event.currentTarget.value)}
          />
        )}
      </Field>
      <Field
        label="New password"
        hint="At least 12 characters. A few words you remember beat a short riddle."
        error={tried() ? weak() : undefined}
      >
        {(id, note) => (
          <input
            id={id}
            type="password"
            autocomplete="new-password"
            required
            aria-describedby={note}
            value={next()}
            onInput={(event) => setNext(event.currentTarget.value)}
          />
        )}
      </Field>
      <Field
        label="New password again"
        error={tried() && differs() ? 'differs from the one above' : undefined}
      >
        {(id, note) => (
          <input
            id={id}
            type="password"
            autocomplete="new-password"
            required
            aria-describedby={note}
            value={again()}
            onInput={(event) => setAgain(event.currentTarget.value)}
          />
        )}
      </Field>
      <ProblemNotice problem={change.problem()} />
      <Button kind="primary" type="submit" busy={change.busy()}>
        Change password
      </Button>
    </form>
  )
}

/** Shown instead of the console while the password is a one-time one. */
export function ForcedChange() {
  const { session } = useSession()
  return (
    <main class="door">
      <div class="door-card">
        <Wordmark />
        <h1>Choose your password</h1>
        <p class="faint">
          <Show when={session().name}>{(name) => <>You are signed in as {name()}. </>}</Show>
          The one-time password was for this moment only.
        </p>
        <ChangePassword />
      </div>
    </main>
  )
}
