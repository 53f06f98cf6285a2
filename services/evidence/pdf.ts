import { type BundleManifest, bundlePaths, type ReportEntry } from '@attestry/contracts'
import type { FirstTier } from './bundle.ts'
import { mostSampleRows } from './gather.ts'
import type { PdfFonts, Sheet } from './pdf/page.ts'
import { look, openSheet } from './pdf/page.ts'
import type { Part } from './pdf/strokes.ts'
import { bullets, pairs, paragraph, section, write } from './pdf/strokes.ts'
import { artifact, drawTable } from './pdf/table.ts'

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
    landscape: report.columns.length > 6,
    fonts: printed.fonts,
  })
  const { document } = sheet
  const root = document.struct('Document')
  document.addStructure(root)
  cover(sheet, root, printed)
  signal.throwIfAborted()
  section(sheet, root, 'About this report', (part) => information(sheet, part, printed), true)
  section(sheet, root, 'Control totals', (part) => totals(sheet, part, report))
  section(sheet, root, 'Scope and reconciliation', (part) => scope(sheet, part, manifest))
  section(sheet, root, 'Rows', (part) => sample(sheet, part, printed), true)
  signal.throwIfAborted()
  section(
    sheet,
    root,
    'What this does not prove',
    (part) => bullets(sheet, part, [...report.limits, ...manifest.limits]),
    true,
  )
  if (manifest.customerActions.length > 0) {
    section(sheet, root, 'What the customer has to do', (part) =>
      bullets(sheet, part, manifest.customerActions),
    )
  }
  section(sheet, root, 'How to verify', (part) => verification(sheet, part))
  section(sheet, root, 'Management assertion', (part) => assertion(sheet, part, manifest))
  root.end()
  attach(sheet, printed)
  frame(sheet, manifest, report)
  document.end()
  return sheet.bytes
}

function cover(sheet: Sheet, root: Part, { manifest, report, tier }: PrintedReport): void {
  const { document, width } = sheet
  const part = document.struct('Sect', { title: 'Cover' })
  root.add(part)
  artifact(document, () => document.rect(0, 0, document.page.width, 10).fill(look.accent))
  document.y = 84
  write(sheet, part, 'P', () =>
    sheet.face('bold', 11, look.accent).text(manifest.product.name, look.margin, document.y),
  )
  document.moveDown(2.2)
  write(sheet, part, 'Title', () => sheet.face('bold', 27).text(sheet.shown(report.title), { width }))
  document.moveDown(0.25)
  const between = `${day(manifest.period.from)} to ${day(manifest.period.to)}`
  write(sheet, part, 'P', () => sheet.face('regular', 14, look.muted).text(between, { width }))
  if (manifest.origin === 'demo') {
    document.moveDown(0.8)
    write(sheet, part, 'P', () =>
      sheet
        .face('bold', 12, look.alarm)
        .text(
          'DEMONSTRATION: the estate in this report was made up by the product. It is evidence of nothing.',
          { width },
        ),
    )
  }
  document.moveDown(1.6)
  const { stamp } = tier
  const authority = manifest.timestampAuthorities.find(
    ({ name }) => stamp.status === 'stamped' && name === stamp.authority,
  )
  const independent = authority?.independent ?? false
  pairs(sheet, part, [
    ['Tenant', manifest.tenant],
    ['Scope', manifest.scope.declared.join(', ') || 'none declared'],
    ['Period', `${manifest.period.from} to ${manifest.period.to}`],
    ['Generated', `${manifest.generatedAt} by ${manifest.product.name} ${manifest.product.version}`],
    ['Bundle', manifest.bundle],
    [
      'Population',
      `${count(report.rows)} rows in ${count(report.csv.length)} CSV ${report.csv.length === 1 ? 'file' : 'files'}`,
    ],
    ['Data digest', tier.digest, 'mono'],
    ...(stamp.status === 'stamped'
      ? ([
          ['Timestamp', `${stamp.details.genTime}, token ${stamp.details.serial}`],
          [
            'Authority',
            `${stamp.details.tsa}${independent ? '' : '. Run by the operator: not independent.'}`,
          ],
        ] as const)
      : ([['Timestamp', `PENDING. No authority vouches for the time yet. ${stamp.reason}`]] as const)),
    [
      'Signing key',
      `${manifest.signing.kind === 'local' ? 'Local key' : 'Azure Key Vault'}, SHA-256 of the public key:`,
    ],
    ['', manifest.signing.fingerprint, 'mono'],
  ])
  document.moveDown(1)
  paragraph(
    sheet,
    part,
    'The data digest is the SHA-256 of DATA.SHA256SUMS, which lists every data file of the bundle; it is attached to this document with its timestamp and the CSV. Compare the fingerprint of the signing key with the one that was given to you by another way than this bundle.',
    look.muted,
  )
  part.end()
}

