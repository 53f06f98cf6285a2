/*
 * Writes DER.
 * @see X.690 §8, §10, §11
 */

/** One element of a tag and what is in it. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const content = joined(parts)
  const { length } = content
  if (length < 0x80) return joined([Uint8Array.of(tag, length), content])
  const hex = length.toString(16)
  const octets = Uint8Array.fromHex(hex.padStart(hex.length + (hex.length % 2), '0'))
  return joined([Uint8Array.of(tag, 0x80 | octets.length), octets, content])
}

export const sequence = (...parts: readonly Uint8Array[]) => der(0x30, ...parts)

/** SET OF, under this tag: in DER its elements are sorted. */
export const setOf = (tag: number, parts: readonly Uint8Array[]) => der(tag, ...parts.toSorted(byOctets))

/** INTEGER of unsigned big-endian bytes: shortest form, a zero before a set top bit. */
export function integer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const first = bytes.findIndex((octet) => octet !== 0)
  const significant = first === -1 ? Uint8Array.of(0) : bytes.subarray(first)
  return der(0x02, ...((significant[0] ?? 0) >= 0x80 ? [Uint8Array.of(0)] : []), significant)
}

/** OBJECT IDENTIFIER of its dotted form. */
export function objectId(dotted: string): Uint8Array<ArrayBuffer> {
  const [top = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return der(0x06, ...[top * 40 + second, ...rest].map(base128))
}

function base128(value: number): Uint8Array {
  const octets = [value % 128]
  for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128))
    octets.unshift(0x80 | (left % 128))
  return Uint8Array.from(octets)
}

/** A time of a certificate: UTCTime up to 2049, GeneralizedTime from then on (RFC 5280 §4.1.2.5). */
export function instant(at: Date): Uint8Array<ArrayBuffer> {
  const text = `${at.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`
  const short = at.getUTCFullYear() >= 1950 && at.getUTCFullYear() < 2050
  return der(short ? 0x17 : 0x18, new TextEncoder().encode(short ? text.slice(2) : text))
}

function byOctets(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return (a[i] ?? 0) - (b[i] ?? 0)
  return a.length - b.length
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
