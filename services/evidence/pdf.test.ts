import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { createTsa } from '../twin/tsa/index.ts'
import { now, partsOf, rows, sealInMemory, trustOf } from './bundle.fixture.ts'
import { fixedKey, reportOf, stamped } from './pdf.fixture.ts'
import { mostSampleRows } from './gather.ts'
import { printReport } from './pdf.ts'
import { localSigner } from './sign.ts'
import { verifyBundle } from './verify.ts'

const folder = mkdtempSync(join(tmpdir(), 'attestry-pdf-'))
afterAll(() => rmSync(folder, { recursive: true }))

const random = (length: number) => Uint8Array.from(randomBytes(length))
const here = (tool: string) => spawnSync(tool, ['--version']).error === undefined
const noPoppler = 'this machine has no poppler-utils to read a PDF with'

function saved(name: string, bytes: Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

const textOf = (path: string) => execFileSync('pdftotext', ['-layout', path, '-'], { encoding: 'utf8' })

describe('printReport()', () => {
  test('gives the same bytes in every time zone', async () => {
    const script = `
      import { reportOf } from ${JSON.stringify(new URL('pdf.fixture.ts', import.meta.url).href)}
      import { printReport } from ${JSON.stringify(new URL('pdf.ts', import.meta.url).href)}
      import { createHash } from 'node:crypto'
      process.stdout.write(createHash('sha256').update(await printReport(await reportOf())).digest('hex'))`
    const bytes = await printReport(await reportOf())
    const local = createHash('sha256').update(bytes).digest('hex')
    for (const TZ of ['Pacific/Kiritimati', 'America/Los_Angeles']) {
      const there = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
        env: { ...process.env, TZ },
        encoding: 'utf8',
      })
      expect(there).toBe(local)
    }
  })

  test('claims PDF/A-3a and PDF/UA-1 only when every font is embedded', async () => {
    const archival = Buffer.from(await printReport(await reportOf())).toString('latin1')
    expect(archival).toContain('<pdfaid:part>3</pdfaid:part>')
    expect(archival).toContain('<pdfaid:conformance>A</pdfaid:conformance>')
    expect(archival).toContain('<pdfuaid:part>1</pdfuaid:part>')
    const plain = Buffer.from(await printReport(await reportOf({ fonts: null }))).toString('latin1')
    expect(plain).not.toMatch(/pdfaid|pdfuaid/)
  })

  test('has no syntax errors, and qpdf finds CSV, list and token attached unchanged', async ({ skip }) => {
    skip(!here('qpdf'), 'this machine has no qpdf to ask')
    const report = await reportOf({ tier: await stamped(random) })
    const path = saved('attached.pdf', await printReport(report))
    expect(spawnSync('qpdf', ['--check', path]).status).toBe(0)
    const attached = (name: string) => execFileSync('qpdf', [path, `--show-attachment=${name}`])
    const csv = report.attachments.get('report/asset-inventory.csv') ?? new Uint8Array(0)
    expect(attached('report-asset-inventory.csv').equals(csv)).toBe(true)
    expect(attached('DATA.SHA256SUMS').equals(report.tier.dataSums)).toBe(true)
    expect(attached('DATA.tsr')[0]).toBe(0x30)
  })

  test('a pending timestamp reads PENDING, a token reads with its time and its authority', async ({
    skip,
  }) => {
    skip(!here('pdftotext'), noPoppler)
    const pending = textOf(saved('pending.pdf', await printReport(await reportOf())))
    expect(pending).toContain('PENDING. No authority vouches for the time yet.')
    expect(pending).not.toContain('NOT INDEPENDENT')
    const full = textOf(
      saved('stamped.pdf', await printReport(await reportOf({ tier: await stamped(random) }))),
    )
    expect(full).toContain('2026-03-01T12:00:00.000Z, token')
    expect(full).toContain('Run by the operator: not')
    expect(full).not.toContain('PENDING')
  })

  test('says DEMONSTRATION on every page of a demonstration, and on none of the real thing', async ({
    skip,
  }) => {
    skip(!here('pdftotext'), noPoppler)
    const real = await reportOf()
    const demo = await reportOf({ manifest: { ...real.manifest, origin: 'demo' } })
    const pages = textOf(saved('demo.pdf', await printReport(demo)))
      .split('\f')
      .slice(0, -1)
    expect(pages.length).toBeGreaterThan(3)
    expect(pages.filter((page) => !page.includes('DEMONSTRATION'))).toEqual([])
    expect(textOf(saved('real.pdf', await printReport(real)))).not.toContain('DEMONSTRATION')
  })

  test('prints cover, totals, limits, commands and page numbers', async ({ skip }) => {
    skip(!here('pdftotext'), noPoppler)
    const report = await reportOf()
    const text = textOf(saved('whole.pdf', await printReport(report)))
    for (const expected of [
      'Asset inventory',
      report.tier.digest,
      report.manifest.signing.fingerprint,
      'Control totals',
      'This is not a certification.',
      'Keep the logs of the vaults for a year.',
      'sha256sum --strict -c SHA256SUMS',
      'Management assertion',
      'Page 1 of 7',
      'Scope and reconciliation',
      'How much of the period was observed',
      'What each column holds',
    ]) {
      expect(text).toContain(expected)
    }
  })

  test('prints a sample of at most 500 rows, with the header on every page, and says so', async ({
    skip,
  }) => {
    skip(!here('pdftotext'), noPoppler)
    const base = await reportOf()
    const sample = Array.from({ length: 700 }, (_, index) => [`asset-${index}`, 'key'])
    const [entry] = base.manifest.reports
    if (entry === undefined) throw new Error('the fixture has a report')
    const bytes = await printReport({ ...base, sample, report: { ...entry, rows: 12_480 } })
    const text = textOf(saved('long.pdf', bytes))
    expect(text).toContain('The first 500 of 12,480 rows')
    expect(text).toContain(`asset-${mostSampleRows - 1}`)
    expect(text).not.toContain(`asset-${mostSampleRows} `)
    const pages = text.split('\f').filter((page) => page.includes('asset-1'))
    expect(pages.filter((page) => !/asset +kind/.test(page))).toEqual([])
  })

  test('prints names in Latin, Greek, Cyrillic and Vietnamese letters', async ({ skip }) => {
    skip(!here('pdftotext'), noPoppler)
    const names = ['Žluťoučký őű', 'Ελληνικά κλειδί', 'ключ-платежей Ґ', 'Nguyễn']
    const report = await reportOf({ sample: names.map((name) => [name, 'key']) })
    const path = saved('scripts.pdf', await printReport(report))
    const text = textOf(path)
    for (const name of names) expect(text).toContain(name)
    const fonts = execFileSync('pdffonts', [path], { encoding: 'utf8' }).split('\n').slice(2, -1)
    // Embedded, subset, and with a map back to Unicode: the columns "emb sub uni".
    expect(fonts.filter((font) => !/yes yes yes/.test(font))).toEqual([])
  })

  test('names the controls of a framework with both numbers, the coverage in words, and what differs', async ({
    skip,
  }) => {
    skip(!here('pdftotext'), noPoppler)
    const base = await reportOf()
    const control = {
      control: 'CC6.2',
      title: 'Credential lifecycle',
      published: ['CC6.1'],
      relation: 'retitled',
      note: 'rotation belongs to CC6.1',
      coverage: 'direct' as const,
      customerAction: null,
      rules: ['P001'],
      results: [],
    }
    const framework = {
      framework: 'soc2-2017' as const,
      title: 'SOC 2',
      limits: 'Parts of CC6 only.',
      evaluatedAt: null,
      controls: [control],
    }
    const text = textOf(
      saved('packet.pdf', await printReport({ ...base, manifest: { ...base.manifest, framework } })),
    )
    for (const expected of ['CC6.2', 'CC6.1', 'Direct technical evidence', 'Parts of CC6 only.', 'retitled'])
      expect(text).toContain(expected)
    expect(text).not.toMatch(/\bcompliant\b/i)
  })

  test('writes what its font does not have as code points, never as empty boxes', async ({ skip }) => {
    skip(!here('pdftotext'), noPoppler)
    const text = textOf(
      saved('foreign.pdf', await printReport(await reportOf({ sample: [['\u4e2d', 'k\u00e9y']] }))),
    )
    expect(text).toContain('U+4E2D')
    expect(text).toContain('k\u00e9y')
  })

  test('stops when it is cancelled', async () => {
    await expect(printReport(await reportOf({ signal: AbortSignal.abort() }))).rejects.toThrow('aborted')
  })

  test('a bundle with the real PDF in it verifies; an update on top of the PDF does not', async () => {
    const tsa = await createTsa({ clock: () => now, random })
    const signer = localSigner(fixedKey)
    const parts = partsOf(signer, tsa)
    const base = await reportOf({ manifest: parts.manifest, sample: rows })
    const sealed = await sealInMemory({
      ...parts,
      print: async (tier, signal) =>
        new Map([['report/asset-inventory.pdf', await printReport({ ...base, tier, signal })]]),
    })
    expect(await verifyBundle(sealed.zip, trustOf(signer, tsa))).toMatchObject({
      ok: true,
      timestamped: true,
    })
    const pdf = sealed.files.get('report/asset-inventory.pdf') ?? new Uint8Array(0)
    const updated = Uint8Array.from(Buffer.concat([pdf, Buffer.from('\n1 0 obj\n<<>>\nendobj\n%%EOF\n')]))
    const files = new Map([...sealed.files, ['report/asset-inventory.pdf', updated] as const])
    const { checks } = await verifyBundle(files, trustOf(signer, tsa))
    expect(checks.find(({ id }) => id === 'printed')).toMatchObject({ ok: false })
  })
})

test('the fonts that are embedded come with their licence', () => {
  for (const family of ['ibm-plex-sans', 'ibm-plex-mono']) {
    const path = new URL(import.meta.resolve(`@fontsource/${family}/LICENSE`))
    expect(readFileSync(path, 'utf8')).toContain('SIL Open Font License')
  }
})
