import { type BundleSource, DamagedFile, wholeFile } from './bundle-source.ts'
import {
  crcOn,
  directoryStart,
  type Entry,
  type Files,
  LOCAL_HEADER,
  readDirectory,
  sameHeader,
  type ZipLimits,
} from './zip.ts'

/** The bytes of an archive, wherever they lie: on disk, in memory, in a file that was dropped on a page. */
export interface ByteSource {
  readonly size: number
  /** The bytes from one place to another; fewer only where the source ends. */
  readonly read: (from: number, to: number) => Promise<Uint8Array<ArrayBuffer>>
}

/** A directory is small: so many bytes hold ten thousand names. */
const LARGEST_DIRECTORY = 16 * 2 ** 20
/** What an export of ten million events unpacks to, and more. */
const LARGEST_UNPACKED = 16 * 2 ** 30
/** Packed bytes that are inflated at once: at most a thousand times as many come out. */
const PIECE = 1 << 16

export const bytesInMemory = (bytes: Uint8Array): ByteSource => ({
  size: bytes.length,
  read: async (from, to) => Uint8Array.from(bytes.subarray(from, to)),
})

/**
 * A file that a person chose, read as it is needed: the page never holds the whole. Every read of it asks another
 * process of the browser, so at least a piece is read, which has the next small files in it.
 */
export const bytesOfBlob = (blob: Blob): ByteSource => {
  let piece = { from: 0, to: 0, bytes: new Uint8Array(0) }
  return {
    size: blob.size,
    async read(from, wanted) {
      const to = Math.min(wanted, blob.size)
      let held = piece
      if (from < held.from || to > held.to) {
        const bytes = new Uint8Array(await blob.slice(from, Math.max(to, from + PIECE)).arrayBuffer())
        held = { from, to: from + bytes.length, bytes }
        piece = held
      }
      return held.bytes.slice(from - held.from, to - held.from)
    },
  }
}

/**
 * Opens an archive strictly: every byte of it belongs to one entry, and nothing is ambiguous. Refused are duplicate
 * and case-colliding names, traversal, absolute paths, folders, links, encryption, gaps, comments, trailing bytes,
 * zip64, sizes that differ between the two headers, and archives that unpack to more than allowed. What a file itself
 * gets wrong (checksum, size, bytes behind its end) shows when it is read. Memory does not grow with the archive.
 * @throws what the source throws when it cannot be read
 * @see APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.16
 */
export async function openZip(
  bytes: ByteSource,
  limits: ZipLimits = {},
): Promise<BundleSource | { readonly problem: string }> {
  const { size } = bytes
  const start = directoryStart(await bytes.read(Math.max(0, size - 22), size))
  if (start === null || start > size - 22)
    return {
      problem: 'the archive does not end with its directory: it is no zip, is cut off, or bytes follow it',
    }
  if (size - start > LARGEST_DIRECTORY) return { problem: 'the directory of the archive is too large' }
  const directory = readDirectory(await bytes.read(start, size), start, {
    mostBytes: LARGEST_UNPACKED,
    ...limits,
  })
  if ('problem' in directory) return directory
  const places = new Map<string, { entry: Entry; from: number }>()
  let at = 0
  for (const entry of directory.entries) {
    if (entry.offset !== at) return { problem: `bytes that belong to no file lie before ${entry.path}` }
    const headerEnd = at + LOCAL_HEADER + entry.path.length
    if (headerEnd + entry.packed > start) return { problem: `${entry.path} reaches into the directory` }
    const header = await bytes.read(at, headerEnd)
    // A longer name in the header would reach beyond the bytes that were read: then it is another name.
    if (header.length < headerEnd - at || !sameHeader(header, 0, entry))
      return { problem: `${entry.path} is described in two different ways` }
    places.set(entry.path, { entry, from: headerEnd })
    at = headerEnd + entry.packed
  }
  if (at !== start) return { problem: 'bytes that belong to no file lie before the directory' }
  return {
    paths: [...places.keys()],
    chunks: (path) => {
      const place = places.get(path)
      return place === undefined ? [] : unpacked(bytes, place.entry, place.from)
    },
  }
}

/** The files of an archive that fits into memory, or why it is refused. */
export async function readZip(
  zip: Uint8Array,
  limits: ZipLimits = {},
): Promise<{ readonly files: Files } | { readonly problem: string }> {
  const source = await openZip(bytesInMemory(zip), { mostBytes: 2 ** 30, ...limits })
  if ('problem' in source) return source
  const files = new Map<string, Uint8Array>()
  try {
    for (const path of source.paths)
      files.set(path, (await wholeFile(source, path, Number.POSITIVE_INFINITY)) ?? new Uint8Array(0))
  } catch (error) {
    if (error instanceof DamagedFile) return { problem: error.message }
    throw error
  }
  return { files }
}

/** The packed bytes of a file, as a stream that reads when it is asked. */
function packed(bytes: ByteSource, from: number, to: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = from
  return new ReadableStream(
    {
      async pull(controller) {
        if (at >= to) return controller.close()
        const next = Math.min(at + PIECE, to)
        controller.enqueue(await bytes.read(at, next))
        at = next
      },
    },
    { highWaterMark: 0 },
  )
}

/** The unpacked bytes of a file; stops as soon as there are more than the directory promises. */
async function* unpacked(bytes: ByteSource, entry: Entry, from: number): AsyncGenerator<Uint8Array> {
  if (entry.method !== 0 && entry.method !== 8) throw new DamagedFile(`${entry.path} cannot be unpacked`)
  const raw = packed(bytes, from, from + entry.packed)
  const reader = (
    entry.method === 0 ? raw : raw.pipeThrough(new DecompressionStream('deflate-raw'))
  ).getReader()
  let crc = 0xffffffff
  let length = 0
  try {
    // Ends: every turn gives bytes, of which there may be no more than the directory says.
    for (;;) {
      const { done, value } = await nextOf(reader, entry.path)
      if (done) break
      length += value.length
      if (length > entry.unpacked) throw new DamagedFile(`${entry.path} is longer than it says`)
      crc = crcOn(crc, value)
      yield value
    }
  } finally {
    // Whoever stops in the middle leaves nothing behind that still reads.
    await reader.cancel().catch(() => undefined)
  }
  if (length !== entry.unpacked)
    throw new DamagedFile(`${entry.path} cannot be unpacked to the size it gives`)
  if (~crc >>> 0 !== entry.crc) throw new DamagedFile(`${entry.path} does not have the checksum it gives`)
}

async function nextOf(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  path: string,
): Promise<ReadableStreamReadResult<Uint8Array>> {
  try {
    return await reader.read()
  } catch (error) {
    // The platform's only way to say that it cannot be inflated, ends too early, or that bytes follow its end.
    if (error instanceof TypeError)
      throw new DamagedFile(`${path} cannot be unpacked to the size it gives`, { cause: error })
    throw error
  }
}
