/**
 * The bus as the product sees it: at least once, in any order. Nothing of a broker's library shows through.
 *
 * Errors: `Transient` (the same call may work later), `Denied` (it will not until somebody changes something:
 * rights, a missing entity, a message too large) and `LockLost` (somebody else has the message by now).
 */
export interface BusMessage {
  /** Also the id by which a queue with duplicate detection drops a second copy. */
  readonly id: string
  readonly subject: string
  readonly correlationId?: string
  /** Messages of one session are handled one by one, in order. Needed on queues that require sessions. */
  readonly sessionId?: string
  /** Filters look at these; the W3C trace properties are among them. */
  readonly properties: Readonly<Record<string, string | number | boolean>>
  /** A string arrives as a string, bytes as bytes. */
  readonly body: Uint8Array | string
  /** When it shall become visible, ISO 8601 with Z. */
  readonly scheduledFor?: string
}

/** A message under a lock, to be settled once. */
export interface Received extends BusMessage {
  /** How often it was handed out before and not completed; 0 at first. */
  readonly deliveryCount: number
  /** ISO 8601 with Z; moves when the lock is renewed. */
  readonly lockedUntil: string
  complete(): Promise<void>
  /** Gives it back to be handed out again; at the entity's maximum it is dead-lettered instead. */
  abandon(reason?: string): Promise<void>
  deadLetter(reason: string, description?: string): Promise<void>
  /** Extends the lock by hand. Locks are also renewed by themselves while the handler runs. */
  renew(): Promise<void>
}

/** A message that was set aside as unmanageable. */
export interface DeadLetter extends BusMessage {
  /** Names it within its dead-letter queue, as a decimal number. */
  readonly sequence: string
  readonly reason: string
  readonly description: string
  /** ISO 8601 with Z. */
  readonly enqueuedAt: string
}

/** Where dead letters lie: of a queue, or of a topic's subscription. */
export type Consumed = { readonly queue: string } | { readonly topic: string; readonly subscription: string }

export interface SubscribeOptions {
  /** Most messages in a batch, and most held at a time; 1 to 1,000. */
  readonly maxBatch: number
  /** How long a batch that is not full waits for more after its first message, in milliseconds. */
  readonly maxWaitMs: number
}

/** Something that runs until its signal. */
export interface Running {
  /** Resolves once the last handler has ended and what was not handled is given back. Never rejects. */
  readonly stopped: Promise<void>
}

export interface Session {
  readonly id: string
  /** Extends the session's lock by hand; it is also renewed by itself for as long as a handler runs. */
  renew(): Promise<void>
}

export interface Bus {
  /** Resolves when the broker has accepted all of the messages, in as few batches as they fit. */
  publish(topic: string, messages: readonly BusMessage[], signal: AbortSignal): Promise<void>
  /** As `publish`, to a queue. */
  send(queue: string, messages: readonly BusMessage[], signal: AbortSignal): Promise<void>
  /**
   * Hands over what has come as soon as the handler is free. What the handler leaves unsettled, also by failing,
   * is abandoned. After a batch with an abandoned message the next one waits a growing while, so that a trouble
   * that passes does not use up the deliveries. Survives every disconnect until the signal.
   */
  subscribe(
    topic: string,
    subscription: string,
    options: SubscribeOptions,
    handle: (batch: Received[]) => Promise<void>,
    signal: AbortSignal,
  ): Running
  /**
   * Takes sessions as they have messages, up to `concurrency` at a time, and hands their messages over one by
   * one, in order. What the handler leaves unsettled is abandoned. Survives every disconnect until the signal.
   */
  acceptSessions(
    queue: string,
    options: { readonly concurrency: number },
    handle: (message: Received, session: Session) => Promise<void>,
    signal: AbortSignal,
  ): Running
  /** The dead letters of an entity, oldest first, at most `limit` (1 to 1,000); they stay where they are. */
  deadLetters(
    entity: Consumed,
    options: { readonly limit: number },
    signal: AbortSignal,
  ): Promise<readonly DeadLetter[]>
  /**
   * Sends a dead letter again, to its queue or topic, and removes it. Of a topic every subscription gets it, so
   * consumers must know what they have had. False: there is no such dead letter among the first 1,000.
   */
  resubmit(entity: Consumed, sequence: string, signal: AbortSignal): Promise<boolean>
  /** Ends the connection; end the subscriptions by their signals first. */
  close(): Promise<void>
}

/** Code of `Denied` for a message that no batch can hold; those before it may have gone. */
export const MESSAGE_TOO_LARGE = 'message-too-large'

/** The lock of a message or session ran out: somebody else may have it by now, so nothing was settled. */
export class LockLost extends Error {
  override readonly name = 'LockLost'
}
