import { createHash } from 'node:crypto'
import {
  bundlePaths,
  canonical,
  type EventOf,
  GENESIS_LINK,
  type ReportType,
  type ScopeReconciliation,
  toHex,
  treeFrontier,
} from '@attestry/contracts'
import type { ChainEvent } from '@attestry/kit'
import { KnownEstate } from './reports/assets.ts'
import { reports } from './reports/catalog.ts'
import type { Report, ReportPeriod, Row } from './reports/report.ts'

/** A report with its rows, made by one walk over the chain. */
export interface Gathered {
  readonly report: Report
  readonly rows: readonly Row[]
  readonly totals: readonly { readonly name: string; readonly value: number }[]
}

/** Everything that one walk over the chain gives. */
export interface Gathering {
  readonly reports: readonly Gathered[]
  readonly log: ReadonlyMap<string, Uint8Array<ArrayBuffer>>
  readonly events: number
  /** Of these, the events whose bodies retention took: their leaves stand in the log. */
  readonly hidden: number
  readonly head: {
    readonly seq: number
    readonly link: string
    readonly root: string
    readonly at: string | null
  }
  readonly rulesetDigest: string | null
  readonly scope: ScopeReconciliation
}

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()
const text = new TextEncoder()

/** Declared scope against what scans reached, each difference in words. */
class ScopeOfChain {
  readonly #declared = new Map<string, readonly string[]>()
  readonly #estate: KnownEstate

  constructor(estate: KnownEstate) {
    this.#estate = estate
  }

  apply(event: EventOf): void {
    if (event.type === 'discovery.environment-connected' || event.type === 'discovery.environment-revised')
      this.#declared.set(event.data.environment, event.data.scope.subscriptions)
  }

  reconcile(): ScopeReconciliation {
    const declared = [...new Set([...this.#declared.values()].flat())].sort()
    const vaults = [...this.#estate.vaults.values()]
    const nameOf = (v: (typeof vaults)[number]) => v.facts?.name ?? 'a vault without a name'
    const reached = new Set(vaults.flatMap((v) => v.facts?.subscription ?? []))
    return {
      declared: declared.length > 0 ? declared : ['every subscription that the identity can see'],
      listed: vaults.map(nameOf).sort(),
      reached: vaults
        .filter((v) => v.unreachable === null)
        .map(nameOf)
        .sort(),
      differences: [
        ...vaults
          .filter((v) => v.unreachable !== null)
          .map((v) => `${nameOf(v)} could not be read: ${v.unreachable}`),
        ...declared
          .filter((s) => !reached.has(s))
          .map((s) => `Subscription ${s} was declared, and no vault was found in it`),
      ].sort(),
    }
  }
}

/**
 * One walk over the chain: every report's rows, the export, the head and the tree's root, and the scope. Pure: the
 * same events give the same bytes.
 * @param total events that will come, for progress
 */
export async function gather(
  chain: AsyncIterable<readonly ChainEvent[]>,
  wanted: readonly ReportType[],
  period: ReportPeriod,
  progress: (done: number) => void,
): Promise<Gathering> {
  const folds = wanted.map((type) => {
    const report = reports[type]
    return { report, fold: report.fold(period), rows: [] as Row[] }
  })
  const estate = new KnownEstate()
  const scope = new ScopeOfChain(estate)
  const tree = treeFrontier(sha256)
  const lines: string[] = []
  const disclosures: string[] = []
  let link = toHex(GENESIS_LINK)
  let seq = 0
  let at: string | null = null
  let rulesetDigest: string | null = null
  let hidden = 0
  for await (const page of chain) {
    for (const stored of page) {
      seq = stored.seq
      at = stored.at
      link = toHex(stored.link)
      tree.push(stored.leaf)
      lines.push(stored.envelope ?? canonical({ leaf: toHex(stored.leaf) }))
      if (stored.envelope === null) hidden++
      if (stored.private !== null) {
        // Our own column, written canonically: the same text goes into the export.
        const open: unknown = JSON.parse(stored.private)
        disclosures.push(canonical({ open, seq: stored.seq }))
      }
      if (!stored.event) continue
      estate.apply(stored.event)
      scope.apply(stored.event)
      if (stored.event.type === 'compliance.evaluation-completed')
        rulesetDigest = stored.event.data.rulesetDigest
      for (const f of folds) for (const row of f.fold.apply(stored.event, link)) f.rows.push(row)
    }
    progress(seq)
  }
  const ofLines = (all: readonly string[]) => text.encode(all.map((line) => `${line}\n`).join(''))
  return {
    reports: folds.map(({ report, fold, rows }) => ({
      report,
      rows: [...rows, ...fold.end()],
      totals: fold.totals(),
    })),
    log: new Map([
      [bundlePaths.events, ofLines(lines)],
      [bundlePaths.disclosures, ofLines(disclosures)],
      [bundlePaths.start, ofLines([canonical({ frontier: [], prev: toHex(GENESIS_LINK), size: 0 })])],
    ]),
    events: lines.length,
    hidden,
    head: { seq, link, root: toHex(tree.root()), at },
    rulesetDigest,
    scope: scope.reconcile(),
  }
}
