import { createHash, X509Certificate } from 'node:crypto'
import { der, instant, integer, objectId, sequence } from './asn1/write.ts'
import { certificatesFromPem } from './certificate-path.ts'
import { pemBlocks } from './pem.ts'
import { fingerprint, type Signer } from './sign.ts'

/** What PDF files are signed with: a signer, and the certificate that a PDF reader shows. */
export interface DocumentSigner {
  readonly signer: Signer
  /** PEM, the signer's certificate first. */
  readonly certificatesPem: string
  /** SHA-256 of the signer's certificate, hexadecimal. */
  readonly certificateSha256: string
}

const ecdsaWithSha256 = '1.2.840.10045.4.3.2'
/** id-kp-documentSigning. @see RFC 9336 */
const documentSigning = '1.3.6.1.5.5.7.3.36'
const years = 10

const toPem = (bytes: Uint8Array) =>
  `-----BEGIN CERTIFICATE-----\n${(
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  ).join('\n')}\n-----END CERTIFICATE-----\n`

/**
 * A self-signed certificate for a signer, wherever its key lives. It names no authority: a reader shows it as not
 * trusted until its fingerprint is accepted, or until the operator brings a certificate of an authority of his own.
 */
export async function selfSignedCertificate(signer: Signer, now: Date, signal: AbortSignal): Promise<string> {
  const [spki] = pemBlocks(signer.publicKeyPem, 'PUBLIC KEY')
  if (spki === undefined) throw new Error('The signer has no public key')
  const print = fingerprint(signer.publicKeyPem)
  // Positive, and the same for the same key.
  const serial = Uint8Array.of(0x40, ...Uint8Array.fromHex(print.slice(0, 30)))
  const commonName = new TextEncoder().encode(`Attestry document key ${print.slice(0, 16)}`)
  const name = sequence(der(0x31, sequence(objectId('2.5.4.3'), der(0x0c, commonName))))
  const from = new Date(Math.floor(now.getTime() / 1000) * 1000 - 60_000)
  const until = new Date(from.getTime() + years * 365 * 86_400_000)
  const keyId = createHash('sha1').update(spki).digest()
  const extension = (id: string, critical: boolean, value: Uint8Array) =>
    sequence(objectId(id), ...(critical ? [der(0x01, Uint8Array.of(0xff))] : []), der(0x04, value))
  const extensions = sequence(
    // No authority.
    extension('2.5.29.19', true, sequence()),
    // digitalSignature and nonRepudiation; six bits of the octet are not used.
    extension('2.5.29.15', true, der(0x03, Uint8Array.of(6, 0xc0))),
    extension('2.5.29.37', false, sequence(objectId(documentSigning))),
    extension('2.5.29.14', false, der(0x04, keyId)),
  )
  const algorithm = sequence(objectId(ecdsaWithSha256))
  const signed = sequence(
    der(0xa0, integer(Uint8Array.of(2))),
    integer(serial),
    algorithm,
    name,
    sequence(instant(from), instant(until)),
    name,
    spki,
    der(0xa3, extensions),
  )
  const signature = await signer.sign(signed, signal)
  return toPem(sequence(signed, algorithm, der(0x03, Uint8Array.of(0), signature)))
}

/**
 * A document signer of a key and its certificates.
 * @throws when the first certificate is of another key
 */
export function documentSigner(signer: Signer, certificatesPem: string): DocumentSigner {
  const [first] = certificatesFromPem(certificatesPem)
  if (first === undefined) throw new Error('The certificate of the document key is not PEM')
  const [own] = pemBlocks(certificatesPem, 'CERTIFICATE')
  const certificate = new X509Certificate(Buffer.from(own ?? []))
  const ofCertificate = certificate.publicKey.export({ type: 'spki', format: 'pem' })
  if (fingerprint(ofCertificate) !== fingerprint(signer.publicKeyPem))
    throw new Error('The certificate of the document key is of another key')
  return {
    signer,
    certificatesPem,
    certificateSha256: createHash('sha256').update(certificate.raw).digest('hex'),
  }
}
