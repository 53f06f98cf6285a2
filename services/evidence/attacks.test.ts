import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Attack, attacks, worldOf } from './attacks.fixture.ts'
import { verifyBundle } from './verify.ts'
import { openZipFile } from './zip-file.ts'

/* What a verifier must catch, one row an attack; the browser's verifier is held to the same table. */

const folder = mkdtempSync(join(tmpdir(), 'attestry-attacks-'))
afterAll(() => rmSync(folder, { recursive: true }))
let all: Attack[]
beforeAll(async () => {
  all = await attacks(await worldOf())
})

const trustIn = async ({ trust, against }: Attack) => {
  const other = against === null ? null : await verifyBundle(against, trust)
  const head = other?.manifest?.ledger.head
  return head ? { ...trust, known: [{ seq: head.seq, link: head.link }] } : trust
}

test('the honest bundle passes with every question asked and answered', async () => {
  const [honest] = all
  if (!honest) throw new Error('the table is empty')
  const verdict = await verifyBundle(honest.zip, honest.trust)
  expect(verdict).toMatchObject({ ok: true, timestamped: true })
  expect(verdict.checks.filter(({ ok }) => ok !== true).map(({ id }) => id)).toEqual([
    'hmac',
    'known',
    'rederived',
  ])
})

test('every attack is caught by the check that is named for it, in memory and from disk alike', async () => {
  const outcomes: { name: string; caught: string | null; alike: boolean }[] = []
  for (const attack of all) {
    const trust = await trustIn(attack)
    const { checks } = await verifyBundle(attack.zip, trust)
    const failed = checks.filter(({ ok }) => ok === false).map(({ id }) => id)
    const path = join(folder, 'bundle.zip')
    writeFileSync(path, attack.zip)
    await using zip = await openZipFile(path)
    const streamed = await verifyBundle(zip.source, trust)
    outcomes.push({
      name: attack.name,
      caught: failed.find((id) => id === attack.caught) ?? failed[0] ?? null,
      alike: JSON.stringify(streamed.checks) === JSON.stringify(checks),
    })
  }
  expect(outcomes).toEqual(all.map(({ name, caught }) => ({ name, caught, alike: true })))
}, 60_000)

test('every failure tells its reason in words', async () => {
  for (const attack of all.slice(1)) {
    const { checks } = await verifyBundle(attack.zip, await trustIn(attack))
    for (const { ok, detail } of checks) expect(ok !== false || detail.length > 10).toBe(true)
  }
})
