/// <reference types="node" />
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildConsole, openBrowser, violations } from './testing/browser.fixture.ts'
import { type FixtureServer, startFixtureServer } from './testing/server.fixture.ts'
import { settled, signIn, visit } from './testing/visit.fixture.ts'

let browser: Browser
let server: FixtureServer
let built: Awaited<ReturnType<typeof buildConsole>>
let shots: string

beforeAll(async () => {
  built = await buildConsole()
  server = await startFixtureServer(built.root)
  browser = await openBrowser()
  // SCREENSHOTS names a folder to keep them in; otherwise they are made, because that is part of the way, and removed.
  shots = process.env['SCREENSHOTS'] ?? (await mkdtemp(join(tmpdir(), 'attestry-shots-')))
})

afterAll(async () => {
  await browser.close()
  await server[Symbol.asyncDispose]()
  await built[Symbol.asyncDispose]()
  if (process.env['SCREENSHOTS'] === undefined) await rm(shots, { recursive: true, force: true })
})

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

describe.each([
  ['light', 1280],
  ['light', 390],
  ['dark', 1280],
  ['dark', 390],
] as const)('in %s at %i pixels', (theme, width) => {
  test('every page is sound for assistive technology, fits its width and obeys the content policy', {
    timeout: 240_000,
  }, async () => {
    await using seen = await visit(browser, server.url, { theme, width })
    const { page } = seen
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    expect(await violations(page)).toEqual([])
    await signIn(page)
    for (const [name, address, shows] of PAGES) {
      await page.goto(server.url + address)
      await page.getByText(shows).first().waitFor({ state: 'attached' })
      await settled(page)
      const wider = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      )
      expect({
        name,
        violations: await violations(page),
        wider,
        demonstration: await page.getByText('DEMONSTRATION', { exact: true }).count(),
      }).toEqual({ name, violations: [], wider: 0, demonstration: 1 })
      await page.screenshot({ path: join(shots, `${name}-${theme}-${width}.png`) })
    }
    expect(seen.complaints).toEqual([])
  })
})
