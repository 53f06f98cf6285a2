/// <reference types="node" />
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { type Browser, chromium, type Page } from 'playwright-core'

/** Where a browser usually is; `CHROME_PATH` names another. */
const INSTALLED = [
  process.env['CHROME_PATH'],
  '/usr/bin/google-chrome',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
]

/**
 * A page of a test lives for seconds: machine code that is made for a long life costs more than it ever saves, on every
 * processor that it is made on, and a larger nursery spares most collections.
 */
const SHORT_LIVED = '--js-flags=--no-maglev,--no-turbofan,--min-semi-space-size=16'

/**
 * A real Chromium: an installed one, else the one inside an npm package (Linux x64).
 * @param compiles whether it makes lasting machine code, as a person's browser does: for whoever measures a page
 */
export async function openBrowser({ compiles = false } = {}): Promise<Browser> {
  const engine = compiles ? [] : [SHORT_LIVED]
  const found = INSTALLED.find((path) => path !== undefined && existsSync(path))
  if (found !== undefined)
    return chromium.launch({
      executablePath: found,
      args: [...engine, ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
    })
  const { default: packed } = await import('@sparticuz/chromium')
  return chromium.launch({
    executablePath: await packed.executablePath(),
    // Of the package's own list what makes it start as root without helpers. Pages are drawn without a pretended
    // graphics card, which costs a third of all the work, and with the checks that any browser makes.
    args: [
      ...engine,
      '--no-sandbox',
      '--no-zygote',
      '--headless=shell',
      '--disable-gpu',
      '--font-render-hinting=none',
    ],
  })
}

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

/** What axe finds wrong with a page, one line a violation: rule and the elements it speaks of. @param only rules; all where left out */
export async function violations(page: Page, only?: readonly string[]): Promise<readonly string[]> {
  // The page's policy forbids inline scripts, so axe comes as text evaluated from outside, as extensions do.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(await readFile(axePath, 'utf8'))
  return page.evaluate(async (rules) => {
    interface Axe {
      run(
        options: object,
      ): Promise<{ violations: { id: string; nodes: { target: unknown[]; failureSummary?: string }[] }[] }>
    }
    const { axe } = globalThis as unknown as { axe: Axe }
    const found = await axe.run({
      resultTypes: ['violations'],
      ...(rules ? { runOnly: { type: 'rule', values: rules } } : {}),
    })
    return found.violations.flatMap((v) =>
      v.nodes.map(
        (n) => `${v.id}: ${n.target.join(' ')} ${n.failureSummary?.split('\n').slice(1).join(' ') ?? ''}`,
      ),
    )
  }, only)
}
