import { useQueryClient } from '@tanstack/solid-query'
import { api } from '../api.ts'
import { createAction } from '../reading.ts'
import { Wordmark } from '../shell/mark.tsx'
import { Button } from '../ui/button.tsx'
import { ProblemNotice } from '../ui/notice.tsx'

/** Where an auditor's link leads. What stands after the sign never reaches a server's log, and is taken away at once. */
export const LINK_PATH = '/enter'

export const linkOf = (origin: string, secret: string): string => `${origin}${LINK_PATH}#${secret}`

/** The auditor's door. It waits for a press: a mail scanner that follows the link must not use it up. */
export function EnterAsAuditor() {
  const queries = useQueryClient()
  const secret = window.location.hash.slice(1)
  const enter = createAction(async () => {
    await api.gateway.enterAsAuditor({ body: { secret } })
    window.history.replaceState(null, '', '/evidence')
    // The whole console anew, as somebody else.
    queries.clear()
    window.location.replace('/evidence')
  })
  return (
    <main class="door">
      <form
        class="door-card"
        onSubmit={(event) => {
          event.preventDefault()
          void enter.run()
        }}
      >
        <Wordmark />
        <h1>Enter as an auditor</h1>
        <p class="soft">
          This link opens one session. You will see evidence bundles, the ledger and its verification, and
          nothing else; each visit is recorded in the ledger.
        </p>
        <ProblemNotice problem={enter.problem()} />
        <Button kind="primary" type="submit" busy={enter.busy()} disabled={secret === ''}>
          Enter
        </Button>
      </form>
    </main>
  )
}
