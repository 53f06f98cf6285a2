/*
 * Reads ASN.1 as certificates, CMS and timestamps are written in it, strictly: DER, and of BER what some authorities
 * use around a token, which is lengths that are left open and octet strings in pieces. Imports nothing, so that it
 * runs in the single-file verifier; a few hundred lines instead of a library that is larger than all the rest.
 * @see X.690 §8, §10
 */

/** Why bytes are refused. Thrown while a signed structure is read and checked; it never passes who called for that. */
export class Refusal extends Error {}

export function must(condition: boolean, reason: string): asserts condition {
  if (!condition) throw new Refusal(reason)
}

/** Bytes that WebCrypto takes. */
export type Bytes = Uint8Array<ArrayBuffer>

/** Tags as their octet stands. */
export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectId: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** The tag of a context-specific element: `[n]`, made of others or not. */
export const context = (number: number, constructed = true): number =>
  0x80 | (constructed ? 0x20 : 0) | number

/** One element. */
export interface Element {
  readonly tag: number
  readonly content: Bytes
  /** The whole as it stood: tag, length and content. */
  readonly whole: Bytes
}

const CONSTRUCTED = 0x20
const OCTETS_IN_PIECES = tags.octetString | CONSTRUCTED
const DEEPEST = 24
/** More than any certificate or token has in one place. */
const MOST_CHILDREN = 4096

interface Header {
  readonly tag: number
  readonly from: number
  /** Null: open, to an end mark. */
  readonly length: number | null
}

function header(bytes: Bytes, at: number): Header {
  const [tag, first] = [bytes[at], bytes[at + 1]]
  must(tag !== undefined && first !== undefined, 'the encoding is cut off')
  must((tag & 0x1f) !== 0x1f, 'the encoding has a tag that nothing here uses')
  if (first < 0x80) return { tag, from: at + 2, length: first }
  if (first === 0x80) {
    must((tag & CONSTRUCTED) !== 0, 'the encoding leaves the length of a value open')
    return { tag, from: at + 2, length: null }
  }
  const octets = first & 0x7f
  must(octets <= 4, 'the encoding has a length beyond all bounds')
  let length = 0
  for (let i = 0; i < octets; i++) length = length * 256 + (bytes[at + 2 + i] ?? 0)
  must(
    length >= (octets === 1 ? 0x80 : 256 ** (octets - 1)),
    'the encoding has a length that is written too long',
  )
  return { tag, from: at + 2 + octets, length }
}

/** Where the element at a place ends. */
function endOf(bytes: Bytes, at: number, depth: number): { readonly head: Header; readonly end: number } {
  must(depth < DEEPEST, 'the encoding is nested too deep')
  const head = header(bytes, at)
  if (head.length !== null) {
    must(head.from + head.length <= bytes.length, 'the encoding is cut off')
    return { head, end: head.from + head.length }
  }
  let next = head.from
  for (let count = 0; count < MOST_CHILDREN; count++) {
    if (bytes[next] === 0 && bytes[next + 1] === 0) return { head, end: next + 2 }
    next = endOf(bytes, next, depth + 1).end
  }
  throw new Refusal('the encoding has too many parts')
}

/** The element at a place of the bytes, and where it ends. */
export function elementAt(bytes: Bytes, at: number): { readonly element: Element; readonly end: number } {
  const { head, end } = endOf(bytes, at, 0)
  const stop = head.length === null ? end - 2 : end
  return {
    element: { tag: head.tag, content: bytes.subarray(head.from, stop), whole: bytes.subarray(at, end) },
    end,
  }
}

/** The one element that the bytes are. `what` names it in a refusal. */
export function onlyElement(bytes: Bytes, what: string): Element {
  const { element, end } = elementAt(bytes, 0)
  must(end === bytes.length, `bytes follow ${what}`)
  return element
}

/** The elements that an element is made of. */
export function children({ content }: Element): Element[] {
  const found: Element[] = []
  for (let at = 0; at < content.length; ) {
    const { element, end } = elementAt(content, at)
    must(found.push(element) <= MOST_CHILDREN, 'the encoding has too many parts')
    at = end
  }
  return found
}

