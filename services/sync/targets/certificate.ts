import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { refuse, type Refused } from '@attestry/kit'
import { openPkcs12 } from './pkcs12.ts'
import type { Value } from './target.ts'

/** A certificate with its key as certificate stores want it: one PEM text each. */
export interface CertificateParts {
  readonly leaf: X509Certificate
  readonly certificate: string
  /** Issuers in order, the leaf's first; empty where there are none. */
  readonly chain: string
  readonly privateKey: string
  /** The serial number, as hexadecimal digits in lower case: tells one issue of a certificate from the next. */
  readonly serial: string
}

const bad = (detail: string): Refused<'bad-certificate'> => refuse('bad-certificate', detail)

const certificatesIn = (pem: string): X509Certificate[] =>
  (pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []).map(
    (block) => new X509Certificate(block),
  )
const keyIn = (pem: string): KeyObject | null => {
  const block = /-----BEGIN ((?:RSA |EC )?PRIVATE KEY)-----[\s\S]+?-----END \1-----/.exec(pem)?.[0]
  return block === undefined ? null : createPrivateKey(block)
}

/** The leaf is whose key it is; the others follow by who issued whom, and what does not belong is left out. */
function ordered(all: readonly X509Certificate[], leaf: X509Certificate): X509Certificate[] {
  const chain: X509Certificate[] = []
  let last = leaf
  // A chain is no longer than the certificates there are.
  for (let step = 0; step < all.length; step++) {
    const at = last
    const issuer = all.find((one) => one !== at && !chain.includes(one) && at.checkIssued(one))
    if (issuer === undefined) break
    chain.push(issuer)
    last = issuer
  }
  return chain
}

/**
 * Takes apart what Key Vault keeps behind a certificate: PEM, or PKCS #12 without a password (as bytes, or as the
 * base64 text that the vault answers).
 * @refuses 'bad-certificate' where there is no certificate, no key, or the key is of none of them
 */
export function certificateParts({ bytes, form }: Value): CertificateParts | Refused<'bad-certificate'> {
  try {
    const text = form === 'text' ? bytes.text() : ''
    const isPem = text.includes('-----BEGIN ')
    const raw = form === 'binary' ? bytes.reveal() : Buffer.from(text, 'base64')
    const opened = isPem ? null : openPkcs12(raw)
    const all = opened ? opened.certificates : certificatesIn(text)
    const key = opened ? opened.key : keyIn(text)
    if (key === null) return bad('There is no private key in it: the certificate’s key must be exportable.')
    const leaf = all.find((one) => one.checkPrivateKey(key))
    if (leaf === undefined) return bad('There is no certificate in it that the private key belongs to.')
    return {
      leaf,
      certificate: leaf.toString(),
      chain: ordered(all, leaf)
        .map((one) => one.toString())
        .join(''),
      privateKey: key.export({ type: 'pkcs8', format: 'pem' }),
      serial: leaf.serialNumber.toLowerCase(),
    }
  } catch {
    // What was wrong with it is said by libraries in words that may quote it.
    return bad('It cannot be read as PEM, nor as PKCS #12 without a password.')
  }
}
