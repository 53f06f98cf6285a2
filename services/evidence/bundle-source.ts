import type { Files } from './zip.ts'

/** The files of a bundle, read when they are needed: from memory, or piece by piece from an archive on disk. */
export interface BundleSource {
  readonly paths: readonly string[]
  /** The bytes of a file in order. Throws `DamagedFile` where the archive does not hold what it promises. */
  readonly chunks: (path: string) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/** A file of an archive cannot be read as its directory describes it. */
export class DamagedFile extends Error {
  override readonly name = 'DamagedFile'
}

export const memorySource = (files: Files): BundleSource => ({
  paths: [...files.keys()],
  chunks: (path) => [files.get(path) ?? new Uint8Array(0)],
})

/** The whole of a file; null when it is longer than `most` bytes. */
export async function wholeFile(
  source: BundleSource,
  path: string,
  most: number,
): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of source.chunks(path)) {
    length += chunk.length
    if (length > most) return null
    chunks.push(chunk)
  }
  const [only] = chunks
  if (only && chunks.length === 1) return only
  const whole = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

/** A text file that does not consist of lines that each end, are not empty and are not too long. */
export class NotLines extends Error {
  override readonly name = 'NotLines'
}

const LINE_FEED = 0x0a

/**
 * The lines of a file in batches, without their ends. Memory holds one chunk and the line that reaches beyond it. A
 * line is valid until the next batch is asked for.
 * @throws NotLines for an empty line, a last line without its end, or a line above `longest` bytes
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  longest: number,
): AsyncGenerator<Uint8Array[], void, undefined> {
  let carry: Uint8Array = new Uint8Array(0)
  for await (const chunk of chunks) {
    let bytes = chunk
    if (carry.length > 0) {
      bytes = new Uint8Array(carry.length + chunk.length)
      bytes.set(carry)
      bytes.set(chunk, carry.length)
    }
    const lines: Uint8Array[] = []
    let at = 0
    for (let end = bytes.indexOf(LINE_FEED); end !== -1; end = bytes.indexOf(LINE_FEED, at)) {
      if (end === at) throw new NotLines('has an empty line')
      lines.push(bytes.subarray(at, end))
      at = end + 1
    }
    if (bytes.length - at > longest) throw new NotLines('has a line that is too long')
    if (lines.length > 0) yield lines
    carry = bytes.slice(at)
  }
  if (carry.length > 0) throw new NotLines('does not end its last line')
}
