import type { TokenCredential } from '@azure/core-auth'
import {
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
  ServiceBusClient,
  type ServiceBusSender,
} from '@azure/service-bus'
import { Denied } from '../failure.ts'
import { type Bus, type BusMessage, type Consumed, type DeadLetter, MESSAGE_TOO_LARGE } from './bus.ts'
import { fromWire, mended, toWire, translated } from './message-wire.ts'
import { runSessions } from './sessions.ts'
import { closed, runSubscription } from './subscription.ts'

/** Where the bus is: a connection string, or a namespace's host name with a credential. */
export interface BusOptions {
  readonly connectionString?: string | undefined
  readonly namespace?: string | undefined
  readonly credential?: TokenCredential | undefined
  /** Told of trouble that the bus gets over by itself, for the log. */
  readonly onError?: ((error: unknown, where: string) => void) | undefined
}

/** Bounds one attempt at anything; a send is tried four times in all, with growing pauses. */
const RETRY = {
  timeoutInMs: 15_000,
  maxRetries: 3,
  retryDelayInMs: 500,
  maxRetryDelayInMs: 5_000,
  mode: 0,
} as const
const MOST_DEAD_LETTERS = 1_000
const DEAD_LETTER_WAIT_MS = 1_000

/**
 * Opens the bus over Azure Service Bus, its emulator or the local broker: the connection string alone says which.
 * Nothing is connected before the first use. One bus, and so one connection, a process.
 *
 * @throws Denied `bus-configuration` when neither or both ways are given, or the string is malformed.
 */
export function openBus(options: BusOptions): Bus {
  const client = connect(options)
  /** Passes trouble on; that a call was called off at the end is none. */
  const reporting =
    (where: string, signal: AbortSignal) =>
    (error: unknown): void => {
      const called = error instanceof Error && error.name === 'AbortError'
      if (!(called && signal.aborted)) options.onError?.(translated(error), where)
    }
  const senders = new Map<string, ServiceBusSender>()
  const senderOf = (entity: string): ServiceBusSender => {
    const sender = senders.get(entity) ?? client.createSender(entity)
    senders.set(entity, sender)
    return sender
  }
  const send = (entity: string, messages: readonly BusMessage[], signal: AbortSignal): Promise<void> =>
    mended(() => sendInBatches(senderOf(entity), messages, signal))

  return {
    publish: send,
    send,

    subscribe(topic, subscription, { maxBatch, maxWaitMs }, handle, signal) {
      const where = `${topic}/${subscription}`
      const limits = { maxBatch: Math.min(Math.max(1, maxBatch), 1_000), maxWaitMs }
      const receiver = client.createReceiver(topic, subscription, { skipParsingBodyAsJson: true })
      return { stopped: runSubscription(receiver, limits, handle, signal, reporting(where, signal)) }
    },

    acceptSessions(queue, { concurrency }, handle, signal) {
      return {
        stopped: runSessions(client, queue, concurrency, handle, signal, reporting(queue, signal)),
      }
    },

    deadLetters: (entity, { limit }, signal) =>
      withDeadLetters(client, entity, async (receiver) => {
        const letters = await receiver.peekMessages(Math.min(Math.max(1, limit), MOST_DEAD_LETTERS), {
          abortSignal: signal,
        })
        return letters.map(deadLetter)
      }),

    resubmit: (entity, sequence, signal) =>
      withDeadLetters(client, entity, async (receiver) => {
        const passed: ServiceBusReceivedMessage[] = []
        let found: ServiceBusReceivedMessage | undefined
        while (found === undefined && passed.length < MOST_DEAD_LETTERS) {
          const some = await receiver.receiveMessages(100, {
            maxWaitTimeInMs: DEAD_LETTER_WAIT_MS,
            abortSignal: signal,
          })
          if (some.length === 0) break
          for (const letter of some) {
            if (letter.sequenceNumber?.toString() === sequence) found = letter
            else passed.push(letter)
          }
        }
        if (found) {
          const target = 'queue' in entity ? entity.queue : entity.topic
          await sendInBatches(senderOf(target), [again(found)], signal)
          await receiver.completeMessage(found)
        }
        for (const letter of passed) await receiver.abandonMessage(letter)
        return found !== undefined
      }),

    async close() {
      await closed(
        () => client.close(),
        (error) => options.onError?.(translated(error), 'close'),
      )
    },
  }
}

