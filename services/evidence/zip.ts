import { inflateSync, zipSync } from 'fflate'

/** Files by path. */
export type Files = ReadonlyMap<string, Uint8Array>

/** What an archive from outside may cost at most. */
export interface ZipLimits {
  /** @default 10_000 */
  readonly mostFiles?: number
  /** Sum of the unpacked sizes, in bytes. @default 1 GiB */
  readonly mostBytes?: number
}

/** One name that is the same on every file system: no `..`, backslash, colon, space or leading dot. */
const pathPattern = /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/
const longestPath = 200
/** Deflate cannot shrink below this; more is a lie about the size. */
const mostDeflateRatio = 1040

const localHeader = 0x04034b50
const centralHeader = 0x02014b50
const endHeader = 0x06054b50

/**
 * Packs files so that the same files always give the same bytes, in any time zone: sorted, all of one fixed date.
 * @throws RangeError for a path that `readZip` would refuse
 */
export function writeZip(files: Files): Uint8Array<ArrayBuffer> {
  const sorted = [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const problem = pathsProblem(sorted.map(([path]) => path))
  if (problem !== null) throw new RangeError(problem)
  // fflate writes local time, so the date is given in local time: the bytes then say 1980-01-01 00:00 everywhere.
  return Uint8Array.from(zipSync(Object.fromEntries(sorted), { level: 6, mtime: new Date(1980, 0, 1) }))
}

/**
 * Unpacks an archive strictly: every byte of it belongs to one entry, and nothing is ambiguous. Refused are duplicate
 * and case-colliding names, traversal, absolute paths, folders, links, encryption, gaps, comments, trailing bytes,
 * zip64, sizes that differ between the two headers, wrong checksums and archives that unpack to more than allowed.
 * @see APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.16
 */
export function readZip(
  zip: Uint8Array,
  limits: ZipLimits = {},
): { readonly files: Files } | { readonly problem: string } {
  const directory = readDirectory(zip, 0, limits)
  if ('problem' in directory) return directory
  const files = new Map<string, Uint8Array>()
  let at = 0
  for (const entry of directory.entries) {
    if (entry.offset !== at) return { problem: `bytes that belong to no file lie before ${entry.path}` }
    const content = readEntry(zip, entry, directory.start)
    if ('problem' in content) return { problem: `${entry.path} ${content.problem}` }
    files.set(entry.path, content.bytes)
    at = content.end
  }
  return at === directory.start
    ? { files }
    : { problem: 'bytes that belong to no file lie before the directory' }
}

/** One file as the directory of an archive describes it. */
export interface Entry {
  readonly path: string
  readonly method: number
  readonly crc: number
  readonly packed: number
  readonly unpacked: number
  readonly offset: number
}

/** Where an archive says that its directory begins; null when it does not end with one. */
export function directoryStart(lastBytes: Uint8Array): number | null {
  const view = new DataView(lastBytes.buffer, lastBytes.byteOffset, lastBytes.byteLength)
  const end = lastBytes.length - 22
  return end < 0 || view.getUint32(end, true) !== endHeader ? null : view.getUint32(end + 16, true)
}

/**
 * Reads the directory of an archive, strictly.
 * @param zip the archive from `base` on, its directory and its end included
 */
export function readDirectory(
  zip: Uint8Array,
  base: number,
  { mostFiles = 10_000, mostBytes = 2 ** 30 }: ZipLimits,
): { entries: Entry[]; start: number } | { problem: string } {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength)
  const end = zip.length - 22
  if (end < 0 || view.getUint32(end, true) !== endHeader || view.getUint16(end + 20, true) !== 0) {
    return {
      problem: 'the archive does not end with its directory: it is no zip, is cut off, or bytes follow it',
    }
  }
  const count = view.getUint16(end + 10, true)
  const size = view.getUint32(end + 12, true)
  const start = view.getUint32(end + 16, true)
  if (view.getUint32(end + 4, true) !== 0 || view.getUint16(end + 8, true) !== count) {
    return { problem: 'the archive is spread over several disks' }
  }
  if (count > mostFiles) return { problem: `the archive holds more than ${mostFiles} files` }
  if (start + size !== end + base || start < base)
    return { problem: 'the directory of the archive is not where it says' }
  const entries: Entry[] = []
  let at = start - base
  let total = 0
  for (let index = 0; index < count; index += 1) {
    if (at + 46 > end || view.getUint32(at, true) !== centralHeader)
      return { problem: 'the directory is damaged' }
    const nameLength = view.getUint16(at + 28, true)
    const next = at + 46 + nameLength
    if (next > end) return { problem: 'the directory is damaged' }
    const path = latin1(zip.subarray(at + 46, next))
    if (view.getUint16(at + 30, true) !== 0 || view.getUint16(at + 32, true) !== 0) {
      return { problem: `${path} carries extra fields or a comment` }
    }
    const problem = attributesProblem(view, at)
    if (problem !== null) return { problem: `${path} ${problem}` }
    const entry = {
      path,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true),
      unpacked: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    }
    if (entry.unpacked > (entry.packed + 1) * mostDeflateRatio)
      return { problem: `${path} lies about its size` }
    total += entry.unpacked
    if (total > mostBytes) return { problem: `the archive unpacks to more than ${mostBytes} bytes` }
    entries.push(entry)
    at = next
  }
  if (at !== end) return { problem: 'the directory holds bytes that belong to no file' }
  const problem = pathsProblem(entries.map(({ path }) => path))
  return problem === null ? { entries, start } : { problem }
}

