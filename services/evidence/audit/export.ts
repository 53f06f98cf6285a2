import type { Host } from '@attestry/kit'
import { CSV_COLUMNS, csvLine, jsonLine, recordOf } from './record.ts'
import { csvRecord } from '../csv.ts'

export type ExportFormat = 'csv' | 'jsonl'

/** Excel takes a file without it for its own code page. */
const BYTE_ORDER_MARK = '\u{FEFF}'

/**
 * The audit log between two places of the chain as bytes, page by page as the reader takes them: memory holds one page.
 * Nothing is held open in the database while the reader is slow, and what is appended meanwhile is not in it.
 * @param after the last seq that is left out
 */
export async function* exportAudit(
  host: Host,
  tenant: string,
  walk: {
    readonly after: number
    readonly upTo: number
    readonly format: ExportFormat
    readonly signal: AbortSignal
  },
): AsyncGenerator<Uint8Array, void, void> {
  const { after, upTo, format, signal } = walk
  const encoder = new TextEncoder()
  const line = format === 'csv' ? csvLine : jsonLine
  if (format === 'csv') yield encoder.encode(BYTE_ORDER_MARK + csvRecord([...CSV_COLUMNS]))
  for await (const page of host.chain(tenant, { after, upTo, signal }))
    yield encoder.encode(page.map((stored) => line(recordOf(tenant, stored))).join(''))
}

/** What a browser calls the file: `attestry-audit-acme-2026-01-01-2026-02-01.csv`. */
export const exportName = (tenant: string, from: string | null, to: string, format: ExportFormat): string =>
  `attestry-audit-${tenant}-${from === null ? 'beginning' : from.slice(0, 10)}-${to.slice(0, 10)}.${format}`
