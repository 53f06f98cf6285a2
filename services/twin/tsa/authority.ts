import * as asn1js from 'asn1js'
import * as pkijs from 'pkijs'

/** The two key families a timestamp authority of this twin can sign with. */
export type KeyFamily = 'ecdsa-p256' | 'rsa-2048'

/** A certificate with the private key that belongs to it. */
export interface Credential {
  readonly certificate: pkijs.Certificate
  readonly privateKey: CryptoKey
}

/** A root and the timestamping certificate under it: what one authority is made of. */
export interface Authority {
  readonly family: KeyFamily
  readonly root: Credential
  readonly signer: Credential
}

/** An authority as text (PEM), kept between runs so that `tsa-root.pem` stays the same. */
export interface SavedAuthority {
  readonly family: KeyFamily
  readonly rootKeyPem: string
  readonly rootPem: string
  readonly signerKeyPem: string
  readonly signerPem: string
}

/** How a timestamping certificate departs from the honest one. */
export interface SignerCertificate {
  /** Extended key usages. @default [id-kp-timeStamping] */
  readonly usages?: readonly string[]
  /** Whether the extended key usage is critical, as RFC 3161 §2.3 requires. @default true */
  readonly critical?: boolean
  readonly notBefore: Date
  readonly notAfter: Date
}

export const timeStampingUsage = '1.3.6.1.5.5.7.3.8'
export const codeSigningUsage = '1.3.6.1.5.5.7.3.3'

const dayMs = 86_400_000
const rootYears = 20
const extensionIds = {
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extKeyUsage: '2.5.29.37',
} as const

/**
 * A new root and timestamping certificate, both named `name`.
 * @param random bytes for the certificates' serial numbers; keys come from WebCrypto's own generator
 */
export async function createAuthority(
  name: string,
  family: KeyFamily,
  now: Date,
  random: (length: number) => Uint8Array,
): Promise<Authority> {
  const keys = await generateKeys(family)
  const notBefore = new Date(now.getTime() - dayMs)
  const notAfter = new Date(now.getTime() + rootYears * 365 * dayMs)
  const certificate = blankCertificate(`${name} root`, notBefore, notAfter, random)
  certificate.issuer = certificate.subject
  await certificate.subjectPublicKeyInfo.importKey(keys.publicKey)
  const keyId = await keyIdentifier(certificate)
  certificate.extensions = [
    extension(extensionIds.basicConstraints, true, new pkijs.BasicConstraints({ cA: true }).toSchema()),
    extension(extensionIds.keyUsage, true, keyUsage(['certSign', 'crlSign'])),
    extension(extensionIds.subjectKeyId, false, keyId),
  ]
  await certificate.sign(keys.privateKey, 'SHA-256')
  const root: Credential = { certificate, privateKey: keys.privateKey }
  const signer = await issueSigner({ family, root }, name, { notBefore, notAfter }, random)
  return { family, root, signer }
}

/** A timestamping certificate under the authority's root, honest or wrong as `shape` asks. */
export async function issueSigner(
  authority: Pick<Authority, 'family' | 'root'>,
  name: string,
  shape: SignerCertificate,
  random: (length: number) => Uint8Array,
): Promise<Credential> {
  const { root, family } = authority
  const keys = await generateKeys(family)
  const certificate = blankCertificate(name, shape.notBefore, shape.notAfter, random)
  certificate.issuer = root.certificate.subject
  await certificate.subjectPublicKeyInfo.importKey(keys.publicKey)
  const usage = new pkijs.ExtKeyUsage({ keyPurposes: [...(shape.usages ?? [timeStampingUsage])] })
  const authorityKeyId = new pkijs.AuthorityKeyIdentifier({
    keyIdentifier: await keyIdentifier(root.certificate),
  })
  certificate.extensions = [
    extension(extensionIds.keyUsage, true, keyUsage(['digitalSignature'])),
    extension(extensionIds.extKeyUsage, shape.critical ?? true, usage.toSchema()),
    extension(extensionIds.subjectKeyId, false, await keyIdentifier(certificate)),
    extension(extensionIds.authorityKeyId, false, authorityKeyId.toSchema()),
  ]
  await certificate.sign(root.privateKey, 'SHA-256')
  return { certificate, privateKey: keys.privateKey }
}

/** The authority as PEM text. The caller keeps it where only the twin may read it. */
export async function saveAuthority(authority: Authority): Promise<SavedAuthority> {
  return {
    family: authority.family,
    rootKeyPem: await keyPem(authority.root.privateKey),
    rootPem: certificatePem(authority.root.certificate),
    signerKeyPem: await keyPem(authority.signer.privateKey),
    signerPem: certificatePem(authority.signer.certificate),
  }
}

