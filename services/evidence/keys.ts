import { createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { KeyPurpose } from '@attestry/contracts'
import type { Secret } from '@attestry/kit'
import type { AzureAccess } from '@attestry/kit/azure'
import { type CheckpointKey, checkpointKey, generateCheckpointKey } from './anchors/checkpoint-key.ts'
import { documentSigner, type DocumentSigner, selfSignedCertificate } from './document-certificate.ts'
import { keyFile, readKeyFile, writeKeyFile } from './local-keys.ts'
import { fingerprint, generateSigningKey, localSigner, type Signer } from './sign.ts'
import type { TimestampAuthority } from './timestamp.ts'

/** What bundles, checkpoints and PDF files are signed and stamped with. No key has two purposes. */
export interface EvidenceKeys {
  readonly signer: Signer
  readonly document: DocumentSigner
  readonly checkpoint: CheckpointKey
  /** Masters of the bundles' HMAC keys; the manifest names the one it was made with. */
  readonly hmac: HmacMasters
  readonly authorities: readonly TimestampAuthority[]
  /** All pinned roots, PEM: `tsa-root.pem`. */
  readonly tsaRootsPem: string
}

export interface HmacMasters {
  /** Of the master in use. */
  readonly keyId: string
  readonly master: Uint8Array
  /** Something public that changes with the master. */
  readonly fingerprint: string
  /** An earlier master by its name; null for a name that is none. */
  readonly of: (keyId: string) => Uint8Array | null
}

export interface KeyOptions {
  readonly stateDir: string
  readonly secretKey: Secret
  /** `name=address` pairs, separated by spaces, in order of preference; `_` in a name reads as a space. */
  readonly tsa: string
  readonly tsaRootsFile: string | undefined
  /** Key Vault keys for bundles and for PDF files; unset, a local key. */
  readonly signingKey?: string | undefined
  readonly documentKey?: string | undefined
  /** PEM file with the certificate of the document key, leaf first; unset, a self-signed one is made. */
  readonly documentCertificateFile?: string | undefined
  readonly azure?: (() => AzureAccess) | undefined
}

const files = {
  bundle: 'signer.pem',
  document: 'document.pem',
  certificate: 'document.crt',
  checkpoint: 'checkpoint.pem',
  hmac: 'hmac-generation',
} as const

/** Longest wait for Key Vault while keys are opened. */
const OPEN_WITHIN_MS = 30_000

/** An authority on this machine is run by the operator: it is never called independent. */
const isLoopback = (address: string): boolean =>
  ['127.0.0.1', '[::1]', 'localhost'].includes(new URL(address).hostname)

/** Reads `ATTESTRY_TSA`. @throws naming the part that is not `name=address` */
export function readAuthorities(text: string, rootsPem: string): TimestampAuthority[] {
  return text
    .split(/\s+/)
    .filter(Boolean)
    .map((part) => {
      const split = part.indexOf('=')
      const url = part.slice(split + 1)
      if (split < 1 || !URL.canParse(url)) throw new Error(`ATTESTRY_TSA: "${part}" is not name=address`)
      return {
        name: part.slice(0, split).replaceAll('_', ' '),
        url,
        rootsPem,
        independent: !isLoopback(url),
      }
    })
}

/** Masters come from SECRET_KEY, a new one a generation; each separate from every other use by its label. */
function hmacMasters(secretKey: Secret, generation: number): HmacMasters {
  const derive = (label: string) => createHmac('sha256', secretKey.reveal()).update(label).digest()
  const keyId = `secret-key-${generation}`
  const masterOf = (n: number) => derive(`attestry evidence hmac master ${n}`)
  const master = masterOf(generation)
  return {
    keyId,
    master,
    fingerprint: createHmac('sha256', master).update('attestry evidence hmac fingerprint').digest('hex'),
    of: (id) => {
      const n = Number(/^secret-key-([1-9]\d{0,5})$/.exec(id)?.[1] ?? 0)
      return n >= 1 && n <= generation ? masterOf(n) : null
    },
  }
}

const generationOf = (text: string): number => {
  const n = Number(text.trim())
  if (!Number.isSafeInteger(n) || n < 1) throw new Error(`keys/${files.hmac} must hold a whole number from 1`)
  return n
}

async function documentOf(options: KeyOptions, signer: Signer, signal: AbortSignal): Promise<DocumentSigner> {
  if (options.documentCertificateFile)
    return documentSigner(signer, await readFile(options.documentCertificateFile, 'utf8'))
  const print = fingerprint(signer.publicKeyPem)
  const kept = await readKeyFile(options.stateDir, files.certificate)
  // Beside the certificate stands which key it is of, so that a new key gets a new one.
  if (kept?.startsWith(`${print}\n`)) return documentSigner(signer, kept.slice(print.length + 1))
  const made = await selfSignedCertificate(signer, new Date(), signal)
  await writeKeyFile(options.stateDir, files.certificate, `${print}\n${made}`)
  return documentSigner(signer, made)
}

/** Opens the keys of this install; makes the local ones that are not there yet. */
export async function openKeys(options: KeyOptions): Promise<EvidenceKeys> {
  const { stateDir } = options
  const signal = AbortSignal.timeout(OPEN_WITHIN_MS)
  const rootsPem = options.tsaRootsFile ? await readFile(options.tsaRootsFile, 'utf8') : ''
  const signerOf = async (address: string | undefined, file: string): Promise<Signer> => {
    if (!address) return localSigner(await keyFile(stateDir, file, generateSigningKey))
    if (!options.azure) throw new Error('A key in Key Vault needs access to Azure')
    const { vaultSigner } = await import('./vault-signer.ts')
    return vaultSigner(address, options.azure(), signal)
  }
  const signer = await signerOf(options.signingKey, files.bundle)
  const generation = await keyFile(stateDir, files.hmac, () => '1')
  return {
    signer,
    document: await documentOf(options, await signerOf(options.documentKey, files.document), signal),
    checkpoint: checkpointKey(await keyFile(stateDir, files.checkpoint, generateCheckpointKey)),
    hmac: hmacMasters(options.secretKey, generationOf(generation)),
    authorities: readAuthorities(options.tsa, rootsPem),
    tsaRootsPem: rootsPem,
  }
}

/**
 * Replaces the local key of a purpose. The old private key is gone afterwards; bundles that it signed stay
 * verifiable with its public half, which the ring keeps. Open the keys again to use the new one.
 * @returns false when the key lives in Key Vault: rotate it there
 */
export async function rotateLocalKey(options: KeyOptions, purpose: KeyPurpose): Promise<boolean> {
  const { stateDir } = options
  switch (purpose) {
    case 'bundle':
      if (options.signingKey) return false
      await writeKeyFile(stateDir, files.bundle, generateSigningKey())
      return true
    case 'document':
      if (options.documentKey || options.documentCertificateFile) return false
      await writeKeyFile(stateDir, files.document, generateSigningKey())
      return true
    case 'checkpoint':
      await writeKeyFile(stateDir, files.checkpoint, generateCheckpointKey())
      return true
    case 'hmac': {
      const generation = generationOf(await keyFile(stateDir, files.hmac, () => '1'))
      await writeKeyFile(stateDir, files.hmac, String(generation + 1))
      return true
    }
  }
}
