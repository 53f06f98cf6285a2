import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, deflateRawSync } from 'node:zlib'
import { zipSync } from 'fflate'
import { afterAll, describe, expect, test } from 'vitest'
import { readFileSync } from 'node:fs'
import { readZip } from './zip-source.ts'
import { type Packable, packZip } from './zip-write.ts'
import { writeZip } from './zip.fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'attestry-zip-'))
afterAll(() => rmSync(folder, { recursive: true }))

const text = (value: string) => new TextEncoder().encode(value)
const sample = new Map([
  ['report/b.csv', text('b'.repeat(5000))],
  ['README.txt', text('read me')],
])

/** The archive with every occurrence of one name replaced by another of the same length. */
function renamed(zip: Uint8Array, from: string, to: string): Uint8Array {
  return Uint8Array.from(Buffer.from(Buffer.from(zip).toString('latin1').replaceAll(from, to), 'latin1'))
}

/** The archive that our own packer makes. */
async function packed(files: ReadonlyMap<string, Packable>): Promise<Uint8Array> {
  const parts = Buffer.alloc(1 << 20)
  const length = await packZip(files, { write: (bytes, at) => parts.set(bytes, at) })
  return Uint8Array.from(parts.subarray(0, length))
}

describe('packZip()', () => {
  test('gives the same bytes whatever the order of files, the pieces they come in, and the time zone', async () => {
    const random = randomBytes(200_000).toString('base64')
    const whole = text(random)
    const pieces = (size: number) => ({
      chunks: function* () {
        for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size)
      },
    })
    const here = (await packed(new Map([...sample, ['log/a', whole]]))).toHex()
    for (const size of [1000, 65_536, 100_001])
      expect(
        (
          await packed(new Map<string, Packable>([['log/a', pieces(size)], ...[...sample].toReversed()]))
        ).toHex() === here,
      ).toBe(true)
    const script = `
      import { packZip } from ${JSON.stringify(new URL('zip-write.ts', import.meta.url).href)}
      const text = (value) => new TextEncoder().encode(value)
      const files = new Map([['README.txt', text('read me')], ['report/b.csv', text('b'.repeat(5000))]])
      let out = Buffer.alloc(1 << 16)
      const length = await packZip(files, { write: (bytes, at) => { out.set(bytes, at) } })
      process.stdout.write(out.subarray(0, length).toString('hex'))`
    const small = (await packed(sample)).toHex()
    for (const TZ of ['Pacific/Kiritimati', 'America/Los_Angeles']) {
      const there = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
        env: { ...process.env, TZ },
        encoding: 'utf8',
      })
      expect(there).toBe(small)
    }
  })

  test('is read back, and by unzip', async ({ skip }) => {
    const zip = await packed(new Map([...sample, ['log/empty', new Uint8Array(0)]]))
    expect(await readZip(zip)).toEqual({ files: new Map([...sample, ['log/empty', new Uint8Array(0)]]) })
    skip(spawnSync('unzip', ['-v']).status !== 0, 'this machine has no unzip to ask')
    writeFileSync(join(folder, 'a.zip'), zip)
    expect(execFileSync('unzip', ['-t', join(folder, 'a.zip')], { encoding: 'utf8' })).toContain(
      'No errors detected',
    )
  })

  test.each(['../up', '/etc/passwd', 'a\\b', 'a//b', 'C:x', '.hidden', 'a b', 'ä'])(
    'refuses the name %j',
    async (name) => {
      await expect(packed(new Map([[name, text('x')]]))).rejects.toThrow(RangeError)
    },
  )
})

