import { type BundleManifest, bundlePaths } from '@attestry/contracts'
import { readCsv } from './csv.ts'
import type { Files } from './zip.ts'

const latin1 = new TextDecoder('latin1')

/** Why the CSV files are not those of the manifest, or null: names both ways, digests, columns and row counts. */
export function reportsProblem(
  files: Files,
  manifest: BundleManifest,
  hash: (bytes: Uint8Array) => string,
): string | null {
  const named = new Set([
    ...manifest.reports.flatMap(({ csv, json, pdf }) => [
      ...csv.map(({ path }) => path),
      ...(json === null ? [] : [json.path]),
      ...(pdf === null ? [] : [pdf]),
    ]),
    ...manifest.oscal.map(({ path }) => path),
  ])
  const stray = [...files.keys()].find((path) => path.startsWith('report/') && !named.has(path))
  if (stray !== undefined) return `${stray} is not in the manifest`
  for (const { path, bytes, sha256 } of [
    ...manifest.reports.flatMap(({ json }) => json ?? []),
    ...manifest.oscal,
  ]) {
    const file = files.get(path)
    if (file === undefined) return `${path} is missing`
    if (hash(file) !== sha256 || file.length !== bytes)
      return `${path} is not the file that the manifest names`
  }
  for (const report of manifest.reports) {
    let rows = 0
    for (const part of report.csv) {
      const bytes = files.get(part.path)
      if (bytes === undefined) return `${part.path} is missing`
      if (hash(bytes) !== part.sha256 || bytes.length !== part.bytes)
        return `${part.path} is not the file that the manifest names`
      const csv = readCsv(bytes)
      if ('problem' in csv) return `${part.path}: ${csv.problem}`
      if (csv.columns.join('\n') !== report.columns.map(({ name }) => name).join('\n'))
        return `${part.path} has other columns than the manifest says`
      if (csv.rows.length !== part.rows)
        return `${part.path} has ${csv.rows.length} rows, the manifest says ${part.rows}`
      rows += part.rows
    }
    if (rows !== report.rows) return `${report.type} has ${rows} rows, the manifest says ${report.rows}`
  }
  return null
}

/** Each report with its rows. */
export function reportsDetail({ reports }: BundleManifest): string {
  return reports.map(({ type, rows }) => `${type} ${rows}`).join(', ')
}

/**
 * Why a PDF was not printed from these data, or null; undefined when there is none to look at. A PDF must be of one
 * piece (no later update on top), name the digest of the data, and tell their timestamp as it is.
 */
export function printedProblem(
  files: Files,
  { reports }: BundleManifest,
  hash: (bytes: Uint8Array) => string,
): string | null | undefined {
  const paths = reports.flatMap(({ pdf }) => (pdf === null ? [] : [pdf]))
  const sums = files.get(bundlePaths.dataSums)
  if (paths.length === 0 || sums === undefined) return undefined
  const state = files.has(bundlePaths.dataToken) ? 'stamped' : 'PENDING'
  const mark = `tier-1 SHA-256 ${hash(sums)}, timestamp ${state}`
  const problems = paths.map((path) => {
    const bytes = files.get(path)
    if (bytes === undefined) return `${path} is missing`
    const text = latin1.decode(bytes)
    if (!text.startsWith('%PDF-')) return `${path} is not a PDF`
    if (text.indexOf('%%EOF') !== text.lastIndexOf('%%EOF')) return `${path} was updated after it was made`
    return text.includes(mark)
      ? null
      : `${path} was printed from other data, or tells another state of its timestamp`
  })
  return problems.find((problem) => problem !== null) ?? null
}
