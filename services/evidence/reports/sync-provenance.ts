import type { EventOf } from '@attestry/contracts'
import { cell, column, type Report, type Row, within } from './report.ts'
import { firstTold, told } from './told.ts'

/** What became of one secret on its way along one route, in a word. */
const OUTCOMES = {
  'sync.adopted': 'adopted',
  'sync.copied': 'copied',
  'sync.copy-failed': 'failed',
  'sync.copy-disabled': 'disabled',
  'sync.drifted': 'drifted',
  'sync.pruned': 'pruned',
} as const

type CopyEvent = EventOf<keyof typeof OUTCOMES>

const ofCopy = (event: EventOf): event is CopyEvent => Object.hasOwn(OUTCOMES, event.type)

interface Route {
  readonly source: string
  readonly target: string
  readonly kind: string
}

/** Every copy of a secret to another cloud, with what was read at both ends. */
export const syncProvenance: Report = {
  type: 'sync-provenance',
  title: 'Sync provenance',
  says: 'Everything that became of copies of secrets in other clouds in the period: which version went where under which plan, the keyed codes of what was read at the source and written at the target, and every copy that failed, drifted, was disabled or was deleted.',
  kind: 'events',
  columns: [
    column('seq', 'integer', 'Place in the tenant’s chain', 'envelope.seq', 'events'),
    column('at', 'instant', 'When it was recorded, by the database’s clock', 'envelope.at'),
    column('outcome', 'text', 'copied, failed, adopted, drifted, disabled or pruned', 'envelope.type'),
    column('route', 'id', 'Opaque id of the route', 'sync.* route'),
    column('source', 'id', 'Opaque id of the source vault', 'sync.route-opened source'),
    column('source_vault', 'text', 'Name of the source vault', 'discovery.vault-scanned facts.name'),
    column('target', 'id', 'Opaque id of the account that is copied to', 'sync.route-opened target'),
    column('target_name', 'text', 'Its name', 'sync.connector-added name'),
    column('target_kind', 'text', 'Kind of store', 'sync.route-opened settings.kind'),
    column('secret', 'id', 'Opaque id of the secret', 'sync.* secret'),
    column(
      'name_at_source',
      'text',
      'Its name at the source',
      'sync.copied sourceName, discovery.vault-scanned name',
    ),
    column('name_at_target', 'text', 'Its name at the target', 'sync.copied targetName'),
    column('copy', 'id', 'Opaque id of the copy', 'sync.* copy'),
    column('run', 'id', 'Run of the route that did it', 'sync.* run'),
    column('plan', 'digest', 'Hash of the plan under which it was done', 'sync.copied, sync.pruned plan'),
    column('source_version', 'text', 'Version that was read', 'sync.copied sourceVersion'),
    column(
      'target_version',
      'text',
      'Version that was written, disabled or deleted; of a drift the one that was found',
      'sync.copied targetVersion, sync.drifted found',
    ),
    column(
      'source_mac',
      'digest',
      'Keyed code of the value that was read, never the value or a plain hash of it',
      'sync.copied sourceMac',
    ),
    column('target_mac', 'digest', 'Keyed code of the value that was written', 'sync.copied targetMac'),
    column(
      'agree',
      'text',
      'yes or no: whether both codes are the same; empty: nothing was copied',
      'derived',
    ),
    column('attempt', 'integer', 'Which attempt failed', 'sync.copy-failed attempt', 'attempts'),
    column(
      'reason',
      'text',
      'Why it failed, or how it drifted',
      'sync.copy-failed reason, sync.drifted drift',
    ),
    column(
      'retry_at',
      'instant',
      'When a failed copy is tried again; empty: it waits for a person',
      'sync.copy-failed retryAt',
    ),
    column('link', 'digest', 'Hash of the chain up to this event', 'computed'),
  ],
  printed: [
    'seq',
    'at',
    'outcome',
    'source_vault',
    'name_at_source',
    'target_name',
    'name_at_target',
    'agree',
    'reason',
  ],
  limits: [
    'Equal codes say that the value written was the value read. What happened to the target afterwards is seen only by its marks: a drift is told, its value is not read.',
    'Codes are keyed for this install: they can be compared with each other and with nothing else.',
  ],
  fold({ period }, { estate }) {
    const routes = new Map<string, Route>()
    const connectors = new Map<string, string>()
    const counts = new Map<string, number>()
    const secrets = new Set<string>()
    let disagree = 0
    const rowOf = (event: CopyEvent, link: string): Row => {
      const { route, secret, copy } = event.data
      const known = routes.get(route)
      const copied = event.type === 'sync.copied' ? event.data : null
      const agree = copied && copied.sourceMac === copied.targetMac
      secrets.add(secret)
      if (agree === false) disagree++
      return [
        cell(event.seq),
        event.at,
        OUTCOMES[event.type],
        route,
        cell(known?.source),
        estate.holderName(known?.source ?? ''),
        cell(known?.target),
        cell(connectors.get(known?.target ?? '')),
        cell(known?.kind),
        secret,
        told(event, 'sourceName') || estate.nameOf(secret).name,
        told(event, 'targetName'),
        copy,
        told(event, 'run'),
        told(event, 'plan'),
        told(event, 'sourceVersion'),
        firstTold(event, ['targetVersion', 'found']),
        told(event, 'sourceMac'),
        told(event, 'targetMac'),
        agree === null ? '' : agree ? 'yes' : 'no',
        told(event, 'attempt'),
        firstTold(event, ['reason', 'drift']),
        told(event, 'retryAt'),
        link,
      ]
    }
    return {
      apply({ event, link }) {
        if (event.type === 'sync.connector-added') connectors.set(event.data.connector, event.data.name)
        if (event.type === 'sync.route-opened') {
          const { route, source, target, settings } = event.data
          routes.set(route, { source, target, kind: settings?.kind ?? '' })
        }
        if (!ofCopy(event) || !within(event.at, period)) return []
        const outcome = OUTCOMES[event.type]
        counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
        return [rowOf(event, link)]
      },
      end: () => [],
      totals: () => [
        ...Object.values(OUTCOMES).map((outcome) => ({
          name: `Copies ${outcome}`,
          value: counts.get(outcome) ?? 0,
        })),
        { name: 'Copies whose two ends disagreed', value: disagree },
        { name: 'Distinct secrets', value: secrets.size },
        { name: 'Routes opened up to the end of the period', value: routes.size },
      ],
    }
  },
}
