import { readFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AnswerPayload, FilePayload, SignedLicense } from '@attestry/contracts'
import type { Browser, Page } from 'playwright-core'
import { build } from 'vite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type LocalService, startLocal } from '../../../license-worker/local.ts'
import { installNumber, type Seeded, seedFleet } from '../../../license-worker/seeded-fleet.fixture.ts'
import { openBrowser, violations } from '../testing/browser.fixture.ts'
import { settled, visit } from '../testing/visit.fixture.ts'

/* The fleet view as it is built, served by the real Worker in workerd, over a fleet that was seeded there. */

const LICENSES = 20
let folder: string
let local: LocalService
let browser: Browser
let fleet: readonly Seeded[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attestry-fleet-'))
  const assets = join(folder, 'assets')
  await build({
    configFile: fileURLToPath(new URL('../../vite.fleet.ts', import.meta.url)),
    logLevel: 'error',
    mode: 'production',
    build: { outDir: join(assets, 'fleet'), emptyOutDir: true },
  })
  local = await startLocal({ state: join(folder, 'state'), port: 0, assets })
  ;[browser, fleet] = await Promise.all([openBrowser(), seedFleet(local, { licenses: LICENSES, days: 3 })])
})
afterAll(async () => {
  await browser?.close()
  await local?.miniflare.dispose()
  await rm(folder, { recursive: true, force: true })
})

const shots = process.env['SCREENSHOTS']
async function look(page: Page, name: string): Promise<void> {
  await settled(page)
  expect(await violations(page)).toEqual([])
  if (shots !== undefined) await page.screenshot({ path: join(shots, `fleet-${name}.png`) })
}

const signIn = async (page: Page, token: string): Promise<void> => {
  await page.getByLabel('Vendor token').fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** What an install with a key is told. */
async function verdictOf(key: string): Promise<string> {
  const response = await fetch(new URL('/v1/validate', local.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ key, install: installNumber(0), version: '1.4.0', nonce: 'ab'.repeat(16) }),
  })
  return AnswerPayload.parse(JSON.parse(SignedLicense.parse(await response.json()).payload)).verdict
}

