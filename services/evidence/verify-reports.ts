import { type BundleManifest, bundlePaths } from '@attestry/contracts'
import type { BundleSource } from './bundle-source.ts'
import { countCsv } from './csv.ts'
import { pdfSignatureProblem } from './pdf-signature.ts'
import type { Files } from './zip.ts'

const latin1 = new TextDecoder('latin1')

/** Size and hexadecimal SHA-256 of every file of a bundle. */
export type Digests = ReadonlyMap<string, { readonly sha256: string; readonly bytes: number }>

/** Why the files are not those of the manifest, or null: names both ways, digests, columns and row counts. */
export async function reportsProblem(
  source: BundleSource,
  manifest: BundleManifest,
  digests: Digests,
): Promise<string | null> {
  const named = new Set([
    ...manifest.reports.flatMap(({ csv, json, pdf }) => [
      ...csv.map(({ path }) => path),
      ...(json === null ? [] : [json.path]),
      ...(pdf === null ? [] : [pdf]),
    ]),
    ...manifest.oscal.map(({ path }) => path),
  ])
  const stray = source.paths.find((path) => path.startsWith('report/') && !named.has(path))
  if (stray !== undefined) return `${stray} is not in the manifest`
  const whole = [
    ...manifest.reports.flatMap(({ csv, json }) => [...csv, ...(json === null ? [] : [json])]),
    ...manifest.oscal,
  ]
  for (const { path, bytes, sha256 } of whole) {
    const file = digests.get(path)
    if (file === undefined) return `${path} is missing`
    if (file.sha256 !== sha256 || file.bytes !== bytes)
      return `${path} is not the file that the manifest names`
  }
  for (const report of manifest.reports) {
    const columns = report.columns.map(({ name }) => name)
    let rows = 0
    for (const part of report.csv) {
      const csv = await countCsv(source.chunks(part.path))
      if ('problem' in csv) return `${part.path}: ${csv.problem}`
      if (csv.columns.join('\n') !== columns.join('\n'))
        return `${part.path} has other columns than the manifest says`
      if (csv.rows !== part.rows) return `${part.path} has ${csv.rows} rows, the manifest says ${part.rows}`
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
 * piece (nothing on top but the signature that the manifest names), name the digest of the data, and tell their
 * timestamp as it is.
 */
export async function printedProblem(
  files: Files,
  { reports, signing }: BundleManifest,
  digests: Digests,
): Promise<{ readonly problem: string | null; readonly detail: string } | undefined> {
  const paths = reports.flatMap(({ pdf }) => pdf ?? [])
  const sums = digests.get(bundlePaths.dataSums)
  if (paths.length === 0 || sums === undefined) return undefined
  const state = files.has(bundlePaths.dataToken) ? 'stamped' : 'PENDING'
  const mark = `tier-1 SHA-256 ${sums.sha256}, timestamp ${state}`
  const detail =
    signing.document === null
      ? 'of one piece, with the digest of the data'
      : `of one piece, with the digest of the data, signed with certificate ${signing.document}`
  for (const path of paths) {
    const bytes = files.get(path)
    if (bytes === undefined) return { problem: `${path} is missing`, detail }
    const text = latin1.decode(bytes)
    if (!text.startsWith('%PDF-')) return { problem: `${path} is not a PDF`, detail }
    const problem =
      signing.document === null ? updateProblem(text) : await pdfSignatureProblem(bytes, signing.document)
    if (problem !== null) return { problem: `${path} ${problem}`, detail }
    if (!text.includes(mark))
      return {
        problem: `${path} was printed from other data, or tells another state of its timestamp`,
        detail,
      }
  }
  return { problem: null, detail }
}

const updateProblem = (text: string): string | null =>
  text.indexOf('%%EOF') === text.lastIndexOf('%%EOF') ? null : 'was updated after it was made'
