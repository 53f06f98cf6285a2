import * as asn1js from 'asn1js'
import * as pkijs from 'pkijs'
import { certificateDer, commonName, keyUsageBits, pathToRoot } from './certificate-path.ts'

/** What a verified token says, ready to be printed. */
export interface TimestampDetails {
  /** Common name of the certificate that signed the token. */
  readonly tsa: string
  /** Common name of the pinned root it chains to. */
  readonly root: string
  /** ISO 8601, UTC. */
  readonly genTime: string
  /** Hexadecimal serial number of the token. */
  readonly serial: string
  readonly policy: string
  /** Hexadecimal SHA-256 of the stamped bytes. */
  readonly imprint: string
}

/** What a token must answer to. */
export interface TokenExpectation {
  /** SHA-256 of the stamped bytes. */
  readonly imprint: Uint8Array
  /** The nonce we sent; absent when a stored token is verified later. */
  readonly nonce?: Uint8Array
  /** Pinned roots. */
  readonly roots: readonly pkijs.Certificate[]
  /** The token must not claim a time before this. */
  readonly notBefore: Date
  /** The token must not claim a time after this. */
  readonly notAfter: Date
}

export type TokenVerdict =
  | { readonly ok: true; readonly details: TimestampDetails }
  | { readonly ok: false; readonly reason: string }

const ids = {
  signedData: '1.2.840.113549.1.7.2',
  tstInfo: '1.2.840.113549.1.9.16.1.4',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingCertificate: '1.2.840.113549.1.9.16.2.12',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  sha256: '2.16.840.1.101.3.4.2.1',
} as const

const digestNames: ReadonlyMap<string, string> = new Map([
  [ids.sha256, 'SHA-256'],
  ['2.16.840.1.101.3.4.2.2', 'SHA-384'],
  ['2.16.840.1.101.3.4.2.3', 'SHA-512'],
])

/** Thrown by the checks of this file; it never passes `verifyToken`. */
export class Refusal extends Error {}

/**
 * Verifies a TimeStampResp against what was asked, strictly: granted, one signer, its certificate inside, critical
 * EKU timeStamping and nothing else, ESSCertID(v2), imprint, nonce, sane time, no bytes left over, and a path to a
 * pinned root that was valid at the time the token gives. The CMS library alone accepts several of these faults.
 * Never throws for bad input: the reason is in the verdict.
 * @see RFC 3161 §2.2, §2.3, §2.4.2; RFC 5816; RFC 5652 §5
 */
export async function verifyToken(
  response: Uint8Array<ArrayBuffer>,
  expected: TokenExpectation,
): Promise<TokenVerdict> {
  try {
    return { ok: true, details: await check(response, expected) }
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, reason: error.message }
    // Whatever the ASN.1 and CMS libraries throw, they throw because of the bytes they were given.
    return {
      ok: false,
      reason: `the token cannot be read: ${error instanceof Error ? error.message : 'unknown'}`,
    }
  }
}

async function check(
  response: Uint8Array<ArrayBuffer>,
  expected: TokenExpectation,
): Promise<TimestampDetails> {
  const signed = readSignedData(response)
  const { info, bytes } = readTstInfo(signed)
  checkInfo(info, expected)
  const [signer, second] = signed.signerInfos
  must(signer !== undefined && second === undefined, 'the token does not have exactly one signer')
  const certificates = (signed.certificates ?? []).filter((each) => each instanceof pkijs.Certificate)
  const certificate = certificates.find((each) => isNamedBy(signer, each))
  must(certificate !== undefined, 'the token does not hold the certificate of its signer')
  checkUsage(certificate)
  await checkSignature(signer, certificate, bytes, ids.tstInfo)
  await checkEssCertId(signer, certificate)
  const path = await pathToRoot(certificate, certificates, expected.roots, info.genTime)
  if ('problem' in path) throw new Refusal(path.problem)
  const root = path.at(-1)
  return {
    tsa: commonName(certificate),
    root: root === undefined ? '' : commonName(root),
    genTime: info.genTime.toISOString(),
    serial: info.serialNumber.valueBlock.valueHexView.toHex(),
    policy: info.policy,
    imprint: expected.imprint.toHex(),
  }
}

