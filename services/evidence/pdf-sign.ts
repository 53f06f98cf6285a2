import { createHash } from 'node:crypto'
import type { Stamper } from './anchors/stamps.ts'
import { der, objectId, sequence, setOf } from './asn1/write.ts'
import { certificatesFromPem } from './certificate-path.ts'
import type { DocumentSigner } from './document-certificate.ts'
import { pemBlocks } from './pem.ts'
import { tokenIn } from './token.ts'

/*
 * Signs a PDF as PAdES has it: an incremental update on the bytes that were printed, whose last object is a signature
 * over everything but itself. Stock helpers drop the file's /ID and write an older sub-filter.
 * @see ISO 32000-2 §12.8, ETSI EN 319 142-1 (baseline B-B, B-T with a timestamp), RFC 5652 §5, RFC 5035
 */

/** Room for the signature, in bytes: certificates, and a token of a public authority. */
const ROOM = 24_576
const latin1 = new TextDecoder('latin1')
const text = new TextEncoder()

const oid = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
  timeStampToken: '1.2.840.113549.1.9.16.2.14',
  sha256: '2.16.840.1.101.3.4.2.1',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
} as const

const attribute = (type: string, value: Uint8Array) => sequence(objectId(type), der(0x31, value))
const version1 = Uint8Array.of(0x02, 0x01, 0x01)

/** The detached CMS over bytes, as a PDF carries it. */
async function detachedCms(
  content: Uint8Array,
  { signer, certificatesPem }: DocumentSigner,
  stamp: Stamper,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const [certificate] = certificatesFromPem(certificatesPem)
  const chain = pemBlocks(certificatesPem, 'CERTIFICATE')
  const [own] = chain
  if (certificate === undefined || own === undefined) throw new Error('The document key has no certificate')
  const digest = createHash('sha256').update(content).digest()
  const certificateHash = createHash('sha256').update(own).digest()
  const attributes = [
    attribute(oid.contentType, objectId(oid.data)),
    attribute(oid.messageDigest, der(0x04, digest)),
    // SigningCertificateV2: one ESSCertIDv2, whose digest is SHA-256 where none is named.
    attribute(oid.signingCertificateV2, sequence(sequence(sequence(der(0x04, certificateHash))))),
  ]
  const signature = await signer.sign(setOf(0x31, attributes), signal)
  const stamped = await stamp(signature, signal)
  const token = stamped.status === 'stamped' ? tokenIn(stamped.token).whole : null
  const sha256 = sequence(objectId(oid.sha256))
  const signerInfo = sequence(
    version1,
    sequence(certificate.issuer, der(0x02, certificate.serial)),
    sha256,
    setOf(0xa0, attributes),
    sequence(objectId(oid.ecdsaWithSha256)),
    der(0x04, signature),
    ...(token === null ? [] : [der(0xa1, attribute(oid.timeStampToken, token))]),
  )
  const signedData = sequence(
    version1,
    der(0x31, sha256),
    sequence(objectId(oid.data)),
    der(0xa0, ...chain),
    der(0x31, signerInfo),
  )
  return sequence(objectId(oid.signedData), der(0xa0, signedData))
}

/** An object of the file as it stands: from `N 0 obj` to before `endobj`. */
function objectText(pdf: string, number: number): string {
  const head = `\n${number} 0 obj\n`
  const at = pdf.lastIndexOf(head)
  const end = pdf.indexOf('\nendobj', at)
  if (at === -1 || end === -1) throw new Error(`The PDF has no object ${number}`)
  return pdf.slice(at + head.length, end)
}

/** A dictionary with one more entry before its end. */
function withEntry(dictionary: string, entry: string): string {
  const end = dictionary.lastIndexOf('>>')
  if (end === -1) throw new Error('The object of the PDF is no dictionary')
  return `${dictionary.slice(0, end)}${entry}\n${dictionary.slice(end)}`
}

const numberIn = (where: string, pattern: RegExp, what: string): number => {
  const found = pattern.exec(where)?.[1]
  if (found === undefined) throw new Error(`The PDF tells no ${what}`)
  return Number(found)
}

const pdfDate = (at: string) => `D:${at.replaceAll(/[-:T]/g, '').slice(0, 14)}Z`

/**
 * The PDF with a signature on top of it.
 * @param at instant of the bundle, which the signature dictionary tells; who vouches for it is the token
 * @throws when the PDF is not of the form that our printer writes, or the signature does not fit its place
 */
