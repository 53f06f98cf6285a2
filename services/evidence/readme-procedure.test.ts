import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Attack, attacks, worldOf } from './attacks.fixture.ts'
import { PROCEDURE } from './readme-procedure.ts'
import { readZip } from './zip-source.ts'

const folder = mkdtempSync(join(tmpdir(), 'attestry-procedure-'))
afterAll(() => rmSync(folder, { recursive: true }))
const python = spawnSync('python3', ['--version']).error === undefined
let all: Attack[]
beforeAll(async () => {
  all = await attacks(await worldOf())
})

/** Unpacks a bundle and runs what its own README.txt prints, as the README says. */
async function run(name: string): Promise<{ code: number | null; said: string }> {
  const attack = all.find((each) => each.name === name)
  const read = await readZip(attack?.zip ?? new Uint8Array())
  if ('problem' in read) throw new Error(read.problem)
  const root = mkdtempSync(join(folder, 'bundle-'))
  for (const [path, bytes] of read.files) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), bytes)
  }
  const command = /^ {3}(sed .*)$/m.exec(readFileSync(join(root, 'README.txt'), 'utf8'))?.[1] ?? 'false'
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: root, encoding: 'utf8' })
  return { code: status, said: stdout + stderr }
}

describe('the procedure of README.txt', () => {
  test('is short enough to be read before it is run', () => {
    expect(PROCEDURE.split('\n').length).toBeLessThanOrEqual(62)
  })

  test('verifies an honest bundle: files, chain, tree, checkpoints and names', async ({ skip }) => {
    skip(!python, 'this machine has no python3 to ask')
    const { code, said } = await run('nothing: the honest bundle')
    expect(said).toMatch(/^OK: \d+ files, 10 events, 3 checkpoints\n$/)
    expect(code).toBe(0)
  })

  test.each([
    'a file is added',
    'an event is edited',
    'an event is deleted',
    'an event is inserted',
    'two events change places',
    'the end is cut off',
    'another tenant’s ledger is put in',
    'a disclosed name is forged',
    'a disclosed name is spelt with other code points',
    'history before an anchor is rewritten and signed again, the old anchors kept',
    'an anchor is missing',
  ])('finds that %s', async (name) => {
    expect(python ? (await run(name)).code : 1).not.toBe(0)
  })
})
