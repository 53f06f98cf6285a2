import { Show } from 'solid-js'
import { api } from '../api.ts'
import { createReading } from '../reading.ts'
import { useSession } from '../session/session.tsx'

/** The proof that one event is in the ledger, for whoever may fetch it. */
export function Receipt(props: { seq: number }) {
  const { may } = useSession()
  const newest = createReading(api.evidence.listCheckpoints, () =>
    may(api.evidence.readReceipt) ? { query: { limit: 1 } } : undefined,
  )
  const anchored = (): number => newest.data()?.items[0]?.size ?? 0
  return (
    <Show when={may(api.evidence.readReceipt) && newest.data()}>
      <Show
        when={props.seq <= anchored()}
        fallback={
          <p class="faint">
            No receipt yet: the next checkpoint will hold this event, within the hour or when you anchor now
            under Evidence.
          </p>
        }
      >
        <p>
          <a
            class="button"
            data-kind="plain"
            href={api.evidence.readReceipt.address({ params: { seq: String(props.seq) } })}
            download=""
            title="Shows, against a signed checkpoint, that this event is in the ledger: attestry receipt."
          >
            Inclusion receipt
          </a>
        </p>
      </Show>
    </Show>
  )
}
