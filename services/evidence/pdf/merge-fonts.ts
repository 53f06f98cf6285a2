/*
 * One font from several subsets of one family. Packages ship a family cut by script, a PDF wants one font for a run of
 * text that mixes them. Glyphs are appended, so the ids of the first font stay, and with them its kerning. Hinting is
 * left out: programs of one subset mean nothing to glyphs of another, and print does not use them.
 */

interface Table {
  readonly view: DataView
  readonly bytes: Uint8Array
}

interface Face {
  readonly tables: ReadonlyMap<string, Table>
  readonly glyphs: readonly Uint8Array[]
  readonly metrics: readonly (readonly [advance: number, bearing: number])[]
  /** Glyph ids by code point. */
  readonly characters: ReadonlyMap<number, number>
}

/** Tables of the first font that are kept as they are. */
const KEPT = ['GDEF', 'GPOS', 'GSUB', 'OS/2', 'name']

/**
 * Merges TrueType fonts of one family; where several have a character, the first one’s is taken.
 * @throws RangeError when one is not a TrueType font, or they are drawn on grids of different size
 * @see OpenType 1.9, chapters cmap, glyf, head, hmtx, loca and maxp
 */
export function mergeFonts(fonts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const faces = fonts.map(readFace)
  const [first] = faces
  if (!first) throw new RangeError('There is no font to merge')
  const grid = (face: Face) => table(face.tables, 'head').view.getUint16(18)
  const glyphs: Uint8Array[] = []
  const metrics: (readonly [number, number])[] = []
  const characters = new Map<number, number>()
  for (const face of faces) {
    if (grid(face) !== grid(first)) throw new RangeError('The fonts are drawn on grids of different size')
    const offset = glyphs.length
    glyphs.push(...face.glyphs.map((glyph) => plainGlyph(glyph, offset)))
    metrics.push(...face.metrics)
    for (const [character, glyph] of face.characters)
      if (!characters.has(character)) characters.set(character, glyph + offset)
  }
  const written = new Map<string, Uint8Array>([
    ...KEPT.flatMap((tag) => {
      const kept = first.tables.get(tag)
      return kept ? [[tag, kept.bytes] as const] : []
    }),
    ['cmap', characterTable(characters)],
    ['hmtx', horizontalMetrics(metrics)],
    ['post', Uint8Array.of(0, 3, 0, 0, ...new Uint8Array(28))],
    ...glyphTables(glyphs),
    ['head', headOf(faces, first)],
    ['hhea', changed(table(first.tables, 'hhea'), (view) => view.setUint16(34, metrics.length))],
    ['maxp', maximumsOf(faces, first, glyphs.length)],
  ])
  return fontOf(written)
}

