import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openBrowser, violations } from './testing/browser.fixture.ts'
import { builtConsole } from './testing/built-console.fixture.ts'
import { type FixtureServer, startFixtureServer } from './testing/server.fixture.ts'
import { settled, signIn, visit } from './testing/visit.fixture.ts'

let browser: Browser
let server: FixtureServer
/** A folder to keep pictures in; none are made where it is not set. */
const shots = process.env['SCREENSHOTS']
const closing = new AsyncDisposableStack()

beforeAll(async () => {
  server = closing.use(await startFixtureServer(await builtConsole()))
  browser = await openBrowser()
})
afterAll(async () => {
  await browser.close()
  await closing.disposeAsync()
})

test.each([
  ['light', 1280],
  ['dark', 390],
] as const)(
  'in %s at %i pixels the licence shows to the letter what is sent, and stops counts at once',
  { timeout: 150_000 },
  async (theme, width) => {
    await using seen = await visit(browser, server.url, { theme, width })
    const { page } = seen
    await signIn(page)
    await page.getByRole('heading', { name: 'Sign in' }).waitFor({ state: 'detached' })
    await page.goto(`${server.url}/settings/licence`)
    await page.getByText('What the next check sends').waitFor({ timeout: 60_000 })
    const sent = page.getByLabel('Body of the next licence check')
    await page.getByText('Days left').waitFor()
    await settled(page)
    expect(await violations(page)).toEqual([])
    expect(await sent.textContent()).toContain('"stats"')
    if (shots) await page.screenshot({ path: join(shots, `licence-${theme}-${width}.png`), fullPage: true })
    const counts = page.getByLabel('Send counts with the licence check')
    await counts.uncheck()
    await expect.poll(() => sent.textContent()).not.toContain('"stats"')
    await counts.check()
    await expect.poll(() => sent.textContent()).toContain('"stats"')
    expect(seen.complaints).toEqual([])
  },
)
