/** A value an application property may carry over AMQP. */
export type Value = string | number | boolean | bigint | Date | Uint8Array | null | undefined

/**
 * One brokered message as the entities see it. The entities decide by these fields and never look inside
 * `sections`, which are the bytes as the sender encoded them.
 */
export interface Message {
  readonly messageId: string | undefined
  readonly correlationId: string | undefined
  readonly subject: string | undefined
  readonly to: string | undefined
  readonly replyTo: string | undefined
  readonly sessionId: string | undefined
  readonly replyToSessionId: string | undefined
  readonly contentType: string | undefined
  /** Milliseconds the sender lets the message live, from the moment it is enqueued. */
  readonly timeToLive: number | undefined
  /** When the sender wants it enqueued, in milliseconds since the epoch. */
  readonly scheduledFor: number | undefined
  readonly properties: Readonly<Record<string, Value>>
  /** Annotations of the sender that travel with the message, such as the partition key. */
  readonly annotations: Readonly<Record<string, Value>>
  /** Size on the wire. */
  readonly bytes: number
  readonly sections: Sections
}

/** The encoded sections; `properties` undefined means the application properties were changed since. */
interface Sections {
  readonly bare: Uint8Array
  readonly properties: Uint8Array | undefined
  readonly body: Uint8Array
}

/** The same message with application properties added or replaced, as abandon, defer and dead-letter may do. */
export function amended(message: Message, changes: Readonly<Record<string, Value>> | undefined): Message {
  if (changes === undefined || Object.keys(changes).length === 0) return message
  const properties = { ...message.properties, ...changes }
  return { ...message, properties, sections: { ...message.sections, properties: undefined } }
}
