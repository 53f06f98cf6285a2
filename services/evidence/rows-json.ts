import type { ReportColumn } from '@attestry/contracts'
import { GrowingFile, type Outlet, type WrittenFile } from './written-file.ts'

/** A cell as JSON: whole numbers and yes or no as such, an empty cell as null, all else as text. */
function valueOf(type: ReportColumn['type'], text: string): string {
  if (text === '') return 'null'
  // Both were made by `String()` from their own type.
  if (type === 'integer' || type === 'boolean') return text
  return JSON.stringify(text.toWellFormed())
}

export interface JsonTarget extends Outlet {
  readonly path: string
  /** Members before the rows. */
  readonly head: Readonly<Record<string, unknown>>
  readonly columns: readonly ReportColumn[]
}

/**
 * Writes one JSON document of a report's rows as they come, a row a line: `{ …head, "columns": […], "rows": […] }`. Each
 * row is an object by column name. The text is one: the same rows give the same bytes.
 */
export class JsonWriter {
  readonly #file: GrowingFile
  readonly #columns: readonly (readonly [name: string, type: ReportColumn['type']])[]
  #rows = 0

  constructor({ path, head, columns, ...outlet }: JsonTarget) {
    this.#file = new GrowingFile(path, outlet)
    this.#columns = columns.map(({ name, type }) => [JSON.stringify(name), type])
    const before = JSON.stringify({ ...head, columns })
    this.#file.add(`${before.slice(0, -1)},"rows":[`)
  }

  add(row: readonly string[]): void {
    const members = this.#columns.map(([name, type], i) => `${name}:${valueOf(type, row[i] ?? '')}`)
    this.#file.add(`${this.#rows === 0 ? '\n' : ',\n'}{${members.join(',')}}`)
    this.#rows++
  }

  flush(): Promise<void> {
    return this.#file.flush()
  }

  close(): Promise<WrittenFile> {
    this.#file.add('\n]}\n')
    return this.#file.close()
  }
}
