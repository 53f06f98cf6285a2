import { createHash, X509Certificate } from 'node:crypto'
import * as asn1js from 'asn1js'
import * as pkijs from 'pkijs'
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

const toPem = (der: ArrayBuffer) =>
  `-----BEGIN CERTIFICATE-----\n${(
    Buffer.from(der)
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
  const certificate = new pkijs.Certificate()
  certificate.version = 2
  // Positive, and the same for the same key.
  certificate.serialNumber = new asn1js.Integer({
    valueHex: Uint8Array.of(0x40, ...Uint8Array.fromHex(print.slice(0, 30))).buffer,
  })
  const name = new pkijs.AttributeTypeAndValue({
    type: '2.5.4.3',
    value: new asn1js.Utf8String({ value: `Attestry document key ${print.slice(0, 16)}` }),
  })
  certificate.issuer.typesAndValues.push(name)
  certificate.subject.typesAndValues.push(name)
  certificate.notBefore.value = new Date(Math.floor(now.getTime() / 1000) * 1000 - 60_000)
  certificate.notAfter.value = new Date(certificate.notBefore.value.getTime() + years * 365 * 86_400_000)
  certificate.subjectPublicKeyInfo = pkijs.PublicKeyInfo.fromBER(spki)
  const keyId = createHash('sha1').update(spki).digest()
  const extension = (extnID: string, critical: boolean, value: asn1js.AsnType) =>
    new pkijs.Extension({ extnID, critical, extnValue: value.toBER() })
  certificate.extensions = [
    extension('2.5.29.19', true, new pkijs.BasicConstraints({ cA: false }).toSchema()),
    // digitalSignature and nonRepudiation.
    extension(
      '2.5.29.15',
      true,
      new asn1js.BitString({ valueHex: Uint8Array.of(0xc0).buffer, unusedBits: 6 }),
    ),
    extension('2.5.29.37', false, new pkijs.ExtKeyUsage({ keyPurposes: [documentSigning] }).toSchema()),
    extension('2.5.29.14', false, new asn1js.OctetString({ valueHex: Uint8Array.from(keyId).buffer })),
  ]
  const algorithm = () => new pkijs.AlgorithmIdentifier({ algorithmId: ecdsaWithSha256 })
  certificate.signature = algorithm()
  certificate.signatureAlgorithm = algorithm()
  const tbs = certificate.encodeTBS().toBER()
  const signature = await signer.sign(new Uint8Array(tbs), signal)
  certificate.tbsView = new Uint8Array(tbs)
  certificate.signatureValue = new asn1js.BitString({ valueHex: Uint8Array.from(signature).buffer })
  return toPem(certificate.toSchema(true).toBER())
}

/**
 * A document signer of a key and its certificates.
 * @throws when the first certificate is of another key
 */
export function documentSigner(signer: Signer, certificatesPem: string): DocumentSigner {
  const [first] = certificatesFromPem(certificatesPem)
  if (first === undefined) throw new Error('The certificate of the document key is not PEM')
  const [der] = pemBlocks(certificatesPem, 'CERTIFICATE')
  const certificate = new X509Certificate(Buffer.from(der ?? []))
  const ofCertificate = certificate.publicKey.export({ type: 'spki', format: 'pem' })
  if (fingerprint(ofCertificate) !== fingerprint(signer.publicKeyPem))
    throw new Error('The certificate of the document key is of another key')
  return {
    signer,
    certificatesPem,
    certificateSha256: createHash('sha256').update(certificate.raw).digest('hex'),
  }
}
