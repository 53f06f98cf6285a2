import { createSignal, Show } from 'solid-js'
import { api } from '../api.ts'
import { createAction } from '../reading.ts'
import { NOT_PROVED, useProof } from '../session/proof.tsx'
import { Button } from '../ui/button.tsx'
import { Code } from '../ui/copy.tsx'
import { ProblemNotice } from '../ui/notice.tsx'

/** The key that a receiver checks notices with, shown to who asks for it; the ledger tells who did. */
export function WebhookKey(props: { policy: string }) {
  const proof = useProof()
  const [key, setKey] = createSignal<string>()
  const show = createAction(async (policy: string) => {
    const reply = await proof.guarded(() => api.rotation.showWebhookKey({ params: { policy } }))
    if (reply !== NOT_PROVED) setKey(reply.key)
  })
  return (
    <>
      <ProblemNotice problem={show.problem()} />
      <Show
        when={key()}
        fallback={
          <Button onClick={() => void show.run(props.policy)} busy={show.busy()}>
            Show the key
          </Button>
        }
      >
        {(shown) => <Code text={shown()} label="webhook key" short />}
      </Show>
    </>
  )
}
