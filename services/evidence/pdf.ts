import { type BundleManifest, bundlePaths, type ReportEntry } from '@attestry/contracts'
import type { FirstTier } from './bundle.ts'
import { mostSampleRows } from './gather.ts'
import { cover } from './pdf/cover.ts'
import { count } from './pdf/figures.ts'
import type { PdfFonts, Sheet } from './pdf/page.ts'
import { look, openSheet } from './pdf/page.ts'
import {
  columnsSection,
  frameworkSection,
  methodSection,
  observationSection,
  scopeSection,
} from './pdf/sections.ts'
import type { Part } from './pdf/strokes.ts'
import { bullets, heading, pairs, paragraph, section, write } from './pdf/strokes.ts'
import { artifact, drawTable } from './pdf/table.ts'
import { reports } from './reports/catalog.ts'

export type { PdfFonts } from './pdf/page.ts'

/** Everything that one printed report says. */
export interface PrintedReport {
  readonly manifest: BundleManifest
  readonly report: ReportEntry
  /** The first rows of the population, unguarded; at most `mostSampleRows` of them are printed. */
  readonly sample: readonly (readonly string[])[]
  readonly tier: FirstTier
  /** Bytes of the report's CSV parts, attached to the document; a part that is not given is not attached. */
  readonly attachments: ReadonlyMap<string, Uint8Array>
  /** Null prints with the standard fonts: readable everywhere, but not PDF/A. */
  readonly fonts: PdfFonts | null
  readonly signal: AbortSignal
}

/**
 * The printable form of a report: cover, information block, totals, scope, sample, limits, verification, assertion.
 * The same input gives the same bytes in any time zone. Tagged throughout; with fonts it claims PDF/A-3a and PDF/UA-1.
 */
export async function printReport(printed: PrintedReport): Promise<Uint8Array<ArrayBuffer>> {
  const { manifest, report, tier, signal } = printed
  const { product } = manifest
  const sheet = openSheet({
    title: `${report.title} - ${manifest.tenant}`.replaceAll(/[<>&]/g, ' '),
    subject: `${product.name} evidence bundle ${manifest.bundle}`,
    keywords: `tier-1 SHA-256 ${tier.digest}, timestamp ${tier.stamp.status === 'stamped' ? 'stamped' : 'PENDING'}`,
    author: `${product.name} ${product.version}`,
    createdAt: new Date(manifest.generatedAt),
    fonts: printed.fonts,
  })
  const { document } = sheet
  const root = document.struct('Document')
  document.addStructure(root)
  cover(sheet, root, printed)
  signal.throwIfAborted()
  let number = 0
  const numbered = (title: string, draw: (part: Part) => void, fresh?: 'portrait' | 'landscape') => {
    number += 1
    section(sheet, root, `${number}  ${title}`, draw, fresh)
    signal.throwIfAborted()
  }
  const { framework } = manifest
  numbered('About this report', (part) => information(sheet, part, printed), 'portrait')
  numbered('Control totals', (part) => totals(sheet, part, report))
  if (framework) numbered(framework.title, (part) => frameworkSection(sheet, part, framework), 'landscape')
  numbered('Scope and reconciliation', (part) => scopeSection(sheet, part, manifest), 'portrait')
  numbered('How much of the period was observed', (part) =>
    observationSection(sheet, part, manifest.observation),
  )
  numbered('Rows', (part) => sample(sheet, part, printed), 'landscape')
  numbered('What each column holds', (part) => columnsSection(sheet, part, report), 'landscape')
  numbered('Method', (part) => methodSection(sheet, part, report, manifest), 'portrait')
  numbered('What this does not prove', (part) => bullets(sheet, part, [...report.limits, ...manifest.limits]))
  if (manifest.customerActions.length > 0)
    numbered('What the customer has to do', (part) => bullets(sheet, part, manifest.customerActions))
  numbered('How to verify', (part) => verification(sheet, part), 'portrait')
  numbered('Management assertion', (part) => assertion(sheet, part, manifest))
  root.end()
  attach(sheet, printed)
  frame(sheet, manifest, report)
  document.end()
  return sheet.bytes
}

