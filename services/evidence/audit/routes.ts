import { fact } from '@attestry/contracts'
import { auditHttp } from '@attestry/contracts/http'
import { bind, type Guard, type Handlers, type Host, iso, refuse } from '@attestry/kit'
import { exportAudit, exportName } from './export.ts'
import { readRetention, RETENTION_STREAM } from './retention.ts'
import type { AuditSink } from './sink.ts'
import { standingOf } from './stream.ts'

/** The stream of what is done with the audit log as a whole. */
const AUDIT_STREAM = 'audit'

/** The audit log's endpoints. */
export function auditFetch(host: Host, guard: Guard, sinks: readonly AuditSink[]) {
  const handlers: Handlers<typeof auditHttp> = {
    async exportAudit({ who, query, address, correlation, signal }) {
      if (who.bundles)
        return refuse('outside-your-scope', 'You were shown single bundles; the ledger is not among them.')
      const { format, from = null, to = null } = query
      if (from !== null && to !== null && Date.parse(from) >= Date.parse(to))
        return refuse('period-reversed', 'The period’s end must lie after its beginning.', [
          { field: 'query.to', message: 'must lie after from' },
        ])
      const { tenant } = who
      const head = await host.head(tenant)
      const after = from === null ? 0 : (await host.firstSince(tenant, from)) - 1
      const upTo = to === null ? head.seq : (await host.firstSince(tenant, to)) - 1
      await host.append(tenant, {
        stream: AUDIT_STREAM,
        expected: 'any',
        facts: [fact('evidence.audit-exported', { format, from, to, upTo })],
        by: { kind: 'operator', id: who.operator, ...(address ? { address } : {}) },
        cause: { correlation, causation: correlation },
      })
      const source = exportAudit(host, tenant, {
        after,
        upTo,
        format,
        signal: AbortSignal.any([signal, host.signal]),
      })
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          const { done, value } = await source.next()
          if (done) controller.close()
          else controller.enqueue(value)
        },
        async cancel() {
          await source.return()
        },
      })
      const name = exportName(tenant, from, to ?? iso(host.clock.now()), format)
      return new Response(body, {
        headers: {
          'content-type': format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson',
          'content-disposition': `attachment; filename="${name}"`,
          'cache-control': 'no-store',
        },
      })
    },

    readRetention: ({ who }) => readRetention(host, who.tenant),

    async setRetention({ who, body, address, correlation }) {
      await host.append(who.tenant, {
        stream: RETENTION_STREAM,
        expected: 'any',
        facts: [fact('evidence.retention-set', body)],
        by: { kind: 'operator', id: who.operator, ...(address ? { address } : {}) },
        cause: { correlation, causation: correlation },
      })
      return undefined
    },

    async listStreams({ who }) {
      const { seq } = await host.head(who.tenant)
      return { items: await host.tx(who.tenant, (tx) => standingOf(tx, sinks, seq)) }
    },
  }
  return bind(auditHttp, handlers, guard, host.log)
}
