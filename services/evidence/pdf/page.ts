import Pdf from 'pdfkit'

/** Fonts that may be embedded. Without them the standard ones are named only, and PDF/A is not reached. */
export interface PdfFonts {
  readonly regular: Uint8Array
  readonly bold: Uint8Array
  readonly mono: Uint8Array
}

export type Face = 'regular' | 'bold' | 'mono'

/** The look of every printed page: sizes in points, A4. */
export const look = {
  margin: 56,
  foot: 64,
  ink: '#1b2029',
  muted: '#5b6472',
  accent: '#12386e',
  hair: '#d4d9e1',
  shade: '#f3f5f8',
  alarm: '#a3200f',
  tint: '#eaf0f8',
  body: 9.5,
  small: 8,
} as const

export interface PageSetup {
  readonly title: string
  readonly subject: string
  readonly keywords: string
  readonly author: string
  readonly createdAt: Date
  readonly fonts: PdfFonts | null
}

/** One document and the few strokes that reports are drawn with. Every mark on a page is tagged or an artifact. */
export interface Sheet {
  readonly document: PDFKit.PDFDocument
  /** Between the margins of the present page. */
  readonly width: number
  /** Opens a page; it and those after it lie as given, until another is asked for. */
  readonly addPage: (layout?: 'portrait' | 'landscape') => void
  /** Whether the fonts are embedded and the document claims PDF/A-3a and PDF/UA-1. */
  readonly archival: boolean
  readonly face: (face: Face, size?: number, color?: string) => PDFKit.PDFDocument
  /** Characters that the font does not have, written as U+XXXX: a reader never sees an empty box. */
  readonly shown: (text: string) => string
  readonly bytes: Promise<Uint8Array<ArrayBuffer>>
}

const standardFonts: Readonly<Record<Face, string>> = {
  regular: 'Helvetica',
  bold: 'Helvetica-Bold',
  mono: 'Courier',
}

/** Printable part of Windows-1252, which is all that the standard fonts have. */
const windows1252 =
  /^[\x20-\x7e\u00a0-\u00ff\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178]$/u

/** The PDF/UA mark, with the schema that PDF/A wants declared for it (ISO 19005-3 §6.6.2.3.3, ISO 14289-1 §5). */
const accessibilityMark = `
<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
  <pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
    <pdfaSchema:schema>PDF/UA identification schema</pdfaSchema:schema>
    <pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>
    <pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>
    <pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">
      <pdfaProperty:name>part</pdfaProperty:name>
      <pdfaProperty:valueType>Integer</pdfaProperty:valueType>
      <pdfaProperty:category>internal</pdfaProperty:category>
      <pdfaProperty:description>PDF/UA version</pdfaProperty:description>
    </rdf:li></rdf:Seq></pdfaSchema:property>
  </rdf:li></rdf:Bag></pdfaExtension:schemas>
</rdf:Description>
<rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/"><pdfuaid:part>1</pdfuaid:part></rdf:Description>`

/** Opens a document whose bytes depend on the input alone: dates and identifier come from the setup. */
export function openSheet(setup: PageSetup): Sheet {
  const { fonts } = setup
  const margins = { top: look.margin, bottom: look.foot, left: look.margin, right: look.margin }
  const options: PDFKit.PDFDocumentOptions = {
    size: 'A4',
    margins,
    pdfVersion: '1.7',
    tagged: true,
    lang: 'en',
    displayTitle: true,
    bufferPages: true,
    autoFirstPage: false,
    info: {
      Title: setup.title,
      Subject: setup.subject,
      Keywords: setup.keywords,
      Author: setup.author,
      Creator: setup.author,
      Producer: 'PDFKit',
      CreationDate: setup.createdAt,
    },
    // The published types know only names of fonts here; the library takes bytes as well.
    ...(fonts === null ? {} : { subset: 'PDF/A-3a', font: Buffer.from(fonts.regular) as never }),
  }
  const document = new Pdf(options)
  const chunks: Uint8Array[] = []
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array<ArrayBuffer>>()
  document.on('data', (chunk: Uint8Array) => chunks.push(chunk))
  document.on('end', () => resolve(Uint8Array.from(Buffer.concat(chunks))))
  document.on('error', reject)
  for (const face of ['regular', 'bold', 'mono'] as const) {
    document.registerFont(face, fonts === null ? standardFonts[face] : Buffer.from(fonts[face]))
  }
  // The PDF/UA part goes beside the PDF/A one: the library writes one or the other, a document may be both.
  if (fonts !== null) appendXml(document, accessibilityMark)
  let lying: 'portrait' | 'landscape' = 'portrait'
  const addPage = (layout = lying) => {
    lying = layout
    document.addPage({ size: 'A4', layout, margins })
  }
  addPage()
  const covers = fonts === null ? (character: string) => windows1252.test(character) : glyphTest(document)
  return {
    document,
    get width() {
      return document.page.width - 2 * look.margin
    },
    addPage,
    archival: fonts !== null,
    face: (face, size = look.body, color = look.ink) => document.font(face).fontSize(size).fillColor(color),
    shown: (text) =>
      Array.from(text.toWellFormed().replaceAll(/\s+/g, ' '), (character) =>
        covers(character)
          ? character
          : `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`,
      ).join(''),
    bytes: promise,
  }
}

/** Neither method is in the library's published types: the metadata stream, and the font that it parsed. */
interface Untyped {
  appendXML(xml: string): void
  _font: { font: { hasGlyphForCodePoint(codePoint: number): boolean } }
}

function appendXml(document: PDFKit.PDFDocument, xml: string): void {
  ;(document as unknown as Untyped).appendXML(xml)
}

function glyphTest(document: PDFKit.PDFDocument): (character: string) => boolean {
  // Names are set in these two; the monospaced face sets digests and commands, which are ASCII.
  const fonts = (['regular', 'bold'] as const).map((face) => {
    document.font(face)
    return (document as unknown as Untyped)._font.font
  })
  const known = new Map<string, boolean>()
  return (character) => {
    const found = known.get(character)
    if (found !== undefined) return found
    const covered = fonts.every((font) => font.hasGlyphForCodePoint(character.codePointAt(0) ?? 0))
    known.set(character, covered)
    return covered
  }
}
