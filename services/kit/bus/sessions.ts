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
 * The accept loop that the SDK lacks: `concurrency` loops, each accepting the next session that has messages,
 * handing them over one by one in order, and letting the session go when it is empty or in trouble. A session
 * receiver never reconnects by itself, so every error ends it and the loop accepts anew, after a growing pause.
 */
export async function runSessions(
  client: ServiceBusClient,
  queue: string,
  concurrency: number,
  handle: Handle,
  signal: AbortSignal,
  report: Report,
): Promise<void> {
  await Promise.all(
    Array.from({ length: Math.max(1, concurrency) }, () => acceptLoop(client, queue, handle, signal, report)),
  )
}

async function acceptLoop(
  client: ServiceBusClient,
  queue: string,
  handle: Handle,
  signal: AbortSignal,
  report: Report,
): Promise<void> {
  let pauseMs = 0
  while (!signal.aborted) {
    let troubled: boolean
    try {
      const receiver = await accepted(client, queue, signal, report)
      troubled = receiver === undefined ? false : await serve(receiver, handle, signal, report)
    } catch (error) {
      report(error)
      troubled = true
    }
    pauseMs = troubled ? Math.min(Math.max(pauseMs * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS) : 0
    if (pauseMs > 0) await pause(pauseMs, signal)
  }
}

/** The next session, or undefined when none came in the SDK's time or the signal did. */
async function accepted(
  client: ServiceBusClient,
  queue: string,
  signal: AbortSignal,
  report: Report,
): Promise<ServiceBusSessionReceiver | undefined> {
  const options = {
    skipParsingBodyAsJson: true,
    maxAutoLockRenewalDurationInMs: LONGEST_HOLD_MS,
    abortSignal: signal,
  }
  const accepting = client.acceptNextSession(queue, options)
  const ended = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  try {
    const receiver = await Promise.race([accepting, ended])
    // The SDK cannot be called off while it waits for a session: one that comes too late is let go.
    if (receiver === undefined) accepting.then((late) => late.close(), ignoreAfterEnd).catch(report)
    return receiver
  } catch (error) {
    if (signal.aborted || isNoSession(error)) return undefined
    throw error
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