function table(tables: ReadonlyMap<string, Table>, tag: string): Table {
  const found = tables.get(tag)
  if (!found) throw new RangeError(`The font has no table ${tag}`)
  return found
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function readFace(font: Uint8Array): Face {
  const view = viewOf(font)
  if (font.length < 12 || view.getUint32(0) !== 0x00010000) throw new RangeError('The font is not TrueType')
  const tables = new Map<string, Table>()
  for (let i = 0; i < view.getUint16(4); i++) {
    const at = 12 + 16 * i
    const tag = String.fromCharCode(...font.subarray(at, at + 4))
    const start = view.getUint32(at + 8)
    const bytes = font.subarray(start, start + view.getUint32(at + 12))
    tables.set(tag, { bytes, view: viewOf(bytes) })
  }
  const count = table(tables, 'maxp').view.getUint16(4)
  const long = table(tables, 'head').view.getInt16(50) === 1
  const [loca, glyf] = [table(tables, 'loca').view, table(tables, 'glyf').bytes]
  const place = (index: number) => (long ? loca.getUint32(4 * index) : 2 * loca.getUint16(2 * index))
  const measured = table(tables, 'hhea').view.getUint16(34)
  const hmtx = table(tables, 'hmtx').view
  const ids = Array.from({ length: count }, (_, id) => id)
  return {
    tables,
    glyphs: ids.map((id) => glyf.subarray(place(id), place(id + 1))),
    metrics: ids.map((id) =>
      id < measured
        ? [hmtx.getUint16(4 * id), hmtx.getInt16(4 * id + 2)]
        : // Glyphs behind the last full record share its advance.
          [hmtx.getUint16(4 * (measured - 1)), hmtx.getInt16(4 * measured + 2 * (id - measured))],
    ),
    characters: readCharacters(table(tables, 'cmap').view),
  }
}

/** Code points of a `cmap`, from its subtables of format 4 and 12. */
function readCharacters(view: DataView): ReadonlyMap<number, number> {
  const found = new Map<number, number>()
  for (let i = 0; i < view.getUint16(2); i++) {
    const at = view.getUint32(4 + 8 * i + 4)
    const format = view.getUint16(at)
    if (format === 12)
      for (let group = 0; group < view.getUint32(at + 12); group++) {
        const [start, end, glyph] = [0, 4, 8].map((o) => view.getUint32(at + 16 + 12 * group + o))
        for (let c = start ?? 0; c <= (end ?? -1); c++) found.set(c, (glyph ?? 0) + c - (start ?? 0))
      }
    if (format === 4) readSegments(view, at, found)
  }
  return found
}

function readSegments(view: DataView, at: number, found: Map<number, number>): void {
  const twice = view.getUint16(at + 6)
  for (let segment = 0; segment < twice; segment += 2) {
    const end = view.getUint16(at + 14 + segment)
    const start = view.getUint16(at + 16 + twice + segment)
    const delta = view.getUint16(at + 16 + 2 * twice + segment)
    const range = at + 16 + 3 * twice + segment
    const rangeOffset = view.getUint16(range)
    for (let c = start; c <= end && c !== 0xffff; c++) {
      const raw = rangeOffset === 0 ? c : view.getUint16(range + rangeOffset + 2 * (c - start))
      if (raw !== 0) found.set(c, (raw + delta) & 0xffff)
    }
  }
}

const MORE_COMPONENTS = 0x20
const HAS_INSTRUCTIONS = 0x100

/** A glyph without its instructions; components of a composite one are moved by `offset`. */
function plainGlyph(glyph: Uint8Array, offset: number): Uint8Array {
  if (glyph.length === 0) return glyph
  const view = viewOf(glyph)
  const contours = view.getInt16(0)
  if (contours >= 0) {
    const at = 10 + 2 * contours
    const length = view.getUint16(at)
    return Uint8Array.of(...glyph.subarray(0, at), 0, 0, ...glyph.subarray(at + 2 + length))
  }
  const moved = Uint8Array.from(glyph)
  const out = viewOf(moved)
  let at = 10
  for (let flags = MORE_COMPONENTS; flags & MORE_COMPONENTS; ) {
    flags = view.getUint16(at)
    out.setUint16(at, flags & ~HAS_INSTRUCTIONS)
    out.setUint16(at + 2, view.getUint16(at + 2) + offset)
    const scale = flags & 0x8 ? 2 : flags & 0x40 ? 4 : flags & 0x80 ? 8 : 0
    at += 4 + (flags & 1 ? 4 : 2) + scale
  }
  return moved.subarray(0, at)
}

/** One subtable of format 12: groups of characters whose glyphs follow each other. */
function characterTable(characters: ReadonlyMap<number, number>): Uint8Array {
  const groups: [start: number, end: number, glyph: number][] = []
  for (const [character, glyph] of [...characters].toSorted(([a], [b]) => a - b)) {
    const last = groups.at(-1)
    if (last && character === last[1] + 1 && glyph === last[2] + character - last[0]) last[1] = character
    else groups.push([character, character, glyph])
  }
  const bytes = new Uint8Array(28 + 12 * groups.length)
  const view = viewOf(bytes)
  view.setUint16(2, 1)
  view.setUint16(4, 3)
  view.setUint16(6, 10)
  view.setUint32(8, 12)
  view.setUint16(12, 12)
  view.setUint32(16, 16 + 12 * groups.length)
  view.setUint32(24, groups.length)
  for (const [index, group] of groups.entries())
    for (const [field, value] of group.entries()) view.setUint32(28 + 12 * index + 4 * field, value)
  return bytes
}

function horizontalMetrics(metrics: readonly (readonly [number, number])[]): Uint8Array {
  const bytes = new Uint8Array(4 * metrics.length)
  const view = viewOf(bytes)
  for (const [id, [advance, bearing]] of metrics.entries()) {
    view.setUint16(4 * id, advance)
    view.setInt16(4 * id + 2, bearing)
  }
  return bytes
}

/** `glyf` and its index. Zeros stand behind the last glyph: the parser reads a box even for an empty one. */
function glyphTables(glyphs: readonly Uint8Array[]): (readonly [string, Uint8Array])[] {
  const padded = glyphs.map(({ length }) => (length + 3) & ~3)
  const glyf = new Uint8Array(padded.reduce((sum, length) => sum + length, 0) + 64)
  const loca = new Uint8Array(4 * (glyphs.length + 1))
  const view = viewOf(loca)
  let at = 0
  for (const [id, glyph] of glyphs.entries()) {
    glyf.set(glyph, at)
    at += padded[id] ?? 0
    view.setUint32(4 * (id + 1), at)
  }
  return [
    ['glyf', glyf],
    ['loca', loca],
  ]
}

const changed = ({ bytes }: Table, change: (view: DataView) => void): Uint8Array => {
  const copy = Uint8Array.from(bytes)
  change(viewOf(copy))
  return copy
}

/** The first font’s header with a box around the glyphs of all, and an index of four bytes a glyph. */
const headOf = (faces: readonly Face[], first: Face): Uint8Array =>
  changed(table(first.tables, 'head'), (view) => {
    const heads = faces.map((face) => table(face.tables, 'head').view)
    for (const at of [36, 38]) view.setInt16(at, Math.min(...heads.map((head) => head.getInt16(at))))
    for (const at of [40, 42]) view.setInt16(at, Math.max(...heads.map((head) => head.getInt16(at))))
    view.setInt16(50, 1)
  })

const maximumsOf = (faces: readonly Face[], first: Face, glyphs: number): Uint8Array =>
  changed(table(first.tables, 'maxp'), (view) => {
    const all = faces.map((face) => table(face.tables, 'maxp').view)
    for (let at = 6; at + 2 <= view.byteLength; at += 2)
      view.setUint16(at, Math.max(...all.map((maxp) => maxp.getUint16(at))))
    view.setUint16(4, glyphs)
    // No instructions are left.
    if (view.byteLength >= 28) view.setUint16(26, 0)
  })

function fontOf(tables: ReadonlyMap<string, Uint8Array>): Uint8Array<ArrayBuffer> {
  const sorted = [...tables].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const length = sorted.reduce((sum, [, bytes]) => sum + ((bytes.length + 3) & ~3), 12 + 16 * sorted.length)
  const font = new Uint8Array(length)
  const view = viewOf(font)
  const power = 31 - Math.clz32(sorted.length)
  view.setUint32(0, 0x00010000)
  view.setUint16(4, sorted.length)
  view.setUint16(6, 16 << power)
  view.setUint16(8, power)
  view.setUint16(10, 16 * sorted.length - (16 << power))
  let at = 12 + 16 * sorted.length
  for (const [index, [tag, bytes]] of sorted.entries()) {
    const entry = 12 + 16 * index
    for (let i = 0; i < 4; i++) view.setUint8(entry + i, tag.charCodeAt(i))
    font.set(bytes, at)
    view.setUint32(entry + 4, sumOf(font.subarray(at, at + ((bytes.length + 3) & ~3))))
    view.setUint32(entry + 8, at)
    view.setUint32(entry + 12, bytes.length)
    at += (bytes.length + 3) & ~3
  }
  return font
}

/** The checksum of a table, which is padded to whole words. */
function sumOf(bytes: Uint8Array): number {
  const view = viewOf(bytes)
  let sum = 0
  for (let at = 0; at < bytes.length; at += 4) sum = (sum + view.getUint32(at)) >>> 0
  return sum
}
