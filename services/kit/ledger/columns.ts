import { standsAt } from '@attestry/contracts'

/*
 * What a column says must be what the hashed text says, because readers filter by the columns. Compared byte by byte
 * where both stand: to have the server work it out costs several times what all else of a walk does.
 */

/** The fields of a row of the walk, in order. */
export const FIELD = {
  seq: 0,
  leaf: 1,
  link: 2,
  envelope: 3,
  /** Whether a body that is gone is accounted for; of an event that has one, nobody asks. */
  accounted: 4,
  at: 5,
  position: 6,
  id: 7,
  context: 8,
  previous: 9,
  stream: 10,
  tenant: 11,
  type: 12,
} as const

/** The columns of the fields after the first five, in order: what an envelope says as well, and the event before. */
export const COMPARED_COLUMNS: readonly string[] = [
  'at',
  'position',
  'id',
  'context',
  'context_prev_seq',
  'stream',
  'tenant',
  'type',
]

/** Their fields. */
const COMPARED = COMPARED_COLUMNS.map((_, index) => FIELD.accounted + 1 + index)

/** Where a field of a row begins, -1 for null, and where it ends. @see copy-out.ts */
export const startOf = (spans: Int32Array, field: number): number => spans[2 * field] ?? -1
export const endOf = (spans: Int32Array, field: number): number => spans[2 * field + 1] ?? -1

/** Postgres counts time in microseconds from the year 2000. @see PostgreSQL, "Date/Time Types" */
const EPOCH_MS = Date.UTC(2000, 0, 1)

/** A bigint of a binary COPY, of which the ledger holds safe integers only. */
export const int64At = (bytes: Buffer, at: number): number =>
  bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)

/** Where `part` begins if it ends at `end`, or -1. */
const before = (bytes: Uint8Array, end: number, part: Uint8Array): number => {
  const start = end - part.length
  return start >= 0 && standsAt(part, bytes, start) ? start : -1
}

/** Where the bytes of a field begin if they end at `end`, or -1. */
const fieldBefore = (bytes: Uint8Array, end: number, from: number, to: number): number => {
  const start = end - (to - from)
  if (from < 0 || start < 0) return -1
  for (let i = from, j = start; i < to; i++, j++) if (bytes[i] !== bytes[j]) return -1
  return start
}

/** Where the decimal digits of a positive number begin if they end at `end`, or -1. */
const numberBefore = (bytes: Uint8Array, end: number, value: number): number => {
  let at = end
  for (let rest = value; rest > 0; rest = Math.floor(rest / 10)) {
    at--
    if (at < 0 || bytes[at] !== 0x30 + (rest % 10)) return -1
  }
  return at < end ? at : -1
}

const [END, BEFORE_TYPE, BEFORE_TENANT, BEFORE_STREAM, BEFORE_SEQ, BEFORE_POSITION, BEFORE_V, BEFORE_ID] = [
  '"}',
  '","type":"',
  '","tenant":"',
  ',"stream":"',
  ',"seq":',
  '},"position":',
  '","v":',
  '"id":"',
].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer, Buffer, Buffer]

const HEX = Buffer.from('0123456789abcdef')
/** The places of the bytes of a UUID in its text. */
const UUID_PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]

const uuidStandsAt = (bytes: Uint8Array, uuid: number, text: number): boolean => {
  for (let i = 0; i < 16; i++) {
    const byte = bytes[uuid + i] ?? 0
    const place = text + (UUID_PLACES[i] ?? 0)
    if (bytes[place] !== HEX[byte >> 4] || bytes[place + 1] !== HEX[byte & 15]) return false
  }
  return true
}

/** Whether the event has that id: mostly it stands right before the version, at the event's end. */
const idAgrees = (bytes: Buffer, from: number, eventEnd: number, uuid: number): boolean => {
  let v = eventEnd
  while (v > from && (bytes[v - 1] ?? 0) >= 0x30 && (bytes[v - 1] ?? 0) <= 0x39) v--
  const idEnd = before(bytes, v, BEFORE_V)
  if (
    idEnd - 36 >= from &&
    before(bytes, idEnd - 36, BEFORE_ID) >= 0 &&
    uuidStandsAt(bytes, uuid, idEnd - 36)
  )
    return true
  const hex = bytes.toString('hex', uuid, uuid + 16)
  const text = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  return bytes.subarray(from, eventEnd).includes(`"id":"${text}"`)
}

/**
 * Compares the columns of one event after the other, in the order of the chain: whether they say what the envelope
 * does, and whether each event names the one before it of its own context. Of an event whose body is gone only the
 * latter can be asked.
 */
export const columnsAgree = (): ((bytes: Buffer, spans: Int32Array) => boolean) => {
  const lastOf = new Map<string, number>()
  let head: Uint8Array = new Uint8Array(0)
  let headMicros = Number.NaN

  /** How an envelope of that instant begins; most events of a walk share it with the one before. */
  const headOf = (micros: number): Uint8Array => {
    if (micros === headMicros) return head
    const ms = EPOCH_MS + micros / 1000
    // Outside what a date can say, or finer than a millisecond: no instant of the ledger's.
    if (!Number.isInteger(ms) || Math.abs(ms) > 8.64e15) return new Uint8Array(0)
    headMicros = micros
    head = Buffer.from(`{"at":"${new Date(ms).toISOString()}","event":{`)
    return head
  }

  return (bytes, spans) => {
    const from = (field: number): number => startOf(spans, field)
    const to = (field: number): number => endOf(spans, field)
    if (COMPARED.some((field) => from(field) < 0)) return false

    const seq = int64At(bytes, from(FIELD.seq))
    const context = bytes.toString('latin1', from(FIELD.context), to(FIELD.context))
    const previous = int64At(bytes, from(FIELD.previous))
    if (previous !== (lastOf.get(context) ?? 0)) return false
    lastOf.set(context, seq)

    const start = from(FIELD.envelope)
    if (start < 0) return true
    const opening = headOf(int64At(bytes, from(FIELD.at)))
    if (opening.length === 0 || !standsAt(opening, bytes, start)) return false
    const contextEnd = from(FIELD.type) + context.length
    if (
      fieldBefore(bytes, contextEnd, from(FIELD.context), to(FIELD.context)) < 0 ||
      bytes[contextEnd] !== 0x2e
    )
      return false
    // A -1 on the way makes every later step -1.
    let at = before(bytes, to(FIELD.envelope), END)
    at = before(bytes, fieldBefore(bytes, at, from(FIELD.type), to(FIELD.type)), BEFORE_TYPE)
    at = before(bytes, fieldBefore(bytes, at, from(FIELD.tenant), to(FIELD.tenant)), BEFORE_TENANT)
    at = before(bytes, fieldBefore(bytes, at, from(FIELD.stream), to(FIELD.stream)), BEFORE_STREAM)
    at = before(bytes, numberBefore(bytes, at, seq), BEFORE_SEQ)
    at = before(bytes, numberBefore(bytes, at, int64At(bytes, from(FIELD.position))), BEFORE_POSITION)
    return at > start && idAgrees(bytes, start, at, from(FIELD.id))
  }
}
