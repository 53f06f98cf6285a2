import {
  isServiceBusError,
  type ServiceBusMessage,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
} from '@azure/service-bus'
import { Denied, Transient } from '../failure.ts'
import { type BusMessage, LockLost, type Received } from './bus.ts'

const TEXT = 'text/plain; charset=utf-8'
const BYTES = 'application/octet-stream'
/** Holds the id that a message had before it was sent again under another. */
const ORIGINAL_ID = 'original-id'

/**
 * A message for the SDK. The body always goes as bytes, for the SDK would write a string as JSON; the content type
 * says which of the two it was.
 */
export function toWire(message: BusMessage & { readonly wireId?: string }): ServiceBusMessage {
  const { body } = message
  const properties =
    message.wireId === undefined ? message.properties : { ...message.properties, [ORIGINAL_ID]: message.id }
  return {
    messageId: message.wireId ?? message.id,
    subject: message.subject,
    contentType: typeof body === 'string' ? TEXT : BYTES,
    body:
      typeof body === 'string'
        ? Buffer.from(body)
        : Buffer.from(body.buffer, body.byteOffset, body.byteLength),
    applicationProperties: { ...properties },
    ...(message.correlationId === undefined ? {} : { correlationId: message.correlationId }),
    ...(message.sessionId === undefined ? {} : { sessionId: message.sessionId }),
    ...(message.scheduledFor === undefined
      ? {}
      : { scheduledEnqueueTimeUtc: new Date(message.scheduledFor) }),
  }
}

/** A message from the SDK; values that are neither text, number nor truth are left out of the properties. */
export function fromWire(received: ServiceBusReceivedMessage): BusMessage {
  const properties: Record<string, string | number | boolean> = {}
  for (const [name, value] of Object.entries(received.applicationProperties ?? {}))
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      properties[name] = value
  const { [ORIGINAL_ID]: original, ...rest } = properties
  return {
    id: String(original ?? received.messageId ?? ''),
    subject: received.subject ?? '',
    ...(received.correlationId === undefined ? {} : { correlationId: String(received.correlationId) }),
    ...(received.sessionId === undefined ? {} : { sessionId: received.sessionId }),
    properties: rest,
    body: bodyOf(received),
  }
}

function bodyOf({ body, contentType }: ServiceBusReceivedMessage): string | Uint8Array {
  const value: unknown = body
  if (value instanceof Uint8Array) return contentType === TEXT ? new TextDecoder().decode(value) : value
  // Only a foreign sender writes anything but bytes; its values are given as JSON.
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

/** A received message that remembers whether and how it was settled. */
export interface Settleable extends Received {
  readonly settled: 'completed' | 'abandoned' | 'dead-lettered' | undefined
}

/** A message to settle through its receiver. Settling it a second time does nothing. */
export function settleable(
  receiver: Pick<ServiceBusReceiver, 'completeMessage' | 'abandonMessage' | 'deadLetterMessage'>,
  received: ServiceBusReceivedMessage,
  renew: () => Promise<Date>,
): Settleable {
  let settled: Settleable['settled']
  let lockedUntil = received.lockedUntilUtc
  const once = async (how: NonNullable<Settleable['settled']>, act: () => Promise<void>): Promise<void> => {
    if (settled) return
    settled = how
    await mended(act)
  }
  return {
    ...fromWire(received),
    deliveryCount: received.deliveryCount ?? 0,
    get settled() {
      return settled
    },
    get lockedUntil() {
      return (lockedUntil ?? new Date(0)).toISOString()
    },
    complete: () => once('completed', () => receiver.completeMessage(received)),
    abandon: (reason) =>
      once('abandoned', () =>
        receiver.abandonMessage(received, reason === undefined ? {} : { AbandonReason: reason }),
      ),
    deadLetter: (reason, description) =>
      once('dead-lettered', () =>
        receiver.deadLetterMessage(received, {
          deadLetterReason: reason,
          deadLetterErrorDescription: description ?? '',
        }),
      ),
    renew: async () => {
      lockedUntil = await mended(renew)
    },
  }
}

const DENIED = new Set([
  'MessagingEntityDisabled',
  'MessagingEntityNotFound',
  'MessageSizeExceeded',
  'UnauthorizedAccess',
])

/** Runs `act` and turns the SDK's errors into those of the bus. */
export async function mended<Result>(act: () => Promise<Result>): Promise<Result> {
  try {
    return await act()
  } catch (error) {
    throw translated(error)
  }
}

/** An error of the SDK as one of the bus; of several tries the last one's. */
export function translated(cause: unknown): unknown {
  if (cause instanceof AggregateError && cause.errors.length > 0) return translated(cause.errors.at(-1))
  if (!(cause instanceof Error) || cause instanceof Denied || cause.name === 'AbortError') return cause
  if (!isServiceBusError(cause))
    return 'retryable' in cause && cause.retryable ? new Transient(cause.message, { cause }) : cause
  if (cause.code === 'MessageLockLost' || cause.code === 'SessionLockLost')
    return new LockLost(cause.message, { cause })
  if (DENIED.has(cause.code)) return new Denied(cause.code, cause.message, { cause })
  // What the broker refused for good comes as a general error that must not be tried again.
  if (cause.code === 'GeneralError' && !cause.retryable)
    return new Denied(cause.code, cause.message, { cause })
  return new Transient(cause.message, { cause })
}
