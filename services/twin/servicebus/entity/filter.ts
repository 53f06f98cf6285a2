import type { Message, Value } from './message.ts'
import { evaluate, type Expression, parse } from './sql.ts'

/** The fields a correlation filter compares, all of which must be equal; the absent ones are not looked at. */
interface Correlation {
  readonly correlationId?: string | undefined
  readonly messageId?: string | undefined
  readonly to?: string | undefined
  readonly replyTo?: string | undefined
  readonly subject?: string | undefined
  readonly sessionId?: string | undefined
  readonly replyToSessionId?: string | undefined
  readonly contentType?: string | undefined
  readonly properties: Readonly<Record<string, Value>>
}

/** https://learn.microsoft.com/azure/service-bus-messaging/topic-filters */
export type Filter =
  | { readonly kind: 'correlation'; readonly correlation: Correlation }
  | { readonly kind: 'sql'; readonly text: string; readonly expression: Expression }

const FIELDS = [
  'correlationId',
  'messageId',
  'to',
  'replyTo',
  'subject',
  'sessionId',
  'replyToSessionId',
  'contentType',
] as const

/** A SQL filter from its text. @throws Refusal with the reason when the text is outside the supported grammar. */
export function sqlFilter(text: string): Filter {
  return { kind: 'sql', text, expression: parse(text) }
}

/** Whether a subscription with this filter takes the message. */
export function matches(filter: Filter, message: Message): boolean {
  if (filter.kind === 'sql') return evaluate(filter.expression, message) === true
  const { correlation } = filter
  for (const field of FIELDS) {
    const wanted = correlation[field]
    if (wanted !== undefined && wanted !== message[field]) return false
  }
  for (const [name, wanted] of Object.entries(correlation.properties)) {
    if (!Object.hasOwn(message.properties, name) || message.properties[name] !== wanted) return false
  }
  return true
}
