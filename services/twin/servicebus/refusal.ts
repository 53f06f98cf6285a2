/** The AMQP error conditions this broker answers with; the SDK maps each to a `ServiceBusError` code. */
export type Condition =
  | 'amqp:not-found'
  | 'amqp:not-allowed'
  | 'amqp:not-implemented'
  | 'amqp:decode-error'
  | 'amqp:unauthorized-access'
  | 'amqp:resource-limit-exceeded'
  | 'amqp:link:message-size-exceeded'
  | 'com.microsoft:argument-error'
  | 'com.microsoft:entity-already-exists'
  | 'com.microsoft:message-lock-lost'
  | 'com.microsoft:message-not-found'
  | 'com.microsoft:session-cannot-be-locked'
  | 'com.microsoft:session-lock-lost'
  | 'com.microsoft:timeout'

const STATUS: Record<Condition, number> = {
  'amqp:not-found': 404,
  'amqp:not-allowed': 400,
  'amqp:not-implemented': 501,
  'amqp:decode-error': 400,
  'amqp:unauthorized-access': 401,
  'amqp:resource-limit-exceeded': 403,
  'amqp:link:message-size-exceeded': 400,
  'com.microsoft:argument-error': 400,
  'com.microsoft:entity-already-exists': 409,
  'com.microsoft:message-lock-lost': 410,
  'com.microsoft:message-not-found': 404,
  'com.microsoft:session-cannot-be-locked': 410,
  'com.microsoft:session-lock-lost': 410,
  'com.microsoft:timeout': 408,
}

/** What the broker will not do, and why, in the words the client shall see. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly condition: Condition

  constructor(condition: Condition, description: string) {
    super(description)
    this.condition = condition
  }

  /** The status code of a `$management` answer. */
  get status(): number {
    return STATUS[this.condition]
  }
}
