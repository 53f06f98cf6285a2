import type { ServiceBusReceiver } from '@azure/service-bus'
import { pause } from '../clock.ts'
import type { Received, SubscribeOptions } from './bus.ts'
import { type Settleable, settleable } from './message-wire.ts'

const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 5_000

interface Arrival {
  readonly message: Settleable
  readonly done: () => void
}

/**
 * Streams a subscription into batches until the signal. The SDK's stream reconnects by itself for ever and renews
 * the locks of what it has handed over; here it is cut into batches: whatever has come by the time the handler is
 * free, so that a lone message need not wait for a batch to fill.
 */
export async function runSubscription(
  receiver: ServiceBusReceiver,
  { maxBatch, maxWaitMs }: SubscribeOptions,
  handle: (batch: Received[]) => Promise<void>,
  signal: AbortSignal,
  report: (error: unknown) => void,
): Promise<void> {
  const arrivals: Arrival[] = []
  let wake: () => void = () => undefined
  /** Resolves at the next arrival or the signal, or after `ms`. */
  const arrival = async (ms?: number): Promise<void> => {
    const woken = new AbortController()
    const any = AbortSignal.any([signal, woken.signal])
    wake = () => woken.abort()
    await (ms === undefined ? aborted(any) : pause(ms, any))
  }

  const stream = receiver.subscribe(
    {
      // Each message keeps its place among the `maxBatch` that may be out until its batch has ended.
      processMessage: (received) =>
        new Promise<void>((done) => {
          const renew = (): Promise<Date> => receiver.renewMessageLock(received)
          arrivals.push({ message: settleable(receiver, received, renew), done })
          wake()
        }),
      processError: ({ error }) => {
        report(error)
        return Promise.resolve()
      },
    },
    // Without the signal a stream that is just coming back after an outage does so before it lets itself be closed.
    { autoCompleteMessages: false, maxConcurrentCalls: maxBatch, abortSignal: signal },
  )

  let pauseMs = 0
  while (!signal.aborted) {
    if (arrivals.length === 0) {
      await arrival()
      continue
    }
    const deadline = performance.now() + maxWaitMs
    for (let left = maxWaitMs; arrivals.length < maxBatch && left > 0 && !signal.aborted; ) {
      await arrival(left)
      left = deadline - performance.now()
    }
    const batch = arrivals.splice(0, maxBatch)
    try {
      await handle(batch.map(({ message }) => message))
    } catch (error) {
      report(error)
    }
    await giveBack(batch, report)
    const troubled = batch.some(({ message }) => message.settled === 'abandoned')
    pauseMs = troubled ? Math.min(Math.max(pauseMs * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS) : 0
    if (pauseMs > 0) await pause(pauseMs, signal)
  }
  await closed(() => stream.close(), report)
  await giveBack(arrivals.splice(0), report)
  await closed(() => receiver.close(), report)
}

/** Abandons what is not settled and lets the stream have its place again. */
async function giveBack(batch: readonly Arrival[], report: (error: unknown) => void): Promise<void> {
  await Promise.all(
    batch.map(async ({ message, done }) => {
      try {
        await message.abandon()
      } catch (error) {
        report(error)
      }
      done()
    }),
  )
}

/** How long a link may take to close. One that was just being opened can keep the SDK waiting for a minute. */
const CLOSES_WITHIN_MS = 3_000

/** Closes a link of the SDK, but waits no longer than a stop may take. */
export async function closed(close: () => Promise<void>, report: (error: unknown) => void): Promise<void> {
  const done = new AbortController()
  const closing = close()
    .catch(report)
    .finally(() => done.abort())
  await Promise.race([closing, pause(CLOSES_WITHIN_MS, done.signal)])
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
