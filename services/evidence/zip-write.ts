import { Deflate } from 'fflate'
import { crcOn, LOCAL_HEADER, pathsProblem } from './zip.ts'

/** What is packed: bytes, or a file that is read when its turn comes. */
export type Packable =
  | Uint8Array
  | { readonly chunks: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array> }

/** Where an archive is written: in order, but for the headers, which are completed once their file is packed. */
export interface ZipTarget {
  readonly write: (bytes: Uint8Array, at: number) => Promise<void> | void
}

const CENTRAL_HEADER = 46
const DEFLATED = 8
/** 1980-01-01, the first day that the format knows; its midnight is zero. */
const DATE = 0x21
const VERSION = 20
/** What the packer takes at once: its blocks then end at the same places, however a file comes in. */
const PIECE = 1 << 16
const LARGEST = 2 ** 32 - 1

interface Packed {
  readonly path: string
  readonly offset: number
  readonly crc: number
  readonly packed: number
  readonly unpacked: number
}

/**
 * Packs files so that the same files always give the same bytes, on any machine and in any time zone: sorted, all of
 * one fixed date, deflated by the same code. Memory does not grow with the files.
 * @returns the bytes of the archive
 * @throws RangeError for a path that `readZip` would refuse, and for more than the format can tell (4 GiB)
 */
export async function packZip(files: ReadonlyMap<string, Packable>, target: ZipTarget): Promise<number> {
  const sorted = [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const problem = pathsProblem(sorted.map(([path]) => path))
  if (problem !== null) throw new RangeError(problem)
  const entries: Packed[] = []
  let at = 0
  const put = async (bytes: Uint8Array) => {
    await target.write(bytes, at)
    at += bytes.length
  }
  for (const [path, content] of sorted) {
    const offset = at
    await put(headerOf({ path, offset, crc: 0, packed: 0, unpacked: 0 }, false))
    const from = at
    const chunks = content instanceof Uint8Array ? [content] : content.chunks()
    const { crc, unpacked } = await deflated(chunks, put)
    if (at > LARGEST || unpacked > LARGEST) throw new RangeError(`${path} does not fit into an archive`)
    const entry = { path, offset, crc, packed: at - from, unpacked }
    await target.write(headerOf(entry, false), offset)
    entries.push(entry)
  }
  const start = at
  for (const entry of entries) await put(headerOf(entry, true))
  await put(endOf(entries.length, at - start, start))
  return at
}

async function deflated(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  put: (bytes: Uint8Array) => Promise<void>,
): Promise<{ crc: number; unpacked: number }> {
  let out: Uint8Array[] = []
  const deflate = new Deflate({ level: 6 }, (packed) => out.push(packed))
  const drain = async () => {
    const pieces = out
    out = []
    for (const packed of pieces) await put(packed)
  }
  let crc = 0xffffffff
  let unpacked = 0
  const piece = new Uint8Array(PIECE)
  let held = 0
  for await (const chunk of chunks) {
    crc = crcOn(crc, chunk)
    unpacked += chunk.length
    for (let from = 0; from < chunk.length; ) {
      const part = chunk.subarray(from, from + PIECE - held)
      piece.set(part, held)
      held += part.length
      from += part.length
      if (held < PIECE) continue
      deflate.push(piece)
      held = 0
      await drain()
    }
  }
  deflate.push(piece.subarray(0, held), true)
  await drain()
  return { crc: ~crc >>> 0, unpacked }
}

/** The header before a file, or the directory's about it: the second says some more before and after. */
function headerOf({ path, offset, crc, packed, unpacked }: Packed, inDirectory: boolean): Uint8Array {
  const length = inDirectory ? CENTRAL_HEADER : LOCAL_HEADER
  const bytes = new Uint8Array(length + path.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, inDirectory ? 0x02014b50 : 0x04034b50, true)
  const at = inDirectory ? 6 : 4
  if (inDirectory) view.setUint16(4, VERSION, true)
  view.setUint16(at, VERSION, true)
  view.setUint16(at + 4, DEFLATED, true)
  view.setUint16(at + 8, DATE, true)
  view.setUint32(at + 10, crc, true)
  view.setUint32(at + 14, packed, true)
  view.setUint32(at + 18, unpacked, true)
  view.setUint16(at + 22, path.length, true)
  if (inDirectory) view.setUint32(42, offset, true)
  bytes.set(new TextEncoder().encode(path), length)
  return bytes
}

function endOf(count: number, size: number, start: number): Uint8Array {
  const bytes = new Uint8Array(22)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 0x06054b50, true)
  view.setUint16(8, count, true)
  view.setUint16(10, count, true)
  view.setUint32(12, size, true)
  view.setUint32(16, start, true)
  return bytes
}
