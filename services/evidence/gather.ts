import { createHash } from 'node:crypto'
import {
  type EvidenceScope,
  type FrameworkId,
  type FrameworkPacket,
  GENESIS_LINK,
  type Observation,
  type ReportFormat,
  type ReportType,
  type ScopeReconciliation,
  toHex,
  treeFrontier,
} from '@attestry/contracts'
import type { ChainEvent } from '@attestry/kit'
import { AnchorsOfChain } from './anchors/chosen.ts'
import { type CsvPart, CsvWriter } from './csv.ts'
import { ExportLog } from './export-log.ts'
import { narrowing, ofUnknownType } from './narrow.ts'
import { Reconciliation } from './reconcile.ts'
import { reports } from './reports/catalog.ts'
import { foldReports } from './reports/fold.ts'
import type { Judgement, Known } from './reports/known.ts'
import { beforeEnd, type Report, type ReportPeriod, type Row, type Total } from './reports/report.ts'
import { JsonWriter } from './rows-json.ts'
import type { Outlet, WrittenFile } from './written-file.ts'

/** What a bundle is asked for. */
export interface Wanted {
  readonly reports: readonly ReportType[]
  readonly period: ReportPeriod
  readonly scope: EvidenceScope | null
  readonly framework: FrameworkId | null
  readonly formats: readonly ReportFormat[]
}

/** A report with its files, made by one walk over the chain. */
export interface Gathered {
  readonly report: Report
  readonly rows: number
  /** The first rows, for print. */
  readonly sample: readonly Row[]
  readonly totals: readonly Total[]
  readonly csv: readonly CsvPart[]
  readonly json: WrittenFile | null
}

/** Everything that one walk over the chain gives beside the files. */
export interface Gathering {
  readonly reports: readonly Gathered[]
  /** Lines of the export, and how many of them are a leaf only. */
  readonly events: number
  readonly hidden: number
  readonly head: {
    readonly seq: number
    readonly link: string
    readonly root: string
    readonly at: string | null
  }
  /** What the reports know in common, up to the period’s end. */
  readonly known: Known
  /** Every file that was written. */
  readonly files: readonly WrittenFile[]
  readonly framework: FrameworkPacket | null
  readonly scope: ScopeReconciliation
  readonly observation: Observation[]
  /** Checkpoints that the bundle carries. */
  readonly anchors: ReturnType<AnchorsOfChain['chosen']>
}

/** Rows that are printed at most; the CSV holds every one. */
export const mostSampleRows = 500

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()

/** The files of one report as they grow. */
class ReportFiles {
  readonly #csv: CsvWriter
  readonly #json: JsonWriter | null
  readonly sample: Row[] = []
  rows = 0

  constructor(report: Report, { period, formats }: Wanted, outlet: Outlet) {
    const path = `report/${report.type}`
    this.#csv = new CsvWriter({ path, columns: report.columns.map((c) => c.name), ...outlet })
    const head = { report: report.type, title: report.title, from: period.from, to: period.to }
    this.#json = formats.includes('json')
      ? new JsonWriter({ path: `${path}.json`, head, columns: report.columns, ...outlet })
      : null
  }

  add(row: Row): void {
    this.rows++
    if (this.sample.length < mostSampleRows) this.sample.push(row)
    this.#csv.add(row)
    this.#json?.add(row)
  }

  async flush(): Promise<void> {
    await this.#csv.flush()
    await this.#json?.flush()
  }

  async close(): Promise<{ csv: readonly CsvPart[]; json: WrittenFile | null }> {
    return { csv: await this.#csv.close(), json: (await this.#json?.close()) ?? null }
  }
}

/**
 * One walk over the chain: every report's files, the export, the head and the tree's root, and the scope. The same
 * events give the same bytes. Memory holds the estate and what a page of events added, not the rows.
 * @param progress told the seq that was read last
 */
export async function gather(
  chain: AsyncIterable<readonly ChainEvent[]>,
  wanted: Wanted,
  outlet: Outlet,
  progress: (done: number) => void,
): Promise<Gathering> {
  const { period, scope, framework } = wanted
  const files = new Map(wanted.reports.map((type) => [type, new ReportFiles(reports[type], wanted, outlet)]))
  const folding = foldReports(wanted.reports, { period, framework }, (type, row) => files.get(type)?.add(row))
  const reconciliation = new Reconciliation(folding.known.estate)
  const narrow = narrowing(scope)
  const log = new ExportLog(outlet)
  const anchors = new AnchorsOfChain()
  const tree = treeFrontier(sha256)
  let link = toHex(GENESIS_LINK)
  let seq = 0
  let at: string | null = null
  for await (const page of chain) {
    for (const stored of page) {
      seq = stored.seq
      at = stored.at
      link = toHex(stored.link)
      tree.push(stored.leaf)
      const narrowed = stored.event ? narrow(stored.event) : ofUnknownType(scope)
      log.add(stored, narrowed)
      if (stored.event) anchors.apply(stored.event)
      if (!narrowed?.event) continue
      if (beforeEnd(narrowed.event.at, period)) reconciliation.apply(narrowed.event)
      folding.apply(narrowed.event, link)
    }
    await log.flush()
    for (const file of files.values()) await file.flush()
    progress(seq)
  }
  const written: WrittenFile[] = await log.close()
  const gathered: Gathered[] = []
  for (const { report, totals } of folding.end()) {
    const file = files.get(report.type)
    if (!file) throw new Error(`${report.type} has no files`)
    const { csv, json } = await file.close()
    gathered.push({ report, totals, rows: file.rows, sample: file.sample, csv, json })
    written.push(...csv, ...(json ? [json] : []))
  }
  const { judgement, observed } = folding.known
  return {
    reports: gathered,
    events: log.lines,
    hidden: log.hidden,
    head: { seq, link, root: toHex(tree.root()), at },
    known: folding.known,
    files: written.map(({ path, bytes, sha256: digest }) => ({ path, bytes, sha256: digest })),
    framework: framework === null ? null : packetOf(judgement, framework),
    scope: reconciliation.reconcile(scope),
    observation: observed.over(period),
    anchors: anchors.chosen(period),
  }
}

/** A framework's controls, each with what the last evaluation says of its rules; null where none was adopted yet. */
export function packetOf(judgement: Judgement, framework: FrameworkId): FrameworkPacket | null {
  const adopted = judgement.frameworks.find((f) => f.framework === framework)
  if (!adopted) return null
  return {
    framework,
    title: adopted.title,
    limits: adopted.limits,
    evaluatedAt: judgement.last?.at ?? null,
    controls: adopted.controls.map((control) => ({
      ...control,
      results: control.rules.flatMap((rule) => judgement.resultOf(rule) ?? []),
    })),
  }
}
