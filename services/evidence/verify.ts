import { BUNDLE_FORMAT, type BundleManifest, bundlePaths } from '@attestry/contracts'
import { type BundleSource, memorySource } from './bundle-source.ts'
import { createHasher } from './sha256.ts'
import { readSums } from './sums.ts'
import type { Check, Say, Skip, Trust, Verdict } from './verdict.ts'
import {
  allowedSignatures,
  bindingProblem,
  dataSumsProblem,
  readAll,
  readManifest,
  secondTier,
  sumsProblem,
} from './verify-files.ts'
import { checkLog } from './verify-ledger.ts'
import { printedProblem, reportsDetail, reportsProblem } from './verify-reports.ts'
import { checkHmac, checkSignature, checkTimestamps } from './verify-signatures.ts'
import type { Files, ZipLimits } from './zip.ts'
import { bytesInMemory, openZip } from './zip-source.ts'

export type { Check, Trust, Verdict } from './verdict.ts'
export { sha256InScript } from './sha256.ts'
export { bytesOfBlob, openZip } from './zip-source.ts'

const latin1 = new TextDecoder('latin1')

/**
 * Verifies a bundle (a zip, its unpacked files, or a source that reads them from disk) against what the auditor
 * trusts. Pure but for WebCrypto: no network, no clock, no files. Whatever is wrong with the bundle ends in a check,
 * never in an exception.
 */
export async function verifyBundle(
  bundle: Uint8Array | Files | BundleSource | { readonly problem: string },
  trust: Trust,
): Promise<Verdict> {
  const checks: Check[] = []
  const say: Say = (id, title, problem, detail) => {
    checks.push({ id, ok: problem === null, title, detail: problem ?? detail })
    return problem === null
  }
  const skip: Skip = (id, title, detail) => {
    checks.push({ id, ok: 'not-checked', title, detail })
  }
  const done = (timestamped: boolean, manifest: BundleManifest | null): Verdict => ({
    ok: checks.every(({ ok }) => ok !== false),
    timestamped,
    checks,
    manifest,
  })
  const archive = 'The archive is unambiguous'

  const opened = await openBundle(bundle, trust.limits)
  if ('problem' in opened) {
    say('archive', archive, opened.problem, '')
    return done(false, null)
  }
  const read = await readAll(opened, trust.hasher ?? createHasher)
  if ('problem' in read) {
    say('archive', archive, read.problem, '')
    return done(false, null)
  }
  say('archive', archive, null, 'every byte belongs to one file')
  const { files, digests } = read
  const sumsBytes = files.get(bundlePaths.sums)
  if (sumsBytes === undefined) {
    say('files', 'Every file is listed and unchanged', `${bundlePaths.sums} is missing`, '')
    return done(false, null)
  }

  const sums = readSums(latin1.decode(sumsBytes))
  const header = 'problem' in sums ? null : sums.header
  const listed = opened.paths.filter((path) => path !== bundlePaths.sums && !allowedSignatures.has(path))
  const listProblem = 'problem' in sums ? sums.problem : sumsProblem(sums.lines, listed, digests)
  say(
    'files',
    'Every file is listed and unchanged',
    listProblem,
    `${listed.length} files, none added, none missing`,
  )
  const data = listed.filter((path) => !secondTier(path))
  const dataProblem = dataSumsProblem(files, data, digests)
  say(
    'data-files',
    'The data files are those that were timestamped first',
    dataProblem,
    `${data.length} files`,
  )

  const manifest = readManifest(files)
  const told = 'problem' in manifest ? null : manifest
  say('manifest', 'The manifest can be read', 'problem' in manifest ? manifest.problem : null, BUNDLE_FORMAT)
  say(
    'binding',
    'The signed list is of this bundle, report and period',
    bindingProblem(header, told, trust.now),
    header?.bundleId ?? '',
  )

  await checkSignature(files, sumsBytes, trust, told, say)
  await checkHmac(files, sumsBytes, trust, say, skip)
  const timestamped = await checkTimestamps(files, trust, told, say, skip)
  if (told === null) return done(timestamped, null)

  say(
    'reports',
    'Each report has the rows that the manifest counts',
    await reportsProblem(opened, told, digests),
    reportsDetail(told),
  )
  const printed = 'Each PDF was printed from these data'
  const pdfs = await printedProblem(files, told, digests)
  if (pdfs === undefined) skip('printed', printed, 'there is no PDF to look at')
  else say('printed', printed, pdfs.problem, pdfs.detail)
  await checkLog(opened, files, told, trust, say, skip)
  return done(timestamped, told)
}

async function openBundle(
  bundle: Uint8Array | Files | BundleSource | { readonly problem: string },
  limits: ZipLimits | undefined,
): Promise<BundleSource | { readonly problem: string }> {
  if (bundle instanceof Map) return memorySource(bundle)
  if (bundle instanceof Uint8Array) return openZip(bytesInMemory(bundle), limits)
  // A read-only map is a map or behaves as one; nothing else here has `entries`.
  return 'entries' in bundle ? memorySource(bundle) : bundle
}