/** The authority that was saved. Throws when a PEM block cannot be read. */
export async function loadAuthority(saved: SavedAuthority): Promise<Authority> {
  const credential = async (pem: string, key: string): Promise<Credential> => ({
    certificate: pkijs.Certificate.fromBER(fromPem(pem, 'CERTIFICATE')),
    privateKey: await crypto.subtle.importKey(
      'pkcs8',
      fromPem(key, 'PRIVATE KEY'),
      keyAlgorithm(saved.family),
      true,
      ['sign'],
    ),
  })
  return {
    family: saved.family,
    root: await credential(saved.rootPem, saved.rootKeyPem),
    signer: await credential(saved.signerPem, saved.signerKeyPem),
  }
}

export function certificatePem(certificate: pkijs.Certificate): string {
  return toPem('CERTIFICATE', certificate.toSchema(true).toBER())
}

function keyAlgorithm(family: KeyFamily): EcKeyImportParams | RsaHashedImportParams {
  return family === 'ecdsa-p256'
    ? { name: 'ECDSA', namedCurve: 'P-256' }
    : { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-512' }
}

async function generateKeys(family: KeyFamily): Promise<CryptoKeyPair> {
  if (family === 'ecdsa-p256') {
    return crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
  }
  const algorithm = {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-512',
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
  }
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

function blankCertificate(
  commonName: string,
  notBefore: Date,
  notAfter: Date,
  random: (length: number) => Uint8Array,
): pkijs.Certificate {
  const certificate = new pkijs.Certificate()
  certificate.version = 2
  certificate.serialNumber = positiveInteger(random(16))
  certificate.notBefore.value = wholeSeconds(notBefore)
  certificate.notAfter.value = wholeSeconds(notAfter)
  const certificateTimeType = (at: Date) => (at.getUTCFullYear() >= 2050 ? 1 : 0)
  certificate.notBefore.type = certificateTimeType(notBefore)
  certificate.notAfter.type = certificateTimeType(notAfter)
  certificate.subject.typesAndValues.push(
    new pkijs.AttributeTypeAndValue({
      type: '2.5.4.3',
      value: new asn1js.Utf8String({ value: commonName }),
    }),
  )
  return certificate
}

/** The bytes as a positive DER INTEGER: the top bit cleared, the next one set so that its length is fixed. */
export function positiveInteger(bytes: Uint8Array): asn1js.Integer {
  const value = Uint8Array.from(bytes)
  value[0] = ((value[0] ?? 0) & 0x7f) | 0x40
  return new asn1js.Integer({ valueHex: value.buffer })
}

function wholeSeconds(at: Date): Date {
  return new Date(Math.floor(at.getTime() / 1000) * 1000)
}

function extension(extnID: string, critical: boolean, value: asn1js.BaseBlock): pkijs.Extension {
  return new pkijs.Extension({ extnID, critical, extnValue: value.toBER() })
}

function keyUsage(names: readonly ('digitalSignature' | 'certSign' | 'crlSign')[]): asn1js.BitString {
  const bits = { digitalSignature: 0x80, certSign: 0x04, crlSign: 0x02 } as const
  const octet = names.reduce((sum, name) => sum | bits[name], 0)
  // DER drops trailing zero bits of a named bit list (X.690 §11.2.2).
  const unusedBits = Math.clz32(octet & -octet) === 32 ? 0 : 31 - Math.clz32(octet & -octet)
  return new asn1js.BitString({ valueHex: Uint8Array.of(octet).buffer, unusedBits })
}

async function keyIdentifier(certificate: pkijs.Certificate): Promise<asn1js.OctetString> {
  const key = certificate.subjectPublicKeyInfo.subjectPublicKey.valueBlock.valueHexView
  return new asn1js.OctetString({ valueHex: await crypto.subtle.digest('SHA-1', Uint8Array.from(key)) })
}

async function keyPem(key: CryptoKey): Promise<string> {
  return toPem('PRIVATE KEY', await crypto.subtle.exportKey('pkcs8', key))
}

function toPem(label: string, der: ArrayBuffer): string {
  const lines = new Uint8Array(der).toBase64().match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

function fromPem(pem: string, label: string): ArrayBuffer {
  const body = pem.split(`-----BEGIN ${label}-----`)[1]?.split(`-----END ${label}-----`)[0]
  if (body === undefined) throw new Error(`No ${label} block in the saved timestamp authority`)
  return Uint8Array.fromBase64(body).buffer
}
