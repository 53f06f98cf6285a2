/// <reference types="node" />
import type { Browser, Locator, Page } from 'playwright-core'

export interface Visit extends AsyncDisposable {
  readonly page: Page
  /** What the browser complained about: script errors, refused inline code, failed files. */
  readonly complaints: readonly string[]
}

export interface VisitOptions {
  readonly width?: number
  readonly theme?: 'light' | 'dark'
}

/** A fresh window on the console, as its own browser profile. */
export async function visit(browser: Browser, url: string, options: VisitOptions = {}): Promise<Visit> {
  const width = options.width ?? 1280
  const context = await browser.newContext({
    viewport: { width, height: width < 600 ? 844 : 860 },
    colorScheme: options.theme ?? 'light',
    locale: 'en-GB',
    timezoneId: 'Europe/Paris',
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    // A refused request is part of several tests, and every browser writes it down.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(message.text())
  })
  // What the policy refused is told by an event even where the code that tried caught the error.
  await page.exposeFunction('complain', (text: string) => complaints.push(text))
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      const { complain } = globalThis as unknown as { complain: (text: string) => void }
      complain(`${event.violatedDirective} refused ${event.blockedURI} in ${event.sourceFile}`)
    })
  })
  page.setDefaultTimeout(20_000)
  await page.goto(url)
  return { page, complaints, [Symbol.asyncDispose]: () => context.close() }
}

/** Signs in through the form. */
export async function signIn(
  page: Page,
  name = 'administrator',
  password = 'correct horse battery',
): Promise<void> {
  await page.getByLabel('Name', { exact: true }).fill(name)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** Nothing on the page waits for an answer any more. */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(
    () => document.querySelector('.skeleton, .rows-waiting, [aria-busy="true"], [data-settling]') === null,
  )
}

/** Waits until something is on the page, and answers its text. */
export async function shown(what: Locator): Promise<string> {
  await what.first().waitFor()
  return (await what.first().textContent()) ?? ''
}
