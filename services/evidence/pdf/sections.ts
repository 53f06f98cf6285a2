import type { BundleManifest, FrameworkPacket, Observation, ReportEntry } from '@attestry/contracts'
import { statusOf } from '../oscal/assessment-results.ts'
import { count, instant } from './figures.ts'
import { look, type Sheet } from './page.ts'
import { bullets, heading, pairs, paragraph, type Part } from './strokes.ts'
import { drawTable } from './table.ts'

/** Who speaks of what is in scope, held against each other by name. */
export function scopeSection(sheet: Sheet, part: Part, { scope, request }: BundleManifest): void {
  const { declared, listed, reached, differences, statement, imported } = scope
  const narrowed = request.scope
  if (narrowed)
    paragraph(
      sheet,
      part,
      'This bundle was narrowed on request. What lies outside has no name in it; its events stand in the export as hashes alone.',
      look.muted,
    )
  drawTable(sheet, part, {
    columns: ['Seen by', 'Count', 'What'],
    rows: [
      ['Declared by the operator', count(declared.length), declared.join(', ')],
      ['Listed by the cloud to the scanning identity', count(listed.length), listed.join(', ')],
      ['Reached by the scan', count(reached.length), reached.join(', ')],
    ],
    numeric: new Set([1]),
  })
  heading(sheet, part, 'Scope statement')
  if (statement === null)
    paragraph(
      sheet,
      part,
      'Nobody made a scope statement before the period’s end. The declaration above is what the environments are set to.',
    )
  else {
    for (const text of statement.text.split(/\n+/)) paragraph(sheet, part, text)
    pairs(sheet, part, [
      ['Stated by', `${statement.by}, ${instant(statement.at)}`],
      ['Subscriptions', statement.subscriptions.join(', ') || 'none named'],
      ['Vaults', statement.vaults.join(', ') || 'every vault of these subscriptions'],
    ])
  }
  heading(sheet, part, 'Listing by another identity')
  if (imported === null)
    paragraph(
      sheet,
      part,
      'None was handed in. One identity cannot see what it was never granted: a listing by another (az resource list) would show it.',
    )
  else
    pairs(sheet, part, [
      ['Handed in by', `${imported.by}, ${instant(imported.at)}`],
      ['It names', `${count(imported.resources)} resources, ${count(imported.vaults)} of them vaults`],
      ['Digest', imported.sha256, 'mono'],
    ])
  heading(sheet, part, 'Differences, by name')
  if (differences.length === 0)
    paragraph(sheet, part, 'There is none between what was declared, listed and reached.')
  else bullets(sheet, part, differences)
}

/** How much of the period scans vouch for. */
export function observationSection(sheet: Sheet, part: Part, observation: readonly Observation[]): void {
  paragraph(
    sheet,
    part,
    'A scan vouches for the time up to the next one, and at most for the interval of its schedule (24 hours without one) and one hour more. What no scan vouches for was not observed: a state there is what the scans before and after it saw.',
    look.muted,
  )
  if (observation.length === 0) {
    paragraph(sheet, part, 'No environment was connected before the period’s end: nothing was observed.')
    return
  }
  drawTable(sheet, part, {
    columns: ['Environment', 'Scheduled every', 'Scans', 'incomplete', 'failed', 'Share observed', 'Gaps'],
    rows: observation.map((o) => [
      o.name,
      o.everyHours === null ? 'no schedule' : `${o.everyHours} hours`,
      count(o.scans),
      count(o.scansIncomplete),
      count(o.scansFailed),
      `${(o.observedBasisPoints / 100).toFixed(2)} %`,
      count(o.gaps.length + o.gapsNotListed),
    ]),
    numeric: new Set([2, 3, 4, 5, 6]),
  })
  for (const { name, gaps, gapsNotListed } of observation) {
    if (gaps.length === 0) continue
    heading(sheet, part, `Not observed in ${name}`)
    const shown = gaps.slice(0, 20)
    bullets(
      sheet,
      part,
      shown.map((gap) => `${instant(gap.from)} to ${instant(gap.to)}`),
    )
    const more = gaps.length - shown.length + gapsNotListed
    if (more > 0) paragraph(sheet, part, `And ${count(more)} more; the manifest lists the first hundred.`)
  }
}

const COVERAGE = {
  direct: 'Direct technical evidence',
  supporting: 'Supporting technical evidence',
  customer: 'Customer responsibility',
} as const

/** The controls of the packet’s framework, with both numbers, the coverage in words, and what the rules say. */
export function frameworkSection(sheet: Sheet, part: Part, packet: FrameworkPacket): void {
  paragraph(sheet, part, packet.limits)
  paragraph(
    sheet,
    part,
    packet.evaluatedAt === null
      ? 'No evaluation was made before the period’s end.'
      : `What the rules say is that of the evaluation of ${instant(packet.evaluatedAt)}, the last before the period’s end. It is no word on whether a control is met.`,
    look.muted,
  )
  drawTable(sheet, part, {
    columns: ['Row', 'Published', 'Title', 'Coverage', 'Rules', 'What they say'],
    rows: packet.controls.map((c) => [
      c.control,
      c.published.join(', '),
      c.title,
      COVERAGE[c.coverage],
      c.rules.join(', ') || 'none',
      statusOf(c.results).says,
    ]),
  })
  const noted = packet.controls.filter((c) => c.note !== '')
  if (noted.length === 0) return
  heading(sheet, part, 'How rows differ from the published standard')
  bullets(
    sheet,
    part,
    noted.map((c) => `${c.control} (${c.relation}): ${c.note}`),
  )
}

/** What each column of the files holds. */
export function columnsSection(sheet: Sheet, part: Part, { columns }: ReportEntry): void {
  drawTable(sheet, part, {
    columns: ['Column', 'Type', 'Unit', 'What it holds', 'Event and field'],
    rows: columns.map((c) => [c.name, c.type, c.unit ?? '', c.says, c.source]),
  })
}

/** How the report was made. */
export function methodSection(
  sheet: Sheet,
  part: Part,
  { kind }: ReportEntry,
  { ledger }: BundleManifest,
): void {
  bullets(sheet, part, [
    `The report is a pure fold over the ledger’s events 1 to ${count(ledger.head.seq)}: nothing but the exported events goes in, so whoever has the export can make the same rows. What was recorded at the period’s end or after it is left out.`,
    kind === 'events'
      ? 'Each row is one event of the period, in the order of the chain.'
      : 'Each row is a stretch of time in which a state held. The first row of a thing is its state at the period’s beginning where it says at_start, the last its state at the end where it says at_end. A snapshot never poses as a period.',
    'What could not be read is told as unknown or keeps the state that was read last, and never counts as good.',
    'Names, people and addresses are recorded as salted commitments; those printed here are disclosed in log/disclosures.jsonl and can be checked against the chain one by one.',
    'The whole population is in the CSV. The rows printed are the first of it in its order, not a random sample.',
  ])
}
