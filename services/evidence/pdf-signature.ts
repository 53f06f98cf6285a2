import { checkBound, checkSigned, readSignedData } from './asn1/cms.ts'
import { type Bytes, elementAt, must, Refusal } from './asn1/der.ts'

const latin1 = new TextDecoder('latin1')
const range = /\/ByteRange \[(\d{1,10}) (\d{1,10}) (\d{1,10}) (\d{1,10})\]/g
const data = '1.2.840.113549.1.7.1'

/**
 * Why a PDF is not signed, as a whole and once, with the certificate of this SHA-256; null when it is. Nothing may
 * follow the signature: its byte range must reach from the first octet to the last, leaving out itself alone.
 * @see ISO 32000-2 §12.8.1, ETSI EN 319 142-1
 */
export async function pdfSignatureProblem(
  pdf: Uint8Array,
  certificateSha256: string,
): Promise<string | null> {
  const text = latin1.decode(pdf)
  const [found, second] = [...text.matchAll(range)]
  if (found === undefined) return 'is not signed'
  if (second !== undefined) return 'is signed more than once'
  const [from, first, next, rest] = found.slice(1).map(Number)
  if (from === undefined || first === undefined || next === undefined || rest === undefined)
    return 'has no byte range'
  if (from !== 0 || next <= first || next + rest !== pdf.length) return 'was updated after it was signed'
  if (text.split('%%EOF').length !== 3) return 'was updated before it was signed'
  const contents = /^<([0-9A-Fa-f]+)>$/.exec(text.slice(first, next))?.[1]
  if (contents === undefined || contents.length % 2 !== 0) return 'has no signature where its byte range says'
  const signed = new Uint8Array(first + rest)
  signed.set(pdf.subarray(0, first))
  signed.set(pdf.subarray(next), first)
  try {
    await checkDetached(Uint8Array.fromHex(contents), signed, certificateSha256)
    return null
  } catch (error) {
    if (error instanceof Refusal) return `has a signature that does not hold: ${error.message}`
    throw error
  }
}

async function checkDetached(padded: Bytes, content: Bytes, certificateSha256: string): Promise<void> {
  const { element, end } = elementAt(padded, 0)
  must(
    padded.subarray(end).every((octet) => octet === 0),
    'bytes follow it',
  )
  const signed = readSignedData(element, 'it')
  must(signed.contentType === data, 'it signs another kind of content')
  must(signed.content === null, 'it carries a content of its own')
  const print = await crypto.subtle.digest('SHA-256', signed.certificate.der)
  must(
    new Uint8Array(print).toHex() === certificateSha256,
    'it is of another certificate than the manifest names',
  )
  await checkSigned(signed, content, data)
  await checkBound(signed)
}
