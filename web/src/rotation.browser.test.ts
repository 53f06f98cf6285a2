/// <reference types="node" />
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openBrowser, violations } from './testing/browser.fixture.ts'
import { builtConsole } from './testing/built-console.fixture.ts'
import { type FixtureServer, startFixtureServer } from './testing/server.fixture.ts'
import { settled, signIn, visit } from './testing/visit.fixture.ts'

let browser: Browser
let server: FixtureServer
/** A folder for pictures of what the test sees; without one none are made. */
const shots = process.env['SCREENSHOTS']
const closing = new AsyncDisposableStack()

beforeAll(async () => {
  server = closing.use(await startFixtureServer(await builtConsole()))
  browser = await openBrowser()
}, 120_000)
afterAll(async () => {
  await browser.close()
  await closing.disposeAsync()
})

test('a policy is planned, asked for, followed live, paused, and rolled back', {
  timeout: 300_000,
}, async () => {
  await using seen = await visit(browser, `${server.url}/rotation?part=policies`)
  const { page } = seen
  page.setDefaultTimeout(60_000)
  const sound = async (name: string) => {
    expect({ name, violations: await violations(page) }).toEqual({ name, violations: [] })
    if (shots !== undefined) await page.screenshot({ path: join(shots, `rotation-${name}.png`) })
  }
  const dialog = page.getByRole('dialog')
  await signIn(page)

  // What could never run is refused beside its field, by the contract before it is sent and by the server after.
  await page.getByRole('button', { name: 'New policy' }).click()
  await dialog.getByLabel('Cadence, days').fill('900')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.getByText('At most 730.').waitFor()
  await sound('form')
  await page.keyboard.press('Escape')

  // A plan changes nothing and says what would change where.
  await page.getByRole('link', { name: 'Policy of contoso-hr-feed' }).click()
  await page.getByRole('heading', { name: 'Which secret holds it' }).waitFor()
  await page.getByRole('button', { name: 'Plan a rotation' }).click()
  await dialog.getByRole('button', { name: 'Plan', exact: true }).click()
  await page.waitForURL(/\/rotation\/rotation-/)
  await page.getByText('Nothing happens until somebody asks for it').waitFor()
  expect(await page.getByRole('list', { name: 'What would change' }).getByRole('listitem').count()).toBe(5)

  // Asking for it says what will happen, and wants the password.
  await page.getByRole('button', { name: 'Request' }).click()
  await dialog.getByLabel('Change ticket').fill('CHG-4711')
  await sound('request')
  await dialog.getByRole('button', { name: 'Request' }).click()
  await page.getByLabel('Password', { exact: true }).fill('correct horse battery')
  await page.getByRole('button', { name: 'Continue' }).click()

  // It moves by itself until it is paused, and on from there.
  await page.getByRole('button', { name: 'Pause' }).click()
  await dialog.getByRole('button', { name: 'Pause' }).click()
  await page.getByText('Paused by a person').waitFor()
  await page.getByRole('button', { name: 'Resume' }).click()
  await dialog.getByRole('button', { name: 'Resume' }).click()
  await dialog.waitFor({ state: 'detached' })
  await page.getByText('Old and new credential both work until the grace ends').waitFor()
  await page.getByText('Store', { exact: true }).click()
  await page.getByText(/settlement-client in kv-payments-prod, version/).waitFor()

  // The way back wants a reason, and tells what it does first.
  await page.getByRole('button', { name: 'Roll back' }).click()
  await dialog.getByText('serves the value of version').waitFor()
  await dialog.getByLabel('Why').fill('The feed fails since the switch.')
  await dialog.getByRole('button', { name: 'Roll back' }).click()
  await page.getByText('Waits until nobody can hold the value that is about to go').waitFor()
  await page.locator('li[data-state=now]', { hasText: 'Way back' }).waitFor()
  await sound('back')
  const rolledBack = page.url()

  // Off, it says what must be on and who may turn it on.
  await page.getByRole('link', { name: 'Rotations' }).click()
  await page.getByRole('button', { name: 'Switch writing off' }).click()
  await dialog.getByRole('button', { name: 'Switch off' }).click()
  await page.getByText('Rotations are off').waitFor()
  await sound('off')
  await page.getByRole('button', { name: 'Switch writing on' }).click()
  await dialog.getByRole('button', { name: 'Switch on' }).click()
  await page.getByText('Rotations are off').waitFor({ state: 'detached' })
  for (const part of ['matches', 'advice']) {
    await page.goto(`${server.url}/rotation?part=${part}`)
    await settled(page)
    await sound(part)
  }

  // Who sets up the owner's webhook needs the key to check what comes.
  await page.goto(`${server.url}/rotation?part=policies`)
  await page.getByRole('link', { name: 'Policy of contoso-hr-feed' }).click()
  await page.getByRole('button', { name: 'Show the key' }).click()
  await page.getByRole('button', { name: 'Copy webhook key' }).waitFor()
  await sound('webhook')

  // Whoever may only look is offered nothing, and told who may.
  await using other = await visit(browser, rolledBack, { theme: 'dark', width: 390 })
  await signIn(other.page, 'vera viewer', 'only looking around')
  await other.page.getByText('To act on it you would need to be Tenant administrator').waitFor()
  expect(await other.page.getByRole('group', { name: 'What can be done now' }).count()).toBe(0)
  await settled(other.page)
  expect(await violations(other.page)).toEqual([])
  expect([...seen.complaints, ...other.complaints]).toEqual([])
})

test('a plan is approved by another person, disuse is waived with a reason, and a signed certificate is brought', {
  timeout: 120_000,
}, async () => {
  await using seen = await visit(browser, `${server.url}/rotation/rotation-0001`)
  const { page } = seen
  page.setDefaultTimeout(60_000)
  const dialog = page.getByRole('dialog')
  await signIn(page)
  await page.getByRole('button', { name: 'Approve' }).click()
  await dialog.getByText('You approve exactly the plan on this page').waitFor()
  await dialog.getByRole('button', { name: 'Approve' }).click()
  await page.getByLabel('Password', { exact: true }).fill('correct horse battery')
  await page.getByRole('button', { name: 'Continue' }).click()

  await page.getByRole('button', { name: 'Waive proof of disuse' }).click()
  await dialog.getByText('then loses access, and you take responsibility').waitFor()
  await dialog.getByLabel('Why').fill('The old client was shut down yesterday.')
  await dialog.getByRole('button', { name: 'Waive proof of disuse' }).click()
  await dialog.waitFor({ state: 'detached' })
  await page.getByText('Old and new credential both work until the grace ends').waitFor()
  await page.getByRole('button', { name: 'Waive proof of disuse' }).waitFor({ state: 'detached' })

  await page.goto(`${server.url}/rotation/rotation-0004`)
  await page.getByRole('button', { name: 'Copy the request' }).waitFor()
  expect(await violations(page)).toEqual([])
  await page.getByRole('button', { name: 'Bring the certificate' }).click()
  const brought = '-----BEGIN CERTIFICATE-----\nMIIBszCC\n-----END CERTIFICATE-----'
  await dialog.getByRole('textbox').fill(brought)
  await dialog.getByRole('button', { name: 'Bring the certificate' }).click()
  await dialog.waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'Copy the request' }).waitFor({ state: 'detached' })
  expect(seen.complaints).toEqual([])
})
