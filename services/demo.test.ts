import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { unzipSync } from 'fflate'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { alive, descendantsOf, type Program, startProgram, until } from './program.fixture.ts'

/* `npm run demo`, as whoever types it sees it. */

let folder: string
/** Where the demonstration keeps its state while it runs. */
let temporary: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attestry-demo-test-'))
  // As root, Postgres runs as somebody else, who must be able to enter it.
  await chmod(folder, 0o755)
  temporary = join(folder, 'temporary')
  await mkdir(temporary)
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const demo = (out: string): Program => startProgram('./cli/demo.ts', [out], { TMPDIR: temporary })

describe('npm run demo', () => {
  test('does the main job, verifies it with stock tools, sums it up, and leaves nothing running', async () => {
    const out = join(folder, 'out')
    const program = demo(out)
    const family = new Set<number>()
    const over = new AbortController()
    const watching = (async () => {
      // Bounded by the demonstration's own four minutes.
      while (!over.signal.aborted) {
        for (const pid of await descendantsOf(program.pid)) family.add(pid)
        await wait(500)
      }
    })()
    const ended = await program.ended
    over.abort()
    await watching
    expect({ ended, complained: program.complained() }).toEqual({ ended: 0, complained: '' })
    const said = program.said()
    expect(said).not.toContain('✗')
    expect(said).toContain('✓ verify it with attestry verify')
    expect(said).toMatch(/^DEMONSTRATION: /m)
    expect(said).toMatch(/^Assets +[1-9]\d* secrets, [1-9]\d* keys, [1-9]\d* certificates/m)
    expect(said).toMatch(/^Unreachable +\S+ \((firewall|forbidden)\)/m)
    expect(said).toMatch(/^Findings +[1-9]\d* critical, [1-9]\d* high/m)
    expect(said).toMatch(/^Score +\d+(\.\d+)? \(weak\), coverage \d/m)
    expect(said).toMatch(/^Timings +make the folder [\d.]+ s, .*scan the estate [\d.]+ s/m)

    const [, bundle = ''] = /^Bundle +(\S+) \([1-9]\d* bytes\)/m.exec(said) ?? []
    expect((await readdir(out)).map((name) => join(out, name)).toSorted()).toEqual(
      [bundle, join(out, 'signer.pub'), join(out, 'tsa-root.pem')].toSorted(),
    )
    // Once more by hand, as the bundle's own README says, and with a file that was changed.
    const unpacked = join(folder, 'unpacked')
    for (const [path, bytes] of Object.entries(unzipSync(await readFile(bundle)))) {
      await mkdir(join(unpacked, path, '..'), { recursive: true })
      await writeFile(join(unpacked, path), bytes)
    }
    for (const name of ['signer.pub', 'tsa-root.pem'])
      await writeFile(join(unpacked, name), await readFile(join(out, name)))
    const readme = await readFile(join(unpacked, 'README.txt'), 'utf8')
    const commands = [...readme.matchAll(/^[123] {2}((?:sha256sum|openssl) .+)$/gm)].map((m) => m[1] ?? '')
    expect(commands).toHaveLength(3)
    const run = (command: string) =>
      execFileSync('sh', ['-c', `${command} 2>&1`], { cwd: unpacked, encoding: 'utf8', timeout: 30_000 })
    const [sums = '', signature = '', stamp = ''] = commands.map(run)
    expect(sums).toMatch(/^report\/rule-violations\.csv: OK$/m)
    expect(signature).toContain('Verified OK')
    expect(stamp).toContain('Verification: OK')
    await writeFile(join(unpacked, 'report', 'rule-violations.csv'), 'nothing is wrong')
    expect(() => run(commands[0] ?? '')).toThrow('Command failed')

    expect(family.size).toBeGreaterThan(3)
    expect(await alive([...family])).toEqual([])
    expect(await readdir(temporary)).toEqual([])
  }, 300_000)

  test('ends with the step that failed, and with everything that it began, when it is interrupted', async () => {
    const program = demo(join(folder, 'out'))
    await until('the product has children', async () =>
      (await descendantsOf(program.pid)).length > 2 ? true : null,
    )
    const family = await descendantsOf(program.pid)
    expect(await program.end('SIGTERM')).toBe(1)
    expect(program.complained()).toContain('The step "bring everything up" failed')
    expect(program.complained()).toContain('it was ended by SIGTERM')
    expect(await alive(family)).toEqual([])
    expect(await readdir(temporary)).toEqual([])
  }, 120_000)

  test('says at once where the bundle cannot be put', async () => {
    const out = join(folder, 'a-file')
    await writeFile(out, '')
    const program = demo(out)
    expect(await program.ended).toBe(1)
    expect(program.said()).toContain('✗ make the folder')
    expect(program.complained()).toMatch(/The step "make the folder" failed\n.*EEXIST/)
    expect(await readdir(temporary)).toEqual([])
  }, 60_000)
})