/** The elements of a SEQUENCE one after the other: what must be there, what may be, and nothing behind. */
export class Fields {
  readonly #of: readonly Element[]
  readonly #what: string
  #at = 0

  constructor(element: Element, what: string, tag: number = tags.sequence) {
    must(element.tag === tag, `${what} is not of the form it must have`)
    this.#of = children(element)
    this.#what = what
  }

  /** The next element, whatever it is. */
  any(): Element {
    const next = this.#of[this.#at++]
    must(next !== undefined, `${this.#what} ends too early`)
    return next
  }

  take(tag: number): Element {
    const next = this.any()
    must(next.tag === tag, `${this.#what} is not of the form it must have`)
    return next
  }

  /** The next element where it has this tag. */
  maybe(tag: number): Element | null {
    const next = this.#of[this.#at]
    if (next?.tag !== tag) return null
    this.#at++
    return next
  }

  end(): void {
    must(this.#at === this.#of.length, `something follows ${this.#what}`)
  }
}

/** The dotted form of an object identifier. */
export function objectId({ tag, content }: Element): string {
  must(tag === tags.objectId && content.length > 0, 'an object identifier is missing')
  const arcs: number[] = []
  let arc = 0
  let begins = true
  for (const octet of content) {
    must(!(begins && octet === 0x80) && arc < 2 ** 40, 'an object identifier is written in no proper form')
    arc = arc * 128 + (octet & 0x7f)
    begins = octet < 0x80
    if (!begins) continue
    arcs.push(arc)
    arc = 0
  }
  must(begins, 'an object identifier is cut off')
  const [first = 0, ...rest] = arcs
  const top = Math.min(2, Math.floor(first / 40))
  return [top, first - 40 * top, ...rest].join('.')
}

/** A small INTEGER that is not negative. */
export function smallInteger({ tag, content }: Element): number {
  must(tag === tags.integer && content.length > 0 && content.length <= 4, 'a number is missing or too large')
  must((content[0] ?? 0) < 0x80, 'a number is negative')
  return content.reduce((sum, octet) => sum * 256 + octet, 0)
}

export function boolean({ tag, content }: Element): boolean {
  must(tag === tags.boolean && content.length === 1, 'a truth value is missing')
  return content[0] !== 0
}

/** The bytes of a BIT STRING whose bits fill them. */
export function bitString({ tag, content }: Element): Bytes {
  must(tag === tags.bitString && content[0] === 0, 'a bit string is missing or is not of whole bytes')
  return content.subarray(1)
}

/** The bytes of an OCTET STRING, in one piece or in several. */
export function octetString(element: Element, depth = 0): Bytes {
  if (element.tag === tags.octetString) return element.content
  must(element.tag === OCTETS_IN_PIECES && depth < DEEPEST, 'an octet string is missing')
  const pieces = children(element).map((piece) => octetString(piece, depth + 1))
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

const utcTime = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/
const generalizedTime = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{1,9}))?Z$/

/** A time in UTC. @see RFC 5280 §4.1.2.5, RFC 3161 §2.4.2 */
export function time({ tag, content }: Element): Date {
  const text = new TextDecoder('latin1').decode(content)
  const short = tag === tags.utcTime ? utcTime.exec(text) : null
  const found = tag === tags.generalizedTime ? generalizedTime.exec(text) : short
  must(found !== null, 'a time is missing or is not in UTC')
  const [year = '', month, day, hour, minute, second, fraction = ''] = found.slice(1)
  // Two digits: from 1950 to 2049.
  const century = short === null ? '' : Number(year) < 50 ? '20' : '19'
  const iso = `${century}${year}-${month}-${day}T${hour}:${minute}:${second}`
  const at = new Date(`${iso}.${fraction.slice(0, 3).padEnd(3, '0')}Z`)
  must(!Number.isNaN(at.getTime()) && at.toISOString().startsWith(iso), 'a time is none of the calendar')
  return at
}

export function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index])
}
