import type { Sheet } from './page.ts'
import { look } from './page.ts'

/** A table that may run over pages; its header stands on each of them. */
export interface TableContent {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** Columns whose cells are counts: set to the right. */
  readonly numeric?: ReadonlySet<number>
  /** Cells of these very words are set off: what a reader looks for. */
  readonly alarming?: ReadonlySet<string>
}

const padX = 5
const padY = 3.5
const longestCell = 300

/** Draws the table at the present place, tagged row by row; repeated headers are artifacts (ISO 14289-1 §7.5). */
export function drawTable(sheet: Sheet, parent: PDFKit.PDFStructureElement, content: TableContent): void {
  const { document } = sheet
  const widths = columnWidths(sheet, content)
  const table = document.struct('Table')
  parent.add(table)
  const bottom = () => document.page.height - look.foot
  const heightOf = (cells: readonly string[], bold: boolean) => {
    sheet.face(bold ? 'bold' : 'regular', look.small)
    const heights = cells.map((cell, index) =>
      document.heightOfString(cell, { width: (widths[index] ?? 0) - 2 * padX }),
    )
    return Math.max(...heights) + 2 * padY
  }
  const header = content.columns.map(sheet.shown)
  const headerHeight = heightOf(header, true)
  let y = document.y

  const drawCells = (
    cells: readonly string[],
    bold: boolean,
    wrap: (index: number, draw: () => void) => void,
  ) => {
    let x = look.margin
    for (const [index, cell] of cells.entries()) {
      const width = widths[index] ?? 0
      const left = x
      wrap(index, () => {
        const alarming = !bold && content.alarming?.has(cell)
        const color = bold ? look.accent : alarming ? look.alarm : look.ink
        sheet.face(bold ? 'bold' : 'regular', look.small, color)
        const align = content.numeric?.has(index) ? 'right' : 'left'
        document.text(cell, left + padX, y + padY, { width: width - 2 * padX, align, lineBreak: true })
      })
      x += width
    }
  }
  const rule = (at: number, color: string, weight: number) => {
    artifact(document, () => {
      document
        .moveTo(look.margin, at)
        .lineTo(look.margin + sheet.width, at)
        .lineWidth(weight)
        .strokeColor(color)
        .stroke()
    })
  }
  const shade = (height: number) => {
    artifact(document, () => document.rect(look.margin, y, sheet.width, height).fill(look.shade))
  }

  if (y + headerHeight + 40 > bottom()) {
    sheet.addPage()
    y = document.y
  }
  const row = (cells: readonly string[], bold: boolean) => {
    const element = document.struct('TR')
    table.add(element)
    drawCells(cells, bold, (_, draw) => {
      // `scope` says that a header cell heads its column; the published types do not know the option yet.
      const options = (bold ? { scope: 'Column' } : {}) as PDFKit.Mixins.StructureElementOptions
      element.add(document.struct(bold ? 'TH' : 'TD', options, [draw]))
    })
    element.end()
  }
  shade(headerHeight)
  row(header, true)
  y += headerHeight
  rule(y, look.accent, 0.8)
  for (const cells of content.rows) {
    const shown = cells.map((cell) => clipped(sheet.shown(cell)))
    const height = heightOf(shown, false)
    if (y + height > bottom()) {
      sheet.addPage()
      y = look.margin
      shade(headerHeight)
      drawCells(header, true, (_, draw) => artifact(document, draw))
      y += headerHeight
      rule(y, look.accent, 0.8)
    }
    row(shown, false)
    y += height
    rule(y, look.hair, 0.4)
  }
  table.end()
  document.x = look.margin
  document.y = y + 10
}

/** Draws something that carries no meaning of its own: rules, shades, repeated headers. */
export function artifact(document: PDFKit.PDFDocument, draw: () => unknown): void {
  document.markContent('Artifact', { type: 'Layout' })
  draw()
  document.endMarkedContent()
}

/** Shares of the width by what the columns hold, none so narrow that a word breaks unless all words are too long. */
function columnWidths(sheet: Sheet, { columns, rows }: TableContent): number[] {
  const { document, width } = sheet
  const measured = columns.map((column, index) => {
    const cells = [column, ...rows.slice(0, 50).map((row) => clipped(row[index] ?? ''))].map(sheet.shown)
    // Measured as a heading, which is the wider face.
    sheet.face('bold', look.small)
    const widest = (texts: readonly string[]) =>
      Math.max(...texts.map((text) => document.widthOfString(text)))
    const pad = 2 * padX + 1
    return {
      least: Math.min(widest(cells.flatMap((text) => text.split(' '))), width * 0.3) + pad,
      wanted: Math.min(widest(cells), width * 0.66) + pad,
    }
  })
  const sum = (of: 'least' | 'wanted') => measured.reduce((total, column) => total + column[of], 0)
  const [least, wanted] = [sum('least'), sum('wanted')]
  const spare = width - least
  // Not even the words fit, or everything does: by plain share.
  if (spare <= 0) return measured.map((column) => (column.least * width) / least)
  if (wanted <= width) return measured.map((column) => (column.wanted * width) / wanted)
  return measured.map((column) => column.least + (spare * (column.wanted - column.least)) / (wanted - least))
}

function clipped(text: string): string {
  return text.length > longestCell ? `${text.slice(0, longestCell)}\u2026` : text
}
