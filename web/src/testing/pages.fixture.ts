/// <reference types="node" />
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { openBrowser, violations } from './browser.fixture.ts'
import { builtConsole } from './built-console.fixture.ts'
import { startFixtureServer } from './server.fixture.ts'
import { settled, signIn, visit } from './visit.fixture.ts'

/** A folder to keep a picture of every page in; none are made where it is not set. */
const SCREENSHOTS = process.env['SCREENSHOTS']

/** Every page, with what must be on it before it counts as shown. */
const PAGES: readonly (readonly [name: string, address: string, shows: string])[] = [
  ['overview', '/', 'Needs you now'],
  ['findings', '/findings', 'worst first'],
  ['findings-by-rule', '/findings?by=rule', 'Purge Protection Enabled'],
  ['inventory', '/inventory', 'credentials'],
  ['vaults', '/vaults', 'kv-payments-prod'],
  ['rotation', '/rotation', 'Needs you, switching'],
  ['rotation-one', '/rotation/rotation-0002', 'Stands still'],
  ['rotation-policy', '/rotation?part=policies&policy=policy-0001', 'Which secret holds it'],
  ['rotation-calendar', '/rotation?part=calendar', 'Declare a freeze'],
  ['sync', '/sync', 'Look at the plan'],
  ['sync-copies', '/sync?part=copies', 'acquirer-api-key'],
  ['sync-settings', '/sync?edit=route-aws00000001', 'What becomes of copies'],
  ['sync-conflict', '/sync?part=copies&conflicts=true', 'stripe-key'],
  ['sync-plan', '/sync?plan=run-first00000001', 'Accept and write'],
  ['compliance', '/compliance', 'CIS Microsoft Azure'],
  ['rules', '/compliance?part=rules&rule=P001', 'All Secrets Have Expiry Dates'],
  ['score', '/compliance?part=score', 'Bands'],
  ['evidence', '/evidence', 'Anchor now'],
  ['verify', '/evidence/verify', 'nothing is uploaded'],
  ['activity', '/activity', 'Verify the chain'],
  ['people', '/settings/people', 'vera viewer'],
  ['auditors', '/settings/auditors', 'Example Assurance'],
  ['environments', '/settings/environments', 'Contoso production'],
  ['licence', '/settings/licence', 'What the next check sends'],
  ['account', '/settings/account', 'Who you are'],
  ['operations', '/operations', 'Stuck work'],
]

/** How somebody comes to a page: by its address, which loads the console anew, or from the page before. */
type Arrival = 'by-address' | 'from-before'

/** Goes on within the console, as a link does. */
const goOn = (page: Page, address: string): Promise<void> =>
  page.evaluate((to) => {
    history.pushState(null, '', to)
    dispatchEvent(new PopStateEvent('popstate'))
  }, address)

/**
 * The test of every page at a width, in both themes: a theme changes colours alone, so in the dark it is contrast that
 * is looked at again. One file a width, so that they run side by side.
 */
export function everyPage(width: number, arrival: Arrival): void {
  test(`at ${width} pixels every page is sound for assistive technology, fits its width and obeys the content policy`, {
    timeout: 240_000,
  }, async () => {
    await using closing = new AsyncDisposableStack()
    const server = closing.use(await startFixtureServer(await builtConsole()))
    const browser = await openBrowser()
    closing.defer(() => browser.close())
    const seen = closing.use(await visit(browser, server.url, { width }))
    const { page } = seen
    const soundInBothThemes = async (name: string): Promise<void> => {
      for (const theme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme: theme })
        // Who asks for little motion gets the other colours at once.
        const moving = await page.evaluate(
          () => document.getAnimations().filter((one) => one instanceof CSSTransition).length,
        )
        const found = await violations(page, theme === 'light' ? undefined : ['color-contrast'])
        expect({ name, theme, moving, found }).toEqual({ name, theme, moving: 0, found: [] })
        if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, `${name}-${theme}-${width}.png`) })
      }
    }
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await soundInBothThemes('sign-in')
    await signIn(page)
    for (const [name, address, shows] of PAGES) {
      if (arrival === 'by-address') await page.goto(server.url + address)
      else await goOn(page, address)
      await page.getByText(shows).first().waitFor({ state: 'attached' })
      await settled(page)
      await soundInBothThemes(name)
      const wider = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      )
      const demonstration = await page.getByText('DEMONSTRATION', { exact: true }).count()
      expect({ name, wider, demonstration }).toEqual({ name, wider: 0, demonstration: 1 })
    }
    expect(seen.complaints).toEqual([])
  })
}
