/** One file of a list of checksums. */
export interface SumLine {
  readonly path: string
  /** Hexadecimal SHA-256. */
  readonly sha256: string
}

/** What the first line of `SHA256SUMS` binds the signature to, so that it can stand for nothing else. */
export interface SumsHeader {
  readonly bundleId: string
  /** Report types joined by `+`. */
  readonly report: string
  readonly from: string
  readonly to: string
}

const headerPattern = /^# evidence-bundle\/v1 (\S+) (\S+) (\S+)\/(\S+)$/
/** Paths that `sha256sum` reads as they stand: no backslash, no newline, no space to trip over. */
const linePattern = /^([0-9a-f]{64}) {2}([A-Za-z0-9][A-Za-z0-9._/-]*)$/

/** The first line of the list; `sha256sum --strict` takes it for a comment. */
export function sumsHeader({ bundleId, report, from, to }: SumsHeader): string {
  return `# evidence-bundle/v1 ${bundleId} ${report} ${from}/${to}`
}

/** A list in the format of `sha256sum`, sorted by path, with an optional first line. */
export function writeSums(lines: readonly SumLine[], header?: SumsHeader): string {
  const sorted = lines.toSorted((a, b) => (a.path < b.path ? -1 : 1))
  const body = sorted.map(({ sha256, path }) => `${sha256}  ${path}\n`).join('')
  return header === undefined ? body : `${sumsHeader(header)}\n${body}`
}

/**
 * Reads a list of checksums strictly: this very format, each path once, sorted, nothing else.
 * @returns the header (null when absent) and the lines, or the problem
 */
export function readSums(
  text: string,
): { readonly header: SumsHeader | null; readonly lines: readonly SumLine[] } | { readonly problem: string } {
  if (!text.endsWith('\n')) return { problem: 'the last line does not end' }
  const rows = text.slice(0, -1).split('\n')
  const match = headerPattern.exec(rows[0] ?? '')
  const [, bundleId, report, from, to] = match ?? []
  const header =
    bundleId === undefined || report === undefined || from === undefined || to === undefined
      ? null
      : { bundleId, report, from, to }
  const lines: SumLine[] = []
  let last = ''
  for (const row of header === null ? rows : rows.slice(1)) {
    const [, sha256, path] = linePattern.exec(row) ?? []
    if (sha256 === undefined || path === undefined)
      return { problem: `a line is not a checksum: ${row.slice(0, 80)}` }
    if (path <= last) return { problem: `the lines are not sorted, or a file stands twice: ${path}` }
    last = path
    lines.push({ sha256, path })
  }
  return { header, lines }
}
