import { execFileSync, spawnSync } from 'node:child_process'
import { inflateSync } from 'node:zlib'

/** The text of a PDF: its bytes, whatever its streams hold, and what a reader shows where pdftotext is there. */
export function textOfPdf(pdf: Uint8Array): string {
  const raw = Buffer.from(pdf).toString('latin1')
  const streams = [...raw.matchAll(/stream\r?\n/g)].map(({ index }) => {
    const from = raw.indexOf('\n', index) + 1
    try {
      return inflateSync(pdf.subarray(from, raw.indexOf('endstream', from))).toString('latin1')
    } catch {
      // Not every stream is deflated; those are in the raw text.
      return ''
    }
  })
  const shown =
    spawnSync('pdftotext', ['-v']).error === undefined
      ? execFileSync('pdftotext', ['-layout', '-', '-'], { encoding: 'utf8', input: pdf })
      : ''
  return [raw, ...streams, shown].join('\n')
}
