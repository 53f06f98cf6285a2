import * as z from 'zod'
import { type Filter, sqlFilter } from './entity/filter.ts'
import type { Passage, Rule } from './entity/topic.ts'
import { Subscription, Topic } from './entity/topic.ts'
import { Queue, type QueueSettings, type QueueSources } from './entity/queue.ts'
import { Refusal } from './refusal.ts'

/** What an entity name leads to. */
export type Entity =
  | { readonly kind: 'queue'; readonly queue: Queue }
  | { readonly kind: 'topic'; readonly topic: Topic }
  | { readonly kind: 'subscription'; readonly queue: Queue; readonly subscription: Subscription }

const MAX_BYTES = 100 * 1024 * 1024
const DEAD_LETTER = '/$deadletterqueue'
const SUBSCRIPTIONS = '/Subscriptions/'

/** An ISO 8601 duration in days, hours, minutes and seconds, as milliseconds. */
const duration = z
  .string()
  .regex(/^P(?=.)(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?$/, 'an ISO 8601 duration such as PT1M')
  .transform((text) => {
    const part = (unit: string): number => Number(new RegExp(`([\\d.]+)${unit}`).exec(text)?.[1] ?? 0)
    return (((part('D') * 24 + part('H')) * 60 + part('M')) * 60 + part('S')) * 1000
  })
const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,258}$/, 'letters, digits, dots, dashes, underscores')
const unused = z.literal('', 'forwarding is not supported by the local broker').optional()
const text = z.string().optional()

const lock = duration.refine(
  (ms) => ms >= 1_000 && ms <= 300_000,
  'a lock is held between 1 second and 5 minutes',
)
const window = duration.refine(
  (ms) => ms >= 20_000 && ms <= 300_000,
  'a window is between 20 seconds and 5 minutes',
)
const consumed = {
  DeadLetteringOnMessageExpiration: z.boolean().default(false),
  DefaultMessageTimeToLive: duration.prefault('PT1H'),
  LockDuration: lock.prefault('PT1M'),
  MaxDeliveryCount: z.int().min(1).max(10).default(10),
  RequiresSession: z.boolean().default(false),
  ForwardTo: unused,
  ForwardDeadLetteredMessagesTo: unused,
}
const deduplicated = {
  RequiresDuplicateDetection: z.boolean().default(false),
  DuplicateDetectionHistoryTimeWindow: window.prefault('PT1M'),
}
const Correlation = z.strictObject({
  ContentType: text,
  CorrelationId: text,
  Label: text,
  MessageId: text,
  ReplyTo: text,
  ReplyToSessionId: text,
  SessionId: text,
  To: text,
  Properties: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
})
const RuleConfig = z.strictObject({
  Name: name,
  Properties: z.discriminatedUnion('FilterType', [
    z.strictObject({ FilterType: z.literal('Correlation'), CorrelationFilter: Correlation }),
    z.strictObject({
      FilterType: z.literal('Sql'),
      SqlFilter: z.strictObject({ SqlExpression: z.string() }),
    }),
  ]),
})
const Config = z.strictObject({
  UserConfig: z.strictObject({
    Namespaces: z.tuple([
      z.strictObject({
        Name: z.string(),
        Queues: z
          .array(
            z.strictObject({
              Name: name,
              Properties: z.strictObject({ ...consumed, ...deduplicated }).prefault({}),
            }),
          )
          .max(50)
          .default([]),
        Topics: z
          .array(
            z.strictObject({
              Name: name,
              Properties: z
                .strictObject({ DefaultMessageTimeToLive: duration.prefault('PT1H'), ...deduplicated })
                .prefault({}),
              Subscriptions: z
                .array(
                  z.strictObject({
                    Name: name,
                    Properties: z.strictObject(consumed).prefault({}),
                    Rules: z.array(RuleConfig).default([]),
                  }),
                )
                .max(50)
                .default([]),
            }),
          )
          .max(50)
          .default([]),
      }),
    ]),
    Logging: z.strictObject({ Type: z.enum(['File', 'Console', 'Console,File']) }).optional(),
  }),
})
type QueueProperties = z.output<typeof Config>['UserConfig']['Namespaces'][0]['Queues'][number]['Properties']

/**
 * The entities of a namespace, found by address without regard to case: `queue`, `topic`,
 * `topic/Subscriptions/name` and either of the consumed ones with `/$DeadLetterQueue`.
 */
export class Topology {
  readonly #entities: ReadonlyMap<string, Entity>

  constructor(entities: ReadonlyMap<string, Entity>) {
    this.#entities = entities
  }

