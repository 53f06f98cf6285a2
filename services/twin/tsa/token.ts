import * as asn1js from 'asn1js'
import * as pkijs from 'pkijs'
import type { Credential } from './authority.ts'

/** What a client asked to have stamped (RFC 3161 §2.4.1). */
export interface TimestampQuery {
  readonly hashAlgorithm: string
  readonly imprint: Uint8Array
  readonly nonce: asn1js.Integer | undefined
  readonly policy: string | undefined
  readonly certificateWanted: boolean
}

/** Everything that goes into one token, honest or not. */
export interface TokenContent {
  readonly query: TimestampQuery
  readonly policy: string
  readonly serialNumber: asn1js.Integer
  readonly genTime: Date
  /** Each becomes a SignerInfo; RFC 3161 §2.4.2 allows exactly one. */
  readonly signers: readonly Credential[]
  readonly certificates: readonly pkijs.Certificate[]
  readonly digest: 'SHA-1' | 'SHA-256' | 'SHA-512'
  /** The certificate that the ESSCertIDv2 attribute names; null leaves the attribute out. */
  readonly essCertificate: pkijs.Certificate | null
}

/** PKIFailureInfo bits (RFC 3161 §2.4.2). */
export const failures = { badAlg: 0, badRequest: 2, badDataFormat: 5, unacceptedPolicy: 15 } as const

const ids = {
  data: '1.2.840.113549.1.9.16.1.4',
  signedData: '1.2.840.113549.1.7.2',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
} as const

const digestIds = {
  'SHA-1': '1.3.14.3.2.26',
  'SHA-256': '2.16.840.1.101.3.4.2.1',
  'SHA-512': '2.16.840.1.101.3.4.2.3',
} as const

const ecdsaIds = {
  'SHA-1': '1.2.840.10045.4.1',
  'SHA-256': '1.2.840.10045.4.3.2',
  'SHA-512': '1.2.840.10045.4.3.4',
} as const

const rsaEncryption = '1.2.840.113549.1.1.1'

const imprintLengths: ReadonlyMap<string, number> = new Map([
  [digestIds['SHA-256'], 32],
  ['2.16.840.1.101.3.4.2.2', 48],
  [digestIds['SHA-512'], 64],
])

/** The query, or the failure bit that names what is wrong with it. */
export function readQuery(body: Uint8Array<ArrayBuffer>): TimestampQuery | { readonly failure: number } {
  const parsed = asn1js.fromBER(body)
  if (parsed.offset !== body.length) return { failure: failures.badDataFormat }
  let request: pkijs.TimeStampReq
  try {
    request = new pkijs.TimeStampReq({ schema: parsed.result })
  } catch {
    // The library's only way to say "not a TimeStampReq"; the client is told by the failure bit.
    return { failure: failures.badDataFormat }
  }
  const hashAlgorithm = request.messageImprint.hashAlgorithm.algorithmId
  const imprint = Uint8Array.from(request.messageImprint.hashedMessage.valueBlock.valueHexView)
  const length = imprintLengths.get(hashAlgorithm)
  if (length === undefined) return { failure: failures.badAlg }
  if (length !== imprint.length) return { failure: failures.badDataFormat }
  if (request.version !== 1) return { failure: failures.badRequest }
  return {
    hashAlgorithm,
    imprint,
    nonce: request.nonce,
    policy: request.reqPolicy,
    certificateWanted: request.certReq ?? false,
  }
}

/** A TimeStampResp with status `granted` around the token, as DER. */
export function grantedResponse(token: asn1js.BaseBlock): Uint8Array<ArrayBuffer> {
  const status = new asn1js.Sequence({ value: [new asn1js.Integer({ value: 0 })] })
  return new Uint8Array(new asn1js.Sequence({ value: [status, token] }).toBER())
}

/** A TimeStampResp with status `rejection`, a failure bit and a sentence, as DER. */
export function rejectedResponse(failure: number, text: string): Uint8Array<ArrayBuffer> {
  const bits = new Uint8Array((failure >> 3) + 1)
  bits[failure >> 3] = 0x80 >> (failure & 7)
  const status = new asn1js.Sequence({
    value: [
      new asn1js.Integer({ value: 2 }),
      new asn1js.Sequence({ value: [new asn1js.Utf8String({ value: text })] }),
      new asn1js.BitString({ valueHex: bits.buffer, unusedBits: 7 - (failure & 7) }),
    ],
  })
  return new Uint8Array(new asn1js.Sequence({ value: [status] }).toBER())
}

