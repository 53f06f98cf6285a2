/*
 * CSV as RFC 4180 has it: CRLF, every field quoted, UTF-8 with a byte order mark. A spreadsheet runs a field that
 * starts like a formula, so such a field gets an apostrophe in front; a leading apostrophe gets one as well, which
 * makes the guard reversible: reading takes exactly one away.
 */

import { GrowingFile, type Outlet, type WrittenFile } from './written-file.ts'

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
/** Printable ASCII without a quote, and nothing in front that a spreadsheet would run. */
const plain = /^(?:[ !#-&(-*,./0-9:;<>?A-Z[-~][ !#-~]*)?$/
const byteOrderMark = '\ufeff'

/** One written file. */
export interface CsvPart extends WrittenFile {
  /** Data rows, without the header. */
  readonly rows: number
}

export interface CsvTarget extends Outlet {
  /** Path without `.csv`; parts after the first are `<path>.2.csv`, `<path>.3.csv`, … */
  readonly path: string
  readonly columns: readonly string[]
  /** Rows of one file, header included. @default 1_048_576 */
  readonly rowsPerFile?: number
}

/** A field as it stands in the file. Lone surrogates have no UTF-8 form and become U+FFFD. */
export function csvField(text: string): string {
  // Nearly every field is plain; looking for anything else costs less than rewriting it.
  if (plain.test(text)) return `"${text}"`
  const guarded = dangerous.test(text) ? `'${text}` : text
  return `"${guarded.toWellFormed().replaceAll('"', '""')}"`
}

/** A record as it stands in the file, its line end included. */
export function csvRecord(fields: readonly string[]): string {
  let record = ''
  for (const field of fields) record += record === '' ? csvField(field) : `,${csvField(field)}`
  return `${record}\r\n`
}

/**
 * Takes rows as they come, hashes on the way, and splits before a file would hold more rows than a spreadsheet opens.
 * Memory holds what was added since the last flush, whatever the number of rows. No rows still give one file with its
 * header.
 */
export class CsvWriter {
  readonly #target: CsvTarget
  readonly #perFile: number
  readonly #ended: Promise<CsvPart>[] = []
  #file: GrowingFile
  #rows = 0

  constructor(target: CsvTarget) {
    this.#target = target
    this.#perFile = (target.rowsPerFile ?? mostRows) - 1
    this.#file = this.#open(1)
  }

  /** @throws RangeError when the row has another number of fields than there are columns */
  add(row: readonly string[]): void {
    const { path, columns } = this.#target
    if (row.length !== columns.length)
      throw new RangeError(`A row of ${path} has ${row.length} fields for ${columns.length} columns`)
    if (this.#rows === this.#perFile) {
      this.#end()
      this.#file = this.#open(this.#ended.length + 1)
    }
    this.#file.add(csvRecord(row))
    this.#rows++
  }

  async flush(): Promise<void> {
    await Promise.all(this.#ended)
    await this.#file.flush()
  }

  async close(): Promise<CsvPart[]> {
    this.#end()
    return Promise.all(this.#ended)
  }

  #open(number: number): GrowingFile {
    const { path, columns } = this.#target
    const file = new GrowingFile(number === 1 ? `${path}.csv` : `${path}.${number}.csv`, this.#target)
    file.add(byteOrderMark + csvRecord(columns))
    return file
  }

  #end(): void {
    const rows = this.#rows
    this.#rows = 0
    const ended = this.#file.close().then((written) => ({ ...written, rows }))
    // Whoever flushes or closes hears of it; until then it must not count as unheard.
    ended.catch(() => undefined)
    this.#ended.push(ended)
  }
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

/** A record longer than this is none of ours, and waiting for its end would take all memory. */
const LONGEST_RECORD = 4 * 2 ** 20

/** Where the record at `from` ends, or -1 when its end is not there yet. */
function recordEnd(text: string, from: number): number {
  let quoted = false
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) quoted = !quoted
    else if (!quoted && code === 0x0a) return at + 1
  }
  return -1
}

/**
 * Reads such a file strictly, piece by piece, and counts its rows. Memory holds one chunk and one record.
 * @returns columns and number of rows, or the problem
 */
export async function countCsv(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<{ readonly columns: readonly string[]; readonly rows: number } | { readonly problem: string }> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let text = ''
  let begun = false
  let columns: readonly string[] | null = null
  let records = 0
  /** Takes every whole record off the text. */
  const take = (): string | null => {
    if (!begun && text.length > 0) {
      if (!text.startsWith(byteOrderMark)) return 'the byte order mark is missing'
      text = text.slice(byteOrderMark.length)
      begun = true
    }
    let at = 0
    for (let end = recordEnd(text, at); end !== -1; end = recordEnd(text, at)) {
      const record = readRecord(text, at)
      if ('problem' in record) return `record ${records + 1} ${record.problem}`
      columns ??= record.fields
      if (record.fields.length !== columns.length)
        return `record ${records + 1} has ${record.fields.length} fields instead of ${columns.length}`
      records++
      at = record.end
    }
    text = text.slice(at)
    return text.length > LONGEST_RECORD ? `record ${records + 1} does not end` : null
  }
  try {
    for await (const chunk of chunks) {
      text += decoder.decode(chunk, { stream: true })
      const problem = take()
      if (problem !== null) return { problem }
    }
    text += decoder.decode()
  } catch (error) {
    // The decoder's only way to say that it is not UTF-8.
    if (error instanceof TypeError) return { problem: 'the file is not UTF-8' }
    throw error
  }
  const problem = take()
  if (problem !== null) return { problem }
  if (text.length > 0) {
    const record = readRecord(text, 0)
    return { problem: `record ${records + 1} ${'problem' in record ? record.problem : 'does not end'}` }
  }
  return columns === null ? { problem: 'the header is missing' } : { columns, rows: records - 1 }
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
