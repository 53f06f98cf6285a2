import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { manifestOf, partsOf, rows, sealInMemory, sha256, text } from '../evidence/bundle.fixture.ts'
import { csvBytes } from '../evidence/csv.ts'
import { columns, ledgerOf } from '../evidence/bundle.fixture.ts'
import { generateSigningKey, localSigner } from '../evidence/sign.ts'
import { createTsa, type Tsa } from '../twin/tsa/index.ts'
import { ledgerFixture, request } from '../kit/ledger/testing.ts'
import { createAppender } from '../kit/ledger/coalesce.ts'

let folder: string
let tsa: Tsa
const signer = localSigner(generateSigningKey())
const insider = localSigner(generateSigningKey())
const at = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attestry-cli-'))
  tsa = await createTsa({ clock: () => new Date(), random: (n) => new Uint8Array(randomBytes(n)) })
  // The bundle's own clock stands in March; the authority stamps when it is asked.
  const honest = partsOf(signer, tsa, {})
  const stamped = { ...honest, timestamp: () => Promise.resolve(PENDING) }
  await writeFile(at('good.zip'), (await sealInMemory(stamped)).zip)
  // An insider changes a row, makes every list anew, and signs with a key of his own.
  const changed = csvBytes(columns, [...rows.slice(1), ['=payroll-key', 'secret']])
  const manifest = manifestOf(insider, ledgerOf('contoso'))
  const [report] = manifest.reports
  if (!report) throw new Error('the fixture has a report')
  const csv = [
    { path: 'report/asset-inventory.csv', rows: rows.length, bytes: changed.length, sha256: hex(changed) },
  ]
  await writeFile(
    at('forged.zip'),
    (
      await sealInMemory({
        ...partsOf(insider, tsa),
        timestamp: () => Promise.resolve(PENDING),
        manifest: { ...manifest, reports: [{ ...report, csv }] },
        data: new Map([...honest.data, ['report/asset-inventory.csv', changed]]),
      })
    ).zip,
  )
  await writeFile(at('signer.pub'), signer.publicKeyPem)
  await writeFile(at('tsa-root.pem'), tsa.rootPem)
  const { lines } = ledgerOf('contoso')
  await writeFile(at('events.jsonl'), lines.map((l) => `${l}\n`).join(''))
  await writeFile(
    at('cut.jsonl'),
    lines
      .filter((_, i) => i !== 1)
      .map((l) => `${l}\n`)
      .join(''),
  )
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const PENDING = {
  status: 'pending',
  reason: 'no authority was asked',
  retryAt: '2026-03-01T12:05:00Z',
  attempts: [],
} as const
const hex = (bytes: Uint8Array) => sha256(bytes).toHex()

/** Runs the command line as an auditor does. */
const attestry = (args: readonly string[], env: Record<string, string> = {}) =>
  new Promise<{ code: number; said: string }>((done) => {
    const program = fileURLToPath(new URL('./attestry.ts', import.meta.url))
    const { PATH = '' } = process.env
    const child = execFile(
      process.execPath,
      [program, ...args],
      { env: { PATH, ...env } },
      (_error, out, complaints) => done({ code: child.exitCode ?? -1, said: out + complaints }),
    )
  })

const keys = () => ['--key', at('signer.pub'), '--tsa-root', at('tsa-root.pem')]

describe('attestry verify', () => {
  test('says a line a check, and exits 3 while nobody vouches for the time', async () => {
    const { code, said } = await attestry(['verify', at('good.zip'), ...keys()])
    expect(said).toContain('This bundle verifies, but nobody vouches for its time yet.')
    expect(said).not.toContain('FAIL')
    expect(code).toBe(3)
  })

  test('exits 1 for a bundle that an insider changed and signed with another key', async () => {
    const { code, said } = await attestry(['verify', at('forged.zip'), ...keys()])
    expect(said).toMatch(/^FAIL/m)
    expect(said).toContain('This bundle does NOT verify.')
    expect(code).toBe(1)
  })

  test('never trusts the key inside the bundle: without one given it fails', async () => {
    const { code } = await attestry(['verify', at('good.zip')])
    expect(code).toBe(1)
  })

  test.each([
    ['no bundle', ['verify'], /needs the path of a bundle/],
    ['a file that is not there', ['verify', '/nowhere/bundle.zip'], /no such file/i],
    ['a command that is none', ['sing'], /There is no command sing/],
    ['an option that is none', ['verify', '/nowhere/bundle.zip', '--kee', 'x'], /^Unknown option '--kee'/],
    ['an option without its value', ['verify', '/nowhere/bundle.zip', '--key'], /^Option '--key <value>'/],
  ])('exits 2 for %s, and says what is wrong', async (_what, args, says) => {
    const { code, said } = await attestry(args)
    expect(said).toMatch(says)
    expect(code).toBe(2)
  })
})

describe('attestry ledger verify', () => {
  test('walks an export, and names the first event that is not where it should be', async () => {
    expect(await attestry(['ledger', 'verify', at('events.jsonl')])).toMatchObject({ code: 0 })
    const { code, said } = await attestry(['ledger', 'verify', at('cut.jsonl')])
    expect(said).toMatch(/breaks at event 2: /)
    expect(code).toBe(1)
  })

  test('walks the chain in the database', async () => {
    await using fixture = await ledgerFixture('acme')
    const appender = createAppender({ pool: fixture.pool, role: 'attestry_discovery' })
    await appender.append(request())
    await appender.close()
    const good = await attestry(['ledger', 'verify', '--tenant', 'acme'], { DATABASE_URL: fixture.url })
    expect(good.said).toContain('The chain of 2 events holds')
    const none = await attestry(['ledger', 'verify', '--tenant', 'nobody'], { DATABASE_URL: fixture.url })
    expect(none).toMatchObject({ code: 2, said: expect.stringContaining('tenant "nobody" has no chain') })
    await fixture.pool.query('alter table ledger.event disable trigger all')
    await fixture.pool.query(
      `update ledger.event set envelope = replace(envelope, '"n":1', '"n":2') where seq = 2`,
    )
    const bad = await attestry(['ledger', 'verify', '--tenant', 'acme'], { DATABASE_URL: fixture.url })
    expect(bad.said).toMatch(/breaks at event 2: /)
    expect(bad.code).toBe(1)
  })

  test('asks for the database by name', async () => {
    const { code, said } = await attestry(['ledger', 'verify'])
    expect(said).toContain('DATABASE_URL is missing')
    expect(code).toBe(2)
  })
})

describe('attestry config', () => {
  test('lists every variable, exits 1 while one is missing, and shows no secret', async () => {
    const none = await attestry(['config'])
    expect(none.code).toBe(1)
    expect(none.said).toMatch(/DATABASE_URL[\s\S]*NOT GOOD: missing/)
    const password = text('kept away').toBase64()
    const all = await attestry(['config'], {
      DATABASE_URL: `postgres://u:${password}@127.0.0.1/d`,
      SERVICE_BUS_NAMESPACE: 'name.servicebus.windows.net',
      SECRET_KEY: 'x'.repeat(40),
    })
    expect(all.code).toBe(0)
    expect(all.said).not.toContain(password)
    expect(all.said).not.toContain('x'.repeat(40))
  })
})
