import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { evidenceHttp } from '@attestry/contracts/http'
import { sha256 } from '@attestry/kit/ledger'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openBrowser, violations } from '../web/src/testing/browser.fixture.ts'
import { builtConsole } from '../web/src/testing/built-console.fixture.ts'
import { verifyBundle } from './evidence/verify.ts'
import { bringUp, judged, PASSWORD, scanned, type Stage } from './stage.ts'
import { type RunningCloud, seededEstate, startCloud } from './twin/index.ts'
import { createTsa, type Tsa } from './twin/tsa/index.ts'

/* The whole path in a real browser, with the real services behind it. */

let browser: Browser
let cloud: RunningCloud
let tsa: Tsa
let stage: Stage

beforeAll(async () => {
  tsa = await createTsa({ clock: () => new Date(), random: (n) => new Uint8Array(randomBytes(n)) })
  cloud = await startCloud({ estate: seededEstate(Date.now()), tsa })
  process.env['IDENTITY_ENDPOINT'] = cloud.identityEndpoint
  process.env['IDENTITY_HEADER'] = cloud.identityHeader
  const staticDir = await builtConsole()
  ;[browser, stage] = await Promise.all([openBrowser(), bringUp(cloud, tsa.rootPem, { staticDir })])
  await scanned(stage.api)
  await judged(stage.api)
}, 180_000)

afterAll(async () => {
  await browser?.close()
  await stage?.[Symbol.asyncDispose]()
  await cloud?.stop()
})

test('sign in, look at score, finding and asset, build a bundle, download it, and it verifies', {
  timeout: 180_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'attestry-browser-'))
  const context = await browser.newContext({ viewport: { width: 1280, height: 820 }, acceptDownloads: true })
  context.setDefaultTimeout(60_000)
  // Chromium says so where the machine has no language, and Intl does not know it.
  await context.addInitScript(() =>
    Object.defineProperty(navigator, 'language', { get: () => 'en-US@posix' }),
  )
  const page = await context.newPage()
  const refused: string[] = []
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) refused.push(message.text())
  })
  try {
    await page.goto(stage.url)
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await page.getByLabel('Name', { exact: true }).fill('admin')
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.getByText('DEMONSTRATION').first().waitFor()
    await page.getByText('kv-hr-restricted').first().waitFor()
    await page.locator('.trend canvas').waitFor()
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await page.screenshot({ path: join(folder, `overview-${colorScheme}.png`) })
      expect(await violations(page)).toEqual([])
    }

    await page.getByRole('link', { name: 'Findings' }).first().click()
    await page.locator('.rows [data-row]').first().click()
    await page.getByRole('heading', { name: 'What to do' }).waitFor()
    await page.getByRole('link', { name: 'Inventory' }).first().click()
    await page
      .getByText(/\d+ credentials/)
      .first()
      .waitFor()
    await page.getByRole('link', { name: 'Compliance' }).click()
    await page.getByText('CIS Microsoft Azure').first().waitFor()

    await page.getByRole('link', { name: 'Evidence' }).click()
    await page.getByRole('button', { name: 'Build a bundle' }).click()
    await page.getByRole('button', { name: 'Build', exact: true }).click()
    // Signed in a moment ago, so no password is asked again.
    const bundle = page.locator('.bundle').first()
    await bundle.getByText('Sealed').waitFor()
    await bundle.getByText('local, not independent').waitFor()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      bundle.getByRole('link', { name: /Download/ }).click(),
    ])
    const path = join(folder, 'bundle.zip')
    await download.saveAs(path)
    const keys = await stage.api.call(evidenceHttp.readKeys)
    const verdict = await verifyBundle(await readFile(path), {
      signerPublicKeyPem: keys.signer.pem,
      tsaRootsPem: tsa.rootPem,
      now: new Date(),
      sha256,
    })
    expect(verdict.checks.filter((c) => c.ok === false)).toEqual([])
    expect(verdict.timestamped).toBe(true)

    await page.getByRole('link', { name: 'Activity' }).click()
    await page.getByRole('button', { name: 'Verify the chain' }).click()
    await page.getByText('The chain holds').waitFor()
    expect(refused).toEqual([])
  } catch (error) {
    await page.screenshot({ path: join(tmpdir(), 'attestry-browser-failed.png') })
    throw error
  } finally {
    await context.close()
    await rm(folder, { recursive: true, force: true })
  }
})
