import rhea, { type Typed } from 'rhea'
import type { Message, Value } from './entity/message.ts'
import type { Held } from './entity/delivery.ts'
import { Refusal } from './refusal.ts'

/** Largest message or batch the Standard tier takes, in bytes. */
export const MAX_MESSAGE_BYTES = 262_144
/** A transfer of this format holds encoded messages, one a data section. */
export const BATCH_FORMAT = 0x80013700

const { types, message: codec } = rhea
const HEADER = 0x70
const DELIVERY_ANNOTATIONS = 0x71
const MESSAGE_ANNOTATIONS = 0x72
const PROPERTIES = 0x73
const APPLICATION_PROPERTIES = 0x74
const DATA = 0x75
const LAST_SECTION = 0x78
const SCHEDULED = 'x-opt-scheduled-enqueue-time'
/** Annotations that only the broker writes; what a sender puts there is not kept. */
const OURS = new Set([
  'x-opt-sequence-number',
  'x-opt-enqueue-sequence-number',
  'x-opt-enqueued-time',
  'x-opt-locked-until',
  'x-opt-message-state',
  'x-opt-deadletter-source',
])

/**
 * Reads one encoded message. The sections are kept as they came, so what a consumer gets is what was sent, to
 * the byte and the AMQP type; only header and annotations are written anew.
 *
 * @throws Refusal when it is too large or no AMQP message.
 */
export function readMessage(bytes: Buffer): Message {
  if (bytes.length > MAX_MESSAGE_BYTES)
    throw new Refusal(
      'amqp:link:message-size-exceeded',
      `The received message (size ${bytes.length} bytes) exceeds the limit (${MAX_MESSAGE_BYTES} bytes) allowed on the link.`,
    )
  const sections = sectionsOf(bytes)
  const head = Buffer.concat(
    [...sections].filter(([code]) => code <= APPLICATION_PROPERTIES).map(([, part]) => part),
  )
  const fields = decode(head)
  const annotations: Record<string, Value> = {}
  for (const [key, value] of Object.entries(mapOf(fields['message_annotations'])))
    if (!OURS.has(key)) annotations[key] = value
  const scheduled = annotations[SCHEDULED]
  return {
    messageId: idOf(fields['message_id']),
    correlationId: idOf(fields['correlation_id']),
    subject: textOf(fields['subject']),
    to: textOf(fields['to']),
    replyTo: textOf(fields['reply_to']),
    sessionId: textOf(fields['group_id']),
    replyToSessionId: textOf(fields['reply_to_group_id']),
    contentType: textOf(fields['content_type']),
    timeToLive: typeof fields['ttl'] === 'number' ? fields['ttl'] : undefined,
    scheduledFor: scheduled instanceof Date ? scheduled.getTime() : undefined,
    properties: mapOf(fields['application_properties']),
    annotations,
    bytes: bytes.length,
    sections: {
      bare: sections.get(PROPERTIES) ?? Buffer.alloc(0),
      properties: sections.get(APPLICATION_PROPERTIES) ?? Buffer.alloc(0),
      body: Buffer.concat([...sections].filter(([code]) => code >= DATA).map(([, part]) => part)),
    },
  }
}

/** The messages of a batch transfer. @throws Refusal as `readMessage`. */
export function readBatch(bytes: Buffer): Message[] {
  if (bytes.length > MAX_MESSAGE_BYTES) return [readMessage(bytes)]
  const body: unknown = decode(bytes)['body']
  // rhea gives one data section as a Section with `content`, several as one with a list of contents.
  const content = typeof body === 'object' && body !== null && 'content' in body ? body.content : undefined
  const parts: unknown[] = Array.isArray(content) ? content : [content]
  return parts.map((part) => {
    if (!Buffer.isBuffer(part))
      throw new Refusal('amqp:decode-error', 'A batch holds one data section a message.')
    return readMessage(part)
  })
}

