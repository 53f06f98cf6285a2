import { BUNDLE_FORMAT, BundleManifest, bundlePaths, manifestText } from '@attestry/contracts'
import { type BundleSource, DamagedFile } from './bundle-source.ts'
import type { Hasher } from './sha256.ts'
import { readSums, type SumLine, type SumsHeader } from './sums.ts'
import { skewMs } from './verdict.ts'
import type { Digests } from './verify-reports.ts'
import type { Files } from './zip.ts'

/*
 * The files of a bundle, its two lists, and its manifest.
 */

const latin1 = new TextDecoder('latin1')
/** Files that are read whole are small; the rest is read piece by piece. */
const LARGEST_WHOLE = 64 * 2 ** 20

/** Files that `DATA.SHA256SUMS` does not name: the second tier. */
export const secondTier = (path: string) =>
  path === bundlePaths.sums ||
  path === bundlePaths.dataSums ||
  path === bundlePaths.dataToken ||
  path.endsWith('.pdf')

/** Files that the signed list does not name. */
export const allowedSignatures = new Set<string>([
  bundlePaths.signature,
  bundlePaths.signatureToken,
  bundlePaths.hmac,
  bundlePaths.signerHint,
  bundlePaths.tsaHint,
])

/** Read piece by piece, however small: their size is the customer's. */
const isLarge = (path: string) =>
  path === bundlePaths.events || path === bundlePaths.disclosures || /^report\/.*\.(csv|json)$/.test(path)

/** Size and digest of every file, and the bytes of those that are small by nature. */
export async function readAll(
  source: BundleSource,
  hasher: () => Hasher,
): Promise<{ files: Map<string, Uint8Array>; digests: Digests } | { problem: string }> {
  const files = new Map<string, Uint8Array>()
  const digests = new Map<string, { sha256: string; bytes: number }>()
  let kept = 0
  try {
    for (const path of source.paths) {
      const hash = hasher()
      const chunks: Uint8Array[] = []
      let bytes = 0
      for await (const chunk of source.chunks(path)) {
        hash.update(chunk)
        bytes += chunk.length
        if (isLarge(path)) continue
        kept += chunk.length
        if (kept > LARGEST_WHOLE * 4 || bytes > LARGEST_WHOLE)
          return { problem: `${path} is too large for what it is` }
        chunks.push(chunk)
      }
      digests.set(path, { sha256: hash.digest().toHex(), bytes })
      if (!isLarge(path)) files.set(path, joined(chunks, bytes))
    }
  } catch (error) {
    if (error instanceof DamagedFile) return { problem: error.message }
    throw error
  }
  return { files, digests }
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = chunks
  if (only && chunks.length === 1) return only
  const whole = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

/** Why the files that are there are not those of a list, or null. */
export function sumsProblem(
  lines: readonly SumLine[],
  present: readonly string[],
  digests: Digests,
): string | null {
  const named = new Set(lines.map(({ path }) => path))
  const added = present.find((path) => !named.has(path))
  if (added !== undefined) return `${added} is not in the list`
  const there = new Set(present)
  for (const { path, sha256 } of lines) {
    const found = digests.get(path)
    if (found === undefined) return `${path} is missing`
    if (!there.has(path)) return `${path} may not be in the list`
    if (found.sha256 !== sha256) return `${path} was changed`
  }
  return null
}

/** Why the data files are not those of their own list, or null. */
export function dataSumsProblem(files: Files, data: readonly string[], digests: Digests): string | null {
  const bytes = files.get(bundlePaths.dataSums)
  if (bytes === undefined) return `${bundlePaths.dataSums} is missing`
  const sums = readSums(latin1.decode(bytes))
  if ('problem' in sums) return sums.problem
  return sums.header === null
    ? sumsProblem(sums.lines, data, digests)
    : 'the list of data files has a first line'
}

/** The manifest, in the one form that it has. */
export function readManifest(files: Files): BundleManifest | { problem: string } {
  const bytes = files.get(bundlePaths.manifest)
  if (bytes === undefined) return { problem: `${bundlePaths.manifest} is missing` }
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    const parsed = BundleManifest.safeParse(JSON.parse(text))
    if (!parsed.success)
      return {
        problem: `the manifest is not one of ${BUNDLE_FORMAT}: ${parsed.error.issues[0]?.path.join('.')}`,
      }
    // One text only: no second value under a repeated key, no hidden spelling.
    return manifestText(JSON.parse(text)) === text
      ? parsed.data
      : { problem: 'the manifest is not in its one form' }
  } catch {
    // The decoder and the parser have no other way to refuse.
    return { problem: 'the manifest is not JSON in UTF-8' }
  }
}

/** Why the first line of the list and the manifest are not of one bundle and one period, or null. */
export function bindingProblem(
  header: SumsHeader | null,
  manifest: BundleManifest | null,
  now: Date,
): string | null {
  if (header === null) return `the first line of ${bundlePaths.sums} does not name the bundle`
  if (manifest === null) return 'there is no manifest to compare with'
  const { period, bundle, reports, generatedAt, ledger } = manifest
  if (header.bundleId !== bundle) return `the list is of bundle ${header.bundleId}, the manifest of ${bundle}`
  const names = reports.map(({ type }) => type)
  if (header.report !== names.join('+')) return 'the list is of other reports than the manifest'
  if (new Set(names).size !== names.length) return 'the manifest names a report twice'
  if (header.from !== period.from || header.to !== period.to)
    return 'the list is of another period than the manifest'
  const [from, to, made] = [period.from, period.to, generatedAt].map((at) => Date.parse(at))
  if (from === undefined || to === undefined || made === undefined || from >= to)
    return 'the period ends before it begins'
  if (to > made + skewMs) return 'the period ends after the bundle was made'
  if (made > now.getTime() + skewMs) return 'the bundle was made in the future'
  const { start, head } = ledger
  if ((start.at === null) !== (start.seq === 0)) return 'the manifest does not say when the log starts'
  if (start.at !== null && Date.parse(start.at) > from)
    return 'the log starts after the period does: events may be missing'
  return head.at !== null && Date.parse(head.at) > made + skewMs
    ? 'the log ends after the bundle was made'
    : null
}
