import type { Readable } from 'node:stream'
import { BulkSocket } from '../bulk-socket.ts'

/** A CopyData message begins with a 'd' and the length of the rest, which counts itself. */
const COPY_DATA = 0x64
const HEADER_BYTES = 5
const LEAST_CAPACITY = 1 << 17

/**
 * Takes the CopyData messages out of what a connection reads and hands over their contents, each valid only within the
 * call; every other message goes on to pg, as it came. The connection must be idle. Answers what gives it back.
 * pg's own parser puts pieces together again and again, and makes an object a message: for bulk that is half the work.
 * @see PostgreSQL, "Message Formats", CopyData
 */
export const divertCopyData = (stream: Readable, onBytes: (bytes: Buffer) => void): (() => void) => {
  // Of a stream of bytes, to which nobody gave an encoding.
  const listeners = stream.listeners('data') as ((bytes: Buffer) => void)[]
  const toPg = (bytes: Buffer): void => {
    // It keeps what it was given.
    const copy = Buffer.from(bytes)
    for (const listener of listeners) listener.call(stream, copy)
  }
  /** Bytes to come of a message that is pg's; without end once the stream was given back. */
  let others = 0
  // A message that was cut is put together here; the place is used again for the next one.
  let place = Buffer.allocUnsafe(LEAST_CAPACITY)
  let held = 0

  const keep = (bytes: Buffer): void => {
    if (held + bytes.length > place.length) {
      const larger = Buffer.allocUnsafe(2 * (held + bytes.length))
      place.copy(larger, 0, 0, held)
      place = larger
    }
    held += bytes.copy(place, held)
  }

  /** Takes whole messages, and those of pg's also in pieces; answers where the first cut one begins. */
  const takeWhole = (bytes: Buffer): number => {
    let at = 0
    while (at < bytes.length) {
      if (others > 0) {
        const end = Math.min(at + others, bytes.length)
        others -= end - at
        toPg(bytes.subarray(at, end))
        at = end
        continue
      }
      if (at + HEADER_BYTES > bytes.length) return at
      const end = at + 1 + bytes.readUInt32BE(at + 1)
      if (bytes[at] !== COPY_DATA) others = end - at
      else if (end > bytes.length) return at
      else {
        onBytes(bytes.subarray(at + HEADER_BYTES, end))
        at = end
      }
    }
    return at
  }

  /** How many bytes the message that is held lacks; of its header, while that is not whole. */
  const lacking = (): number => (held < HEADER_BYTES ? HEADER_BYTES - held : 1 + place.readUInt32BE(1) - held)

  const read = (chunk: Buffer): void => {
    let at = 0
    while (held > 0 && at < chunk.length) {
      const end = Math.min(at + lacking(), chunk.length)
      keep(chunk.subarray(at, end))
      at = end
      // Whole, or no CopyData and then pg's from its header on.
      if (held >= HEADER_BYTES && takeWhole(place.subarray(0, held)) > 0) held = 0
    }
    if (at === chunk.length) return
    const rest = chunk.subarray(at)
    const cut = takeWhole(rest)
    if (cut < rest.length) keep(rest.subarray(cut))
  }

  if (stream instanceof BulkSocket) stream.taker = read
  else {
    // Under TLS the bytes come from another stream.
    stream.removeAllListeners('data')
    stream.on('data', read)
  }
  return () => {
    others = Number.POSITIVE_INFINITY
    if (stream instanceof BulkSocket) stream.taker = null
    else {
      stream.off('data', read)
      for (const listener of listeners) stream.on('data', listener)
    }
  }
}
