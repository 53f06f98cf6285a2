/// <reference types="node" />
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openBrowser, violations } from './testing/browser.fixture.ts'
import { builtConsole } from './testing/built-console.fixture.ts'
import { type FixtureServer, startFixtureServer } from './testing/server.fixture.ts'
import { settled, shown, signIn, visit } from './testing/visit.fixture.ts'

let browser: Browser
let server: FixtureServer
let built: string

beforeAll(async () => {
  built = await builtConsole()
  server = await startFixtureServer(built)
  browser = await openBrowser()
})

afterAll(async () => {
  await browser.close()
  await server[Symbol.asyncDispose]()
})

describe('the door', () => {
  test('does not say which half of a sign-in was wrong', async () => {
    await using seen = await visit(browser, server.url)
    await signIn(seen.page, 'nobody', 'whatever it is')
    const first = await seen.page.getByRole('alert').textContent()
    await signIn(seen.page, 'vera viewer', 'not her password')
    await settled(seen.page)
    expect(await seen.page.getByRole('alert').textContent()).toBe(first)
    expect(first).toContain('name or the password is wrong')
  })

  test('tells a locked account what to do', async () => {
    await using seen = await visit(browser, server.url)
    await signIn(seen.page, 'locked out', 'never mind at all')
    expect(await shown(seen.page.getByText('ask a tenant administrator to enable the account'))).not.toBe('')
  })

  test('asks for a password of one’s own before anything else', async () => {
    await using seen = await visit(browser, server.url)
    const { page } = seen
    await signIn(page, 'newcomer', 'one-time-7421')
    await page.getByRole('heading', { name: 'Choose your password' }).waitFor()
    expect(await violations(page)).toEqual([])
    await page.getByLabel('One-time password').fill('one-time-7421')
    await page.getByLabel('New password', { exact: true }).fill('short')
    await page.getByLabel('New password again').fill('short')
    await page.getByRole('button', { name: 'Change password' }).click()
    await page.getByText('at least 12 characters', { exact: true }).waitFor()
    await page.getByLabel('New password', { exact: true }).fill('rivers run to the sea')
    await page.getByLabel('New password again').fill('rivers run to the sea')
    await page.getByRole('button', { name: 'Change password' }).click()
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
  })

  test('keeps what is typed while the session is looked at again, and an old look does not shut it', async () => {
    await using seen = await visit(browser, server.url)
    const { page } = seen
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>()
    await page.route('**/auth/session', async (route) => {
      const response = await route.fetch()
      ask()
      await released
      // One that the page gave up is gone by now.
      await route.fulfill({ response }).catch(() => undefined)
      answer()
    })
    await page.getByLabel('Name', { exact: true }).fill('administrator')
    // As when somebody comes back from where the password is kept.
    await page.evaluate(() => dispatchEvent(new Event('visibilitychange')))
    await asked
    await page.getByLabel('Password', { exact: true }).fill('correct horse battery')
    expect(await page.getByLabel('Name', { exact: true }).inputValue()).toBe('administrator')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    release()
    await answered
    await settled(page)
    await page.getByText('Contoso production').waitFor()
    expect(await page.getByRole('heading', { name: 'Sign in' }).count()).toBe(0)
  })

  test('opens again when a session ends, on the page that was left', async () => {
    await using seen = await visit(browser, `${server.url}/findings`)
    const { page } = seen
    await signIn(page)
    await page.getByRole('heading', { name: 'Findings' }).waitFor()
    await page.context().clearCookies()
    await page.getByRole('link', { name: 'Vaults', exact: true }).click()
    await page.getByText('Your session has ended').waitFor()
    await signIn(page)
    expect(await shown(page.getByRole('heading', { name: 'Vaults' }))).not.toBe('')
  })
})