describe('readZip()', () => {
  const problem = async (zip: Uint8Array) => {
    const read = await readZip(zip)
    return 'problem' in read ? read.problem : 'accepted'
  }

  test('refuses a duplicate name', async () => {
    const zip = writeZip(
      new Map([
        ['aa', text('1')],
        ['ab', text('2')],
      ]),
    )
    expect(await problem(renamed(zip, 'ab', 'aa'))).toContain('twice')
  })

  test('refuses names that differ only in case', async () => {
    const zip = zipSync({ 'a.txt': text('1'), 'A.txt': text('2') })
    expect(await problem(zip)).toContain('case')
  })

  test('refuses traversal, absolute paths, backslashes and folders', async () => {
    const zip = writeZip(new Map([['aaaa', text('1')]]))
    for (const name of ['../a', '/aaa', 'a\\.a', 'aaa/', 'a//a']) {
      expect(await problem(renamed(zip, 'aaaa', name))).toContain('not allowed')
    }
  })

  test('refuses a file that is also a folder', async () => {
    expect(await problem(zipSync({ 'a/b': text('1'), a: text('2') }))).toMatch(/not where|folder/)
  })

  test('refuses links', async ({ skip }) => {
    skip(spawnSync('zip', ['-v']).status !== 0, 'this machine has no zip to make one with')
    symlinkSync('/etc/passwd', join(folder, 'link'))
    execFileSync('zip', ['-qyX', 'link.zip', 'link'], { cwd: folder })
    expect(await problem(readFileSync(join(folder, 'link.zip')))).toContain('link')
  })

  test('refuses bytes before, between and after the files, and a cut archive', async () => {
    const zip = writeZip(sample)
    expect(await problem(Uint8Array.of(...zip, 0))).toContain('bytes follow')
    expect(await problem(Uint8Array.of(0, ...zip))).toContain('not where')
    expect(await problem(zip.slice(0, -30))).not.toBe('accepted')
    expect(await problem(new Uint8Array(0))).not.toBe('accepted')
  })

  test('refuses content that is not what the headers say', async () => {
    const zip = writeZip(new Map([['a', text('hello')]]))
    for (const at of [18, 22, 14, 40]) {
      const changed = Uint8Array.from(zip)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(await problem(changed), `octet ${at}`).not.toBe('accepted')
    }
  })

  test('refuses a bomb before it unpacks it', async () => {
    const bomb = writeZip(new Map([['zeros', new Uint8Array(5_000_000)]]))
    const read = await readZip(bomb, { mostBytes: 1_000_000 })
    expect(read).toEqual({ problem: 'the archive unpacks to more than 1000000 bytes' })
    expect(await readZip(writeZip(sample), { mostFiles: 1 })).toHaveProperty('problem')
  })

  test('refuses a file that unpacks to more than it says', async () => {
    const zip = Uint8Array.from(writeZip(new Map([['zeros', new Uint8Array(100_000)]])))
    const view = new DataView(zip.buffer)
    const directory = view.getUint32(zip.length - 6, true)
    view.setUint32(22, 1000, true)
    view.setUint32(directory + 24, 1000, true)
    expect(await problem(zip)).toContain('is longer than it says')
  })

  test('refuses bytes behind the end of what a file is packed to', async () => {
    const packed = Uint8Array.from([...deflateRawSync('hello'), 1, 2, 3])
    const plain = writeZip(new Map([['aaaa', packed]]))
    // The archive as it was written holds the file as it is; the same bytes as if they were deflated hide three.
    const view = new DataView(plain.buffer)
    const directory = view.getUint32(plain.length - 6, true)
    const stored = 30 + 'aaaa'.length
    const name = plain.subarray(30, stored)
    const local = plain.slice(0, 30)
    const central = plain.slice(directory, plain.length)
    const both: [Uint8Array, number, number, number, number][] = [
      [local, 8, 14, 18, 22],
      [central, 10, 16, 20, 24],
    ]
    for (const [header, method, crc, size, unpacked] of both) {
      const at = new DataView(header.buffer)
      at.setUint16(method, 8, true)
      at.setUint32(crc, crc32('hello'), true)
      at.setUint32(size, packed.length, true)
      at.setUint32(unpacked, 5, true)
    }
    new DataView(central.buffer).setUint32(central.length - 6, stored + packed.length, true)
    const zip = Uint8Array.from(Buffer.concat([local, name, packed, central]))
    expect(await problem(zip)).toContain('cannot be unpacked')
  })

  test('survives any single changed octet without throwing', async () => {
    const zip = writeZip(sample)
    for (let at = 0; at < zip.length; at += 1) {
      const changed = Uint8Array.from(zip)
      changed[at] = (changed[at] ?? 0) ^ 0xff
      await expect(readZip(changed)).resolves.toBeDefined()
    }
  })
})
