import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { Browser, Page } from 'playwright-core'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openBrowser } from '../../web/src/testing/browser.fixture.ts'
import { type Attack, attacks, worldOf } from './attacks.fixture.ts'

/* The single-file verifier, opened from disk in a real browser with no network, over the table of attacks. */

let folder: string
let browser: Browser
let page: Page
let all: Attack[]
const asked: string[] = []
const web = fileURLToPath(new URL('../../web/', import.meta.url))

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attestry-verifier-'))
  await build({
    configFile: join(web, 'vite.verifier.ts'),
    logLevel: 'error',
    build: { outDir: folder, emptyOutDir: true },
  })
  all = await attacks(await worldOf())
  browser = await openBrowser()
  page = await browser.newPage()
  page.on('request', (request) => asked.push(request.url()))
  await page.context().setOffline(true)
  await page.goto(pathToFileURL(join(folder, 'index.html')).href)
}, 180_000)
afterAll(async () => {
  await browser.close()
  await rm(folder, { recursive: true, force: true })
})

const put = (id: string, name: string, bytes: Uint8Array | string | null | undefined) =>
  page.setInputFiles(
    `#${id}`,
    bytes === null || bytes === undefined
      ? []
      : [{ name, mimeType: 'application/octet-stream', buffer: Buffer.from(bytes) }],
  )

/** What the page says of a bundle: its verdict, and the checks that fail. */
async function verdictOf({ zip, trust, against }: Attack): Promise<{ verdict: string; failed: string[] }> {
  await put('bundle', 'bundle.zip', zip)
  await put('signer', 'signer.pub', trust.signerPublicKeyPem)
  await put('roots', 'tsa-root.pem', trust.tsaRootsPem)
  await put('checkpoint', 'checkpoint.vkey', trust.checkpointVerifiers)
  await put('against', 'other.zip', against)
  await page.fill('#from', trust.period?.from ?? '')
  await page.fill('#to', trust.period?.to ?? '')
  await page.click('#verify')
  await page.waitForFunction(() =>
    (document.querySelector('#verdict')?.textContent ?? '').startsWith('This bundle'),
  )
  const failed = await page.$$eval('#checks [data-ok="false"]', (items) =>
    items.map((item) => (item instanceof HTMLElement ? (item.dataset['check'] ?? '') : '')),
  )
  return { verdict: (await page.textContent('#verdict')) ?? '', failed }
}

describe('the verifier in one file', () => {
  test('is one file that may load nothing', async () => {
    const html = await readFile(join(folder, 'index.html'), 'utf8')
    expect(html).toContain("default-src 'none'; script-src 'sha256-")
    expect(html).not.toMatch(/<(script|link|img)[^>]+(src|href)=/)
    expect(gzipSync(html).length).toBeLessThan(100_000)
  })

  test('finds the honest bundle in order, and every attack by the check that is named for it', async () => {
    const outcomes = []
    for (const attack of all) {
      const { verdict, failed } = await verdictOf(attack)
      const caught = failed.find((id) => id === attack.caught) ?? failed[0] ?? null
      outcomes.push({ name: attack.name, caught, good: verdict === 'This bundle verifies.' })
    }
    expect(outcomes).toEqual(all.map(({ name, caught }) => ({ name, caught, good: caught === null })))
    // Its own address is all that the page ever asked for.
    expect(asked.filter((url) => !url.startsWith('file:'))).toEqual([])
  }, 180_000)
})
