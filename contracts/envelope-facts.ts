import { copyOf, standsAt } from './hashes.ts'

/*
 * The facts of an envelope, read from its bytes where they stand.
 */

const utf8 = new TextEncoder()

/** What the verifier reads of an envelope. */
export interface Facts {
  readonly at: string
  readonly position: number
  readonly seq: number
  /** Where the stream's id stands. */
  readonly stream: number
  readonly streamEnd: number
  readonly tenant: string
}

const HEAD = utf8.encode('{"at":"')
const AFTER_AT = utf8.encode('","event":{')
const BEFORE_POSITION = utf8.encode('},"position":')
const BEFORE_SEQ = utf8.encode(',"seq":')
const BEFORE_STREAM = utf8.encode(',"stream":"')
const BEFORE_TENANT = utf8.encode('","tenant":"')
const BEFORE_TYPE = utf8.encode('","type":"')
const END = utf8.encode('"}')
const QUOTE = 0x22

/** Where the literal that must end at `end` begins, or -1. */
const literalBefore = (bytes: Uint8Array, end: number, literal: Uint8Array): number => {
  const start = end - literal.length
  return standsAt(literal, bytes, start) ? start : -1
}

/** Where the plain ASCII text that ends at `end` begins: after the quote before it. -1 if empty or not plain. */
const textBefore = (bytes: Uint8Array, end: number): number => {
  let i = end - 1
  for (; i >= 0; i--) {
    const byte = bytes[i] ?? 0
    if (byte === QUOTE) break
    if (byte < 0x20 || byte > 0x7e || byte === 0x5c) return -1
  }
  return i < 0 || i + 1 === end ? -1 : i + 1
}

/** Where the digits that end at `end` begin; -1 where there are none, or a zero leads. */
const digitsBefore = (bytes: Uint8Array, end: number): number => {
  let i = end
  while (i > 0 && (bytes[i - 1] ?? 0) >= 0x30 && (bytes[i - 1] ?? 0) <= 0x39) i--
  return i === end || bytes[i] === 0x30 || end - i > 15 ? -1 : i
}

const numberAt = (bytes: Uint8Array, from: number, to: number): number => {
  let value = 0
  for (let i = from; i < to; i++) value = value * 10 + (bytes[i] ?? 0) - 0x30
  return value
}

/** The text of plain ASCII bytes. */
const asciiAt = (bytes: Uint8Array, from: number, to: number): string =>
  // Typed as an array alone, though any array-like is taken, and a typed array is spread ten times slower.
  String.fromCharCode.apply(null, bytes.subarray(from, to) as unknown as number[])

/** The ends of an envelope, which most events of a walk share with the one before. */
export interface Ends {
  /** From `{"at":"` to the opening of the event, and the instant in it. */
  readonly head: Uint8Array
  readonly at: string
  /** From the end of the stream to the last brace, and the tenant in it. */
  readonly tail: Uint8Array
  readonly tenant: string
}

const readHead = (bytes: Uint8Array, from: number): Pick<Ends, 'head' | 'at'> | null => {
  const at = from + HEAD.length
  if (literalBefore(bytes, at, HEAD) !== from) return null
  const atEnd = bytes.indexOf(QUOTE, at)
  const end = atEnd + AFTER_AT.length
  if (atEnd < 0 || atEnd - at > 32 || literalBefore(bytes, end, AFTER_AT) !== atEnd) return null
  return { head: copyOf(bytes, from, end), at: asciiAt(bytes, at, atEnd) }
}

const readTail = (bytes: Uint8Array, to: number): Pick<Ends, 'tail' | 'tenant'> | null => {
  const typeEnd = literalBefore(bytes, to, END)
  const type = textBefore(bytes, typeEnd)
  const tenantEnd = literalBefore(bytes, type, BEFORE_TYPE)
  const tenant = textBefore(bytes, tenantEnd)
  const streamEnd = literalBefore(bytes, tenant, BEFORE_TENANT)
  if (streamEnd < 0) return null
  return { tail: copyOf(bytes, streamEnd, to), tenant: asciiAt(bytes, tenant, tenantEnd) }
}

/** The ends of an envelope; those given where they are the same. */
export const endsOf = (bytes: Uint8Array, from: number, to: number, before: Ends | null): Ends | null => {
  const sameHead = before !== null && standsAt(before.head, bytes, from)
  const sameTail = before !== null && standsAt(before.tail, bytes, to - before.tail.length)
  if (sameHead && sameTail) return before
  const head = sameHead ? before : readHead(bytes, from)
  const tail = sameTail ? before : readTail(bytes, to)
  return head && tail && { head: head.head, at: head.at, tail: tail.tail, tenant: tail.tenant }
}

/** The ends of an envelope are of a fixed form: they are read backwards, without parsing what lies between. */
export const factsOf = (bytes: Uint8Array, from: number, to: number, ends: Ends): Facts | null => {
  const streamEnd = to - ends.tail.length
  const stream = textBefore(bytes, streamEnd)
  const seqEnd = literalBefore(bytes, stream, BEFORE_STREAM)
  const seq = digitsBefore(bytes, seqEnd)
  const positionEnd = literalBefore(bytes, seq, BEFORE_SEQ)
  const position = digitsBefore(bytes, positionEnd)
  // A -1 anywhere above makes every later step -1.
  if (literalBefore(bytes, position, BEFORE_POSITION) < from + ends.head.length) return null
  return {
    at: ends.at,
    position: numberAt(bytes, position, positionEnd),
    seq: numberAt(bytes, seq, seqEnd),
    stream,
    streamEnd,
    tenant: ends.tenant,
  }
}