describe('the main path', () => {
  test('scan, see progress live, and see it end', async () => {
    await using seen = await visit(browser, server.url)
    const { page } = seen
    await signIn(page)
    await page.getByRole('button', { name: 'Scan now' }).click()
    await page.getByText(/\d+ of 14 vaults/).waitFor()
    await page.reload()
    await page.getByText(/\d+ of 14 vaults/).waitFor()
    await page.getByRole('button', { name: 'Scan now' }).waitFor()
    expect(await shown(page.getByText('completed'))).not.toBe('')
  })

  test('cancel a scan', async () => {
    await using seen = await visit(browser, server.url)
    const { page } = seen
    await signIn(page)
    await page.getByRole('button', { name: 'Scan now' }).click()
    await page.getByRole('button', { name: 'Cancel' }).click()
    expect(await shown(page.getByText('Cancelled by an operator'))).not.toBe('')
  })

  test('from a finding to its asset, by keys alone', async () => {
    await using seen = await visit(browser, server.url)
    const { page } = seen
    await signIn(page)
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('f')
    await page.getByRole('heading', { name: 'Findings' }).waitFor()
    await page.locator('.rows [data-row]').first().waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'What to do' }).waitFor()
    expect(new URL(page.url()).searchParams.get('finding')).toMatch(/^finding-/)
    await page.keyboard.press('Escape')
    await page.getByRole('heading', { name: 'What to do' }).waitFor({ state: 'detached' })
    await page.keyboard.press('/')
    await page.keyboard.type('no expiry date')
    await page.getByText(/[1-9]\d* open/).waitFor()
    await page.waitForURL(/search=no\+expiry\+date/)
    await settled(page)
    await page.locator('.rows [data-row]').first().click()
    await page.getByRole('link', { name: /(secret|key) in kv-/ }).click()
    await page.getByRole('heading', { name: 'Open findings' }).waitFor()
  })

  test('build a bundle: password, progress that survives a reload, download', async () => {
    await using seen = await visit(browser, `${server.url}/evidence`)
    const { page } = seen
    await signIn(page)
    await page.getByRole('button', { name: 'Build a bundle' }).click()
    await page.getByLabel('For', { exact: true }).selectOption('soc2-2017')
    await page.getByRole('button', { name: 'Last month' }).click()
    await page.getByLabel('Days of the time zone').selectOption('UTC')
    await page.getByRole('dialog').getByText('All production vaults of Contoso').waitFor()
    await page.getByText('Narrow it to').click()
    await page.getByLabel('Tags').fill('env=prod')
    await page.getByText('Only tags env=prod.').waitFor()
    await page.getByRole('button', { name: 'Build', exact: true }).click()
    await page.getByRole('dialog', { name: 'Prove it is you' }).waitFor()
    expect(await violations(page)).toEqual([])
    await page.getByLabel('Password', { exact: true }).fill('not my password')
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByText('The password is wrong').waitFor()
    await page.getByLabel('Password', { exact: true }).fill('correct horse battery')
    await page.getByRole('button', { name: 'Continue' }).click()
    await page
      .locator('[data-state=building]')
      .getByText(/\d of 8/)
      .waitFor()
    await page.reload()
    await page
      .locator('[data-state=building]')
      .getByText(/\d of 8/)
      .waitFor()
    const sealed = page.locator('.bundle').first()
    await sealed.getByText('Sealed').waitFor()
    await sealed.getByText('For SOC 2').waitFor()
    await sealed.getByText('Narrowed to env=prod').waitFor()
    await sealed.getByText('local, not independent').waitFor()
    const downloading = page.waitForEvent('download')
    await sealed.getByRole('link', { name: /Download/ }).click()
    expect((await downloading).suggestedFilename()).toBe('evidence.zip')
    await sealed.getByRole('button', { name: 'Invite an auditor' }).click()
    await page.getByText('They see this one bundle').waitFor()
    await page.getByLabel('Name and firm').fill('Ada, Example Assurance')
    await page.getByRole('button', { name: 'Invite', exact: true }).click()
    await page.getByText('/enter#').waitFor()
    expect(server.world.auditors[0]?.bundles).toHaveLength(1)
  })

  test('a refresh leaves the focus where it is', async () => {
    await using seen = await visit(browser, `${server.url}/settings/people`)
    const { page } = seen
    await signIn(page)
    const button = page.getByRole('button', { name: 'Roles of vera viewer' })
    await button.focus()
    const read = page.waitForResponse((response) => response.url().includes('/api/operators'))
    server.world.happen('gateway.role-granted')
    await read
    await page.getByText(/^event/).waitFor()
    await settled(page)
    expect(await button.evaluate((element) => element === document.activeElement)).toBe(true)
  })

  test('add somebody, and see the one-time password once', async () => {
    await using seen = await visit(browser, `${server.url}/settings/people`)
    const { page } = seen
    await signIn(page)
    await page.getByRole('button', { name: 'Add somebody' }).click()
    await page.getByLabel('Name', { exact: true }).fill('olga')
    await page.getByLabel('Auditor').check()
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    await page.getByLabel('Password', { exact: true }).fill('correct horse battery')
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByText('plum-otter-9317-lantern').waitFor()
    await page.getByRole('button', { name: 'I have handed it over' }).click()
    await page.getByRole('rowheader', { name: 'olga' }).waitFor()
    expect(await page.getByText('plum-otter-9317-lantern').count()).toBe(0)
  })

  test('the last administrator cannot be disabled, and the console says what to do instead', async () => {
    await using seen = await visit(browser, `${server.url}/settings/people`)
    const { page } = seen
    await signIn(page)
    await page.getByRole('button', { name: 'Disable administrator' }).click()
    await page.getByLabel('Password', { exact: true }).fill('correct horse battery')
    await page.getByRole('button', { name: 'Continue' }).click()
    expect(await shown(page.getByText('Give another operator the tenant administrator role first'))).not.toBe(
      '',
    )
  })

  test('a refusal of one person’s roles does not stand under the next', async () => {
    await using seen = await visit(browser, `${server.url}/settings/people`)
    const { page } = seen
    await signIn(page)
    await page.getByRole('button', { name: 'Roles of administrator' }).click()
    await page.getByRole('checkbox', { name: /^Tenant administrator/ }).uncheck()
    await page.getByRole('checkbox', { name: /^Viewer/ }).check()
    await page.getByRole('button', { name: 'Save roles' }).click()
    await page.getByLabel('Password', { exact: true }).fill('correct horse battery')
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByRole('dialog').getByRole('alert').waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('button', { name: 'Roles of vera viewer' }).click()
    await page.getByRole('dialog', { name: 'Roles of vera viewer' }).waitFor()
    expect(await page.getByRole('dialog').getByRole('alert').count()).toBe(0)
  })

  test('verify the chain', async () => {
    await using seen = await visit(browser, `${server.url}/activity`)
    await signIn(seen.page)
    await seen.page.getByRole('button', { name: 'Verify the chain' }).click()
    expect(await shown(seen.page.getByText('The chain holds'))).not.toBe('')
  })
})

