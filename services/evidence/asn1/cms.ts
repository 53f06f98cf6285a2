import {
  type Algorithm,
  algorithmOf,
  type Certificate,
  readCertificate,
  subjectKeyId,
} from './certificate.ts'
import {
  type Bytes,
  children,
  context,
  type Element,
  Fields,
  must,
  objectId,
  octetString,
  onlyElement,
  sameOctets,
  tags,
} from './der.ts'
import { digestNames, digestOf, signatureHolds } from './public-key.ts'

/*
 * Signed data of CMS, as timestamps and PDF signatures are: one signer, his certificate inside and bound.
 * @see RFC 5652 §5, RFC 5035, RFC 5816
 */

const ids = {
  signedData: '1.2.840.113549.1.7.2',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingCertificate: '1.2.840.113549.1.9.16.2.12',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
} as const

interface Attribute {
  readonly type: string
  readonly values: readonly Element[]
}

interface SignerInfo {
  /** Issuer and serial number, or the identifier of the key. */
  readonly sid: { readonly issuer: Bytes; readonly serial: Bytes } | { readonly keyId: Bytes }
  readonly digest: string
  readonly attributes: readonly Attribute[]
  /** The attributes as they were signed. */
  readonly signed: Bytes
  readonly algorithm: Algorithm
  readonly signature: Bytes
}

/** Signed data with one signer whose certificate is in it. */
export interface SignedData {
  readonly contentType: string
  /** Null where it is signed but not in it. */
  readonly content: Bytes | null
  readonly signer: SignerInfo
  /** That of the signer. */
  readonly certificate: Certificate
  readonly certificates: readonly Certificate[]
}

/** Reads a ContentInfo of signed data. @throws Refusal */
export function readSignedData(contentInfo: Element, what: string): SignedData {
  const info = new Fields(contentInfo, what)
  must(objectId(info.any()) === ids.signedData, `${what} is not signed data`)
  const wrapped = info.take(context(0))
  info.end()
  const fields = new Fields(onlyElement(wrapped.content, 'the signed data'), 'the signed data')
  fields.take(tags.integer)
  fields.take(tags.set)
  const encapsulated = new Fields(fields.take(tags.sequence), 'the signed content')
  const contentType = objectId(encapsulated.any())
  const content = encapsulated.maybe(context(0))
  encapsulated.end()
  const given = fields.maybe(context(0))
  fields.maybe(context(1))
  const [signer, second] = children(fields.take(tags.set)).map(readSigner)
  fields.end()
  must(signer !== undefined && second === undefined, `${what} does not have exactly one signer`)
  // Other kinds of certificates have a tag of their own and are of no use here.
  const certificates = (given === null ? [] : children(given))
    .filter(({ tag }) => tag === tags.sequence)
    .map(({ whole }) => readCertificate(whole))
  const certificate = certificates.find((each) => isNamedBy(signer, each))
  must(certificate !== undefined, `${what} does not hold the certificate of its signer`)
  return {
    contentType,
    content: content === null ? null : octetString(onlyElement(content.content, 'the signed content')),
    signer,
    certificate,
    certificates,
  }
}

function readSigner(element: Element): SignerInfo {
  const fields = new Fields(element, 'the signer')
  fields.take(tags.integer)
  const named = fields.any()
  const digest = digestNames.get(algorithmOf(fields.take(tags.sequence)).id)
  must(digest !== undefined, 'the token uses a digest weaker than SHA-256')
  const attributes = fields.maybe(context(0))
  must(attributes !== null, 'the token has no signed attributes')
  const algorithm = algorithmOf(fields.take(tags.sequence))
  const signature = octetString(fields.any())
  fields.maybe(context(1))
  fields.end()
  // They are signed as the SET that they are, not under the tag that they stand with (RFC 5652 §5.4).
  const signed = attributes.whole.slice()
  signed[0] = tags.set
  return {
    sid: sidOf(named),
    digest,
    attributes: children(attributes).map(attributeOf),
    signed,
    algorithm,
    signature,
  }
}

