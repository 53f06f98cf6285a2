import rhea, { type Typed } from 'rhea'
import * as z from 'zod'
import type { SessionLock } from './entity/session.ts'
import { changesIn } from './outlet.ts'
import { Refusal } from './refusal.ts'
import { readFilter, writeRule } from './rule-wire.ts'
import type { Place } from './namespace.ts'
import { readMessage, writeMessage } from './wire.ts'

/** A request to `<entity>/$management`, already decoded. */
export interface Request {
  readonly operation: string
  readonly body: unknown
  readonly place: Place
  /** The session that the link named by the request holds on this connection. */
  readonly session: SessionLock | undefined
}

/** 200 with a body, or 204 when there is nothing. */
export interface Answer {
  readonly status: 200 | 204
  readonly body: Readonly<Record<string, unknown>>
}

type Operation = (request: Request) => Answer

const { types } = rhea
const LONG = 0x81
const TIMESTAMP = 0x83
const MOST_PEEKED = 250

// Numbers beyond 2^53 arrive as bytes; no sequence number of this broker is that large.
const sequence = z.union([
  z.number(),
  z.instanceof(Buffer).transform((bytes) => Number(bytes.readBigInt64BE())),
])
const sequences = z.array(sequence)
const token = z.instanceof(Buffer).transform((bytes) => rhea.uuid_to_string(bytes))
const tokens = z.array(token)
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? undefined)
const bytes = z.instanceof(Buffer)

/**
 * The operations of a management node.
 * https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-request-response
 *
 * @throws Refusal for an unknown operation, a malformed body, or what the entity refuses.
 */
