import { BUNDLE_FORMAT, BundleManifest, bundlePaths, manifestText, type Sha256 } from '@attestry/contracts'
import { type BundleSource, DamagedFile, memorySource } from './bundle-source.ts'
import { Refusal } from './asn1/der.ts'
import { certificatesFromPem } from './certificate-path.ts'
import { es256Holds } from './es256.ts'
import { hmacHolds } from './hmac.ts'
import { pemBlocks } from './pem.ts'
import { createHasher, type Hasher } from './sha256.ts'
import type { SumLine, SumsHeader } from './sums.ts'
import { readSums } from './sums.ts'
import type { TokenVerdict } from './token.ts'
import { verifyToken } from './token.ts'
import { readRing, windowProblem } from './trusted-keys.ts'
import { periodCovered, readVerifiers, verifyAnchors } from './verify-anchors.ts'
import type { KnownPlace, LogFindings } from './verify-log.ts'
import { verifyLog } from './verify-log.ts'
import { type Digests, printedProblem, reportsDetail, reportsProblem } from './verify-reports.ts'
import type { Files, ZipLimits } from './zip.ts'
import { bytesInMemory, openZip } from './zip-source.ts'

export { sha256InScript } from './sha256.ts'
export { bytesOfBlob, openZip } from './zip-source.ts'

/** One question that was asked of a bundle. `not-checked` means that it could not be asked, and why. */
export interface Check {
  readonly id: string
  readonly ok: true | false | 'not-checked'
  readonly title: string
  readonly detail: string
}

export interface Verdict {
  /** No check failed. A pending timestamp is not a failure; `timestamped` tells it. */
  readonly ok: boolean
  /** Whether the time of the signature is vouched for. */
  readonly timestamped: boolean
  readonly checks: readonly Check[]
  /** Null when there is none that could be read. */
  readonly manifest: BundleManifest | null
}

/** What the verifier trusts: all of it came another way than the bundle. */
export interface Trust {
  /** `signer.pub`, one key or a ring with times. Null fails the signature: the bundle's own copy is never used. */
  readonly signerPublicKeyPem: string | null
  /** `tsa-root.pem`, one or more roots. Null fails every timestamp that is there. */
  readonly tsaRootsPem: string | null
  /** `checkpoint.vkey`, a verifier's line or several; without it nobody says who signed the checkpoints. */
  readonly checkpointVerifiers?: string
  /** This bundle's HMAC key, when it was given. */
  readonly hmacKey?: Uint8Array
  readonly now: Date
  /** SHA-256, synchronous: Node's own, or one in JavaScript where there is only WebCrypto. */
  readonly sha256: Sha256
  /** The same, piece by piece. @default one in JavaScript */
  readonly hasher?: () => Hasher
  /** Places in the chain known from elsewhere, such as the head of an earlier bundle. */
  readonly known?: readonly KnownPlace[]
  /** The period that must be covered; it then fails where nobody outside vouches for it. @default the manifest's */
  readonly period?: { readonly from: string; readonly to: string }
  /** Makes the CSV files anew from the export: path and hexadecimal SHA-256 of each, or why it cannot be done. */
  readonly rederive?: (
    source: BundleSource,
    manifest: BundleManifest,
  ) => Promise<ReadonlyMap<string, string> | { readonly problem: string }>
  readonly limits?: ZipLimits
}

const skewMs = 5 * 60_000
const latin1 = new TextDecoder('latin1')
/** Files that are read whole are small; the rest is read piece by piece. */
const LARGEST_WHOLE = 64 * 2 ** 20

/** Files that `DATA.SHA256SUMS` does not name: the second tier. */
const secondTier = (path: string) =>
  path === bundlePaths.sums ||
  path === bundlePaths.dataSums ||
  path === bundlePaths.dataToken ||
  path.endsWith('.pdf')

const allowedSignatures = new Set<string>([
  bundlePaths.signature,
  bundlePaths.signatureToken,
  bundlePaths.hmac,
  bundlePaths.signerHint,
  bundlePaths.tsaHint,
])

