import {
  authorityOf,
  type Certificate,
  commonName,
  keyUsageBits,
  readCertificate,
} from './asn1/certificate.ts'
import { sameOctets } from './asn1/der.ts'
import { signatureHolds } from './asn1/public-key.ts'
import { pemBlocks } from './pem.ts'

/** Longest path from a timestamping certificate to its root that is followed. */
const longestPath = 6
/** Signatures that are looked at for one path: certificates that all issue each other would ask for millions. */
const mostSignatures = 64

/** Extensions that this file or its caller evaluates; any other critical one refuses the certificate (RFC 5280 §4.2). */
const understood = new Set(['2.5.29.14', '2.5.29.15', '2.5.29.19', '2.5.29.35', '2.5.29.37', '2.5.29.32'])

const weakSignatures = new Set(['1.2.840.113549.1.1.4', '1.2.840.113549.1.1.5', '1.2.840.10045.4.1'])

/** The certificates in a PEM text. @throws Refusal when a block is not a certificate */
export function certificatesFromPem(pem: string): Certificate[] {
  return pemBlocks(pem, 'CERTIFICATE').map(readCertificate)
}

/**
 * A path from `leaf` to one of the pinned `roots`, every certificate valid at `at`; or why there is none.
 * Follows RFC 5280 §6.1 as far as timestamping needs: names, signatures, validity, CA flag, path length, key usage,
 * unknown critical extensions. Revocation is not looked up: the verifier works with no network.
 * @throws Refusal when an extension or a name cannot be read
 */
export async function pathToRoot(
  leaf: Certificate,
  others: readonly Certificate[],
  roots: readonly Certificate[],
  at: Date,
): Promise<readonly Certificate[] | { readonly problem: string }> {
  let problem = 'no pinned root issued the timestamping certificate'
  let signatures = 0
  const pool = [...roots, ...others]
  const isPinned = ({ der }: Certificate) => roots.some((root) => sameOctets(root.der, der))

  async function follow(path: readonly Certificate[]): Promise<readonly Certificate[] | null> {
    const last = path.at(-1)
    if (last === undefined || path.length > longestPath) return null
    if (path.length > 1 && isPinned(last)) return path
    for (const issuer of pool) {
      if (path.includes(issuer) || !sameOctets(last.issuer, issuer.subject)) continue
      const fault = issuerFault(issuer, path.length - 1, at)
      if (fault !== null) problem = fault
      else if (weakSignatures.has(last.algorithm.id)) problem = 'a certificate is signed with SHA-1 or MD5'
      else if (++signatures > mostSignatures) problem = 'its certificates lead in circles'
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
function issuerFault(issuer: Certificate, below: number, at: Date): string | null {
  const authority = authorityOf(issuer)
  if (!authority.isAuthority) return `${commonName(issuer)} is not a certificate authority`
  if (below > authority.below) return `${commonName(issuer)} allows fewer certificates below it`
  const usage = keyUsageBits(issuer)
  if (usage !== null && (usage & 0x04) === 0) return `${commonName(issuer)} may not sign certificates`
  return validityFault(issuer, at) ?? criticalFault(issuer)
}

function validityFault(certificate: Certificate, at: Date): string | null {
  const inside = certificate.notBefore <= at && at <= certificate.notAfter
  return inside ? null : `${commonName(certificate)} was not valid at ${at.toISOString()}`
}

function criticalFault(certificate: Certificate): string | null {
  const unknown = certificate.extensions.find(({ critical, id }) => critical && !understood.has(id))
  return unknown === undefined
    ? null
    : `${commonName(certificate)} has the unknown critical extension ${unknown.id}`
}

const signedBy = (certificate: Certificate, { publicKey }: Certificate): Promise<boolean> =>
  signatureHolds(publicKey, certificate.algorithm, certificate.signature, certificate.signed)
