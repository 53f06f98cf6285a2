import { Refusal } from '../refusal.ts'
import { type Filter, matches } from './filter.ts'
import type { Message } from './message.ts'
import { Queue, type QueueSettings, type QueueSources } from './queue.ts'

/** A named filter of a subscription. */
export interface Rule {
  readonly name: string
  readonly filter: Filter
}

/** What may befall a message between a topic and a subscription; the messages that arrive, in order. */
export type Passage = (messages: readonly Message[]) => readonly Message[]

/** One subscription: a queue behind rules. A message matched by several rules arrives once. */
export class Subscription {
  readonly name: string
  readonly queue: Queue
  readonly #rules = new Map<string, Rule>()

  constructor(name: string, queue: Queue, rules: readonly Rule[]) {
    this.name = name
    this.queue = queue
    for (const rule of rules) this.addRule(rule)
  }

  get rules(): readonly Rule[] {
    return [...this.#rules.values()]
  }

  /** @throws Refusal when a rule of that name exists. */
  addRule(rule: Rule): void {
    if (this.#rules.has(rule.name))
      throw new Refusal('com.microsoft:entity-already-exists', `The rule '${rule.name}' exists already.`)
    this.#rules.set(rule.name, rule)
  }

  /** @throws Refusal when there is no rule of that name. */
  removeRule(name: string): void {
    if (!this.#rules.delete(name))
      throw new Refusal('amqp:not-found', `The messaging entity rule '${name}' could not be found.`)
  }

  wants(message: Message): boolean {
    for (const rule of this.#rules.values()) if (matches(rule.filter, message)) return true
    return false
  }
}

/**
 * A topic keeps only what is scheduled (and the ids it saw, for duplicate detection); everything else goes to
 * the subscriptions at once.
 */
export class Topic {
  readonly name: string
  readonly subscriptions: ReadonlyMap<string, Subscription>
  readonly inbox: Queue
  readonly #passage: Passage

  /** @param subscriptions keyed by lower-case name. */
  constructor(
    settings: QueueSettings,
    sources: QueueSources,
    subscriptions: ReadonlyMap<string, Subscription>,
    passage: Passage,
  ) {
    this.name = settings.name
    this.subscriptions = subscriptions
    this.inbox = new Queue(settings, sources)
    this.#passage = passage
  }

  /** @throws Refusal when a subscription that wants the message cannot take it. */
  check(message: Message): void {
    this.inbox.check(message)
    for (const subscription of this.subscriptions.values())
      if (subscription.wants(message)) subscription.queue.check(message)
  }

  /** Hands on whatever is due, as one lot. Returns the subscriptions that got something. */
  distribute(): Subscription[] {
    this.inbox.sweep()
    const due: { message: Message; sequence: number }[] = []
    for (let held = this.inbox.takeAndDelete(); held; held = this.inbox.takeAndDelete()) due.push(held)
    if (due.length === 0) return []
    const numbers = new Map(due.map(({ message, sequence }) => [message, sequence]))
    const messages = due.map(({ message }) => message)
    const reached: Subscription[] = []
    for (const subscription of this.subscriptions.values()) {
      const wanted = messages.filter((message) => subscription.wants(message))
      if (wanted.length === 0) continue
      for (const message of this.#passage(wanted))
        subscription.queue.enqueue(message, { enqueuedSequence: numbers.get(message) })
      reached.push(subscription)
    }
    return reached
  }
}
