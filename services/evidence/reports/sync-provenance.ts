import type { EventOf } from '@attestry/contracts'
import { cell, column, type Report, type Row, within } from './report.ts'

/** Every copy of a secret to another cloud, with what was read at both ends. */
export const syncProvenance: Report = {
  type: 'sync-provenance',
  title: 'Sync provenance',
  says: 'Every copy of a secret to another cloud that was made or failed in the period: which version went where, and the keyed codes of what was read at the source and read back at the target.',
  kind: 'events',
  columns: [
    column('seq', 'integer', 'Place in the tenant’s chain', 'envelope.seq', 'events'),
    column('at', 'instant', 'When it was recorded, by the database’s clock', 'envelope.at'),
    column('outcome', 'text', 'copied or failed', 'envelope.type'),
    column('route', 'id', 'Opaque id of the route', 'sync.copied, sync.copy-failed route'),
    column('source', 'id', 'Opaque id of the source vault', 'sync.route-opened source'),
    column('source_name', 'text', 'Name of the source vault', 'discovery.vault-scanned facts.name'),
    column('target', 'id', 'Opaque id of the target', 'sync.route-opened target'),
    column('secret', 'id', 'Opaque id of the secret', 'sync.copied, sync.copy-failed secret'),
    column('secret_name', 'text', 'Its name at the source', 'discovery.vault-scanned name'),
    column('copy', 'id', 'Opaque id of the copy', 'sync.copied, sync.copy-failed copy'),
    column('source_version', 'text', 'Version that was read', 'sync.copied sourceVersion'),
    column('target_version', 'text', 'Version that was written', 'sync.copied targetVersion'),
    column(
      'source_mac',
      'digest',
      'Keyed code of the value that was read, never the value or a plain hash of it',
      'sync.copied sourceMac',
    ),
    column('target_mac', 'digest', 'Keyed code of the value as it was read back', 'sync.copied targetMac'),
    column('agree', 'text', 'yes or no: whether both codes are the same; empty: the copy failed', 'derived'),
    column('attempt', 'integer', 'Which attempt failed', 'sync.copy-failed attempt', 'attempts'),
    column('reason', 'text', 'Why it failed', 'sync.copy-failed reason'),
    column('retry_at', 'instant', 'When it is tried again; empty: it is not', 'sync.copy-failed retryAt'),
    column('link', 'digest', 'Hash of the chain up to this event', 'computed'),
  ],
  limits: [
    'Equal codes say that both ends held the same value when they were read. What happened to the target afterwards is seen only where a later look is recorded.',
    'Codes are keyed per tenant: they can be compared with each other and with nothing else.',
  ],
  fold({ period }, { estate }) {
    const routes = new Map<string, { source: string; target: string }>()
    const counts = { copied: 0, disagree: 0, failed: 0 }
    const secrets = new Set<string>()
    const rowOf = (
      event: EventOf<'sync.copied' | 'sync.copy-failed'>,
      outcome: 'copied' | 'failed',
      details: Row,
      link: string,
    ): Row => {
      const { route, secret, copy } = event.data
      const known = routes.get(route)
      secrets.add(secret)
      return [
        cell(event.seq),
        event.at,
        outcome,
        route,
        cell(known?.source),
        estate.holderName(known?.source ?? ''),
        cell(known?.target),
        secret,
        estate.nameOf(secret).name,
        copy,
        ...details,
        link,
      ]
    }
    return {
      apply({ event, link }) {
        if (event.type === 'sync.route-opened')
          routes.set(event.data.route, { source: event.data.source, target: event.data.target })
        if (!within(event.at, period)) return []
        if (event.type === 'sync.copied') {
          const { sourceVersion, targetVersion, sourceMac, targetMac } = event.data
          const agree = sourceMac === targetMac
          counts.copied++
          if (!agree) counts.disagree++
          const codes = [sourceVersion, targetVersion, sourceMac, targetMac, agree ? 'yes' : 'no']
          return [rowOf(event, 'copied', [...codes, '', '', ''], link)]
        }
        if (event.type === 'sync.copy-failed') {
          const { attempt, reason, retryAt } = event.data
          counts.failed++
          return [rowOf(event, 'failed', ['', '', '', '', '', cell(attempt), reason, cell(retryAt)], link)]
        }
        return []
      },
      end: () => [],
      totals: () => [
        { name: 'Copies made', value: counts.copied },
        { name: 'of which both ends disagreed', value: counts.disagree },
        { name: 'Attempts that failed', value: counts.failed },
        { name: 'Distinct secrets', value: secrets.size },
        { name: 'Routes opened up to the end of the period', value: routes.size },
      ],
    }
  },
}
