import { createHash } from 'node:crypto'
import { BUNDLE_FORMAT, BundleManifest, bundlePaths, manifestText } from '@attestry/contracts'
import { bundleHmacKey, hmacSha256 } from './hmac.ts'
import { readmeText } from './readme-text.ts'
import type { Signer } from './sign.ts'
import { fingerprint } from './sign.ts'
import type { SumLine, SumsHeader } from './sums.ts'
import { writeSums } from './sums.ts'
import type { Stamp } from './timestamp.ts'
import type { Files } from './zip.ts'

/** A file of the first tier: small ones whole, large ones where they were written, hashed on the way. */
export type DataFile =
  | Uint8Array
  | {
      readonly bytes: number
      /** Hexadecimal SHA-256 of the whole. */
      readonly sha256: string
      readonly chunks: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>
    }

export type DataFiles = ReadonlyMap<string, DataFile>

/** What a PDF prints about tier 1 and carries as attachments. */
export interface FirstTier {
  readonly dataSums: Uint8Array<ArrayBuffer>
  /** Hexadecimal SHA-256 of `DATA.SHA256SUMS`. */
  readonly digest: string
  readonly stamp: Stamp
}

export type BundleStep = 'data' | 'timestamp-data' | 'pdf' | 'sign' | 'timestamp-signature'

export interface BundleParts {
  readonly manifest: BundleManifest
  /** Tier 1: every file under `report/` (but PDFs) and `log/`. Manifest and README are added here. */
  readonly data: DataFiles
  /** Makes the printable files once tier 1 is stamped; paths under `report/`. */
  readonly print: (tier: FirstTier, signal: AbortSignal) => Promise<Files>
  readonly signer: Signer
  /** Master key of the HMAC; null leaves the HMAC out, and the manifest must say so. */
  readonly hmacMaster: Uint8Array | null
  readonly timestamp: (bytes: Uint8Array, signal: AbortSignal) => Promise<Stamp>
  /** Chain of the authority, a hint under `sig/`; null when there is none. */
  readonly tsaChainPem: string | null
  /** Pinned roots: `tsa-root.pem`, handed over beside the bundle. */
  readonly tsaRootsPem: string
  readonly progress: (step: BundleStep, done: number, total: number) => void
  readonly signal: AbortSignal
}

/** A sealed bundle. What is pending is said here and nowhere in the signed content. */
export interface SealedBundle {
  readonly files: DataFiles
  /** Beside the bundle, never inside: `signer.pub` and `tsa-root.pem`. */
  readonly beside: Files
  readonly sumsSha256: string
  readonly dataStamp: Stamp
  readonly signatureStamp: Stamp
}

const steps: readonly BundleStep[] = ['data', 'timestamp-data', 'pdf', 'sign', 'timestamp-signature']
const text = new TextEncoder()

/**
 * Seals a bundle in two tiers: data files, their list, its timestamp, the PDFs that print both, the list of all,
 * the signature, and a timestamp over the signature. A timestamp that cannot be had leaves its file out.
 * @throws when manifest and files disagree, when a path is not one that a bundle has, and the signal's reason
 */