export async function signPdf(
  pdf: Uint8Array,
  document: DocumentSigner,
  { at, reason, stamp, signal }: { at: string; reason: string; stamp: Stamper; signal: AbortSignal },
): Promise<Uint8Array<ArrayBuffer>> {
  const before = latin1.decode(pdf)
  const trailer = before.slice(before.lastIndexOf('trailer'))
  const size = numberIn(trailer, /\/Size (\d+)/, 'size')
  const root = numberIn(trailer, /\/Root (\d+) 0 R/, 'root')
  const id = /\/ID \[[^\]]+\]/.exec(trailer)?.[0]
  const info = /\/Info \d+ 0 R/.exec(trailer)?.[0]
  const previous = numberIn(before.slice(before.lastIndexOf('startxref')), /startxref\s+(\d+)/, 'start')
  if (id === undefined) throw new Error('The PDF has no /ID')
  const catalog = objectText(before, root)
  const pages = numberIn(catalog, /\/Pages (\d+) 0 R/, 'pages')
  const page = numberIn(objectText(before, pages), /\/Kids \[\s*(\d+) 0 R/, 'first page')
  const pageText = objectText(before, page)
  const [field, value] = [size, size + 1]
  const annotated = /\/Annots \[/.test(pageText)
    ? pageText.replace('/Annots [', `/Annots [${field} 0 R `)
    : withEntry(pageText, `/Annots [${field} 0 R]`)
  const place = '0'.repeat(ROOM * 2)
  const byteRange = '/ByteRange [0 0000000000 0000000000 0000000000]'
  const objects: [number, string][] = [
    [root, withEntry(catalog, `/AcroForm << /Fields [${field} 0 R] /SigFlags 3 >>`)],
    [page, annotated],
    [
      field,
      // Without a place on the page, and printed as nothing: 132 is Print and Locked.
      `<<\n/Type /Annot\n/Subtype /Widget\n/FT /Sig\n/T (Signature)\n/TU (Signature of the product)\n/Rect [0 0 0 0]\n/F 132\n/P ${page} 0 R\n/V ${value} 0 R\n>>`,
    ],
    [
      value,
      `<<\n/Type /Sig\n/Filter /Adobe.PPKLite\n/SubFilter /ETSI.CAdES.detached\n/M (${pdfDate(at)})\n/Reason (${reason.replaceAll(/[()\\]/g, ' ')})\n${byteRange}\n/Contents <${place}>\n>>`,
    ],
  ]
  let update = before.endsWith('\n') ? '' : '\n'
  const offsets: [number, number][] = []
  for (const [number, body] of objects.toSorted(([a], [b]) => a - b)) {
    offsets.push([number, pdf.length + update.length])
    update += `${number} 0 obj\n${body}\nendobj\n`
  }
  const xref = pdf.length + update.length
  update += 'xref\n'
  for (const [number, offset] of offsets)
    update += `${number} 1\n${String(offset).padStart(10, '0')} 00000 n \n`
  update += `trailer\n<<\n/Size ${size + 2}\n/Root ${root} 0 R\n${info === undefined ? '' : `${info}\n`}${id}\n/Prev ${previous}\n>>\nstartxref\n${xref}\n%%EOF\n`

  // What is written anew must be what was read: other octets would change in the writing.
  if (/[^\n\r\t\x20-\x7e]/.test(update))
    throw new Error('The PDF’s catalogue or first page is not plain ASCII')
  const total = pdf.length + update.length
  const start = pdf.length + update.indexOf(`<${place}>`)
  const end = start + place.length + 2
  const numbers = [start, end, total - end].map((n) => String(n))
  // Written without leading zeros, and padded behind, so that nothing moves.
  update = update.replace(byteRange, `/ByteRange [0 ${numbers.join(' ')}]`.padEnd(byteRange.length))
  const whole = new Uint8Array(total)
  whole.set(pdf)
  whole.set(text.encode(update), pdf.length)
  const content = new Uint8Array(total - place.length - 2)
  content.set(whole.subarray(0, start))
  content.set(whole.subarray(end), start)
  const cms = await detachedCms(content, document, stamp, signal)
  if (cms.length > ROOM) throw new Error(`The signature of ${cms.length} bytes does not fit into the PDF`)
  whole.set(text.encode(cms.toHex()), start + 1)
  return whole
}
