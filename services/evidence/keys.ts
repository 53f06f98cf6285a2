import { createHmac } from 'node:crypto'
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Secret } from '@attestry/kit'
import { generateSigningKey, localSigner, type Signer } from './sign.ts'
import type { TimestampAuthority } from './timestamp.ts'

/** What bundles are signed and stamped with. */
export interface EvidenceKeys {
  readonly signer: Signer
  /** Master of the bundles' HMAC keys, with a name that the manifest gives. */
  readonly hmac: { readonly master: Uint8Array; readonly keyId: string }
  readonly authorities: readonly TimestampAuthority[]
  /** All pinned roots, PEM: `tsa-root.pem`. */
  readonly tsaRootsPem: string
}

export interface KeyOptions {
  readonly stateDir: string
  readonly secretKey: Secret
  /** `name=address` pairs, separated by spaces, in order of preference; `_` in a name reads as a space. */
  readonly tsa: string
  readonly tsaRootsFile: string | undefined
}

/** The local signing key: made at the first need, kept whole, readable by its owner alone. */
async function localKey(stateDir: string): Promise<string> {
  const folder = join(stateDir, 'keys')
  const path = join(folder, 'signer.pem')
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const pem = generateSigningKey()
  await writeFile(`${path}.new`, pem, { mode: 0o600 })
  await chmod(`${path}.new`, 0o600)
  await rename(`${path}.new`, path)
  return pem
}

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

/** Opens the keys of this install; makes the local signing key when there is none. */
export async function openKeys(options: KeyOptions): Promise<EvidenceKeys> {
  const rootsPem = options.tsaRootsFile ? await readFile(options.tsaRootsFile, 'utf8') : ''
  // Separate from every other use of SECRET_KEY by its label.
  const master = createHmac('sha256', options.secretKey.reveal())
    .update('attestry evidence hmac master 1')
    .digest()
  return {
    signer: localSigner(await localKey(options.stateDir)),
    hmac: { master, keyId: 'secret-key-1' },
    authorities: readAuthorities(options.tsa, rootsPem),
    tsaRootsPem: rootsPem,
  }
}