function information(sheet: Sheet, part: Part, { manifest, report }: PrintedReport): void {
  pairs(sheet, part, [
    ['Report', report.type],
    ['Query', report.query],
    ...report.parameters.map(([name, value]) => [name, value] as const),
    [
      'Ruleset digest',
      report.rulesetDigest ?? 'no rules are applied in this report',
      report.rulesetDigest === null ? 'regular' : 'mono',
    ],
    ['Columns', report.columns.map(({ name }) => name).join(', ')],
    [
      'Ledger',
      `events ${count(manifest.ledger.start.seq + 1)} to ${count(manifest.ledger.head.seq)}, ${count(manifest.ledger.hidden)} without their body`,
    ],
    ['Ledger head', manifest.ledger.head.link, 'mono'],
  ])
  paragraph(sheet, part, 'The population in files')
  drawTable(sheet, part, {
    columns: ['File', 'Rows', 'Bytes', 'SHA-256'],
    rows: report.csv.map((file) => [file.path, count(file.rows), count(file.bytes), file.sha256]),
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

function scope(
  sheet: Sheet,
  part: Part,
  { scope: { declared, listed, reached, differences } }: BundleManifest,
): void {
  drawTable(sheet, part, {
    columns: ['Seen by', 'Count', 'What'],
    rows: [
      ['Declared by the operator', count(declared.length), declared.join(', ')],
      ['Listed by the cloud', count(listed.length), listed.join(', ')],
      ['Reached by the scan', count(reached.length), reached.join(', ')],
    ],
    numeric: new Set([1]),
  })
  if (differences.length === 0)
    paragraph(sheet, part, 'There is no difference between what was declared, listed and reached.')
  else {
    paragraph(sheet, part, 'Differences, by name:')
    bullets(sheet, part, differences)
  }
}

function sample(sheet: Sheet, part: Part, { report, sample: rows }: PrintedReport): void {
  const shown = rows.slice(0, mostSampleRows)
  const all = shown.length === report.rows
  paragraph(
    sheet,
    part,
    all
      ? `All ${count(report.rows)} rows.`
      : `The first ${count(shown.length)} of ${count(report.rows)} rows. The attached CSV holds the whole population.`,
  )
  if (shown.length === 0)
    paragraph(sheet, part, 'The population is empty: the query found nothing in the period.')
  else drawTable(sheet, part, { columns: report.columns.map(({ name }) => name), rows: shown })
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
    'README.txt says what each command proves. The digest printed on the cover is that of DATA.SHA256SUMS: compare it with sha256sum DATA.SHA256SUMS.',
  )
}

function assertion(sheet: Sheet, part: Part, { period, tenant }: BundleManifest): void {
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
    if (document.y + 34 > document.page.height - look.foot) document.addPage()
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
  const { document, width } = sheet
  const { start, count: pages } = document.bufferedPageRange()
  for (let page = start; page < start + pages; page += 1) {
    document.switchToPage(page)
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

function count(value: number): string {
  return value.toString().replaceAll(/\B(?=(\d{3})+$)/g, ',')
}

function day(instant: string): string {
  return instant.slice(0, 10)
}