describe('what a role may not do', () => {
  test('is not offered, and a page it may not see says who may', async () => {
    await using seen = await visit(browser, server.url)
    const { page } = seen
    await signIn(page, 'vera viewer', 'only looking around')
    await page.getByText('Contoso production').waitFor()
    expect(await page.getByRole('button', { name: 'Scan now' }).count()).toBe(0)
    expect(await page.getByRole('link', { name: 'Evidence' }).count()).toBe(0)
    await page.goto(`${server.url}/evidence`)
    await page.getByText('Tenant administrator, Security administrator or Auditor').waitFor()
    expect(await violations(page)).toEqual([])
  })
})

describe('an auditor', () => {
  test('is offered evidence and the ledger, nothing else, and verifies a dropped bundle in the page', async () => {
    await using seen = await visit(browser, server.url)
    const { page } = seen
    await signIn(page, 'a. audit', 'an auditor reads all')
    const links = page.getByRole('navigation', { name: 'Pages' }).getByRole('link')
    await links.first().waitFor()
    expect((await links.allTextContents()).map((text) => text.replace(/[^a-z ]/gi, '').trim())).toEqual([
      'Evidence',
      'Activity',
    ])
    await page.goto(`${server.url}/evidence/verify`)
    const buffer = Buffer.from('no zip at all')
    await page.setInputFiles('.drop input', { name: 'b.zip', mimeType: 'application/zip', buffer })
    await page.getByRole('button', { name: 'Verify', exact: true }).click()
    await page.getByText('This bundle does NOT verify.').waitFor()
    await page.getByText('it is no zip, is cut off').waitFor()
    expect(seen.complaints).toEqual([])
    expect(await violations(page)).toEqual([])
  })

  test('an auditor is invited, given a new link, and the door is closed', async () => {
    await using seen = await visit(browser, `${server.url}/settings/auditors`)
    const { page } = seen
    await signIn(page)
    await page.getByRole('button', { name: 'Invite an auditor' }).click()
    await page.getByLabel('Name and firm').fill('Lin, Second Opinion')
    await page.getByLabel('Days until the door closes').fill('7')
    await page.getByRole('button', { name: 'Invite', exact: true }).click()
    await page.getByLabel('Password', { exact: true }).fill('correct horse battery')
    await page.getByRole('button', { name: 'Continue' }).click()
    const first = await shown(page.getByText('/enter#'))
    await page.getByRole('button', { name: 'Done' }).click()
    const row = page.getByRole('row', { name: /Lin, Second Opinion/ })
    await row.getByText('invited').waitFor()
    await row.getByRole('button', { name: 'New link for Lin' }).click()
    expect(await shown(page.getByText('/enter#'))).not.toBe(first)
    await page.getByRole('button', { name: 'Done' }).click()
    await row.getByRole('button', { name: 'Close the door of Lin' }).click()
    await row.getByText('revoked').waitFor()
    expect(await row.getByRole('button').count()).toBe(0)
    expect(seen.complaints).toEqual([])
  })
})

