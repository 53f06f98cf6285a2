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

/** What stands in each field of the page: as a person would, only what differs is put in anew. */
const given = new Map<string, string | null>()

async function put(id: string, bytes: Uint8Array | string | null | undefined): Promise<void> {
  const buffer = bytes === null || bytes === undefined ? null : Buffer.from(bytes)
  const content = buffer?.toString('base64') ?? null
  if (given.get(id) === content) return
  const file = buffer && { name: id, mimeType: 'application/octet-stream', buffer }
  await page.setInputFiles(`#${id}`, file ?? [])
  given.set(id, content)
}

async function fill(id: string, text: string): Promise<void> {
  if (given.get(id) === text) return
  await page.fill(`#${id}`, text)
  given.set(id, text)
}

/** What the page says of a bundle: its verdict, and the checks that fail. */
async function verdictOf({ zip, trust, against }: Attack): Promise<{ verdict: string; failed: string[] }> {
  await put('bundle', zip)
  await put('signer', trust.signerPublicKeyPem)
  await put('roots', trust.tsaRootsPem)
  await put('checkpoint', trust.checkpointVerifiers)
  await put('against', against)
  await fill('from', trust.period?.from ?? '')
  await fill('to', trust.period?.to ?? '')
  await page.click('#verify')
  const told = await page.waitForFunction(() => {
    const verdict = document.querySelector('#verdict')?.textContent ?? ''
    if (!verdict.startsWith('This bundle')) return null
    const failed = [...document.querySelectorAll<HTMLElement>('#checks [data-ok="false"]')]
    return { verdict, failed: failed.map((check) => check.dataset['check'] ?? '') }
  })
  return (await told.jsonValue()) ?? { verdict: '', failed: [] }
}

describe('the verifier in one file', () => {
  test('is one file that may load nothing', async () => {
    const html = await readFile(join(folder, 'index.html'), 'utf8')
    expect(html).toContain("default-src 'none'; script-src 'sha256-")
    expect(html).not.toMatch(/<(script|link|img)[^>]+(src|href)=/)
    expect(gzipSync(html).length).toBeLessThan(100_000)
  })

  test('shows no verdict of files that were replaced since, and no list twice', async () => {
    const [honest] = all
    if (!honest) throw new Error('the table is empty')
    await put('bundle', honest.zip)
    await put('signer', honest.trust.signerPublicKeyPem)
    await put('roots', honest.trust.tsaRootsPem)
    await put('checkpoint', honest.trust.checkpointVerifiers)
    // Pressed twice: the one list that is shown names each check once.
    await page.evaluate(() => {
      const button = document.querySelector<HTMLButtonElement>('#verify')
      button?.click()
      button?.click()
    })
    await page.getByText('This bundle verifies.').waitFor()
    const checks = await page
      .locator('#checks li')
      .evaluateAll((lines: HTMLElement[]) => lines.map((l) => l.dataset['check']))
    expect(checks.length).toBeGreaterThan(10)
    expect(new Set(checks).size).toBe(checks.length)
    // Another file is chosen while the first is read: nothing is said of either until somebody asks.
    await page.evaluate(() => document.querySelector<HTMLButtonElement>('#verify')?.click())
    await put('bundle', 'another file')
    // The first file takes part of a second; its end shows nothing that could be waited for.
    await page.waitForTimeout(1500)
    expect(await page.locator('#verdict').textContent()).toBe('')
    expect(await page.locator('#checks li').count()).toBe(0)
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
