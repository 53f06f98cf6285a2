import { type FileHandle, open } from 'node:fs/promises'
import { Inflate } from 'fflate'
import { type BundleSource, DamagedFile } from './bundle-source.ts'
import {
  crcOn,
  directoryStart,
  type Entry,
  LOCAL_HEADER,
  readDirectory,
  sameHeader,
  type ZipLimits,
} from './zip.ts'

/** A directory is small: so many bytes hold ten thousand names. */
const LARGEST_DIRECTORY = 16 * 2 ** 20
/** What an export of a million events unpacks to, and more. */
const LARGEST_UNPACKED = 16 * 2 ** 30
const CHUNK = 1 << 20
/** Packed bytes that are inflated at once: at most a thousand times as many come out. */
const PIECE = 1 << 14

/** An archive on disk whose files are read piece by piece. */
export interface ZipFile extends AsyncDisposable {
  readonly source: BundleSource | { readonly problem: string }
}

/**
 * Opens an archive on disk as strictly as `readZip`, without reading it into memory.
 * @throws when the file cannot be read
 */
export async function openZipFile(path: string, limits: ZipLimits = {}): Promise<ZipFile> {
  const file = await open(path, 'r')
  return {
    source: await sourceOf(file, { mostBytes: LARGEST_UNPACKED, ...limits }),
    [Symbol.asyncDispose]: () => file.close(),
  }
}

async function sourceOf(file: FileHandle, limits: ZipLimits): Promise<BundleSource | { problem: string }> {
  const { size } = await file.stat()
  const start = directoryStart(await bytesOf(file, Math.max(0, size - 22), size))
  const unclear = {
    problem: 'the archive does not end with its directory: it is no zip, is cut off, or bytes follow it',
  }
  if (start === null || start > size - 22) return unclear
  if (size - start > LARGEST_DIRECTORY) return { problem: 'the directory of the archive is too large' }
  const directory = readDirectory(await bytesOf(file, start, size), start, limits)
  if ('problem' in directory) return directory
  const places = new Map<string, { entry: Entry; from: number }>()
  let at = 0
  for (const entry of directory.entries) {
    if (entry.offset !== at) return { problem: `bytes that belong to no file lie before ${entry.path}` }
    const headerEnd = at + LOCAL_HEADER + entry.path.length
    if (headerEnd + entry.packed > start) return { problem: `${entry.path} reaches into the directory` }
    const header = await bytesOf(file, at, headerEnd)
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
      return place === undefined ? [] : unpacked(file, place.entry, place.from)
    },
  }
}

async function bytesOf(file: FileHandle, from: number, to: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(to - from)
  let at = 0
  // Ends: every turn reads something, or the file is at its end.
  while (at < bytes.length) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, from + at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  return bytes.subarray(0, at)
}

async function* packed(file: FileHandle, from: number, to: number): AsyncGenerator<Uint8Array> {
  for (let at = from; at < to; at += CHUNK) yield await bytesOf(file, at, Math.min(at + CHUNK, to))
}

/** The unpacked bytes of a file; stops as soon as there are more than the directory promises. */
async function* unpacked(file: FileHandle, entry: Entry, from: number): AsyncGenerator<Uint8Array> {
  const raw = packed(file, from, from + entry.packed)
  if (entry.method !== 0 && entry.method !== 8) throw new DamagedFile(`${entry.path} cannot be unpacked`)
  let crc = 0xffffffff
  let length = 0
  try {
    for await (const chunk of entry.method === 0 ? raw : inflated(raw)) {
      length += chunk.length
      if (length > entry.unpacked) throw new DamagedFile(`${entry.path} is longer than it says`)
      crc = crcOn(crc, chunk)
      yield chunk
    }
  } catch (error) {
    // The library numbers its errors.
    if (error instanceof Error && 'code' in error && typeof error.code === 'number')
      throw new DamagedFile(`${entry.path} cannot be unpacked to the size it gives`, { cause: error })
    throw error
  }
  if (length !== entry.unpacked)
    throw new DamagedFile(`${entry.path} cannot be unpacked to the size it gives`)
  if (~crc >>> 0 !== entry.crc) throw new DamagedFile(`${entry.path} does not have the checksum it gives`)
}

/** Inflates without a stream of its own: whoever stops reading leaves nothing behind that still reads. */
async function* inflated(raw: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let out: Uint8Array[] = []
  const inflate = new Inflate((chunk) => out.push(chunk))
  for await (const chunk of raw)
    for (let at = 0; at < chunk.length; at += PIECE) {
      inflate.push(chunk.subarray(at, at + PIECE))
      yield* out
      out = []
    }
  inflate.push(new Uint8Array(0), true)
  yield* out
}
