import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { ReportFormat, ReportType } from '@attestry/contracts'
import { type Host, iso } from '@attestry/kit'
import { type Assembly, attachmentsOf, manifestOf, oscalOf } from './assembly.ts'
import { openFolder } from './bundle-folder.ts'
import { CsvWriter } from './csv.ts'
import { gather, type Wanted } from './gather.ts'
import type { EvidenceKeys } from './keys.ts'
import { narrowing } from './narrow.ts'
import { loadFonts } from './pdf/fonts.ts'
import { printAll } from './print.ts'
import { reports } from './reports/catalog.ts'
import { foldReports } from './reports/fold.ts'
import { JsonWriter } from './rows-json.ts'
import { writeSums } from './sums.ts'
import type { Outlet } from './written-file.ts'

/*
 * One report by itself: the same fold as in a bundle, without what makes it evidence.
 */

/** What is taken out, up to which event. */
export interface ExportWish extends Omit<Wanted, 'reports' | 'formats'> {
  readonly report: ReportType
  readonly format: ReportFormat
  readonly upTo: number
  readonly signal: AbortSignal
}

/** An outlet whose bytes wait to be taken. */
function waitingOutlet(): { readonly outlet: Outlet; readonly take: () => Uint8Array[] } {
  let waiting: Uint8Array[] = []
  return {
    outlet: {
      hash: () => createHash('sha256'),
      open: () => ({ write: (bytes) => void waiting.push(bytes), close: () => undefined }),
    },
    take: () => {
      const taken = waiting
      waiting = []
      return taken
    },
  }
}

/**
 * The rows of a report as CSV or JSON, as the reader takes them: memory holds the estate and one page of events. Nothing
 * is held open in the database while the reader is slow, and what is appended meanwhile is not in it.
 */
export async function* exportRows(
  host: Host,
  tenant: string,
  { report: type, format, period, scope, framework, upTo, signal }: ExportWish & { format: 'csv' | 'json' },
): AsyncGenerator<Uint8Array, void, void> {
  const report = reports[type]
  const { outlet, take } = waitingOutlet()
  const columns = report.columns.map(({ name }) => name)
  const head = { report: type, title: report.title, from: period.from, to: period.to }
  const file =
    format === 'csv'
      ? new CsvWriter({ ...outlet, path: type, columns, rowsPerFile: Number.POSITIVE_INFINITY })
      : new JsonWriter({ ...outlet, path: type, head, columns: report.columns })
  const folding = foldReports([type], { period, framework }, (_, row) => file.add(row))
  const narrow = narrowing(scope)
  for await (const page of host.chain(tenant, { after: 0, upTo, signal })) {
    for (const { event, link } of page) {
      const narrowed = event && narrow(event).event
      if (narrowed) folding.apply(narrowed, Buffer.from(link).toString('hex'))
    }
    await file.flush()
    yield* take()
  }
  folding.end()
  await file.close()
  yield* take()
}

/** What a print that is in no bundle says of its time. */
const ALONE = 'This report was taken out by itself: it is in no bundle, not signed and not stamped.'

/**
 * A report as PDF or OSCAL; null where the chain knows no such framework, or nothing was evaluated for it yet.
 * @param stateDir rows lie there until they are printed, and are removed then
 */
export async function exportDocument(
  host: Host,
  tenant: string,
  wish: ExportWish & { format: 'pdf' | 'oscal' },
  { stateDir, keys }: { readonly stateDir: string; readonly keys: EvidenceKeys },
): Promise<Uint8Array | null> {
  const { report: type, format, period, scope, framework, upTo, signal } = wish
  const id = host.ids.opaque('export')
  await using folder = await openFolder(join(stateDir, 'bundles', tenant, `${id}.export`))
  const chain = host.chain(tenant, { after: 0, upTo, signal })
  const wanted: Wanted = { reports: [type], period, scope, framework, formats: ['csv'] }
  const gathering = await gather(chain, wanted, folder.outlet, () => undefined)
  const assembly: Assembly = {
    life: { bundle: id, period, scope, framework, formats: ['csv', format], assertion: null },
    tenant,
    gathering,
    keys,
    host,
    generatedAt: iso(host.clock.now()),
    anchors: null,
  }
  if (format === 'oscal') return oscalOf(assembly)[0]?.bytes ?? null
  const manifest = manifestOf(assembly, [])
  const [report] = manifest.reports
  const [gathered] = gathering.reports
  if (!report || !gathered) throw new Error(`${type} was not gathered`)
  const dataSums = new TextEncoder().encode(writeSums(gathering.files))
  const digest = createHash('sha256').update(dataSums).digest('hex')
  const tier = {
    dataSums,
    digest,
    stamp: { status: 'pending', reason: ALONE, retryAt: '', attempts: [] },
  } as const
  const job = {
    manifest,
    report,
    sample: gathered.sample,
    tier,
    attachments: await attachmentsOf(report, folder.pathOf),
    fonts: await loadFonts(),
  }
  const [document] = await printAll([async () => job], signal, () => undefined)
  return document ?? null
}
