import type { Message } from './entity/message.ts'
import type { Queue } from './entity/queue.ts'
import type { Subscription } from './entity/topic.ts'
import { Refusal } from './refusal.ts'
import { type Clock, Station } from './station.ts'
import type { Entity, Topology } from './topology.ts'

/** What an address leads to, ready to use: whom to send to, and where to receive. */
export interface Place {
  /** The queue to receive and peek from; of a topic, what it has scheduled. */
  readonly queue: Queue
  /** Absent for a topic, which cannot be received from. */
  readonly station: Station | undefined
  readonly subscription: Subscription | undefined
  /**
   * Enqueues all of the messages or none and returns their sequence numbers.
   * @throws Refusal when one of them cannot be taken.
   */
  send(messages: readonly Message[]): number[]
  /** To be called after a management operation, which may have changed anything of the entity. */
  turn(): void
}

/** The entities of a topology, set in motion: changes reach the receivers that wait for them, by a clock. */
export class Namespace {
  readonly #topology: Topology
  readonly #clock: Clock
  readonly #stations = new Map<Queue, Station>()
  readonly #places = new Map<Queue, Place>()

  constructor(topology: Topology, clock: Clock) {
    this.#topology = topology
    this.#clock = clock
  }

  /** @throws Refusal `amqp:not-found`. */
  find(address: string): Place {
    const entity = this.#topology.find(address)
    const queue = entity.kind === 'topic' ? entity.topic.inbox : entity.queue
    const known = this.#places.get(queue)
    if (known) return known
    const place = entity.kind === 'topic' ? this.#topicPlace(entity) : this.#queuePlace(entity)
    this.#places.set(queue, place)
    return place
  }

  close(): void {
    for (const station of this.#stations.values()) station.close()
  }

  #queuePlace(entity: Exclude<Entity, { kind: 'topic' }>): Place {
    const { queue } = entity
    const station = this.#station(queue)
    return {
      queue,
      station,
      subscription: entity.kind === 'subscription' ? entity.subscription : undefined,
      send: (messages) => {
        if (entity.kind === 'subscription')
          throw new Refusal(
            'amqp:not-allowed',
            `The subscription '${queue.settings.name}' cannot be sent to.`,
          )
        for (const message of messages) queue.check(message)
        const numbers = messages.map((message) =>
          queue.enqueue(message, { scheduledFor: message.scheduledFor }),
        )
        station.turn()
        return numbers
      },
      turn: () => station.turn(),
    }
  }

  #topicPlace({ topic }: Extract<Entity, { kind: 'topic' }>): Place {
    // The inbox has no receivers: its station only keeps the time, and hands on what is due.
    const station = this.#station(topic.inbox)
    const distribute = (): void => {
      for (const subscription of topic.distribute()) this.#station(subscription.queue).turn()
    }
    station.join({ take: distribute, lost: () => undefined })
    return {
      queue: topic.inbox,
      station: undefined,
      subscription: undefined,
      send: (messages) => {
        for (const message of messages) topic.check(message)
        const numbers = messages.map((message) =>
          topic.inbox.enqueue(message, { scheduledFor: message.scheduledFor }),
        )
        station.turn()
        return numbers
      },
      turn: () => station.turn(),
    }
  }

  /** The dead-letter queue turns with its queue, which may have given it something. */
  #station(queue: Queue): Station {
    const existing = this.#stations.get(queue)
    if (existing) return existing
    const station = new Station(queue, this.#clock)
    this.#stations.set(queue, station)
    if (queue.deadLetters) {
      const dead = this.#station(queue.deadLetters)
      station.join({ take: () => dead.turn(), lost: () => undefined })
    }
    return station
  }
}
