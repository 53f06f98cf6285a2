import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTsa } from '../twin/tsa/index.ts'
import { now, partsOf } from './bundle.fixture.ts'
import { documentSigner, type DocumentSigner, selfSignedCertificate } from './document-certificate.ts'
import { fixedKey, reportOf } from './pdf.fixture.ts'
import { printReport } from './pdf.ts'
import { pdfSignatureProblem } from './pdf-signature.ts'
import { signPdf } from './pdf-sign.ts'
import { generateSigningKey, localSigner } from './sign.ts'

const folder = mkdtempSync(join(tmpdir(), 'attestry-pades-'))
afterAll(() => rmSync(folder, { recursive: true }))
const { signal } = new AbortController()
const random = (length: number) => Uint8Array.from(randomBytes(length))
const here = (tool: string) => spawnSync(tool, ['--version']).error === undefined
const at = now.toISOString()

let document: DocumentSigner
let printed: Uint8Array
let signed: Uint8Array
beforeAll(async () => {
  const signer = localSigner(generateSigningKey())
  document = documentSigner(signer, await selfSignedCertificate(signer, new Date(), signal))
  printed = await printReport(await reportOf())
  const tsa = await createTsa({ clock: () => now, random })
  const stamp = partsOf(localSigner(fixedKey), tsa).timestamp
  signed = await signPdf(printed, document, { at, reason: 'Asset inventory (all)', stamp, signal })
})

function saved(name: string, bytes: Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

describe('signPdf()', () => {
  test('signs the whole of it, on top of the bytes that were printed, and keeps its /ID', async () => {
    expect(await pdfSignatureProblem(signed, document.certificateSha256)).toBeNull()
    expect(Buffer.from(signed.subarray(0, printed.length)).equals(Buffer.from(printed))).toBe(true)
    const text = Buffer.from(signed).toString('latin1')
    const ids = text.match(/\/ID \[[^\]]+\]/g)
    expect(ids).toHaveLength(2)
    expect(ids?.[0]).toBe(ids?.[1])
    expect(text).toContain('/SubFilter /ETSI.CAdES.detached')
  })

  test('is signed without a timestamp where none can be had: nothing is made up', async () => {
    const pending = () =>
      Promise.resolve({ status: 'pending', reason: 'away', retryAt: at, attempts: [] } as const)
    const bare = await signPdf(printed, document, { at, reason: 'r', stamp: pending, signal })
    expect(await pdfSignatureProblem(bare, document.certificateSha256)).toBeNull()
    // The token's attribute, 1.2.840.113549.1.9.16.2.14, in hexadecimal DER.
    const attribute = '060b2a864886f70d010910020e'
    expect(Buffer.from(bare).toString('latin1')).not.toContain(attribute)
    expect(Buffer.from(signed).toString('latin1')).toContain(attribute)
  })

  test('poppler finds one valid PAdES signature over the total document', ({ skip }) => {
    skip(!here('pdfsig'), 'this machine has no poppler-utils to ask')
    const { stdout } = spawnSync('pdfsig', [saved('signed.pdf', signed)], { encoding: 'utf8' })
    expect(stdout).toContain('Signature Validation: Signature is Valid.')
    expect(stdout).toContain('Total document signed')
    expect(stdout).toContain('ETSI.CAdES.detached')
    expect(stdout).not.toContain('Signature #2')
  })

  test('openssl verifies the signature as a CMS over the signed range', ({ skip }) => {
    skip(!here('openssl'), 'this machine has no openssl to ask')
    const text = Buffer.from(signed).toString('latin1')
    const [, a = 0, b = 0, c = 0] = (/\/ByteRange \[(\d+) (\d+) (\d+) (\d+)\]/.exec(text) ?? [])
      .slice(1)
      .map(Number)
    const content = Buffer.concat([signed.subarray(0, a), signed.subarray(b, b + c)])
    const cms = Buffer.from(text.slice(a + 1, b - 1), 'hex')
    const run = spawnSync(
      'openssl',
      [
        'cms',
        '-verify',
        '-binary',
        '-inform',
        'DER',
        '-in',
        saved('signature.der', cms),
        '-content',
        saved('content.bin', content),
        '-CAfile',
        saved('certificate.pem', Buffer.from(document.certificatesPem)),
        '-purpose',
        'any',
        '-out',
        join(folder, 'out'),
      ],
      { encoding: 'utf8' },
    )
    expect(run.stderr).toContain('successful')
  })

  test('qpdf finds no fault in the file', ({ skip }) => {
    skip(!here('qpdf'), 'this machine has no qpdf to ask')
    const { stdout, status } = spawnSync('qpdf', ['--check', saved('checked.pdf', signed)], {
      encoding: 'utf8',
    })
    expect(stdout).toContain('No syntax or stream encoding errors')
    expect(status).toBe(0)
  })
})

describe('a signed PDF that was', () => {
  const problem = (pdf: Uint8Array) => pdfSignatureProblem(pdf, document.certificateSha256)
  const changed = (at: number) => signed.map((octet, i) => (i === at ? octet ^ 1 : octet))

  test('changed anywhere before or after the signature is found', async () => {
    for (const place of [100, printed.length - 200, signed.length - 30])
      expect(await problem(changed(place)), `octet ${place}`).not.toBeNull()
  })

  test('updated on top is found', async () => {
    const more = Buffer.concat([signed, Buffer.from('9 0 obj\n<<>>\nendobj\n%%EOF\n')])
    expect(await problem(more)).toBe('was updated after it was signed')
  })

  test('signed with another certificate, or not at all, is found', async () => {
    expect(await pdfSignatureProblem(signed, '0'.repeat(64))).toContain('another certificate')
    expect(await problem(printed)).toBe('is not signed')
  })
})
