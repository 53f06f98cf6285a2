import { messageOf } from '@attestry/kit'

/** A checkpoint with its token, as it is handed to a second place. */
export interface AnchorCopy {
  readonly size: number
  /** The signed note. */
  readonly note: string
  /** The TimeStampResp, DER. */
  readonly token: Uint8Array
}

/**
 * Somewhere that whoever runs this install cannot rewrite: a write-once container, a receiver of the auditor's, a
 * mailbox. An insider who rewrites the chain and signs it anew cannot take back what lies there.
 */
export interface Place {
  readonly kind: 'blob' | 'webhook' | 'mail'
  /** Hands a copy over; doing it again does no harm. Throws when it could not be done. */
  readonly copy: (anchor: AnchorCopy, signal: AbortSignal) => Promise<void>
}

export interface Copied {
  readonly place: Place['kind']
  readonly problem: string | null
}

const COPY_WITHIN_MS = 30_000

/** Hands a copy to every place. One that fails is said, and holds up no other. */
export async function copyAnchor(
  places: readonly Place[],
  anchor: AnchorCopy,
  signal: AbortSignal,
): Promise<Copied[]> {
  return Promise.all(
    places.map(async ({ kind, copy }) => {
      try {
        await copy(anchor, AbortSignal.any([signal, AbortSignal.timeout(COPY_WITHIN_MS)]))
        return { place: kind, problem: null }
      } catch (error) {
        signal.throwIfAborted()
        return { place: kind, problem: messageOf(error) }
      }
    }),
  )
}