describe('what evidence rests on', () => {
  test('scope is declared, a listing is brought, retention is set, each with a name and a refusal that says what is wrong', async () => {
    await using seen = await visit(browser, `${server.url}/evidence`)
    const { page } = seen
    await signIn(page)
    await page.getByRole('button', { name: 'Declare', exact: true }).click()
    const scope = page.getByRole('dialog', { name: 'What is in scope of evidence' })
    await scope.getByLabel('In words').fill('Payments alone.')
    await scope.getByLabel('Vaults').fill('kv-payments-prod\n\n kv-payments-test')
    expect(await violations(page)).toEqual([])
    await scope.getByRole('button', { name: 'Declare' }).click()
    await page.getByLabel('Password', { exact: true }).fill('correct horse battery')
    await page.getByRole('button', { name: 'Continue' }).click()
    await scope.waitFor({ state: 'detached' })
    await page.getByText('Payments alone.').waitFor()
    await page.getByRole('button', { name: 'Declare', exact: true }).click()
    expect(await scope.getByLabel('Vaults').inputValue()).toBe('kv-payments-prod\nkv-payments-test')
    await scope.getByRole('button', { name: 'Cancel' }).click()

    const bring = async (text: string) =>
      page.getByLabel('Import a listing').setInputFiles({
        name: 'listing.json',
        mimeType: 'application/json',
        buffer: Buffer.from(text),
      })
    await bring('no JSON')
    await page.getByText('must be the JSON array that az resource list prints').waitFor()
    await bring('[{"id":"/subscriptions/a","type":"b"}]')
    await page.getByText('Held against a listing of 1 resource with 1 vault').waitFor()

    await page.getByRole('button', { name: 'Change', exact: true }).click()
    const kept = page.getByRole('dialog', { name: 'How long is kept what may go' })
    const days = kept.getByLabel('Days that the record of acts stays in full')
    await days.fill('30')
    await kept.getByLabel('Reason').fill('A contract asks for it')
    await kept.getByRole('button', { name: 'Keep so' }).click()
    // Less than a year is refused by the field itself.
    expect(await days.evaluate((field: HTMLInputElement) => field.validationMessage)).toContain('365')
    await days.fill('730')
    await kept.getByRole('button', { name: 'Keep so' }).click()
    await kept.waitFor({ state: 'detached' })
    await page.getByText('bodies of acts for 730 days').waitFor()
    expect(seen.complaints).toEqual([])
  })
})

describe('the command palette', () => {
  test('finds pages, actions and credentials', async () => {
    await using seen = await visit(browser, server.url)
    const { page } = seen
    await signIn(page)
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox').fill('stripe')
    await page
      .getByRole('option', { name: /stripe-webhook/ })
      .first()
      .waitFor()
    expect(await violations(page)).toEqual([])
    await page.getByRole('combobox').fill('operations')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Operations' }).waitFor()
  })
})

describe('what somebody types or chooses', () => {
  test('is kept while the page answers: a blank between two words, and a day that is being changed', async () => {
    await using seen = await visit(browser, `${server.url}/inventory`)
    const { page } = seen
    await signIn(page)
    const search = page.getByLabel('Search by name')
    await search.pressSequentially('kv ')
    await page.waitForURL(/search=kv$/)
    await settled(page)
    await search.pressSequentially('pay')
    expect(await search.inputValue()).toBe('kv pay')
    await page.getByRole('button', { name: 'Clear' }).click()
    await page.waitForURL(/inventory$/)
    // Longer than what was typed last waits to be said.
    await page.waitForTimeout(400)
    expect(page.url()).toMatch(/inventory$/)
    expect(await search.inputValue()).toBe('')

    await page.goto(`${server.url}/evidence?build=yes`)
    await page.getByRole('button', { name: 'Other dates' }).click()
    const from = page.getByLabel('From', { exact: true })
    const day = await from.inputValue()
    await from.fill('')
    await page.getByText('Choose the first and the last day').waitFor()
    expect(await page.getByRole('button', { name: 'Build', exact: true }).isDisabled()).toBe(true)
    await from.fill(day)
    await page.getByText('recorded as').waitFor()
    await page.goto(`${server.url}/activity?from=yesterday&to=20260-01-01`)
    await page.getByText('newest first').waitFor()
    expect(seen.complaints).toEqual([])
  })

  test('a verdict is never shown for a file that was chosen since', async () => {
    await using seen = await visit(browser, `${server.url}/evidence/verify`)
    const { page } = seen
    await signIn(page)
    // The verifier is fetched when it is needed first: until then the verdict waits.
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    await page.route(/assets\/files-[^/]+\.js$/, async (route) => {
      await released
      await route.continue()
    })
    const chosen = (name: string) => ({ name, mimeType: 'application/zip', buffer: Buffer.from(name) })
    const verify = page.getByRole('button', { name: 'Verify', exact: true })
    await page.setInputFiles('.drop input', chosen('first.zip'))
    await verify.click()
    await page.locator('[aria-busy=true]').waitFor()
    await page.setInputFiles('.drop input', chosen('second.zip'))
    release()
    await page.locator('[aria-busy=true]').waitFor({ state: 'detached' })
    await page.getByText('second.zip').waitFor()
    expect(await page.locator('.verdict').count()).toBe(0)
    await verify.click()
    await page.getByText('This bundle does NOT verify.').waitFor()
  })
})