export function manage(request: Request): Answer {
  const name = request.operation.replace(/^com\.microsoft:/, '')
  const operation = Object.hasOwn(OPERATIONS, name) ? OPERATIONS[name] : undefined
  if (!operation)
    throw new Refusal('amqp:not-implemented', `The operation '${request.operation}' is not supported.`)
  return operation(request)
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  'peek-message': ({ place, body }) => {
    const asked = read(
      z.object({ 'from-sequence-number': sequence, 'message-count': z.number(), 'session-id': text }),
      body,
    )
    const count = Math.min(asked['message-count'], MOST_PEEKED)
    const held = place.queue.peek(asked['from-sequence-number'], count, asked['session-id'])
    if (held.length === 0) return { status: 204, body: {} }
    return ok({ messages: held.map((each) => ({ message: writeMessage(each) })) })
  },

  'renew-lock': ({ place, body }) => {
    const asked = read(z.object({ 'lock-tokens': tokens }), body)
    const ends = asked['lock-tokens'].map((each) => place.queue.renew(each))
    return ok({ expirations: types.wrap_array(ends, TIMESTAMP, undefined) })
  },

  'schedule-message': ({ place, body }) => {
    const asked = read(z.object({ messages: z.array(z.object({ message: bytes })) }), body)
    const messages = asked.messages.map((each) => readMessage(each.message))
    return ok({ 'sequence-numbers': longs(place.send(messages)) })
  },

  'cancel-scheduled-message': ({ place, body }) => {
    place.queue.cancel(read(z.object({ 'sequence-numbers': sequences }), body)['sequence-numbers'])
    return ok({})
  },

  'receive-by-sequence-number': ({ place, body, session }) => {
    const asked = read(z.object({ 'sequence-numbers': sequences, 'receiver-settle-mode': z.number() }), body)
    const mode = asked['receiver-settle-mode'] === 0 ? 'delete' : 'lock'
    const taken = place.queue.takeDeferred(asked['sequence-numbers'], mode, needed(place, session))
    return ok({
      messages: taken.map((each) => ({
        message: writeMessage(each, each.lockedUntil),
        'lock-token': types.wrap_uuid(
          each.token === undefined ? Buffer.alloc(16) : rhea.string_to_uuid(each.token),
        ),
      })),
    })
  },

  'update-disposition': ({ place, body }) => {
    const asked = read(
      z.object({
        'disposition-status': z.enum(['completed', 'abandoned', 'defered', 'suspended']),
        'lock-tokens': tokens,
        'deadletter-reason': text,
        'deadletter-description': text,
        'properties-to-modify': z.record(z.string(), z.unknown()).nullish(),
      }),
      body,
    )
    const changes = changesIn(asked['properties-to-modify'] ?? {})
    for (const each of asked['lock-tokens']) {
      const status = asked['disposition-status']
      if (status === 'completed') place.queue.complete(each)
      else if (status === 'abandoned') place.queue.abandon(each, changes)
      else if (status === 'defered') place.queue.defer(each, changes)
      else place.queue.deadLetter(each, asked['deadletter-reason'], asked['deadletter-description'], changes)
    }
    return ok({})
  },

  'renew-session-lock': (request) =>
    ok({ expiration: types.wrap_timestamp(request.place.queue.renewSession(holdOf(request))) }),

  'get-session-state': (request) =>
    ok({ 'session-state': request.place.queue.sessionState(holdOf(request)) ?? null }),

  'set-session-state': (request) => {
    const asked = read(z.object({ 'session-state': bytes.nullish() }), request.body)
    request.place.queue.setSessionState(holdOf(request), asked['session-state'] ?? undefined)
    return ok({})
  },

  'get-message-sessions': ({ place, body }) => {
    const asked = read(
      z.object({ 'last-updated-time': z.date().optional(), skip: z.number(), top: z.number() }),
      body,
    )
    const all = place.queue.sessionIds(asked['last-updated-time']?.getTime() ?? 0)
    const ids = all.slice(asked.skip, asked.skip + asked.top)
    return ids.length === 0 ? { status: 204, body: {} } : ok({ skip: asked.skip, 'sessions-ids': ids })
  },

  'add-rule': ({ place, body }) => {
    const asked = read(z.object({ 'rule-name': z.string(), 'rule-description': z.unknown() }), body)
    subscriptionOf(place).addRule({ name: asked['rule-name'], filter: readFilter(asked['rule-description']) })
    return ok({})
  },

  'remove-rule': ({ place, body }) => {
    subscriptionOf(place).removeRule(read(z.object({ 'rule-name': z.string() }), body)['rule-name'])
    return ok({})
  },

  'enumerate-rules': ({ place, body }) => {
    const asked = read(z.object({ skip: z.number(), top: z.number() }), body)
    const rules = subscriptionOf(place).rules.slice(asked.skip, asked.skip + asked.top)
    if (rules.length === 0) return { status: 204, body: {} }
    return ok({ rules: rules.map((rule) => ({ 'rule-description': writeRule(rule) })) })
  },
}

function ok(body: Readonly<Record<string, unknown>>): Answer {
  return { status: 200, body }
}

function longs(numbers: readonly number[]): Typed {
  return types.wrap_array(numbers, LONG, undefined)
}

function read<Shape extends z.ZodType>(shape: Shape, body: unknown): z.output<Shape> {
  const parsed = shape.safeParse(body)
  if (parsed.success) return parsed.data
  throw new Refusal(
    'com.microsoft:argument-error',
    `The request is malformed: ${z.prettifyError(parsed.error)}`,
  )
}

function needed(place: Place, session: SessionLock | undefined): SessionLock | undefined {
  if (place.queue.settings.requiresSession && !session) throw sessionLost()
  return session
}

function holdOf(request: Request): SessionLock {
  const asked = read(z.object({ 'session-id': z.string() }), request.body)
  if (request.session?.id !== asked['session-id']) throw sessionLost()
  return request.session
}

function sessionLost(): Refusal {
  return new Refusal(
    'com.microsoft:session-lock-lost',
    'The session lock was lost, or the request names no link that holds the session.',
  )
}

function subscriptionOf(place: Place): NonNullable<Place['subscription']> {
  if (place.subscription) return place.subscription
  throw new Refusal('amqp:not-allowed', 'Only a subscription has rules.')
}
