import { openBrowser, violations } from './src/testing/browser.fixture.ts'
import { readFileSync } from 'node:fs'
const state = readFileSync('/tmp/state', 'utf8').trim()
const url = /http:\/\/\S+/.exec(readFileSync('/tmp/start.log', 'utf8'))![0]
const first = /password (\S+)/.exec(readFileSync(`${state}/first-sign-in.txt`, 'utf8'))![1]!
const PW = 'a password to look around'
const call = async (method: string, path: string, body?: unknown, token?: string) => { const r = await fetch(url + path, { method, headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) }, ...(body ? { body: JSON.stringify(body) } : {}) }); const t = await r.text(); return { status: r.status, body: t ? JSON.parse(t) : null } }
let r = await call('POST', '/auth/login', { name: 'admin', password: first, as: 'bearer' })
if (r.status === 200) { await call('POST', '/auth/password', { current: first, next: PW }, r.body.token) }
r = await call('POST', '/auth/login', { name: 'admin', password: PW, as: 'bearer' })
console.log('login', r.status)
const token = r.body.token
for (const [m, p, b] of JSON.parse(process.argv[2] ?? '[]')) { const a = await call(m, p, b, token); console.log(m, p, a.status, JSON.stringify(a.body).slice(0, 700)) }
const pages = (process.argv[3] ?? '').split(',').filter(Boolean)
const browser = await openBrowser()
for (const [scheme, width] of [['light', 1280], ['dark', 1280], ['dark', 390]] as const) {
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height: width === 390 ? 844 : 900 } })
  const page = await context.newPage()
  await page.goto(url)
  await page.getByLabel('Name').fill('admin'); await page.getByLabel('Password').fill(PW); await page.keyboard.press('Enter')
  await page.waitForTimeout(2500)
  for (const p of pages) {
    await page.goto(url + p); await page.waitForTimeout(2500)
    const f = `/tmp/shot-${p.replaceAll(/\W+/g, '_')}-${scheme}-${width}.png`
    await page.screenshot({ path: f })
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    console.log(f, 'overflow', wide, 'axe', (await violations(page)).join(' | ').slice(0, 300))
  }
  await context.close()
}
await browser.close()
