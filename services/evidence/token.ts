import {
  algorithmOf,
  commonName,
  keyUsageBits,
  purposesOf,
  readExtensions,
  textOf,
} from './asn1/certificate.ts'
import type { Certificate } from './asn1/certificate.ts'
import { checkBound, checkSigned, readSignedData } from './asn1/cms.ts'
import {
  boolean,
  type Bytes,
  children,
  context,
  Fields,
  must,
  objectId,
  octetString,
  onlyElement,
  Refusal,
  sameOctets,
  smallInteger,
  tags,
  time,
} from './asn1/der.ts'
import { pathToRoot } from './certificate-path.ts'

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
  readonly roots: readonly Certificate[]
  /** The token must not claim a time before this. */
  readonly notBefore: Date
  /** The token must not claim a time after this. */
  readonly notAfter: Date
}

export type TokenVerdict =
  | { readonly ok: true; readonly details: TimestampDetails }
  | { readonly ok: false; readonly reason: string }

const ids = {
  tstInfo: '1.2.840.113549.1.9.16.1.4',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  sha256: '2.16.840.1.101.3.4.2.1',
} as const

/** What a token says (RFC 3161 §2.4.2), as far as it is looked at. */
interface TstInfo {
  readonly policy: string
  readonly hash: string
  readonly imprint: Bytes
  readonly serial: Bytes
  readonly genTime: Date
  readonly nonce: Bytes | null
}

/**
 * Verifies a TimeStampResp against what was asked, strictly: granted, one signer, its certificate inside, critical
 * EKU timeStamping and nothing else, ESSCertID(v2), imprint, nonce, sane time, no bytes left over, and a path to a
 * pinned root that was valid at the time the token gives.
 * Never throws for bad input: the reason is in the verdict.
 * @see RFC 3161 §2.2, §2.3, §2.4.2; RFC 5816; RFC 5652 §5
 */
export async function verifyToken(response: Bytes, expected: TokenExpectation): Promise<TokenVerdict> {
  try {
    return { ok: true, details: await check(response, expected) }
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, reason: error.message }
    throw error
  }
}

async function check(response: Bytes, expected: TokenExpectation): Promise<TimestampDetails> {
  const signed = readSignedData(tokenIn(response), 'the token')
  must(signed.contentType === ids.tstInfo, 'the signed content is not a timestamp')
  must(signed.content !== null, 'the signed content is absent')
  const info = readTstInfo(signed.content)
  checkInfo(info, expected)
  const { certificate, certificates } = signed
  checkUsage(certificate)
  await checkSigned(signed, signed.content, ids.tstInfo)
  await checkBound(signed)
  const path = await pathToRoot(certificate, certificates, expected.roots, info.genTime)
  if ('problem' in path) throw new Refusal(path.problem)
  const root = path.at(-1)
  return {
    tsa: commonName(certificate),
    root: root === undefined ? '' : commonName(root),
    genTime: info.genTime.toISOString(),
    serial: info.serial.toHex(),
    policy: info.policy,
    imprint: expected.imprint.toHex(),
  }
}

/** The token in an authority's answer. @throws Refusal when it holds none */
export function tokenIn(response: Bytes) {
  const reply = new Fields(onlyElement(response, 'the answer'), 'the answer')
  const state = new Fields(reply.take(tags.sequence), 'the status')
  const status = smallInteger(state.any())
  if (status > 1) {
    const texts = state.maybe(tags.sequence)
    const text = texts === null ? '' : children(texts).map(textOf).join('; ')
    throw new Refusal(
      `the authority rejected the request (status ${status})${text === '' ? '' : `: ${text}`}`,
    )
  }
  const token = reply.maybe(tags.sequence)
  must(token !== null, 'the answer holds no token')
  reply.end()
  return token
}

function readTstInfo(bytes: Bytes): TstInfo {
  const fields = new Fields(onlyElement(bytes, 'the timestamp'), 'the timestamp')
  must(smallInteger(fields.any()) === 1, 'the timestamp is not of version 1')
  const policy = objectId(fields.any())
  const imprint = new Fields(fields.take(tags.sequence), 'the imprint')
  const hash = algorithmOf(imprint.take(tags.sequence)).id
  const hashed = octetString(imprint.any())
  imprint.end()
  const serial = fields.take(tags.integer).content
  const genTime = time(fields.take(tags.generalizedTime))
  fields.maybe(tags.sequence) // Accuracy.
  const ordering = fields.maybe(tags.boolean)
  if (ordering !== null) boolean(ordering)
  const nonce = fields.maybe(tags.integer)?.content ?? null
  fields.maybe(context(0)) // The authority's name, which its certificate tells as well.
  const extensions = fields.maybe(context(1))
  fields.end()
  // Implicit: the tag stands in the place of the SEQUENCE's.
  const unknown =
    extensions && readExtensions({ ...extensions, tag: tags.sequence }).find(({ critical }) => critical)
  must(!unknown, `the timestamp has the unknown critical extension ${unknown?.id}`)
  return { policy, hash, imprint: hashed, serial, genTime, nonce }
}

function checkInfo(info: TstInfo, expected: TokenExpectation): void {
  must(info.hash === ids.sha256, 'the imprint is not SHA-256')
  must(sameOctets(info.imprint, expected.imprint), 'the token stamps other bytes than these')
  if (expected.nonce !== undefined) {
    must(info.nonce !== null, 'the answer does not return our nonce')
    must(
      sameOctets(info.nonce, expected.nonce),
      'the answer returns another nonce: it was made for another request',
    )
  }
  const at = info.genTime
  must(at >= expected.notBefore, `the token claims a time that is too early: ${at.toISOString()}`)
  must(at <= expected.notAfter, `the token claims a time that is too late: ${at.toISOString()}`)
}

function checkUsage(certificate: Certificate): void {
  const purposes = purposesOf(certificate)
  must(purposes !== null, 'the certificate does not say what it may be used for')
  must(
    purposes.ids.length === 1 && purposes.ids[0] === ids.timeStamping,
    'the certificate is not for timestamping alone',
  )
  must(purposes.critical, 'the timestamping usage of the certificate is not critical')
  const bits = keyUsageBits(certificate)
  // digitalSignature or nonRepudiation (RFC 3161 §2.3 leaves the extension optional).
  must(bits === null || (bits & 0xc0) !== 0, 'the certificate may not sign')
}