/** A message as a consumer gets it. `lockedUntil` in milliseconds since the epoch, absent when it is not locked. */
export function writeMessage(held: Held, lockedUntil?: number): Buffer {
  const { message } = held
  const annotations: Record<string, unknown> = {
    ...message.annotations,
    'x-opt-sequence-number': types.wrap_long(held.sequence),
    'x-opt-enqueued-time': types.wrap_timestamp(held.enqueuedAt),
    'x-opt-message-state': types.wrap_int(held.state === 'deferred' ? 1 : held.state === 'scheduled' ? 2 : 0),
  }
  if (held.enqueuedSequence !== undefined)
    annotations['x-opt-enqueue-sequence-number'] = types.wrap_long(held.enqueuedSequence)
  if (lockedUntil !== undefined) annotations['x-opt-locked-until'] = types.wrap_timestamp(lockedUntil)
  if (held.deadLetterSource !== undefined) annotations['x-opt-deadletter-source'] = held.deadLetterSource
  const ttl = message.timeToLive === undefined ? null : types.wrap_uint(message.timeToLive)
  const header = types.wrap_list([true, null, ttl, null, types.wrap_uint(held.deliveryCount)])
  return Buffer.concat([
    section(HEADER, header),
    section(MESSAGE_ANNOTATIONS, types.wrap_symbolic_map(annotations)),
    message.sections.bare,
    message.sections.properties ?? section(APPLICATION_PROPERTIES, types.wrap_map(message.properties)),
    message.sections.body,
  ])
}

/** A lock token as a delivery tag: the byte order of a .NET Guid, the first three groups reversed. */
export function tagOf(token: string): Buffer {
  return flipped(rhea.string_to_uuid(token))
}

/** The lock token of a delivery tag. */
export function tokenOfTag(tag: Buffer | string): string {
  return rhea.uuid_to_string(flipped(typeof tag === 'string' ? Buffer.from(tag) : tag))
}

/** A moment in .NET ticks (100 ns since the year 1) as an AMQP long, which is beyond a JavaScript number. */
export function ticks(milliseconds: number): Typed {
  const long = Buffer.alloc(8)
  long.writeBigInt64BE((BigInt(Math.floor(milliseconds)) + 62_135_596_800_000n) * 10_000n)
  return types.wrap_long(long)
}

function flipped(guid: Buffer): Buffer {
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
  return Buffer.from(order.map((at) => guid[at] ?? 0))
}

function section(code: number, content: Typed): Buffer {
  const writer = new Writer()
  writer.write(types.described(types.wrap_ulong(code), content))
  return writer.toBuffer()
}

// rhea has the class, its typings of `types` leave it out.
const { Writer } = types as unknown as {
  Writer: new () => { write(value: unknown): void; toBuffer(): Buffer }
}

function decode(bytes: Buffer): Record<string, unknown> {
  try {
    return codec.decode(bytes)
  } catch (error) {
    throw new Refusal(
      'amqp:decode-error',
      `No AMQP message: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

/** Splits a message into its sections by code; sections that repeat (data, sequence) are joined. */
function sectionsOf(bytes: Buffer): Map<number, Buffer> {
  const sections = new Map<number, Buffer>()
  let at = 0
  while (at < bytes.length) {
    const code = bytes[at] === 0 && bytes[at + 1] === 0x53 ? bytes[at + 2] : undefined
    if (code === undefined || code < HEADER || code > LAST_SECTION)
      throw new Refusal('amqp:decode-error', `Byte ${at} begins no message section.`)
    const end = endOfValue(bytes, at + 3)
    if (end > bytes.length) throw new Refusal('amqp:decode-error', 'The message is cut off.')
    if (code !== DELIVERY_ANNOTATIONS && code !== LAST_SECTION) {
      const part = bytes.subarray(at, end)
      const before = sections.get(code)
      sections.set(code, before ? Buffer.concat([before, part]) : part)
    }
    at = end
  }
  return sections
}

/** Where the value that begins at `at` ends: the upper half of its type code says how wide it is (AMQP 1.0, 1.2). */
function endOfValue(bytes: Buffer, at: number): number {
  const type = bytes[at] ?? 0
  if (type === 0) return endOfValue(bytes, endOfValue(bytes, at + 1))
  const kind = type >> 4
  const FIXED: Record<number, number> = { 4: 0, 5: 1, 6: 2, 7: 4, 8: 8, 9: 16 }
  const width = FIXED[kind]
  if (width !== undefined) return at + 1 + width
  if (kind < 0xa || at + 5 > bytes.length + (kind % 2 === 0 ? 3 : 0))
    throw new Refusal('amqp:decode-error', `Byte ${at} begins no value.`)
  return kind % 2 === 0 ? at + 2 + bytes.readUInt8(at + 1) : at + 5 + bytes.readUInt32BE(at + 1)
}

function mapOf(value: unknown): Record<string, Value> {
  // rhea unwraps AMQP maps into plain objects of the primitive values that `Value` lists.
  return typeof value === 'object' && value !== null ? (value as Record<string, Value>) : {}
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function idOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return Buffer.isBuffer(value)
    ? value.toString('hex')
    : typeof value === 'number'
      ? String(value)
      : undefined
}