function sidOf(element: Element): SignerInfo['sid'] {
  if (element.tag === context(0, false)) return { keyId: element.content }
  const fields = new Fields(element, 'the name of the signer')
  const issuer = fields.take(tags.sequence).whole
  const serial = fields.take(tags.integer).content
  fields.end()
  return { issuer, serial }
}

function attributeOf(element: Element): Attribute {
  const fields = new Fields(element, 'a signed attribute')
  const type = objectId(fields.any())
  const values = children(fields.take(tags.set))
  fields.end()
  return { type, values }
}

function isNamedBy({ sid }: SignerInfo, certificate: Certificate): boolean {
  if ('issuer' in sid)
    return sameOctets(sid.issuer, certificate.issuer) && sameOctets(sid.serial, certificate.serial)
  const keyId = subjectKeyId(certificate)
  return keyId !== null && sameOctets(sid.keyId, keyId)
}

/**
 * Checks that the signer signed this content with the key of the certificate.
 * @param content what was signed, whether it stands in the signed data or not
 * @throws Refusal
 */
export async function checkSigned(
  { signer, certificate }: SignedData,
  content: Bytes,
  contentType: string,
): Promise<void> {
  const named = digestOf(signer.algorithm, signer.digest)
  must(named === signer.digest, 'the signature and its digest do not agree')
  const type = onlyValue(signer, ids.contentType)
  must(type !== undefined && objectId(type) === contentType, 'the signed attributes name another content')
  const stated = onlyValue(signer, ids.messageDigest)
  const actual = new Uint8Array(await crypto.subtle.digest(signer.digest, content))
  must(
    stated !== undefined && sameOctets(octetString(stated), actual),
    'the timestamp was changed after it was signed',
  )
  const { algorithm, signature, signed, digest } = signer
  must(
    await signatureHolds(certificate.publicKey, algorithm, signature, signed, digest),
    'the signature does not hold',
  )
}

/** The first ESSCertID must be the hash of the signer's certificate (RFC 5816 §2.2.1, RFC 5035 §5.4). @throws Refusal */
export async function checkBound({ signer, certificate }: SignedData): Promise<void> {
  const v2 = onlyValue(signer, ids.signingCertificateV2)
  const bound = v2 ?? onlyValue(signer, ids.signingCertificate)
  must(bound !== undefined, 'the token does not bind its certificate (no ESSCertID)')
  const list = new Fields(bound, 'the ESSCertID').take(tags.sequence)
  const [first] = children(list)
  must(first !== undefined, 'the ESSCertID is empty')
  const fields = new Fields(first, 'the ESSCertID')
  const named = v2 === undefined ? null : fields.maybe(tags.sequence)
  const digest =
    v2 === undefined ? 'SHA-1' : named === null ? 'SHA-256' : digestNames.get(algorithmOf(named).id)
  must(digest !== undefined, 'the ESSCertID uses a digest that is not accepted')
  const hash = octetString(fields.any())
  const issuerSerial = fields.maybe(tags.sequence)
  fields.end()
  const actual = new Uint8Array(await crypto.subtle.digest(digest, certificate.der))
  must(sameOctets(hash, actual), 'the ESSCertID names another certificate')
  if (issuerSerial === null) return
  const issued = new Fields(issuerSerial, 'the ESSCertID')
  issued.take(tags.sequence)
  must(
    sameOctets(issued.take(tags.integer).content, certificate.serial),
    'the ESSCertID gives another serial number',
  )
  issued.end()
}

/** The one value of the one signed attribute of this type; undefined when there is none, refused when several. */
function onlyValue({ attributes }: SignerInfo, type: string): Element | undefined {
  const found = attributes.filter((each) => each.type === type)
  if (found.length === 0) return undefined
  const values = found.flatMap((each) => each.values)
  must(values.length === 1, `the signed attribute ${type} does not have exactly one value`)
  return values[0]
}
