import rhea, { type Typed } from 'rhea'
import * as z from 'zod'
import { type Filter, sqlFilter } from './entity/filter.ts'
import type { Rule } from './entity/topic.ts'
import { Refusal } from './refusal.ts'

const { types } = rhea
// Descriptor codes of the rule list, as the protocol guide's enumerate-rules gives them.
const RULE = 0x13700000004
const SQL_FILTER = 0x1370000006
const CORRELATION_FILTER = 0x1370000009
const EMPTY_ACTION = 0x1370000005
const SQL_COMPATIBILITY = 20

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? undefined)
const Described = z.strictObject({
  'sql-filter': z.strictObject({ expression: z.string() }).optional(),
  'correlation-filter': z
    .strictObject({
      'correlation-id': text,
      'message-id': text,
      to: text,
      'reply-to': text,
      label: text,
      'session-id': text,
      'reply-to-session-id': text,
      'content-type': text,
      properties: z
        .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.date()]))
        .nullish()
        .transform((value) => value ?? {}),
    })
    .optional(),
})

/** The filter that an add-rule request describes. @throws Refusal for anything but one correlation or SQL filter. */
export function readFilter(description: unknown): Filter {
  const { success, data } = Described.safeParse(description)
  const sql = data?.['sql-filter']
  const correlation = data?.['correlation-filter']
  if (!success || (sql === undefined) === (correlation === undefined))
    throw new Refusal(
      'com.microsoft:argument-error',
      'A rule has one correlation filter or one SQL filter, and no action; nothing else is supported.',
    )
  if (correlation === undefined) return sqlFilter(sql?.expression ?? '')
  return {
    kind: 'correlation',
    correlation: {
      correlationId: correlation['correlation-id'],
      messageId: correlation['message-id'],
      to: correlation.to,
      replyTo: correlation['reply-to'],
      subject: correlation.label,
      sessionId: correlation['session-id'],
      replyToSessionId: correlation['reply-to-session-id'],
      contentType: correlation['content-type'],
      properties: correlation.properties,
    },
  }
}

/** A rule as enumerate-rules lists it. */
export function writeRule({ name, filter }: Rule): Typed {
  return types.wrap_described([writeFilter(filter), types.wrap_described([], EMPTY_ACTION), name], RULE)
}

function writeFilter(filter: Filter): Typed {
  if (filter.kind === 'sql') return types.wrap_described([filter.text, SQL_COMPATIBILITY], SQL_FILTER)
  const { correlation } = filter
  const fields = [
    correlation.correlationId,
    correlation.messageId,
    correlation.to,
    correlation.replyTo,
    correlation.subject,
    correlation.sessionId,
    correlation.replyToSessionId,
    correlation.contentType,
    types.wrap_map(correlation.properties),
  ]
  return types.wrap_described(fields, CORRELATION_FILTER)
}
