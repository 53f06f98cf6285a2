import { type Actor, toHex } from '@attestry/contracts'
import type { ChainEvent } from '@attestry/kit'
import { csvRecord } from '../csv.ts'

/** One entry of the audit log: an event as whoever reads it elsewhere needs it. */
export interface AuditRecord {
  readonly seq: number
  readonly at: string
  readonly tenant: string
  readonly type: string
  readonly stream: string
  readonly actor: Actor
  readonly correlation: string
  readonly causation: string
  readonly id: string
  readonly data: unknown
  /** Hexadecimal: by them an entry is found in the chain again, and proved to be of it. */
  readonly leaf: string
  readonly link: string
}

/** An event whose body retention took, or whose type a newer version wrote: its place is told, so that no gap is silent. */
export interface BareRecord {
  readonly seq: number
  readonly at: string
  readonly tenant: string
  readonly without: 'pruned' | 'unknown-type'
  readonly leaf: string
  readonly link: string
}

/** An event as an entry. Committed values are in place: who may read the audit log may read names. */
export function recordOf(tenant: string, stored: ChainEvent): AuditRecord | BareRecord {
  const { seq, at, event } = stored
  const leaf = toHex(stored.leaf)
  const link = toHex(stored.link)
  if (!event)
    return { seq, at, tenant, without: stored.envelope === null ? 'pruned' : 'unknown-type', leaf, link }
  return {
    seq,
    at,
    tenant,
    type: event.type,
    stream: event.stream,
    actor: event.by,
    correlation: event.cause.correlation,
    causation: event.cause.causation,
    id: event.id,
    data: event.data,
    leaf,
    link,
  }
}

export const jsonLine = (record: AuditRecord | BareRecord): string => `${JSON.stringify(record)}\n`

export const CSV_COLUMNS = [
  'seq',
  'at',
  'type',
  'stream',
  'actor_kind',
  'actor_id',
  'address',
  'reason',
  'correlation',
  'causation',
  'event_id',
  'data',
  'leaf',
  'link',
] as const

/** An entry as a record of CSV, in the dialect of the bundles' reports: quoted, and safe in a spreadsheet. */
export function csvLine(record: AuditRecord | BareRecord): string {
  const { seq, at, leaf, link } = record
  if ('without' in record)
    return csvRecord([String(seq), at, record.without, '', '', '', '', '', '', '', '', '', leaf, link])
  const { actor } = record
  return csvRecord([
    String(seq),
    at,
    record.type,
    record.stream,
    actor.kind,
    actor.id,
    actor.address ?? '',
    actor.reason ?? '',
    record.correlation,
    record.causation,
    record.id,
    JSON.stringify(record.data),
    leaf,
    link,
  ])
}
