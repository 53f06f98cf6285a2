/*
 * CSV as RFC 4180 has it: CRLF, every field quoted, UTF-8 with a byte order mark. A spreadsheet runs a field that
 * starts like a formula, so such a field gets an apostrophe in front; a leading apostrophe gets one as well, which
 * makes the guard reversible: reading takes exactly one away.
 */

/** Rows that one file may hold with its header: what the common spreadsheet programs open. */
export const mostRows = 1_048_576

/** How the files are written, for the manifest. */
export const csvDialect = {
  standard: 'RFC 4180',
  encoding: 'UTF-8 with byte order mark',
  lineEnd: 'CRLF',
  quoted: 'every field',
  formulaGuard:
    "a field that starts with ' = + - @ tab, CR, LF or one of their full-width forms has one apostrophe in front; remove it to read",
} as const

/** `'`, `=`, `+`, `-`, `@`, tab, CR, LF, and the full-width forms that spreadsheets take for the same. */
const dangerous = /^['=+\-@\t\r\n\uff07\uff1d\uff0b\uff0d\uff20]/u
const byteOrderMark = '\ufeff'

/** A SHA-256 that is fed piece by piece: Node's `createHash('sha256')`, or any other. */
export interface RunningHash {
  readonly update: (bytes: Uint8Array) => unknown
  readonly digest: (encoding: 'hex') => string
}

/** Where a part's bytes go. */
export interface CsvSink {
  readonly write: (bytes: Uint8Array) => Promise<void> | void
  readonly close: () => Promise<void> | void
}

/** One written file. */
export interface CsvPart {
  readonly path: string
  /** Data rows, without the header. */
  readonly rows: number
  readonly bytes: number
  /** Hexadecimal SHA-256 of the whole file. */
  readonly sha256: string
}

export interface CsvTarget {
  /** Path without `.csv`; parts after the first are `<path>.2.csv`, `<path>.3.csv`, … */
  readonly path: string
  readonly columns: readonly string[]
  readonly open: (path: string) => CsvSink
  readonly hash: () => RunningHash
  readonly signal: AbortSignal
  /** Rows of one file, header included. @default 1_048_576 */
  readonly rowsPerFile?: number
}

/** A field as it stands in the file. Lone surrogates have no UTF-8 form and become U+FFFD. */
export function csvField(text: string): string {
  const guarded = dangerous.test(text) ? `'${text}` : text
  return `"${guarded.toWellFormed().replaceAll('"', '""')}"`
}

/** A record as it stands in the file, its line end included. */
export function csvRecord(fields: readonly string[]): string {
  return `${fields.map(csvField).join(',')}\r\n`
}

/**
 * Writes rows as they come, hashing on the way, and splits before a file would hold more rows than a spreadsheet
 * opens. Memory holds one block of rows, whatever their number. No rows still give one file with its header.
 * @throws RangeError when a row has another number of fields than there are columns
 */
export async function writeCsv(
  rows: Iterable<readonly string[]> | AsyncIterable<readonly string[]>,
  target: CsvTarget,
): Promise<CsvPart[]> {
  const perFile = (target.rowsPerFile ?? mostRows) - 1
  const parts: CsvPart[] = []
  let part = openPart(target, 1)
  for await (const row of rows) {
    if (row.length !== target.columns.length) {
      throw new RangeError(
        `A row of ${target.path} has ${row.length} fields for ${target.columns.length} columns`,
      )
    }
    if (part.rows === perFile) {
      parts.push(await part.close())
      part = openPart(target, parts.length + 1)
    }
    await part.add(row)
    if (part.rows % 1024 === 0) target.signal.throwIfAborted()
  }
  parts.push(await part.close())
  return parts
}

/** The whole file in memory, for small reports. */
export function csvBytes(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(byteOrderMark + [columns, ...rows].map(csvRecord).join(''))
}

/**
 * Reads such a file back, strictly: anything that `writeCsv` would not have written is refused.
 * @returns columns and unguarded rows, or the problem with its record number (the header is record 1)
 */
export function readCsv(
  bytes: Uint8Array,
):
  | { readonly columns: readonly string[]; readonly rows: readonly (readonly string[])[] }
  | { readonly problem: string } {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    // The decoder's only way to say so.
    return { problem: 'the file is not UTF-8' }
  }
  if (!text.startsWith(byteOrderMark)) return { problem: 'the byte order mark is missing' }
  const records: string[][] = []
  let at = byteOrderMark.length
  while (at < text.length) {
    const record = readRecord(text, at)
    if ('problem' in record) return { problem: `record ${records.length + 1} ${record.problem}` }
    const width = records[0]?.length ?? record.fields.length
    if (record.fields.length !== width) {
      return {
        problem: `record ${records.length + 1} has ${record.fields.length} fields instead of ${width}`,
      }
    }
    records.push(record.fields)
    at = record.end
  }
  const [columns, ...rows] = records
  return columns === undefined ? { problem: 'the header is missing' } : { columns, rows }
}

interface OpenPart {
  readonly rows: number
  readonly add: (row: readonly string[]) => Promise<void>
  readonly close: () => Promise<CsvPart>
}

/** Bytes are handed on in blocks of about this size. */
const blockLength = 65_536

function openPart(target: CsvTarget, number: number): OpenPart {
  const path = number === 1 ? `${target.path}.csv` : `${target.path}.${number}.csv`
  const sink = target.open(path)
  const hash = target.hash()
  const encoder = new TextEncoder()
  let block = byteOrderMark + csvRecord(target.columns)
  let rows = 0
  let length = 0
  const flush = async () => {
    const bytes = encoder.encode(block)
    block = ''
    length += bytes.length
    hash.update(bytes)
    await sink.write(bytes)
  }
  return {
    get rows() {
      return rows
    },
    add: async (row) => {
      block += csvRecord(row)
      rows += 1
      if (block.length >= blockLength) await flush()
    },
    close: async () => {
      await flush()
      await sink.close()
      return { path, rows, bytes: length, sha256: hash.digest('hex') }
    },
  }
}

function readRecord(text: string, from: number): { fields: string[]; end: number } | { problem: string } {
  const fields: string[] = []
  let at = from
  // Ends: every round moves `at` past a closing quote or returns.
  for (;;) {
    if (text[at] !== '"') return { problem: 'has a field that is not quoted' }
    const close = closingQuote(text, at + 1)
    if (close === -1) return { problem: 'has a quote that never closes' }
    const field = unguard(text.slice(at + 1, close).replaceAll('""', '"'))
    if (field === null) return { problem: 'has a field that a spreadsheet would run' }
    fields.push(field)
    at = close + 1
    if (text[at] === ',') at += 1
    else if (text.startsWith('\r\n', at)) return { fields, end: at + 2 }
    else return { problem: 'does not end with CRLF' }
  }
}

function closingQuote(text: string, from: number): number {
  let at = text.indexOf('"', from)
  while (at !== -1 && text[at + 1] === '"') at = text.indexOf('"', at + 2)
  return at
}

/** The field without its guard; null when it needs one and has none, or has one and needs none. */
function unguard(field: string): string | null {
  if (!dangerous.test(field)) return field
  const bare = field.startsWith("'") ? field.slice(1) : null
  return bare !== null && dangerous.test(bare) ? bare : null
}