test('a vendor sees the fleet, issues a licence once though the answer was lost, and ends it', {
  timeout: 180_000,
}, async () => {
  const [first] = fleet
  if (!first) throw new Error('no fleet')
  await using seen = await visit(browser, `${local.url.origin}/fleet/`)
  const { page } = seen
  page.setDefaultTimeout(60_000)
  await signIn(page, 'a-token-that-nobody-has-given')
  await page.getByText('Sign in with a token that VENDOR_TOKENS knows.').waitFor()
  await signIn(page, local.token)

  // The evaluation licence of this machine is one more.
  await page
    .getByText(`${LICENSES - 1} in all`)
    .or(page.getByText(`${LICENSES} in all`))
    .waitFor()
  await page.getByRole('img', { name: /^Installs: from \d+ on/ }).waitFor()
  await page.getByLabel('Installs by version').getByRole('link', { name: '1.3.2' }).waitFor()
  await look(page, 'overview')
  await page.getByRole('link', { name: 'silent for two days' }).click()
  await page.getByText(/^\d match$/).waitFor()
  await page.getByRole('table', { name: 'Installs' }).getByText('silent').first().waitFor()

  // The answer to the first wish is lost on its way; the second asks for the same.
  let lost = 0
  await page.route('**/v1/vendor/licenses', async (route) => {
    if (route.request().method() !== 'POST' || lost > 0) return route.continue()
    lost += 1
    await route.fetch()
    return route.abort()
  })
  await page.getByRole('link', { name: 'Licences', exact: true }).click()
  await page.getByRole('button', { name: 'Issue a licence' }).click()
  await page.getByLabel('Customer', { exact: true }).fill('Relecloud')
  await look(page, 'issue')
  await page.getByRole('button', { name: 'Issue the licence' }).click()
  await page.getByText('This page cannot reach the licence service.').waitFor()
  await page.getByRole('button', { name: 'Issue the licence' }).click()
  await page.getByRole('heading', { name: 'Licence issued' }).waitFor()
  const key = (await page.locator('.one-time code').textContent()) ?? ''
  expect(await verdictOf(key)).toBe('VALID')
  await page.getByRole('button', { name: 'I have handed it over' }).click()
  await page.getByLabel('Search licences').fill('Relecloud')
  await page.getByText(/^1 match$/).waitFor()

  await page.getByRole('link', { name: /^Relecloud/ }).click()
  await page.getByText('1 of 3').waitFor()
  await page.getByRole('button', { name: 'Change tier' }).click()
  await page.getByRole('dialog').getByLabel('Tier').selectOption('enterprise')
  await page.getByText('Gains: Sync to other clouds').waitFor()
  await page.getByRole('dialog').getByRole('button', { name: 'Change the tier' }).click()
  await page.getByText('1 of any number').waitFor()

  await page.getByRole('button', { name: 'New key' }).click()
  await page.getByRole('button', { name: 'Make a new key' }).click()
  const newKey = (await page.locator('.one-time code').textContent()) ?? ''
  await page.getByRole('button', { name: 'I have handed it over' }).click()
  await page.getByText('overlaps').waitFor()
  expect([await verdictOf(key), await verdictOf(newKey)]).toEqual(['VALID', 'VALID'])

  await page.getByRole('button', { name: 'Licence file' }).click()
  await page.getByLabel('Number of the install').fill(installNumber(99))
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Make and download' }).click(),
  ])
  const file = SignedLicense.parse(JSON.parse(await readFile(await download.path(), 'utf8')))
  expect(FilePayload.parse(JSON.parse(file.payload))).toMatchObject({
    install: installNumber(99),
    tier: 'enterprise',
  })
  await look(page, 'licence')

  await page.getByRole('button', { name: 'Revoke' }).click()
  const revoke = page.getByRole('dialog').getByRole('button', { name: 'Revoke' })
  await page.getByLabel('Reason').fill('returned')
  expect(await revoke.isDisabled()).toBe(true)
  await page.getByLabel(/^Type ATT-/).fill(newKey.slice(0, 8))
  await revoke.click()
  await page.getByText('Revoked', { exact: true }).first().waitFor()
  expect(await verdictOf(newKey)).toBe('INVALID')

  await page.getByRole('link', { name: 'Audit', exact: true }).click()
  const issued = page.getByRole('link', { name: /^Issued, Relecloud/ })
  await issued.first().waitFor()
  expect(await issued.count()).toBe(1)
  await look(page, 'audit')
  expect(seen.complaints).toEqual([])
})

test('a token that may only read shows a small dark screen the same, and nothing that it may not do', {
  timeout: 120_000,
}, async () => {
  const [first] = fleet
  await using seen = await visit(browser, `${local.url.origin}/fleet/licences/${first?.license}`, {
    theme: 'dark',
    width: 390,
  })
  const { page } = seen
  page.setDefaultTimeout(60_000)
  await signIn(page, local.readerToken)
  await page.getByRole('heading', { name: first?.customer ?? '' }).waitFor()
  await page.getByText('What was done').waitFor()
  await look(page, 'licence-dark-390')
  expect(
    await page.getByRole('button', { name: /Extend|tier|Suspend|Revoke|key|file|Release/ }).count(),
  ).toBe(0)
  await page.getByRole('button', { name: 'Open navigation' }).click()
  expect(await page.getByRole('link', { name: 'Personal data' }).count()).toBe(0)
  await page.getByRole('link', { name: 'Fleet', exact: true }).click()
  await page.getByRole('img', { name: /^Installs: from/ }).waitFor()
  await look(page, 'overview-dark-390')
  await page.getByRole('button', { name: 'Open navigation' }).click()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('heading', { name: 'Licences and fleet' }).waitFor()
  await page.reload()
  await page.getByRole('heading', { name: 'Licences and fleet' }).waitFor()
  expect(seen.complaints).toEqual([])
})
