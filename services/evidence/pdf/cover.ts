import type { BundleManifest } from '@attestry/contracts'
import type { PrintedReport } from '../pdf.ts'
import { count, day, instant } from './figures.ts'
import { look, type Sheet } from './page.ts'
import { pairs, paragraph, type Part, write } from './strokes.ts'
import { artifact } from './table.ts'

/** The first page: what it is, of what, and what vouches for it. */
export function cover(
  sheet: Sheet,
  root: Part,
  { manifest, report, tier, attachments }: PrintedReport,
): void {
  const { document, width } = sheet
  const part = document.struct('Sect', { title: 'Cover' })
  root.add(part)
  artifact(document, () => document.rect(0, 0, document.page.width, 10).fill(look.accent))
  document.y = 72
  write(sheet, part, 'P', () =>
    sheet.face('bold', 11, look.accent).text(manifest.product.name, look.margin, document.y),
  )
  document.moveDown(3.4)
  write(sheet, part, 'P', () =>
    sheet
      .face('regular', 10, look.muted)
      .text(sheet.shown(manifest.framework?.title ?? 'Technical evidence'), { width }),
  )
  document.moveDown(0.2)
  write(sheet, part, 'Title', () => sheet.face('bold', 27).text(sheet.shown(report.title), { width }))
  document.moveDown(0.3)
  const between = `${manifest.tenant}, ${day(manifest.period.from)} to ${day(manifest.period.to)}`
  write(sheet, part, 'P', () => sheet.face('regular', 14, look.muted).text(sheet.shown(between), { width }))
  document.moveDown(0.9)
  paragraph(sheet, part, report.query)
  if (manifest.origin === 'demo') {
    document.moveDown(0.4)
    write(sheet, part, 'P', () =>
      sheet
        .face('bold', 11, look.alarm)
        .text(
          'DEMONSTRATION: the estate in this report was made up by the product. It is evidence of nothing.',
          look.margin,
          document.y,
          { width },
        ),
    )
  }
  document.moveDown(1.2)
  rule(sheet)
  const { stamp } = tier
  const authority = manifest.timestampAuthorities.find(
    ({ name }) => stamp.status === 'stamped' && name === stamp.authority,
  )
  const independent = authority?.independent ?? false
  pairs(sheet, part, [
    ['Tenant', manifest.tenant],
    ['Scope', scopeWords(manifest)],
    ['Period', `${instant(manifest.period.from)} to ${instant(manifest.period.to)}`],
    ['Observed', observedWords(manifest)],
    [
      'Population',
      `${count(report.rows)} rows in ${count(report.csv.length)} CSV ${report.csv.length === 1 ? 'file' : 'files'}`,
    ],
    ['Generated', `${instant(manifest.generatedAt)} by ${manifest.product.name} ${manifest.product.version}`],
    ['Bundle', manifest.bundle],
  ])
  rule(sheet)
  pairs(sheet, part, [
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
  rule(sheet)
  paragraph(
    sheet,
    part,
    `The data digest is the SHA-256 of DATA.SHA256SUMS, which lists every data file of the bundle; it is attached to this document with its timestamp${attachments.size === report.csv.length ? ' and the CSV' : '; the CSV is too large for that and lies in the bundle'}. Compare the fingerprint of the signing key with the one that was given to you by another way than this bundle.`,
    look.muted,
  )
  paragraph(
    sheet,
    part,
    'This is technical evidence. It is no certification and no opinion; whether a control is met, the auditor decides.',
    look.muted,
  )
  part.end()
}

/** A hair across the page. */
function rule({ document, width }: Sheet): void {
  artifact(document, () =>
    document
      .moveTo(look.margin, document.y)
      .lineTo(look.margin + width, document.y)
      .lineWidth(0.6)
      .strokeColor(look.hair)
      .stroke(),
  )
  document.y += 10
}

function scopeWords({ scope, request }: BundleManifest): string {
  const { subscriptions = [], vaults = [], tags = [] } = request.scope ?? {}
  const narrowed = [
    ...(subscriptions.length > 0 ? [`subscriptions ${subscriptions.join(', ')}`] : []),
    ...(vaults.length > 0 ? [`vaults ${scope.listed.join(', ') || vaults.join(', ')}`] : []),
    ...(tags.length > 0
      ? [`tagged ${tags.map(([name, value]) => (value ? `${name}=${value}` : name)).join(', ')}`]
      : []),
  ]
  return narrowed.length > 0
    ? `Narrowed to ${narrowed.join('; ')}`
    : scope.declared.join(', ') || 'none declared'
}

function observedWords({ observation }: BundleManifest): string {
  if (observation.length === 0) return 'nothing: no environment was connected'
  return observation
    .map(
      (o) =>
        `${(o.observedBasisPoints / 100).toFixed(2)} % of the period in ${o.name}, by ${count(o.scans)} ${o.scans === 1 ? 'scan' : 'scans'}`,
    )
    .join('; ')
}
