import type { ServiceBusClient, ServiceBusSessionReceiver } from '@azure/service-bus'
import { isServiceBusError } from '@azure/service-bus'
import { pause } from '../clock.ts'
import type { Received, Session } from './bus.ts'
import { mended, settleable } from './message-wire.ts'
import { closed } from './subscription.ts'

/** How long an accepted session may be empty before it is let go for others. */
const EMPTY_MS = 250
const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 5_000
/** A session's lock is renewed by itself for so long; a longer job must not keep its session. */
const LONGEST_HOLD_MS = 6 * 3_600_000

type Handle = (message: Received, session: Session) => Promise<void>
type Report = (error: unknown) => void

/**
 * The accept loop that the SDK lacks: accepts the next session that has messages, hands them over one by one in
 * order, and lets the session go when it is empty or in trouble. A session receiver never reconnects by itself, so
 * every error ends it, and the next is accepted after a growing pause.
 *
 * Up to `concurrency` sessions are served at once, but an idle queue has a single request waiting: each is a link that
 * the service bills and that every frame of the connection walks past. One more waits for each session that is served,
 * so a burst is taken up in a few round trips.
 */
export async function runSessions(
  client: ServiceBusClient,
  queue: string,
  concurrency: number,
  handle: Handle,
  signal: AbortSignal,
  report: Report,
): Promise<void> {
  const running = new Set<Promise<void>>()
  let waiting = 0
  let serving = 0
  let pauseMs = 0

  const fill = (): void => {
    while (!signal.aborted && waiting + serving < Math.max(1, concurrency) && waiting <= serving) {
      waiting++
      const turn = takeOne().finally(() => running.delete(turn))
      running.add(turn)
    }
  }

  const takeOne = async (): Promise<void> => {
    const receiver = await accepted(client, queue, signal, report)
    waiting--
    let troubled = receiver === 'trouble'
    if (receiver !== 'trouble' && receiver !== 'none') {
      serving++
      fill()
      troubled = await serve(receiver, handle, signal, report)
      serving--
    }
    pauseMs = troubled ? Math.min(Math.max(pauseMs * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS) : 0
    if (pauseMs > 0) await pause(pauseMs, signal)
    fill()
  }

  fill()
  while (running.size > 0) await Promise.all(running)
}

/** The next session; `none` when none came in the SDK's time or the signal did. */
async function accepted(
  client: ServiceBusClient,
  queue: string,
  signal: AbortSignal,
  report: Report,
): Promise<ServiceBusSessionReceiver | 'none' | 'trouble'> {
  const { promise: ended, resolve } = Promise.withResolvers<'none'>()
  const end = (): void => resolve('none')
  signal.addEventListener('abort', end, { once: true })
  try {
    const accepting = client.acceptNextSession(queue, {
      skipParsingBodyAsJson: true,
      maxAutoLockRenewalDurationInMs: LONGEST_HOLD_MS,
      abortSignal: signal,
    })
    const receiver = await Promise.race([accepting, ended])
    // The SDK cannot be called off while it waits for a session: one that comes too late is let go.
    if (receiver === 'none') accepting.then((late) => late.close(), ignoreAfterEnd).catch(report)
    return receiver
  } catch (error) {
    if (signal.aborted || isNoSession(error)) return 'none'
    report(error)
    return 'trouble'
  } finally {
    signal.removeEventListener('abort', end)
  }
}

/** Handles the messages of a session until it is empty. True: there was trouble. */
async function serve(
  receiver: ServiceBusSessionReceiver,
  handle: Handle,
  signal: AbortSignal,
  report: Report,
): Promise<boolean> {
  const renew = (): Promise<Date> => receiver.renewSessionLock()
  const session: Session = {
    id: receiver.sessionId,
    renew: async () => {
      await mended(renew)
    },
  }
  try {
    while (!signal.aborted) {
      const [received] = await receiver.receiveMessages(1, { maxWaitTimeInMs: EMPTY_MS, abortSignal: signal })
      if (received === undefined) return false
      const message = settleable(receiver, received, renew)
      try {
        await handle(message, session)
      } catch (error) {
        report(error)
      }
      await message.abandon()
      if (message.settled === 'abandoned') return true
    }
    return false
  } catch (error) {
    if (signal.aborted) return false
    report(error)
    return true
  } finally {
    await closed(() => receiver.close(), report)
  }
}

/** After the end, an accept that fails is what it should do. */
function ignoreAfterEnd(): void {}

function isNoSession(error: unknown): boolean {
  return (
    isServiceBusError(error) && (error.code === 'ServiceTimeout' || error.code === 'SessionCannotBeLocked')
  )
}
