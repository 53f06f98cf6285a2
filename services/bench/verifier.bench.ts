import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import { openBrowser } from '../../web/src/testing/browser.fixture.ts'
import { checkpointLine, chronicle, partsOfChain, worldOf } from '../evidence/attacks.fixture.ts'
import { sealInMemory } from '../evidence/bundle.fixture.ts'
import type { Row } from './row.ts'

/*
 * The verifier of one file, opened from disk in a real browser with no network: its size, and how long it takes from
 * the press of the button to the verdict over a bundle of a hundred thousand events, every check included.
 */

const EVENTS = Number(process.env['BENCH_VERIFIER_EVENTS'] ?? 100_000)
const WAIT_MS = 300_000
const AT = '2026-02-05T08:00:00.000Z'
const START = '2026-02-01T08:00:00.000Z'

/** A bundle of so many events of about 800 bytes, and what is trusted. */
async function bigBundle() {
  const world = await worldOf()
  const found = (n: number) =>
    Array.from({ length: 8 }, (_, i) => ({ id: `asset-${n}-${i}`, kind: 'secret', name: 'x'.repeat(24) }))
  const chain = await chronicle(world, [
    { at: START, type: 'ledger.opened', data: { origin: 'real', productVersion: '0.1.0' } },
    { at: START, type: 'discovery.scan-started', data: { scope: 'all' } },
    1,
    ...Array.from({ length: EVENTS - 4 }, (_, n) => ({
      at: AT,
      type: 'discovery.vault-scanned',
      data: { found: found(n) },
    })),
    25,
  ])
  const parts = partsOfChain(world, chain)
  const data = new Map(parts.data).set('log/disclosures.jsonl', new Uint8Array(0))
  const { zip } = await sealInMemory({ ...parts, data })
  return { zip, world, checkpoint: checkpointLine(world, chain) }
}

/** Size and speed of the browser's verifier. */
export async function run(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'attestry-bench-verifier-'))
  try {
    await build({
      configFile: fileURLToPath(new URL('../../web/vite.verifier.ts', import.meta.url)),
      logLevel: 'error',
      build: { outDir: folder, emptyOutDir: true },
    })
    const page = join(folder, 'index.html')
    const kilobytes = gzipSync(await readFile(page)).length / 1000
    const { zip, world, checkpoint } = await bigBundle()
    const ms = await verifyIn(page, [
      ['bundle', zip],
      ['signer', world.signer.publicKeyPem],
      ['roots', world.tsa.rootPem],
      ['checkpoint', checkpoint],
    ])
    return [
      {
        what: 'the verifier as one HTML file, gzipped',
        measured: `${kilobytes.toFixed(0)} kB`,
        goal: '≤ 100 kB',
        met: kilobytes <= 100,
      },
      {
        what: `a bundle of ${EVENTS.toLocaleString('en')} events verified in it, in Chromium`,
        measured: `${(ms / 1000).toFixed(1)} s`,
        goal: '≤ 5 s',
        met: ms <= 5000,
      },
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Milliseconds from the button to the verdict, the best of three; the bundle must verify. */
async function verifyIn(
  path: string,
  files: readonly (readonly [id: string, bytes: Uint8Array | string])[],
): Promise<number> {
  const browser = await openBrowser({ compiles: true })
  try {
    const page = await browser.newPage()
    await page.goto(pathToFileURL(path).href)
    for (const [id, bytes] of files)
      await page.setInputFiles(`#${id}`, {
        name: id,
        mimeType: 'application/octet-stream',
        buffer: Buffer.from(bytes),
      })
    const times: number[] = []
    for (let turn = 0; turn < 3; turn++) {
      const began = performance.now()
      await page.click('#verify')
      await page.waitForFunction(
        () => (document.querySelector('#verdict')?.textContent ?? '').startsWith('This bundle'),
        undefined,
        { timeout: WAIT_MS },
      )
      times.push(performance.now() - began)
      const verdict = await page.textContent('#verdict')
      if (verdict !== 'This bundle verifies.') throw new Error(`The verifier says: ${verdict}`)
    }
    return Math.min(...times)
  } finally {
    await browser.close()
  }
}