function information(sheet: Sheet, part: Part, { manifest, report }: PrintedReport): void {
  pairs(sheet, part, [
    ['Report', report.type],
    ['Query', report.query],
    ...report.parameters.map(([name, value]) => [`Parameter ${name}`, value] as const),
    [
      'Ruleset digest',
      report.rulesetDigest ?? 'no rules are applied in this report',
      report.rulesetDigest === null ? 'regular' : 'mono',
    ],
    [
      'Ledger',
      `events ${count(manifest.ledger.start.seq + 1)} to ${count(manifest.ledger.head.seq)}, ${count(manifest.ledger.hidden)} without their body`,
    ],
    ['Ledger head', manifest.ledger.head.link, 'mono'],
    ['Product', `${manifest.product.name} ${manifest.product.version}`],
  ])
  heading(sheet, part, 'The population in files')
  drawTable(sheet, part, {
    columns: ['File', 'Rows', 'Bytes', 'SHA-256'],
    rows: [
      ...report.csv.map((file) => [file.path, count(file.rows), count(file.bytes), file.sha256]),
      ...(report.json
        ? [[report.json.path, count(report.rows), count(report.json.bytes), report.json.sha256]]
        : []),
    ],
    numeric: new Set([1, 2]),
  })
}

function totals(sheet: Sheet, part: Part, report: ReportEntry): void {
  drawTable(sheet, part, {
    columns: ['What is counted', 'Count'],
    rows: [
      ['rows', count(report.rows)],
      ...report.controlTotals.map(([name, total]) => [name, count(total)]),
    ],
    numeric: new Set([1]),
  })
}

/** Words that are set off in rows, whatever the report. */
const ALARMING: ReadonlySet<string> = new Set([
  'critical',
  'exceeded',
  'failed',
  'drifted',
  'open',
  'unprotected',
  'rotation.failed',
  'rotation.break-glass-used',
])

function sample(sheet: Sheet, part: Part, { report, sample: rows, attachments }: PrintedReport): void {
  const shown = rows.slice(0, mostSampleRows)
  if (shown.length === 0) {
    paragraph(sheet, part, 'The population is empty: the query found nothing in the period.')
    return
  }
  const names = reports[report.type].printed
  const chosen = report.columns.flatMap((column, index) =>
    names.includes(column.name) ? [{ ...column, index }] : [],
  )
  const columns =
    chosen.length === names.length ? chosen : report.columns.map((column, index) => ({ ...column, index }))
  const inOrder = columns.toSorted((a, b) => names.indexOf(a.name) - names.indexOf(b.name))
  const all = shown.length === report.rows
  paragraph(
    sheet,
    part,
    `${all ? `All ${count(report.rows)} rows` : `The first ${count(shown.length)} of ${count(report.rows)} rows`}, in ${count(columns.length)} of ${count(report.columns.length)} columns. Instants are in UTC, cut to the second. ${attachments.size === report.csv.length ? 'The attached CSV' : 'The CSV in the bundle, too large to be attached here,'} holds the whole population, every column, and every instant as it was recorded.`,
    look.muted,
  )
  drawTable(sheet, part, {
    columns: inOrder.map(({ name }) => name.replaceAll('_', ' ')),
    rows: shown.map((row) => inOrder.map(({ type, index }) => printedCell(type, row[index] ?? ''))),
    numeric: new Set(inOrder.flatMap(({ type }, position) => (type === 'integer' ? [position] : []))),
    alarming: ALARMING,
  })
}

const YES_OR_NO = new Map([
  ['true', 'yes'],
  ['false', 'no'],
])

function printedCell(type: ReportEntry['columns'][number]['type'], cell: string): string {
  if (type === 'instant' && cell !== '') return `${cell.slice(0, 10)} ${cell.slice(11, 19)}`
  return type === 'boolean' ? (YES_OR_NO.get(cell) ?? cell) : cell
}

function verification(sheet: Sheet, part: Part): void {
  paragraph(
    sheet,
    part,
    'With the files of the bundle unpacked, and signer.pub and tsa-root.pem given to you by another way, no network and none of our software is needed:',
  )
  const commands = [
    'sha256sum --strict -c SHA256SUMS',
    'openssl dgst -sha256 -verify signer.pub -signature sig/SHA256SUMS.es256 SHA256SUMS',
    'openssl ts -verify -data sig/SHA256SUMS.es256 -in sig/SHA256SUMS.es256.tsr -CAfile tsa-root.pem',
  ]
  for (const command of commands) {
    write(sheet, part, 'Code', () =>
      sheet.face('mono', 7.6, look.accent).text(command, { width: sheet.width }),
    )
    sheet.document.moveDown(0.35)
  }
  sheet.document.moveDown(0.4)
  paragraph(
    sheet,
    part,
    'README.txt says what each command proves. The digest printed on the cover is that of DATA.SHA256SUMS: compare it with sha256sum DATA.SHA256SUMS. Our verifier, attestry verify, does the same and walks the chain of the ledger, opens what is disclosed, and counts and makes again the rows of each report.',
  )
}

