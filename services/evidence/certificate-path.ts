import type * as asn1js from 'asn1js'
import * as pkijs from 'pkijs'
import { pemBlocks } from './pem.ts'

/** Longest path from a timestamping certificate to its root that is followed. */
const longestPath = 6

/** Extensions that this file or its caller evaluates; any other critical one refuses the certificate (RFC 5280 §4.2). */
const understood = new Set(['2.5.29.14', '2.5.29.15', '2.5.29.19', '2.5.29.35', '2.5.29.37', '2.5.29.32'])

const weakSignatures = new Set(['1.2.840.113549.1.1.4', '1.2.840.113549.1.1.5', '1.2.840.10045.4.1'])

/** The certificates in a PEM text. Throws when a block is not a certificate. */
export function certificatesFromPem(pem: string): pkijs.Certificate[] {
  return pemBlocks(pem, 'CERTIFICATE').map((der) => pkijs.Certificate.fromBER(der))
}

/** The DER of a certificate as it was read. */
export function certificateDer(certificate: pkijs.Certificate): Uint8Array<ArrayBuffer> {
  return new Uint8Array(certificate.toSchema().toBER())
}

/** The common name of a certificate's subject, or the whole subject when it has none. */
export function commonName(certificate: pkijs.Certificate): string {
  const parts = certificate.subject.typesAndValues.map(({ type, value }) => ({ type, text: textOf(value) }))
  return parts.find(({ type }) => type === '2.5.4.3')?.text ?? parts.map(({ text }) => text).join(', ')
}

/**
 * A path from `leaf` to one of the pinned `roots`, every certificate valid at `at`; or why there is none.
 * Follows RFC 5280 §6.1 as far as timestamping needs: names, signatures, validity, CA flag, path length, key usage,
 * unknown critical extensions. Revocation is not looked up: the verifier works with no network.
 */
export async function pathToRoot(
  leaf: pkijs.Certificate,
  others: readonly pkijs.Certificate[],
  roots: readonly pkijs.Certificate[],
  at: Date,
): Promise<readonly pkijs.Certificate[] | { readonly problem: string }> {
  let problem = 'no pinned root issued the timestamping certificate'
  const pinned = new Set(roots.map((root) => certificateDer(root).toHex()))
  const pool = [...roots, ...others]

  async function follow(path: readonly pkijs.Certificate[]): Promise<readonly pkijs.Certificate[] | null> {
    const last = path.at(-1)
    if (last === undefined || path.length > longestPath) return null
    if (path.length > 1 && pinned.has(certificateDer(last).toHex())) return path
    for (const issuer of pool) {
      if (path.includes(issuer) || !sameName(last.issuer, issuer.subject)) continue
      const fault = issuerFault(issuer, path.length - 1, at)
      if (fault !== null) problem = fault
      else if (weakSignatures.has(last.signatureAlgorithm.algorithmId))
        problem = 'a certificate is signed with SHA-1 or MD5'
      else if (!(await signedBy(last, issuer))) problem = 'a certificate is not signed by the issuer it names'
      else {
        const found = await follow([...path, issuer])
        if (found !== null) return found
      }
    }
    return null
  }

  const own = validityFault(leaf, at) ?? criticalFault(leaf)
  if (own !== null) return { problem: own }
  return (await follow([leaf])) ?? { problem }
}

/** Why this certificate may not issue another with `below` intermediates under it, or null. */
function issuerFault(issuer: pkijs.Certificate, below: number, at: Date): string | null {
  const constraints = extension(issuer, '2.5.29.19')
  if (!(constraints instanceof pkijs.BasicConstraints) || !constraints.cA) {
    return `${commonName(issuer)} is not a certificate authority`
  }
  const limit = constraints.pathLenConstraint
  if (limit !== undefined && (typeof limit !== 'number' || below > limit)) {
    return `${commonName(issuer)} allows fewer certificates below it`
  }
  const usage = keyUsageBits(issuer)
  if (usage !== null && (usage & 0x04) === 0) return `${commonName(issuer)} may not sign certificates`
  return validityFault(issuer, at) ?? criticalFault(issuer)
}

/** The first octet of the key usage, or null when the extension is absent (RFC 5280 §4.2.1.3). */
export function keyUsageBits(certificate: pkijs.Certificate): number | null {
  const found = certificate.extensions?.find(({ extnID }) => extnID === '2.5.29.15')
  if (found === undefined) return null
  const parsed: unknown = found.parsedValue
  return isBitString(parsed) ? (parsed.valueBlock.valueHexView[0] ?? 0) : 0
}

function validityFault(certificate: pkijs.Certificate, at: Date): string | null {
  const inside = certificate.notBefore.value <= at && at <= certificate.notAfter.value
  return inside ? null : `${commonName(certificate)} was not valid at ${at.toISOString()}`
}

function criticalFault(certificate: pkijs.Certificate): string | null {
  const unknown = certificate.extensions?.find(({ critical, extnID }) => critical && !understood.has(extnID))
  return unknown === undefined
    ? null
    : `${commonName(certificate)} has the unknown critical extension ${unknown.extnID}`
}

function extension(certificate: pkijs.Certificate, id: string): unknown {
  return certificate.extensions?.find(({ extnID }) => extnID === id)?.parsedValue
}

async function signedBy(certificate: pkijs.Certificate, issuer: pkijs.Certificate): Promise<boolean> {
  try {
    return await certificate.verify(issuer)
  } catch {
    // The library throws for a key or signature it cannot read; either way nothing was proved.
    return false
  }
}

function sameName(a: pkijs.RelativeDistinguishedNames, b: pkijs.RelativeDistinguishedNames): boolean {
  return new Uint8Array(a.toSchema().toBER()).toHex() === new Uint8Array(b.toSchema().toBER()).toHex()
}

function isBitString(value: unknown): value is asn1js.BitString {
  return (
    typeof value === 'object' &&
    value !== null &&
    'valueBlock' in value &&
    'unusedBits' in Object(value.valueBlock)
  )
}

function textOf(value: unknown): string {
  if (typeof value !== 'object' || value === null || !('valueBlock' in value)) return ''
  const block: unknown = value.valueBlock
  if (typeof block !== 'object' || block === null || !('value' in block)) return ''
  return typeof block.value === 'string' ? block.value : ''
}