  /** @throws Refusal `amqp:not-found` in the words that the SDK recognises. */
  find(address: string): Entity {
    const key = address.toLowerCase()
    const dead = key.endsWith(DEAD_LETTER)
    const entity = this.#entities.get(dead ? key.slice(0, -DEAD_LETTER.length) : key)
    if (entity && !dead) return entity
    if (entity && entity.kind !== 'topic' && entity.queue.deadLetters)
      return { kind: 'queue', queue: entity.queue.deadLetters }
    throw new Refusal('amqp:not-found', `The messaging entity '${address}' could not be found.`)
  }

  entities(): Iterable<Entity> {
    return this.#entities.values()
  }
}

/**
 * Builds the entities that a configuration in the official emulator's format describes.
 * https://learn.microsoft.com/azure/service-bus-messaging/overview-emulator
 *
 * @throws ZodError naming every field at fault; Refusal for an unsupported SQL filter. Forwarding, rule actions
 *   and anything unknown is refused, never ignored.
 */
export function readTopology(config: unknown, sources: QueueSources, passage: Passage): Topology {
  const [namespace] = Config.parse(config).UserConfig.Namespaces
  const entities = new Map<string, Entity>()
  const place = (address: string, entity: Entity): void => {
    const key = address.toLowerCase()
    if (entities.has(key))
      throw new Refusal('com.microsoft:entity-already-exists', `'${address}' is named twice.`)
    entities.set(key, entity)
  }
  for (const { Name, Properties } of namespace.Queues)
    place(Name, { kind: 'queue', queue: queueOf(Name, Properties, sources) })
  for (const { Name, Properties, Subscriptions } of namespace.Topics) {
    const subscriptions = new Map<string, Subscription>()
    for (const each of Subscriptions) {
      const properties = {
        ...each.Properties,
        RequiresDuplicateDetection: false,
        DuplicateDetectionHistoryTimeWindow: 0,
      }
      const queue = queueOf(`${Name}${SUBSCRIPTIONS}${each.Name}`, properties, sources)
      const rules = each.Rules.map((rule): Rule => ({ name: rule.Name, filter: filterOf(rule.Properties) }))
      const subscription = new Subscription(each.Name, queue, rules.length > 0 ? rules : [DEFAULT])
      subscriptions.set(each.Name.toLowerCase(), subscription)
      place(`${Name}${SUBSCRIPTIONS}${each.Name}`, { kind: 'subscription', queue, subscription })
    }
    const settings = settingsOf(Name, { ...UNCONSUMED, ...Properties })
    place(Name, { kind: 'topic', topic: new Topic(settings, sources, subscriptions, passage) })
  }
  return new Topology(entities)
}

/** A subscription without rules takes everything, as one made without rules does in Azure. */
const DEFAULT: Rule = { name: '$Default', filter: sqlFilter('1=1') }

const UNCONSUMED = {
  DeadLetteringOnMessageExpiration: false,
  LockDuration: 60_000,
  MaxDeliveryCount: 10,
  RequiresSession: false,
}

function queueOf(name: string, properties: QueueProperties, sources: QueueSources): Queue {
  const settings = settingsOf(name, properties)
  const deadLetters = new Queue(
    {
      ...settings,
      requiresSession: false,
      timeToLive: Infinity,
      deadLetterOnExpiration: false,
      duplicateWindow: undefined,
      maxBytes: Infinity,
    },
    sources,
  )
  return new Queue(settings, sources, deadLetters)
}

function settingsOf(name: string, properties: QueueProperties): QueueSettings {
  return {
    name,
    lockDuration: properties.LockDuration,
    maxDeliveryCount: properties.MaxDeliveryCount,
    requiresSession: properties.RequiresSession,
    timeToLive: properties.DefaultMessageTimeToLive,
    deadLetterOnExpiration: properties.DeadLetteringOnMessageExpiration,
    duplicateWindow: properties.RequiresDuplicateDetection
      ? properties.DuplicateDetectionHistoryTimeWindow
      : undefined,
    maxBytes: MAX_BYTES,
  }
}

function filterOf(properties: z.output<typeof RuleConfig>['Properties']): Filter {
  if (properties.FilterType === 'Sql') return sqlFilter(properties.SqlFilter.SqlExpression)
  const { Label, Properties, ...rest } = properties.CorrelationFilter
  return {
    kind: 'correlation',
    correlation: {
      contentType: rest.ContentType,
      correlationId: rest.CorrelationId,
      messageId: rest.MessageId,
      replyTo: rest.ReplyTo,
      replyToSessionId: rest.ReplyToSessionId,
      sessionId: rest.SessionId,
      subject: Label,
      to: rest.To,
      properties: Properties,
    },
  }
}
