import { unzlibSync } from 'fflate'

const headerLength = 44
const entryLength = 20
const most = 64

/**
 * The plain font (SFNT) inside a WOFF 1.0 file. The glyphs are put last and zeros behind them, because the font
 * parser reads a box even for an empty glyph at the very end of its table.
 * @throws RangeError when the bytes are not WOFF 1.0
 * @see WOFF File Format 1.0, sections 3 to 5
 */
export function sfntOf(woff: Uint8Array): Uint8Array<ArrayBuffer> {
  const view = new DataView(woff.buffer, woff.byteOffset, woff.byteLength)
  const count = woff.length < headerLength ? 0 : view.getUint16(12)
  if (count === 0 || count > most || view.getUint32(0) !== 0x774f4646)
    throw new RangeError('The font is not WOFF 1.0')
  const tables = Array.from({ length: count }, (_, index) => {
    const at = headerLength + index * entryLength
    const [offset, packed, length] = [view.getUint32(at + 4), view.getUint32(at + 8), view.getUint32(at + 12)]
    const stored = woff.subarray(offset, offset + packed)
    const bytes = packed === length ? stored : unzlibSync(stored, { out: new Uint8Array(length) })
    return { tag: view.getUint32(at), checksum: view.getUint32(at + 16), bytes }
  })
  const glyf = 0x676c7966
  const placed = tables.toSorted((a, b) => Number(a.tag === glyf) - Number(b.tag === glyf))
  const offsets = new Map<number, number>()
  let end = 12 + 16 * count
  for (const { tag, bytes } of placed) {
    offsets.set(tag, end)
    end += (bytes.length + 3) & ~3
  }
  const sfnt = new Uint8Array(end + 64)
  const out = new DataView(sfnt.buffer)
  const power = 31 - Math.clz32(count)
  out.setUint32(0, view.getUint32(4))
  out.setUint16(4, count)
  out.setUint16(6, 16 << power)
  out.setUint16(8, power)
  out.setUint16(10, count * 16 - (16 << power))
  for (const [index, { tag, checksum, bytes }] of tables.entries()) {
    const at = 12 + 16 * index
    const offset = offsets.get(tag) ?? 0
    out.setUint32(at, tag)
    out.setUint32(at + 4, checksum)
    out.setUint32(at + 8, offset)
    out.setUint32(at + 12, bytes.length)
    sfnt.set(bytes, offset)
  }
  return sfnt
}
