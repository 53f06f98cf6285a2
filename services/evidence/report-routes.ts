import { type EvidenceScope, fact, ReportType } from '@attestry/contracts'
import type { evidenceHttp } from '@attestry/contracts/http'
import { type Handlers, type Host, refuse } from '@attestry/kit'
import { periodRefusal } from './bundle-life.ts'
import { exportDocument, exportRows, type ExportWish } from './export-report.ts'
import type { EvidenceKeys } from './keys.ts'

/** The stream of what is taken out without being a bundle. */
const EXPORT_STREAM = 'report-exports'
/** Documents that may be made at once: each holds a thread. */
const MOST_AT_ONCE = 2

const TYPES = {
  csv: ['text/csv; charset=utf-8', 'csv'],
  json: ['application/json', 'json'],
  pdf: ['application/pdf', 'pdf'],
  oscal: ['application/json', 'oscal.json'],
} as const

const listOf = (text: string | undefined): string[] =>
  (text ?? '').split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]))

const scopeOf = (subscriptions?: string, vaults?: string): EvidenceScope | null => {
  const scope = { subscriptions: listOf(subscriptions), vaults: listOf(vaults), tags: [] }
  return scope.subscriptions.length + scope.vaults.length === 0 ? null : scope
}

/** Takes single reports out. */
export function reportHandlers(
  host: Host,
  options: { readonly stateDir: string; readonly keys: () => Promise<EvidenceKeys> },
): Pick<Handlers<typeof evidenceHttp>, 'exportReport'> {
  let making = 0
  return {
    async exportReport({ who, params, query, address, correlation, signal: asked }) {
      if (who.bundles)
        return refuse('outside-your-scope', 'You were shown single bundles; the ledger is not among them.')
      const named = ReportType.safeParse(params.report)
      if (!named.success)
        return refuse(
          'no-such-report',
          `There is no report ${params.report}: ${ReportType.options.join(', ')}.`,
        )
      const report = named.data
      const { format, framework = null } = query
      const period = { from: query.from, to: query.to }
      const refused = periodRefusal(period, host.clock.now(), 'query')
      if (refused) return refused
      if (format === 'oscal' && (framework === null || report !== 'rule-violations'))
        return refuse('not-in-this-form', 'OSCAL tells the results of rules for one framework.', [
          framework === null
            ? { field: 'query.framework', message: 'is needed for OSCAL' }
            : { field: 'query.format', message: 'oscal is a form of rule-violations alone' },
        ])
      if (making >= MOST_AT_ONCE && (format === 'pdf' || format === 'oscal'))
        return refuse('already-exporting', 'Two documents are being made; wait for one.')
      const { tenant } = who
      const { seq: upTo } = await host.head(tenant)
      await host.append(tenant, {
        stream: EXPORT_STREAM,
        expected: 'any',
        facts: [fact('evidence.report-exported', { report, format, period, framework, upTo })],
        by: { kind: 'operator', id: who.operator, ...(address ? { address } : {}) },
        cause: { correlation, causation: correlation },
      })
      const signal = AbortSignal.any([asked, host.signal])
      const scope = scopeOf(query.subscriptions, query.vaults)
      const wish: Omit<ExportWish, 'format'> = { report, period, scope, framework, upTo, signal }
      const [type, ending] = TYPES[format]
      const name = `attestry-${report}-${tenant}-${period.from.slice(0, 10)}-${period.to.slice(0, 10)}.${ending}`
      const headers = {
        'content-type': type,
        'content-disposition': `attachment; filename="${name}"`,
        'cache-control': 'no-store',
      }
      if (format === 'csv' || format === 'json')
        return new Response(streamOf(exportRows(host, tenant, { ...wish, format })), { headers })
      making++
      try {
        const keys = await options.keys()
        const document = await exportDocument(host, tenant, { ...wish, format }, { ...options, keys })
        return document === null
          ? refuse('not-in-this-form', 'Nothing was evaluated for this framework yet; scan first.', [
              { field: 'query.framework', message: 'has no evaluation in the ledger' },
            ])
          : new Response(Uint8Array.from(document), { headers })
      } finally {
        making--
      }
    },
  }
}

/** Bytes as they are asked for; who goes away ends their making. */
const streamOf = (source: AsyncGenerator<Uint8Array, void, void>): ReadableStream<Uint8Array> =>
  new ReadableStream({
    async pull(controller) {
      const { done, value } = await source.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    async cancel() {
      await source.return()
    },
  })
