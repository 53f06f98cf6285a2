import { createContext, createSignal, type ParentProps, useContext } from 'solid-js'
import { api } from '../api.ts'
import { ProblemError } from '../problem.ts'
import { createAction } from '../reading.ts'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { ProblemNotice } from '../ui/notice.tsx'
import { useSession } from './session.tsx'

/** The operator closed the dialog instead of proving the password. */
export const NOT_PROVED = Symbol('not proved')

interface Proof {
  /** Runs guarded work: asks for the password first where the proof has run out, and once more if the server says so. */
  guarded<T>(work: () => Promise<T>): Promise<T | typeof NOT_PROVED>
}

const Context = createContext<Proof>()

export function useProof(): Proof {
  const proof = useContext(Context)
  if (!proof) throw new Error('useProof needs ProofProvider above it')
  return proof
}

/** A proof about to run out is not worth starting with, milliseconds. */
const MARGIN_MS = 5000

export function ProofProvider(props: ParentProps) {
  const { session } = useSession()
  const [open, setOpen] = createSignal(false)
  const [password, setPassword] = createSignal('')
  let until = 0
  let settle: (proved: boolean) => void = () => {}

  const close = (proved: boolean): void => {
    setOpen(false)
    setPassword('')
    prove.clear()
    settle(proved)
  }
  const prove = createAction(async () => {
    const reply = await api.gateway.reauthenticate({ body: { password: password() } })
    until = Date.parse(reply.until)
    close(true)
  })
  /** Who asks while it is asked already waits for the same answer. */
  let asked: Promise<boolean> | undefined
  const ask = (): Promise<boolean> => {
    asked ??= new Promise((done) => {
      settle = (answer) => {
        asked = undefined
        done(answer)
      }
      setOpen(true)
    })
    return asked
  }
  const proved = (): boolean => {
    const told = session().reauthenticatedUntil
    return Math.max(until, told === null ? 0 : Date.parse(told)) > Date.now() + MARGIN_MS
  }

  const proof: Proof = {
    async guarded(work) {
      if (!proved() && !(await ask())) return NOT_PROVED
      try {
        return await work()
      } catch (thrown) {
        const again = thrown instanceof ProblemError && thrown.problem.code === 'reauthenticate'
        if (!again) throw thrown
        return (await ask()) ? work() : NOT_PROVED
      }
    },
  }

  return (
    <Context.Provider value={proof}>
      {props.children}
      <Dialog
        open={open()}
        onClose={() => close(false)}
        title="Prove it is you"
        description="This action is signed with your name. Enter your password; it counts for five minutes."
      >
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault()
            void prove.run()
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
          <ProblemNotice problem={prove.problem()} />
          <div class="dialog-actions">
            <Button onClick={() => close(false)}>Cancel</Button>
            <Button kind="primary" type="submit" busy={prove.busy()}>
              Continue
            </Button>
          </div>
        </form>
      </Dialog>
    </Context.Provider>
  )
}
