#!/usr/bin/env node
/**
 * Prints the commands of Azure's command line that make the topics, subscriptions, rules and queues of
 * deploy/servicebus/config.json in a namespace (Standard tier or above). Read them, then hand them to a shell:
 *
 *     node deploy/azure/topology.ts RESOURCE_GROUP NAMESPACE | sh -e
 */
import { readFileSync } from 'node:fs'
import * as z from 'zod'

const Properties = z.object({
  LockDuration: z.string(),
  MaxDeliveryCount: z.int(),
  DefaultMessageTimeToLive: z.string(),
  DeadLetteringOnMessageExpiration: z.boolean(),
  RequiresSession: z.boolean(),
})
const Duplicates = z.object({
  RequiresDuplicateDetection: z.boolean(),
  DuplicateDetectionHistoryTimeWindow: z.string(),
})
const Rule = z.object({
  Name: z.string(),
  Properties: z.object({
    FilterType: z.literal('Correlation'),
    CorrelationFilter: z.object({ Properties: z.strictObject({ context: z.string() }) }),
  }),
})
const Config = z.object({
  UserConfig: z.object({
    Namespaces: z
      .array(
        z.object({
          Queues: z.array(
            z.object({
              Name: z.string(),
              Properties: z.object({ ...Properties.shape, ...Duplicates.shape }),
            }),
          ),
          Topics: z.array(
            z.object({
              Name: z.string(),
              Properties: z.object({ DefaultMessageTimeToLive: z.string(), ...Duplicates.shape }),
              Subscriptions: z.array(z.object({ Name: z.string(), Properties, Rules: z.array(Rule).min(1) })),
            }),
          ),
        }),
      )
      .length(1),
  }),
})

/** A word of a shell command; names here are plain, but whoever calls chooses two of them. */
const quoted = (word: string): string =>
  /^[\w.=/-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`

/** A command of `az servicebus`: what, where, and its options in order. */
const az = (what: string, options: Readonly<Record<string, string | number | boolean>>): string =>
  `az servicebus ${what} ${Object.entries(options)
    .map(([name, value]) => `--${name} ${quoted(String(value))}`)
    .join(' ')} --output none`

const delivery = (p: z.infer<typeof Properties>) => ({
  'lock-duration': p.LockDuration,
  'max-delivery-count': p.MaxDeliveryCount,
  'default-message-time-to-live': p.DefaultMessageTimeToLive,
  'enable-session': p.RequiresSession,
})
const duplicates = (p: z.infer<typeof Duplicates>) =>
  p.RequiresDuplicateDetection
    ? {
        'enable-duplicate-detection': true,
        'duplicate-detection-history-time-window': p.DuplicateDetectionHistoryTimeWindow,
      }
    : {}

/**
 * The commands, one a line, in the order in which they must run.
 * @throws when the text is no topology, or holds a filter of another kind than ours
 */
export function commands(config: string, group: string, namespace: string): string[] {
  const [topology] = Config.parse(JSON.parse(config)).UserConfig.Namespaces
  const where = { 'resource-group': group, 'namespace-name': namespace }
  const queues = (topology?.Queues ?? []).map((q) =>
    az('queue create', {
      ...where,
      name: q.Name,
      ...delivery(q.Properties),
      ...duplicates(q.Properties),
      'enable-dead-lettering-on-message-expiration': q.Properties.DeadLetteringOnMessageExpiration,
    }),
  )
  const topics = (topology?.Topics ?? []).flatMap((t) => [
    az('topic create', {
      ...where,
      name: t.Name,
      'default-message-time-to-live': t.Properties.DefaultMessageTimeToLive,
      ...duplicates(t.Properties),
    }),
    ...t.Subscriptions.flatMap((s) => {
      const subscription = { ...where, 'topic-name': t.Name, 'subscription-name': s.Name }
      return [
        az('topic subscription create', {
          ...where,
          'topic-name': t.Name,
          name: s.Name,
          ...delivery(s.Properties),
          'dead-letter-on-filter-exceptions': true,
        }),
        ...s.Rules.map((r) =>
          az('topic subscription rule create', {
            ...subscription,
            name: r.Name,
            'filter-type': 'CorrelationFilter',
            'correlation-filter-property': `context=${r.Properties.CorrelationFilter.Properties.context}`,
          }),
        ),
        // Azure gives a new subscription a rule that takes everything.
        az('topic subscription rule delete', { ...subscription, name: '$Default' }),
      ]
    }),
  ])
  return [...queues, ...topics]
}

if (import.meta.main) {
  const [group, namespace] = process.argv.slice(2)
  if (group === undefined || namespace === undefined) {
    process.stderr.write('Name the resource group and the namespace.\n')
    process.exitCode = 2
  } else {
    const config = readFileSync(new URL('../servicebus/config.json', import.meta.url), 'utf8')
    process.stdout.write(`${commands(config, group, namespace).join('\n')}\n`)
  }
}