function connect({ connectionString, namespace, credential }: BusOptions): ServiceBusClient {
  if ((connectionString === undefined) === (namespace === undefined))
    throw new Denied('bus-configuration', 'Set either SERVICE_BUS_CONNECTION or SERVICE_BUS_NAMESPACE.')
  try {
    if (connectionString !== undefined) return new ServiceBusClient(connectionString, { retryOptions: RETRY })
  } catch (cause) {
    // The SDK's own words may quote the string, and with it the key.
    throw new Denied('bus-configuration', 'SERVICE_BUS_CONNECTION is no Service Bus connection string.', {
      cause,
    })
  }
  if (namespace === undefined || credential === undefined)
    throw new Denied('bus-configuration', 'SERVICE_BUS_NAMESPACE needs a credential.')
  return new ServiceBusClient(namespace, credential, { retryOptions: RETRY })
}

/** One round trip a batch; the next begins when the one before was accepted, so order is kept. */
async function sendInBatches(
  sender: ServiceBusSender,
  messages: readonly BusMessage[],
  signal: AbortSignal,
): Promise<void> {
  const options = { abortSignal: signal }
  if (messages.length === 0) return
  let batch = await sender.createMessageBatch(options)
  for (const message of messages) {
    const wire = toWire(message)
    if (batch.tryAddMessage(wire)) continue
    if (batch.count > 0) {
      await sender.sendMessages(batch, options)
      batch = await sender.createMessageBatch(options)
      if (batch.tryAddMessage(wire)) continue
    }
    throw new Denied(
      MESSAGE_TOO_LARGE,
      `The message ${message.id} is larger than the ${batch.maxSizeInBytes} bytes that '${sender.entityPath}' takes.`,
    )
  }
  if (batch.count > 0) await sender.sendMessages(batch, options)
}

async function withDeadLetters<Result>(
  client: ServiceBusClient,
  entity: Consumed,
  act: (receiver: ServiceBusReceiver) => Promise<Result>,
): Promise<Result> {
  const options = { subQueueType: 'deadLetter', skipParsingBodyAsJson: true } as const
  const receiver =
    'queue' in entity
      ? client.createReceiver(entity.queue, options)
      : client.createReceiver(entity.topic, entity.subscription, options)
  try {
    return await mended(() => act(receiver))
  } finally {
    await receiver.close()
  }
}

const DEAD_LETTER_PROPERTIES = ['DeadLetterReason', 'DeadLetterErrorDescription']

function deadLetter(received: ServiceBusReceivedMessage): DeadLetter {
  return {
    ...withoutReason(fromWire(received)),
    sequence: received.sequenceNumber?.toString() ?? '',
    reason: received.deadLetterReason ?? '',
    description: received.deadLetterErrorDescription ?? '',
    enqueuedAt: (received.enqueuedTimeUtc ?? new Date(0)).toISOString(),
  }
}

/** A fresh copy. Its wire id is new, for duplicate detection would drop the old one; who receives it sees the old. */
function again(received: ServiceBusReceivedMessage): BusMessage & { readonly wireId: string } {
  const message = withoutReason(fromWire(received))
  return { ...message, wireId: `${message.id}~${received.sequenceNumber?.toString() ?? ''}` }
}

function withoutReason(message: BusMessage): BusMessage {
  const kept = Object.entries(message.properties).filter(([name]) => !DEAD_LETTER_PROPERTIES.includes(name))
  return { ...message, properties: Object.fromEntries(kept) }
}