/** Flags, disk and file type of a directory entry. */
function attributesProblem(view: DataView, at: number): string | null {
  const flags = view.getUint16(at + 8, true)
  if ((flags & 1) !== 0) return 'is encrypted'
  // Bit 11 says that the name is UTF-8; ASCII, which is all we accept, is both.
  if ((flags & ~0x0800) !== 0) return 'uses a feature that a bundle never uses'
  if (view.getUint16(at + 34, true) !== 0) return 'lies on another disk'
  const unixType = (view.getUint32(at + 38, true) >>> 28) & 0xf
  if (unixType !== 0 && unixType !== 8) return 'is a link or another special file'
  return null
}

function readEntry(
  zip: Uint8Array,
  entry: Entry,
  limit: number,
): { bytes: Uint8Array; end: number } | { problem: string } {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength)
  const { offset: at } = entry
  if (at + 30 > limit || view.getUint32(at, true) !== localHeader) return { problem: 'has no header' }
  const nameEnd = at + 30 + view.getUint16(at + 26, true)
  const end = nameEnd + entry.packed
  if (end > limit) return { problem: 'reaches into the directory' }
  if (!sameHeader(zip, at, entry)) return { problem: 'is described in two different ways' }
  const bytes = unpack(zip.subarray(nameEnd, end), entry)
  if (bytes === null) return { problem: 'cannot be unpacked to the size it gives' }
  return crc32(bytes) === entry.crc ? { bytes, end } : { problem: 'does not have the checksum it gives' }
}

/** Octets of a local header without its name. */
export const LOCAL_HEADER = 30

/** Whether the header before a file says the same as the directory. */
export function sameHeader(zip: Uint8Array, at: number, entry: Entry): boolean {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength)
  const nameEnd = at + LOCAL_HEADER + view.getUint16(at + 26, true)
  return (
    view.getUint32(at, true) === localHeader &&
    latin1(zip.subarray(at + 30, nameEnd)) === entry.path &&
    (view.getUint16(at + 6, true) & ~0x0800) === 0 &&
    view.getUint16(at + 8, true) === entry.method &&
    view.getUint32(at + 14, true) === entry.crc &&
    view.getUint32(at + 18, true) === entry.packed &&
    view.getUint32(at + 22, true) === entry.unpacked &&
    view.getUint16(at + 28, true) === 0
  )
}

function unpack(packed: Uint8Array, entry: Entry): Uint8Array | null {
  if (entry.method === 0) return packed.length === entry.unpacked ? packed.slice() : null
  if (entry.method !== 8) return null
  try {
    // One byte more than promised: content that is longer than it says then shows, and no more memory is taken.
    const bytes = inflateSync(packed, { out: new Uint8Array(entry.unpacked + 1) })
    return bytes.length === entry.unpacked ? bytes.slice() : null
  } catch {
    // The library's only way to say that the data is damaged.
    return null
  }
}

function pathsProblem(paths: readonly string[]): string | null {
  const seen = new Set<string>()
  for (const path of paths) {
    if (path.length > longestPath || !pathPattern.test(path))
      return `the name ${JSON.stringify(path)} is not allowed`
    const folded = path.toLowerCase()
    if (seen.has(folded)) return `the name ${path} stands twice, or differs from another only in case`
    seen.add(folded)
  }
  for (const path of seen) {
    const parts = path.split('/')
    const above = parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'))
    const clash = above.find((folder) => seen.has(folder))
    if (clash !== undefined) return `${clash} is a file and a folder`
  }
  return null
}

function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (octet) => String.fromCharCode(octet)).join('')
}

const crcTable = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0)
  return value
})

const crc32 = (bytes: Uint8Array): number => ~crcOn(0xffffffff, bytes) >>> 0

/** Goes on with a CRC-32 that began at `0xffffffff` and is inverted at its end. */
export function crcOn(crc: number, bytes: Uint8Array): number {
  let value = crc
  for (const octet of bytes) value = (value >>> 8) ^ (crcTable[(value ^ octet) & 0xff] ?? 0)
  return value
}