export async function sealBundle(parts: BundleParts): Promise<SealedBundle> {
  const { signal, signer } = parts
  const begin = (step: BundleStep) => {
    signal.throwIfAborted()
    parts.progress(step, steps.indexOf(step), steps.length)
  }
  begin('data')
  const manifest = BundleManifest.parse(parts.manifest)
  checkAgreement(manifest, parts)
  const files = new Map<string, DataFile>(parts.data)
  files.set(bundlePaths.manifest, text.encode(manifestText(manifest)))
  files.set(bundlePaths.readme, text.encode(readmeText(manifest)))
  const dataSums = text.encode(writeSums(sumsOf(files)))

  begin('timestamp-data')
  const dataStamp = await parts.timestamp(dataSums, signal)
  files.set(bundlePaths.dataSums, dataSums)
  if (dataStamp.status === 'stamped') files.set(bundlePaths.dataToken, dataStamp.token)

  begin('pdf')
  const printed = await parts.print({ dataSums, digest: sha256(dataSums), stamp: dataStamp }, signal)
  for (const [path, bytes] of printed) {
    if (!/^report\/[a-z-]+\.pdf$/.test(path)) throw new Error(`A printed file may not be called ${path}`)
    files.set(path, bytes)
  }
  const promised = manifest.reports.flatMap(({ pdf }) => pdf ?? [])
  const missing = promised.find((path) => !printed.has(path))
  if (missing !== undefined || printed.size !== promised.length) {
    throw new Error('The printed files are not those that the manifest names')
  }

  begin('sign')
  const sums = text.encode(writeSums(sumsOf(files), headerOf(manifest)))
  const signature = await signer.sign(sums, signal)
  files.set(bundlePaths.sums, sums)
  files.set(bundlePaths.signature, signature)
  files.set(bundlePaths.signerHint, text.encode(signer.publicKeyPem))
  if (parts.tsaChainPem !== null) files.set(bundlePaths.tsaHint, text.encode(parts.tsaChainPem))
  if (parts.hmacMaster !== null) {
    const key = await bundleHmacKey(parts.hmacMaster, manifest.bundle)
    files.set(bundlePaths.hmac, text.encode(`${await hmacSha256(key, sums)}\n`))
  }

  begin('timestamp-signature')
  const signatureStamp = await parts.timestamp(signature, signal)
  if (signatureStamp.status === 'stamped') files.set(bundlePaths.signatureToken, signatureStamp.token)

  parts.progress('timestamp-signature', steps.length, steps.length)
  return {
    files,
    beside: new Map([
      ['signer.pub', text.encode(signer.publicKeyPem)],
      ['tsa-root.pem', text.encode(parts.tsaRootsPem)],
    ]),
    sumsSha256: sha256(sums),
    dataStamp,
    signatureStamp,
  }
}

/** What the first line of the signed list says of a bundle. */
export function headerOf(manifest: BundleManifest): SumsHeader {
  return {
    bundleId: manifest.bundle,
    report: manifest.reports.map(({ type }) => type).join('+'),
    from: manifest.period.from,
    to: manifest.period.to,
  }
}

function checkAgreement(manifest: BundleManifest, { data, signer, hmacMaster }: BundleParts): void {
  const wrong = [...data.keys()].find(
    (path) => !/^(report|log)\/[a-z0-9._/-]+$/.test(path) || path.endsWith('.pdf'),
  )
  if (wrong !== undefined) throw new Error(`A data file may not be called ${wrong}`)
  const named = [
    ...manifest.reports.flatMap(({ csv, json }) => [...csv, ...(json ? [json] : [])]),
    ...manifest.oscal,
  ]
  for (const part of named) {
    const bytes = data.get(part.path)
    if (bytes === undefined) throw new Error(`The manifest names ${part.path}, which is not there`)
    if (digestOf(bytes) !== part.sha256) throw new Error(`The manifest gives another digest for ${part.path}`)
  }
  for (const path of [bundlePaths.events, bundlePaths.start, bundlePaths.disclosures]) {
    if (!data.has(path)) throw new Error(`A ${BUNDLE_FORMAT} bundle needs ${path}`)
  }
  const { signing } = manifest
  if (
    signing.kind !== signer.kind ||
    signing.keyId !== signer.keyId ||
    signing.fingerprint !== fingerprint(signer.publicKeyPem)
  ) {
    throw new Error('The manifest names another signing key')
  }
  if ((manifest.hmac === null) !== (hmacMaster === null))
    throw new Error('The manifest and the HMAC key disagree')
}

function sumsOf(files: DataFiles): SumLine[] {
  return [...files].map(([path, file]) => ({ path, sha256: digestOf(file) }))
}

const digestOf = (file: DataFile): string => (file instanceof Uint8Array ? sha256(file) : file.sha256)

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
