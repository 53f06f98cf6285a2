import type { Sheet } from './page.ts'
import { look } from './page.ts'

/** A place in the tree of tags: a section, the document, a table. */
export type Part = PDFKit.PDFStructureElement

/** A headed part with its bookmark; with a layout it starts on a page of its own that lies so. */
export function section(
  sheet: Sheet,
  root: Part,
  title: string,
  draw: (part: Part) => void,
  fresh?: 'portrait' | 'landscape',
): void {
  const { document } = sheet
  if (fresh || document.y > document.page.height - look.foot - 120) sheet.addPage(fresh)
  else document.moveDown(1.4)
  const part = document.struct('Sect', { title })
  root.add(part)
  document.outline.addItem(title)
  write(sheet, part, 'H1', () =>
    sheet.face('bold', 15, look.accent).text(title, look.margin, document.y, { width: sheet.width }),
  )
  document.moveDown(0.5)
  draw(part)
  part.end()
}

/** Draws something tagged as `type`, such as P, H1 or Code. */
export function write(sheet: Sheet, parent: Part, type: string, draw: () => unknown): void {
  parent.add(sheet.document.struct(type, {}, [() => void draw()]))
}

/** A heading within a section, kept together with the beginning of what follows. */
export function heading(sheet: Sheet, part: Part, text: string): void {
  const { document } = sheet
  if (document.y > document.page.height - look.foot - 80) sheet.addPage()
  document.moveDown(0.5)
  write(sheet, part, 'H2', () =>
    sheet.face('bold', 10.5).text(sheet.shown(text), look.margin, document.y, { width: sheet.width }),
  )
  document.moveDown(0.35)
}

/** Running text, with the characters that the font lacks spelled out. */
export function paragraph(sheet: Sheet, part: Part, text: string, color: string = look.ink): void {
  const { document, width } = sheet
  write(sheet, part, 'P', () =>
    sheet
      .face('regular', look.body, color)
      .text(sheet.shown(text), look.margin, document.y, { width, lineGap: 2 }),
  )
  document.moveDown(0.6)
}

/** A list, one sentence an item. */
export function bullets(sheet: Sheet, part: Part, sentences: readonly string[]): void {
  const { document, width } = sheet
  const list = document.struct('L')
  part.add(list)
  for (const sentence of sentences) {
    const item = document.struct('LI')
    list.add(item)
    const text = sheet.shown(sentence)
    sheet.face('regular')
    if (
      document.y + document.heightOfString(text, { width: width - 14, lineGap: 2 }) >
      document.page.height - look.foot
    ) {
      sheet.addPage()
    }
    const y = document.y
    item.add(
      document.struct(
        'Lbl',
        {},
        () => void sheet.face('bold', look.body, look.accent).text('\u2022', look.margin, y),
      ),
    )
    item.add(
      document.struct(
        'LBody',
        {},
        () => void sheet.face('regular').text(text, look.margin + 14, y, { width: width - 14, lineGap: 2 }),
      ),
    )
    item.end()
    document.moveDown(0.35)
  }
  list.end()
  document.x = look.margin
}

/** Names and values side by side, as a table of two columns without a header row: the names head their rows. */
export function pairs(
  sheet: Sheet,
  part: Part,
  entries: readonly (readonly [name: string, value: string, face?: 'regular' | 'mono'])[],
): void {
  const { document, width } = sheet
  const nameWidth = 92
  const table = document.struct('Table')
  part.add(table)
  for (const [name, value, face = 'regular'] of entries) {
    const text = sheet.shown(value)
    const size = face === 'mono' ? look.small : look.body
    sheet.face(face, size)
    const height = document.heightOfString(text, { width: width - nameWidth, lineGap: 1.5 })
    if (document.y + height > document.page.height - look.foot) sheet.addPage()
    const y = document.y
    const row = document.struct('TR')
    table.add(row)
    // `scope` is an option of the library that its published types do not have yet.
    const heads = { scope: 'Row' } as PDFKit.Mixins.StructureElementOptions
    row.add(
      document.struct('TH', heads, [
        () =>
          void sheet
            .face('regular', look.body, look.muted)
            .text(sheet.shown(name), look.margin, y, { width: nameWidth - 8 }),
      ]),
    )
    const nameEnd = document.y
    row.add(
      document.struct(
        'TD',
        {},
        () =>
          void sheet
            .face(face, size)
            .text(text, look.margin + nameWidth, y, { width: width - nameWidth, lineGap: 1.5 }),
      ),
    )
    row.end()
    document.x = look.margin
    document.y = Math.max(document.y, nameEnd) + 4
  }
  table.end()
  document.moveDown(0.6)
}