function readSignedData(response: Uint8Array<ArrayBuffer>): pkijs.SignedData {
  const parsed = asn1js.fromBER(response)
  must(parsed.offset !== -1, 'the answer is not ASN.1')
  must(parsed.offset === response.length, 'bytes follow the answer')
  const reply = new pkijs.TimeStampResp({ schema: parsed.result })
  const status: number = reply.status.status
  if (status > 1) {
    const text = reply.status.statusStrings?.map(({ valueBlock }) => valueBlock.value).join('; ') ?? ''
    throw new Refusal(
      `the authority rejected the request (status ${status})${text === '' ? '' : `: ${text}`}`,
    )
  }
  must(reply.timeStampToken !== undefined, 'the answer holds no token')
  must(elements(parsed.result).length === 2, 'something follows the token')
  const token = elements(parsed.result)[1]
  must(token !== undefined && elements(token).length === 2, 'something follows the signed data')
  must(reply.timeStampToken.contentType === ids.signedData, 'the token is not signed data')
  return new pkijs.SignedData({ schema: reply.timeStampToken.content })
}

function readTstInfo(signed: pkijs.SignedData): { info: pkijs.TSTInfo; bytes: Uint8Array<ArrayBuffer> } {
  const { eContent, eContentType } = signed.encapContentInfo
  must(eContentType === ids.tstInfo, 'the signed content is not a timestamp')
  must(eContent !== undefined, 'the signed content is absent')
  const bytes = Uint8Array.from(new Uint8Array(eContent.getValue()))
  const parsed = asn1js.fromBER(bytes)
  must(parsed.offset === bytes.length, 'bytes follow the timestamp')
  return { info: new pkijs.TSTInfo({ schema: parsed.result }), bytes }
}

function checkInfo(info: pkijs.TSTInfo, expected: TokenExpectation): void {
  must(info.version === 1, 'the timestamp is not of version 1')
  const { hashAlgorithm, hashedMessage } = info.messageImprint
  must(hashAlgorithm.algorithmId === ids.sha256, 'the imprint is not SHA-256')
  must(
    sameBytes(hashedMessage.valueBlock.valueHexView, expected.imprint),
    'the token stamps other bytes than these',
  )
  if (expected.nonce !== undefined) {
    must(info.nonce !== undefined, 'the answer does not return our nonce')
    must(
      sameBytes(info.nonce.valueBlock.valueHexView, expected.nonce),
      'the answer returns another nonce: it was made for another request',
    )
  }
  const at = info.genTime
  must(!Number.isNaN(at.getTime()), 'the token gives no time')
  must(at >= expected.notBefore, `the token claims a time that is too early: ${at.toISOString()}`)
  must(at <= expected.notAfter, `the token claims a time that is too late: ${at.toISOString()}`)
}

export function isNamedBy(signer: pkijs.SignerInfo, certificate: pkijs.Certificate): boolean {
  const sid: unknown = signer.sid
  if (sid instanceof pkijs.IssuerAndSerialNumber) {
    return sid.issuer.isEqual(certificate.issuer) && sid.serialNumber.isEqual(certificate.serialNumber)
  }
  const keyId: unknown = certificate.extensions?.find(({ extnID }) => extnID === '2.5.29.14')?.parsedValue
  return (
    sid instanceof asn1js.Primitive &&
    keyId instanceof asn1js.OctetString &&
    sameBytes(new Uint8Array(sid.valueBlock.valueHexView), keyId.valueBlock.valueHexView)
  )
}

function checkUsage(certificate: pkijs.Certificate): void {
  const found = (certificate.extensions ?? []).filter(({ extnID }) => extnID === '2.5.29.37')
  const [usage, second] = found
  must(usage !== undefined && second === undefined, 'the certificate does not say what it may be used for')
  const purposes: unknown = usage.parsedValue
  must(
    purposes instanceof pkijs.ExtKeyUsage &&
      purposes.keyPurposes.length === 1 &&
      purposes.keyPurposes[0] === ids.timeStamping,
    'the certificate is not for timestamping alone',
  )
  must(usage.critical, 'the timestamping usage of the certificate is not critical')
  const bits = keyUsageBits(certificate)
  // digitalSignature or nonRepudiation (RFC 3161 §2.3 leaves the extension optional).
  must(bits === null || (bits & 0xc0) !== 0, 'the certificate may not sign')
}