function assertion(sheet: Sheet, part: Part, manifest: BundleManifest): void {
  const { period, tenant, assertion: signed } = manifest
  if (signed) {
    for (const text of signed.statement.split(/\n+/)) paragraph(sheet, part, text)
    paragraph(sheet, part, `${signed.name}, ${signed.title}`)
    paragraph(
      sheet,
      part,
      `Signed at ${signed.at}, after the password was proved again. The event evidence.assertion-signed in the ledger’s export holds the same words.`,
      look.muted,
    )
    return
  }
  paragraph(
    sheet,
    part,
    'Template, to be completed and signed by management. It is blank unless somebody filled it in by hand.',
    look.muted,
  )
  paragraph(
    sheet,
    part,
    `Management of ${tenant} asserts that, from ${period.from} to ${period.to}, the records in this report are complete and accurate for the scope stated above, to the best of its knowledge, with these exceptions:`,
  )
  for (const label of ['Exceptions', 'Name and title', 'Signature', 'Date']) {
    const { document } = sheet
    if (document.y + 34 > document.page.height - look.foot) sheet.addPage()
    document.moveDown(1.1)
    write(sheet, part, 'P', () =>
      sheet.face('regular', look.small, look.muted).text(label, look.margin, document.y),
    )
    artifact(document, () => {
      const y = document.y - 2
      document
        .moveTo(look.margin + 90, y)
        .lineTo(look.margin + sheet.width, y)
        .lineWidth(0.5)
        .strokeColor(look.muted)
        .stroke()
    })
  }
}

/** What a reader needs to check the paper against the bundle travels in it. */
function attach(sheet: Sheet, { manifest, report, tier, attachments }: PrintedReport): void {
  const at = new Date(manifest.generatedAt)
  const population = report.csv.flatMap(({ path }) => {
    const bytes = attachments.get(path)
    const name = path.replaceAll('/', '-')
    return bytes === undefined
      ? []
      : [[name, bytes, 'text/csv', `Population of ${report.type}`, 'Data'] as const]
  })
  const list = 'SHA-256 of every data file of the bundle'
  const token = `Timestamp over ${bundlePaths.dataSums}`
  const all = [
    ...population,
    [bundlePaths.dataSums, tier.dataSums, 'text/plain', list, 'Supplement'] as const,
    ...(tier.stamp.status === 'stamped'
      ? [
          [
            bundlePaths.dataToken,
            tier.stamp.token,
            'application/timestamp-reply',
            token,
            'Supplement',
          ] as const,
        ]
      : []),
  ]
  // A name tree must be sorted by bytes (ISO 32000-1 §7.9.6), but the library sorts by locale: all names here have
  // one order in both, because a path in `report/` comes after DATA whether or not case counts.
  for (const [name, bytes, type, description, relationship] of all) {
    const options = { name, type, description, relationship, creationDate: at, modifiedDate: at }
    sheet.document.file(Buffer.from(bytes), options)
  }
}

/** Foot of every page, and the demonstration mark: drawn last, when the number of pages is known. */
function frame(sheet: Sheet, manifest: BundleManifest, report: ReportEntry): void {
  const { document } = sheet
  const { start, count: pages } = document.bufferedPageRange()
  for (let page = start; page < start + pages; page += 1) {
    document.switchToPage(page)
    const { width } = sheet
    document.markContent('Artifact', { type: 'Pagination' })
    const { bottom } = document.page.margins
    // Text below the margin would open a new page.
    document.page.margins.bottom = 0
    const y = document.page.height - 40
    document
      .moveTo(look.margin, y - 8)
      .lineTo(look.margin + width, y - 8)
      .lineWidth(0.5)
      .strokeColor(look.hair)
      .stroke()
    const line = [manifest.product.name, report.title, manifest.tenant, manifest.bundle].join(' \u00b7 ')
    sheet
      .face('regular', 7.5, look.muted)
      .text(sheet.shown(line), look.margin, y, { width: width - 80, lineBreak: false })
    sheet
      .face('regular', 7.5, look.muted)
      .text(`Page ${page - start + 1} of ${pages}`, look.margin + width - 80, y, {
        width: 80,
        align: 'right',
        lineBreak: false,
      })
    if (manifest.origin === 'demo') {
      sheet
        .face('bold', 9, look.alarm)
        .text('DEMONSTRATION', look.margin, 28, { width, align: 'right', lineBreak: false })
    }
    document.page.margins.bottom = bottom
    document.endMarkedContent()
  }
}
