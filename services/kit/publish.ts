import { type Bus, MESSAGE_TOO_LARGE } from './bus/bus.ts'
import { Denied } from './failure.ts'
import type { Stored } from './ledger/read.ts'
import { placedOf } from './member.ts'
import { toMessage } from './message.ts'

/**
 * Publishes events in order. One that no message holds is left out and told of: its consumers find it in the ledger, as
 * they find a message that was lost. Were it tried again instead, nothing behind it would ever be published.
 */
export async function publishEvents(
  bus: Pick<Bus, 'publish'>,
  topic: string,
  batch: readonly Stored[],
  options: { readonly signal: AbortSignal; readonly leftOut: (event: Stored) => void },
): Promise<void> {
  const { signal, leftOut } = options
  try {
    await bus.publish(
      topic,
      batch.map((s) => toMessage({ ...placedOf(s), id: s.id, type: s.type, stream: s.stream })),
      signal,
    )
  } catch (error) {
    if (!(error instanceof Denied) || error.code !== MESSAGE_TOO_LARGE) throw error
    const [only, ...others] = batch
    if (only && others.length === 0) {
      leftOut(only)
      return
    }
    // In halves, so that few messages go out a second time.
    const half = Math.ceil(batch.length / 2)
    await publishEvents(bus, topic, batch.slice(0, half), options)
    await publishEvents(bus, topic, batch.slice(half), options)
  }
}
