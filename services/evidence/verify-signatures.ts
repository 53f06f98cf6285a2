import { type BundleManifest, bundlePaths } from '@attestry/contracts'
import { Refusal } from './asn1/der.ts'
import { certificatesFromPem } from './certificate-path.ts'
import { es256Holds } from './es256.ts'
import { hmacHolds } from './hmac.ts'
import { pemBlocks } from './pem.ts'
import { type TokenVerdict, verifyToken } from './token.ts'
import { readRing, windowProblem } from './trusted-keys.ts'
import { type Say, type Skip, skewMs, type Trust } from './verdict.ts'
import type { Files } from './zip.ts'

/*
 * Who signed a bundle, and who vouches for the time.
 */

const latin1 = new TextDecoder('latin1')

export async function checkSignature(
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

export async function checkHmac(
  files: Files,
  sums: Uint8Array,
  trust: Trust,
  say: Say,
  skip: Skip,
): Promise<void> {
  const title = 'The keyed seal holds (not independent proof)'
  const value = files.get(bundlePaths.hmac)
  if (trust.hmacKey === undefined) return skip('hmac', title, 'no HMAC key given')
  if (value === undefined) return void say('hmac', title, `${bundlePaths.hmac} is missing`, '')
  const holds = await hmacHolds(trust.hmacKey, sums, latin1.decode(value).trimEnd())
  say('hmac', title, holds ? null : 'the seal is not of this key, or the list was changed', 'HMAC-SHA-256')
}

/** @returns whether somebody vouches for the time of the signature */
export async function checkTimestamps(
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

/** A token over these bytes, held against the roots that are trusted. */
export async function tokenVerdict(
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