/** Read piece by piece, however small: their size is the customer's. */
const isLarge = (path: string) =>
  path === bundlePaths.events || path === bundlePaths.disclosures || /^report\/.*\.(csv|json)$/.test(path)

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
  const say = (id: string, title: string, problem: string | null, detail: string) => {
    checks.push({ id, ok: problem === null, title, detail: problem ?? detail })
    return problem === null
  }
  const skip = (id: string, title: string, detail: string) => {
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

/** Size and digest of every file, and the bytes of those that are small by nature. */
async function readAll(
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

type Say = (id: string, title: string, problem: string | null, detail: string) => boolean
type Skip = (id: string, title: string, detail: string) => void

function sumsProblem(lines: readonly SumLine[], present: readonly string[], digests: Digests): string | null {
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

function dataSumsProblem(files: Files, data: readonly string[], digests: Digests): string | null {
  const bytes = files.get(bundlePaths.dataSums)
  if (bytes === undefined) return `${bundlePaths.dataSums} is missing`
  const sums = readSums(latin1.decode(bytes))
  if ('problem' in sums) return sums.problem
  return sums.header === null
    ? sumsProblem(sums.lines, data, digests)
    : 'the list of data files has a first line'
}

function readManifest(files: Files): BundleManifest | { problem: string } {
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

function bindingProblem(
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

async function checkSignature(
  files: Files,
  sums: Uint8Array,
  trust: Trust,
  manifest: BundleManifest | null,
  say: Say,
): Promise<void> {
  const title = 'The list is signed with the key you were given'
  const signature = files.get(bundlePaths.signature)
  const key = trust.signerPublicKeyPem
  if (key === null)
    return void say('signature', title, 'no key given: the copy in the bundle proves nothing', '')
  if (signature === undefined) return void say('signature', title, `${bundlePaths.signature} is missing`, '')
  const ring = readRing(key)
  if (ring.length === 0)
    return void say('signature', title, 'the key that was given is not a public key in PEM', '')
  let used = ring[0]
  let holds = false
  for (const window of ring) {
    const answer = await es256Holds(window.pem, sums, signature)
    if (typeof answer === 'object') return void say('signature', title, answer.problem, '')
    if (answer) used = window
    holds ||= answer
  }
  const late = holds && used && manifest ? windowProblem(used, new Date(manifest.generatedAt)) : null
  if (late !== null) return void say('signature', title, late, '')
  const [spki] = pemBlocks(used?.pem ?? '', 'PUBLIC KEY')
  const print = spki === undefined ? '' : trust.sha256(spki).toHex()
  say(
    'signature',
    title,
    holds ? null : 'the signature is not of this key, or the list was changed',
    `fingerprint ${print}`,
  )
  if (manifest === null) return
  const other = manifest.signing.fingerprint === print ? null : 'the manifest names another signing key'
  say('key', 'The manifest names the same key', other, manifest.signing.keyId)
}

async function checkHmac(files: Files, sums: Uint8Array, trust: Trust, say: Say, skip: Skip): Promise<void> {
  const title = 'The keyed seal holds (not independent proof)'
  const value = files.get(bundlePaths.hmac)
  if (trust.hmacKey === undefined) return skip('hmac', title, 'no HMAC key given')
  if (value === undefined) return void say('hmac', title, `${bundlePaths.hmac} is missing`, '')
  const holds = await hmacHolds(trust.hmacKey, sums, latin1.decode(value).trimEnd())
  say('hmac', title, holds ? null : 'the seal is not of this key, or the list was changed', 'HMAC-SHA-256')
}

async function checkTimestamps(
  files: Files,
  trust: Trust,
  manifest: BundleManifest | null,
  say: Say,
  skip: Skip,
): Promise<boolean> {
  const made = manifest === null ? 0 : Date.parse(manifest.generatedAt)
  const ask = async (id: string, title: string, token: string, over: string, earliest: number) => {
    const response = files.get(token)
    if (response === undefined) {
      skip(id, title, `PENDING: there is no ${token}, so nobody vouches for the time`)
      return null
    }
    const verdict = await tokenVerdict(response, files.get(over), trust, earliest)
    const ok = say(
      id,
      title,
      verdict.ok ? null : verdict.reason,
      verdict.ok ? stampDetail(verdict, manifest) : '',
    )
    return ok && verdict.ok ? Date.parse(verdict.details.genTime) : null
  }
  const paths = bundlePaths
  const first = await ask(
    'timestamp-data',
    'The data files existed at the time given',
    paths.dataToken,
    paths.dataSums,
    made,
  )
  const title = 'The signature existed at the time given'
  const second = await ask(
    'timestamp',
    title,
    paths.signatureToken,
    paths.signature,
    Math.max(made, first ?? 0),
  )
  return second !== null
}

async function tokenVerdict(
  response: Uint8Array,
  over: Uint8Array | undefined,
  trust: Trust,
  earliest: number,
): Promise<TokenVerdict> {
  if (trust.tsaRootsPem === null) return { ok: false, reason: 'no root of a timestamp authority given' }
  if (over === undefined) return { ok: false, reason: 'the stamped file is missing' }
  const roots = rootsOf(trust.tsaRootsPem)
  if (roots === null) return { ok: false, reason: 'the root that was given is not a certificate in PEM' }
  return verifyToken(Uint8Array.from(response), {
    imprint: trust.sha256(over),
    roots,
    notBefore: new Date(earliest - skewMs),
    notAfter: new Date(trust.now.getTime() + skewMs),
  })
}

function rootsOf(pem: string): ReturnType<typeof certificatesFromPem> | null {
  try {
    const roots = certificatesFromPem(pem)
    return roots.length === 0 ? null : roots
  } catch (error) {
    if (error instanceof Refusal) return null
    throw error
  }
}

function stampDetail({ details }: TokenVerdict & { ok: true }, manifest: BundleManifest | null): string {
  const independent = manifest?.timestampAuthorities.some((authority) => authority.independent) ?? false
  return `${details.genTime} by ${details.tsa}${independent ? '' : ', which is not independent of the operator'}`
}

async function checkLog(
  source: BundleSource,
  files: Files,
  manifest: BundleManifest,
  trust: Trust,
  say: Say,
  skip: Skip,
): Promise<void> {
  const found = await verifyLog(source, manifest, trust.sha256, trust.known ?? [])
  const shown = `${found.events} events, ${found.hidden} of them without their body`
  if (!say('chain', 'The ledger is one unbroken chain', found.chain, shown)) return
  say(
    'head',
    'The chain ends where the manifest says',
    found.head,
    `event ${manifest.ledger.head.seq}, ${manifest.ledger.head.link}`,
  )
  say(
    'disclosures',
    'Every disclosed value is the one that was recorded',
    found.disclosures,
    `${found.disclosed} values`,
  )
  const origin = 'The chain is of the origin that the manifest says'
  if (found.origin === undefined) skip('origin', origin, 'the opening event is not in this export')
  else say('origin', origin, found.origin, manifest.origin)
  const known = 'The chain holds the places you knew before'
  if (found.known === undefined) skip('known', known, 'no place inside this export was given')
  else say('known', known, found.known, 'nothing was rewritten before them')
  await checkAnchors(files, manifest, found, trust, say, skip)
  const rederived = 'Each CSV follows from the events'
  if (trust.rederive === undefined) return skip('rederived', rederived, 'not asked for')
  const made = await trust.rederive(source, manifest)
  const problem = 'problem' in made ? made.problem : rederivedProblem(manifest, made)
  say('rederived', rederived, problem, 'made anew, the same bytes')
}

function rederivedProblem(manifest: BundleManifest, made: ReadonlyMap<string, string>): string | null {
  for (const { path, sha256 } of manifest.reports.flatMap(({ csv }) => csv)) {
    const again = made.get(path)
    if (again === undefined) return `the events give no ${path}`
    if (again !== sha256) return `the events give other rows than ${path} has`
  }
  return null
}

async function checkAnchors(
  files: Files,
  manifest: BundleManifest,
  log: LogFindings,
  trust: Trust,
  say: Say,
  skip: Skip,
): Promise<void> {
  const given = trust.checkpointVerifiers
  const verifiers = given === undefined ? null : readVerifiers(trust.sha256, given)
  const found = await verifyAnchors(files, manifest, log, {
    verifiers,
    stampOf: async (token, over) => {
      const verdict = await tokenVerdict(token, over, trust, 0)
      return verdict.ok ? { genTime: verdict.details.genTime } : { problem: verdict.reason }
    },
  })
  const count = manifest.ledger.anchors?.sizes.length ?? 0
  const titles = {
    anchors: 'Every checkpoint is of this chain',
    signed: 'Checkpoints are signed with the log’s key you were given',
    times: 'The times of the checkpoints fit the events around them',
    period: 'Nothing of the period is missing',
  }
  if (count === 0 && found.places === null) {
    skip('anchors', titles.anchors, 'there is no checkpoint in this bundle')
  } else if (say('anchors', titles.anchors, found.places, `${count} checkpoints`)) {
    if (given !== undefined && verifiers === null)
      say('anchors-signed', titles.signed, 'the key that was given is no verifier’s line', '')
    else if (found.signed === undefined) skip('anchors-signed', titles.signed, 'no checkpoint key given')
    else say('anchors-signed', titles.signed, found.signed, manifest.ledger.anchors?.origin ?? '')
    const pending = count - found.stamped.length
    say(
      'anchor-times',
      titles.times,
      found.times,
      `${found.stamped.length} stamped${pending > 0 ? `, ${pending} PENDING` : ''}`,
    )
  }
  const period = trust.period ?? manifest.period
  const outside =
    Date.parse(period.from) < Date.parse(manifest.period.from) ||
    Date.parse(period.to) > Date.parse(manifest.period.to)
  if (Number.isNaN(Date.parse(period.from)) || Number.isNaN(Date.parse(period.to)))
    return void say('period', titles.period, 'the period that was given is not two instants', '')
  if (outside)
    return void say(
      'period',
      titles.period,
      `the bundle is of ${manifest.period.from} to ${manifest.period.to}, less than you asked for`,
      '',
    )
  const covered = periodCovered(period, log, found.stamped)
  if (covered.complete) say('period', titles.period, null, covered.detail)
  else if (trust.period) say('period', titles.period, covered.detail, '')
  else skip('period', titles.period, covered.detail)
}
