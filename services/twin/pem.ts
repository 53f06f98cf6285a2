import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'

/** Every certificate of a PEM text, in order; undefined where one cannot be read or there is none. */
export function certificatesOf(pem: string): X509Certificate[] | undefined {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []
  try {
    return blocks.length === 0 ? undefined : blocks.map((block) => new X509Certificate(block))
  } catch {
    return undefined
  }
}

/** An unencrypted private key in PEM; undefined where it is none. */
export function privateKeyOf(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined
  }
}

export type ChainFault = 'key' | 'chain' | 'expired'

/**
 * What is wrong with a certificate, its key and its chain: the key is another's, a link is not signed by the next, or
 * it is not valid at `nowMs`. The last link need not be a root.
 */
export function chainFault(
  leaf: X509Certificate,
  chain: readonly X509Certificate[],
  key: KeyObject,
  nowMs: number,
): ChainFault | undefined {
  if (!leaf.checkPrivateKey(key)) return 'key'
  const path = [leaf, ...chain]
  for (const [index, certificate] of path.entries()) {
    const issuer = path[index + 1]
    if (issuer !== undefined && !(certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)))
      return 'chain'
  }
  if (Date.parse(leaf.validFrom) > nowMs || Date.parse(leaf.validTo) <= nowMs) return 'expired'
  return undefined
}

/** `RSA_2048`, `EC_prime256v1`: how ACM and others name a key. */
export function keyAlgorithm(certificate: X509Certificate): string {
  const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey
  return asymmetricKeyType === 'rsa'
    ? `RSA_${asymmetricKeyDetails?.modulusLength ?? 0}`
    : `EC_${asymmetricKeyDetails?.namedCurve ?? asymmetricKeyType ?? ''}`
}