/** The signed token: a ContentInfo around SignedData around TSTInfo (RFC 3161 §2.4.2, RFC 5652 §5). */
export async function signToken(content: TokenContent): Promise<asn1js.Sequence> {
  const info = new pkijs.TSTInfo({
    version: 1,
    policy: content.policy,
    messageImprint: new pkijs.MessageImprint({
      hashAlgorithm: algorithm(content.query.hashAlgorithm, true),
      hashedMessage: octets(content.query.imprint),
    }),
    serialNumber: content.serialNumber,
    genTime: content.genTime,
    accuracy: new pkijs.Accuracy({ seconds: 1 }),
    ...(content.query.nonce === undefined ? {} : { nonce: content.query.nonce }),
  })
  const tstInfo = new Uint8Array(info.toSchema().toBER())
  const encapContentInfo = new pkijs.EncapsulatedContentInfo({ eContentType: ids.data })
  // Set after construction: the constructor would split the octets into BER pieces, and DER allows one form only.
  encapContentInfo.eContent = octets(tstInfo)
  const signerInfos: pkijs.SignerInfo[] = []
  for (const signer of content.signers) signerInfos.push(await signerInfo(content, signer, tstInfo))
  const signed = new pkijs.SignedData({
    version: 3,
    digestAlgorithms: [algorithm(digestIds[content.digest], true)],
    encapContentInfo,
    signerInfos,
    ...(content.certificates.length === 0 ? {} : { certificates: [...content.certificates] }),
  })
  return new pkijs.ContentInfo({ contentType: ids.signedData, content: signed.toSchema(true) }).toSchema()
}

async function signerInfo(
  content: TokenContent,
  signer: Credential,
  tstInfo: Uint8Array<ArrayBuffer>,
): Promise<pkijs.SignerInfo> {
  const attributes = [
    attribute(ids.contentType, new asn1js.ObjectIdentifier({ value: ids.data })),
    attribute(ids.messageDigest, octets(new Uint8Array(await crypto.subtle.digest(content.digest, tstInfo)))),
  ]
  if (content.essCertificate !== null) {
    attributes.push(attribute(ids.signingCertificateV2, await essCertIdV2(content.essCertificate)))
  }
  attributes.sort(derOrder)
  const set = new asn1js.Set({ value: attributes.map((each) => each.toSchema()) })
  const { signature, algorithmId } = await sign(
    signer.privateKey,
    content.digest,
    new Uint8Array(set.toBER()),
  )
  return new pkijs.SignerInfo({
    version: 1,
    sid: new pkijs.IssuerAndSerialNumber({
      issuer: signer.certificate.issuer,
      serialNumber: signer.certificate.serialNumber,
    }),
    digestAlgorithm: algorithm(digestIds[content.digest], true),
    signedAttrs: new pkijs.SignedAndUnsignedAttributes({ type: 0, attributes }),
    signatureAlgorithm: algorithm(algorithmId, algorithmId === rsaEncryption),
    signature: octets(signature),
  })
}

async function sign(
  key: CryptoKey,
  digest: TokenContent['digest'],
  bytes: Uint8Array<ArrayBuffer>,
): Promise<{ signature: Uint8Array; algorithmId: string }> {
  if (key.algorithm.name === 'ECDSA') {
    const raw = await crypto.subtle.sign({ name: 'ECDSA', hash: digest }, key, bytes)
    return {
      signature: new Uint8Array(pkijs.createCMSECDSASignature(raw)),
      algorithmId: ecdsaIds[digest],
    }
  }
  // WebCrypto ties an RSA key to one hash; the same key is imported again for the digest that is asked for.
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', key)
  const bound = await crypto.subtle.importKey(
    'pkcs8',
    pkcs8,
    { name: key.algorithm.name, hash: digest },
    false,
    ['sign'],
  )
  const signature = await crypto.subtle.sign(key.algorithm.name, bound, bytes)
  return { signature: new Uint8Array(signature), algorithmId: rsaEncryption }
}

/** SigningCertificateV2 with one ESSCertIDv2; SHA-256 is the default and therefore absent (RFC 5035 §3). */
async function essCertIdV2(certificate: pkijs.Certificate): Promise<asn1js.Sequence> {
  const hash = await crypto.subtle.digest('SHA-256', certificate.toSchema(true).toBER())
  const essCertId = new asn1js.Sequence({ value: [new asn1js.OctetString({ valueHex: hash })] })
  return new asn1js.Sequence({ value: [new asn1js.Sequence({ value: [essCertId] })] })
}

function attribute(type: string, value: asn1js.BaseBlock): pkijs.Attribute {
  return new pkijs.Attribute({ type, values: [value] })
}

/** DER sorts a SET OF by the encoded bytes (X.690 §11.6). */
function derOrder(a: pkijs.Attribute, b: pkijs.Attribute): number {
  const left = new Uint8Array(a.toSchema().toBER()).toHex()
  const right = new Uint8Array(b.toSchema().toBER()).toHex()
  return left < right ? -1 : 1
}

function algorithm(algorithmId: string, withNull: boolean): pkijs.AlgorithmIdentifier {
  return new pkijs.AlgorithmIdentifier({
    algorithmId,
    ...(withNull ? { algorithmParams: new asn1js.Null() } : {}),
  })
}

function octets(bytes: Uint8Array): asn1js.OctetString {
  return new asn1js.OctetString({ valueHex: Uint8Array.from(bytes).buffer })
}
