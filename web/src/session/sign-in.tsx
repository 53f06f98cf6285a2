import { useQueryClient } from '@tanstack/solid-query'
import { createSignal } from 'solid-js'
import { api } from '../api.ts'
import { createAction } from '../reading.ts'
import { Wordmark } from '../shell/mark.tsx'
import { Button } from '../ui/button.tsx'
import { Field } from '../ui/field.tsx'
import { ProblemNotice } from '../ui/notice.tsx'

/** The door. Wrong, locked and too-many states say what happened and what to do, and never which half was wrong. */
export function SignIn(props: { ended?: boolean }) {
  const queries = useQueryClient()
  const [name, setName] = createSignal('')
  const [password, setPassword] = createSignal('')
  const signIn = createAction(async () => {
    const reply = await api.gateway.login({ body: { name: name().trim(), password: password() } })
    // A look at the session that set out before would come back and say that nobody is signed in.
    await queries.cancelQueries({ queryKey: [api.gateway.session.id] })
    // What somebody else saw in this window is forgotten; the session's own read stays, the door watches it.
    queries.removeQueries({ predicate: (query) => query.queryKey[0] !== api.gateway.session.id })
    queries.setQueryData([api.gateway.session.id, {}], reply.session)
  })
  return (
    <main class="door">
      <form
        class="door-card"
        onSubmit={(event) => {
          event.preventDefault()
          void signIn.run()
        }}
      >
        <Wordmark />
        <h1>Sign in</h1>
        <p class="faint">
          {props.ended
            ? 'Your session has ended. Sign in to go on where you were.'
            : 'To the operator console.'}
        </p>
        <Field label="Name">
          {(id) => (
            <input
              id={id}
              type="text"
              autocomplete="username"
              required
              autofocus
              spellcheck={false}
              value={name()}
              onInput={(event) => setName(event.currentTarget.value)}
            />
          )}
        </Field>
        <Field label="Password">
          {(id) => (
            <input
              id={id}
              type="password"
              autocomplete="current-password"
              required
              value={password()}
              onInput={(event) => setPassword(event.currentTarget.value)}
            />
          )}
        </Field>
        <ProblemNotice problem={signIn.problem()} />
        <Button kind="primary" type="submit" busy={signIn.busy()}>
          Sign in
        </Button>
        <p class="door-note">
          First time here? The terminal that started Attestry printed the administrator’s one-time password,
          and a file that only its owner may read holds it.
        </p>
      </form>
    </main>
  )
}
