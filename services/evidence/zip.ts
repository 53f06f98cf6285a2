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

/** Why names may not stand in one archive, or null. */
export function pathsProblem(paths: readonly string[]): string | null {
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

/** Eight tables, so that eight octets are taken at once. */
const crcTables = (() => {
  const tables = Array.from({ length: 8 }, () => new Int32Array(256))
  const [first = new Int32Array(256)] = tables
  for (let octet = 0; octet < 256; octet++) {
    let value = octet
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0)
    first[octet] = value
  }
  for (let n = 1; n < 8; n++)
    for (let octet = 0; octet < 256; octet++) {
      const before = tables[n - 1]?.[octet] ?? 0
      const table = tables[n]
      if (table) table[octet] = (before >>> 8) ^ (first[before & 0xff] ?? 0)
    }
  return tables
})()

/** Goes on with a CRC-32 that began at `0xffffffff` and is inverted at its end. */
export function crcOn(crc: number, bytes: Uint8Array): number {
  // Indices lie within: the tables have 256 entries each, and the loops end with the bytes.
  const [t0, t1, t2, t3, t4, t5, t6, t7] = crcTables as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
  ]
  let value = crc
  let at = 0
  for (const end = bytes.length - 7; at < end; at += 8) {
    value ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    value =
      (t7[value & 0xff] as number) ^
      (t6[(value >>> 8) & 0xff] as number) ^
      (t5[(value >>> 16) & 0xff] as number) ^
      (t4[value >>> 24] as number) ^
      (t3[bytes[at + 4] as number] as number) ^
      (t2[bytes[at + 5] as number] as number) ^
      (t1[bytes[at + 6] as number] as number) ^
      (t0[bytes[at + 7] as number] as number)
  }
  for (; at < bytes.length; at++)
    value = (value >>> 8) ^ (t0[(value ^ (bytes[at] as number)) & 0xff] as number)
  return value
}