describe('trouble', () => {
  test('a list is shown on a slow line as well, while events come faster than it answers', async () => {
    await using own = await startFixtureServer(built)
    await using seen = await visit(browser, own.url)
    const { page } = seen
    await signIn(page)
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.route(/\/api\/discovery\/assets\?/, async (route) => {
      await new Promise((done) => setTimeout(done, 700))
      // One that the page gave up is gone by now.
      await route.continue().catch(() => undefined)
    })
    const scanning = setInterval(() => own.world.happen('discovery.vault-scanned'), 100)
    try {
      await page.getByRole('link', { name: 'Inventory', exact: true }).first().click()
      await page.locator('.rows .row-link').first().waitFor({ timeout: 10_000 })
    } finally {
      clearInterval(scanning)
    }
    await settled(page)
    expect(seen.complaints).toEqual([])
  })

  test('a page whose file is not served any more says so, and the others can still be reached', async () => {
    await using seen = await visit(browser, server.url)
    const { page } = seen
    await signIn(page)
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.route(/assets\/compliance-[^/]+\.js$/, (route) => route.fulfill({ status: 404 }))
    await page.getByRole('link', { name: 'Compliance', exact: true }).click()
    await page.getByRole('heading', { name: 'This page could not be shown' }).waitFor()
    await page.getByText('Reload the page').waitFor()
    expect(await violations(page)).toEqual([])
    await page.getByRole('link', { name: 'Vaults', exact: true }).click()
    await page.getByText('kv-payments-prod').waitFor()
  })

  test('a server in trouble is told as such, with what to do and a way to try again', async () => {
    await using own = await startFixtureServer(built)
    await using seen = await visit(browser, `${own.url}/vaults`)
    const { page } = seen
    await signIn(page)
    await page.getByText('kv-payments-prod').waitFor()
    own.fail(true)
    await page.getByRole('link', { name: 'Compliance' }).click()
    await page.getByText('The database does not answer').waitFor()
    await page.getByText('Operations shows which service is in trouble').waitFor()
    own.fail(false)
    await page.getByRole('button', { name: 'Try again' }).first().click()
    expect(await shown(page.getByText('CIS Microsoft Azure').first())).not.toBe('')
  })

  test('a first run is guided from connection to findings', async () => {
    await using own = await startFixtureServer(built, { firstRun: true })
    await using seen = await visit(browser, own.url)
    const { page } = seen
    await signIn(page)
    await page.getByRole('heading', { name: 'From connection to first findings' }).waitFor()
    expect(await violations(page)).toEqual([])
    await page.getByRole('button', { name: 'Scan now' }).click()
    await page.getByText('Significant gaps').waitFor()
    await page
      .getByRole('heading', { name: 'From connection to first findings' })
      .waitFor({ state: 'detached' })
  })
})

describe('a hundred thousand credentials', () => {
  test('scroll to the end with only the rows in view in the document', async () => {
    await using own = await startFixtureServer(built, { items: 100_000 })
    await using seen = await visit(browser, `${own.url}/inventory`)
    const { page } = seen
    await signIn(page)
    await page.getByText('100,000 credentials').waitFor()
    await settled(page)
    const list = page.locator('.rows-scroll')
    await list.evaluate((element) => element.scrollTo({ top: element.scrollHeight }))
    await page.locator('[aria-rowindex="100001"] .row-link').waitFor({ timeout: 50_000 })
    expect(await page.locator('.rows .row').count()).toBeLessThan(60)
  })
})