export async function checkSignature(
  signer: pkijs.SignerInfo,
  certificate: pkijs.Certificate,
  content: Uint8Array<ArrayBuffer>,
  contentType: string,
): Promise<void> {
  const digest = digestNames.get(signer.digestAlgorithm.algorithmId)
  must(digest !== undefined, 'the token uses a digest weaker than SHA-256')
  const named = pkijs.getCrypto(true).getHashAlgorithm(signer.signatureAlgorithm)
  must(named === '' || named === digest, 'the signature and its digest do not agree')
  const attributes = signer.signedAttrs
  must(attributes !== undefined, 'the token has no signed attributes')
  const type = onlyValue(signer, ids.contentType)
  must(
    type instanceof asn1js.ObjectIdentifier && type.valueBlock.toString() === contentType,
    'the signed attributes name another content',
  )
  const stated = onlyValue(signer, ids.messageDigest)
  const actual = new Uint8Array(await crypto.subtle.digest(digest, content))
  must(
    stated instanceof asn1js.OctetString && sameBytes(stated.valueBlock.valueHexView, actual),
    'the timestamp was changed after it was signed',
  )
  const key = certificate.subjectPublicKeyInfo
  must(await signatureHolds(attributes.encodedValue, signer, key, digest), 'the signature does not hold')
}

async function signatureHolds(
  bytes: ArrayBuffer,
  signer: pkijs.SignerInfo,
  key: pkijs.PublicKeyInfo,
  digest: string,
): Promise<boolean> {
  const engine = pkijs.getCrypto(true)
  return engine.verifyWithPublicKey(bytes, signer.signature, key, signer.signatureAlgorithm, digest)
}

/** The first ESSCertID must be the hash of the signer's certificate (RFC 5816 §2.2.1, RFC 5035 §5.4). */
export async function checkEssCertId(
  signer: pkijs.SignerInfo,
  certificate: pkijs.Certificate,
): Promise<void> {
  const v2 = onlyValue(signer, ids.signingCertificateV2)
  const v1 = v2 ?? onlyValue(signer, ids.signingCertificate)
  must(v1 !== undefined, 'the token does not bind its certificate (no ESSCertID)')
  const first = elements(elements(v1)[0])[0]
  must(first !== undefined, 'the ESSCertID is empty')
  const fields = elements(first)
  let digest = v2 === undefined ? 'SHA-1' : 'SHA-256'
  const [head] = fields
  if (v2 !== undefined && head instanceof asn1js.Sequence) {
    const id = elements(head)[0]
    const name: string | undefined =
      id instanceof asn1js.ObjectIdentifier ? digestNames.get(id.valueBlock.toString()) : undefined
    must(name !== undefined, 'the ESSCertID uses a digest that is not accepted')
    digest = name
    fields.shift()
  }
  const [hash, issuerSerial] = fields
  const actual = new Uint8Array(await crypto.subtle.digest(digest, certificateDer(certificate)))
  must(
    hash instanceof asn1js.OctetString && sameBytes(hash.valueBlock.valueHexView, actual),
    'the ESSCertID names another certificate',
  )
  if (issuerSerial === undefined) return
  const serial = elements(issuerSerial)[1]
  must(
    serial instanceof asn1js.Integer && serial.isEqual(certificate.serialNumber),
    'the ESSCertID gives another serial number',
  )
}

/** The one value of the one signed attribute of this type; undefined when there is none, refused when several. */
function onlyValue(signer: pkijs.SignerInfo, type: string): unknown {
  const found = signer.signedAttrs?.attributes.filter((each) => each.type === type) ?? []
  if (found.length === 0) return undefined
  const values = found.flatMap((each): unknown[] => each.values)
  must(values.length === 1, `the signed attribute ${type} does not have exactly one value`)
  return values[0]
}

function elements(block: unknown): asn1js.AsnType[] {
  return block instanceof asn1js.Constructed ? [...block.valueBlock.value] : []
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index])
}

export function must(condition: boolean, reason: string): asserts condition {
  if (!condition) throw new Refusal(reason)
}
