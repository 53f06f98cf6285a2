import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Tsa } from '../twin/tsa/index.ts'
import { createTsa } from '../twin/tsa/index.ts'
import { now, partsOf, type SealedInMemory, sealInMemory, text, trustOf } from './bundle.fixture.ts'
import { generateSigningKey, localSigner } from './sign.ts'
import { verifyBundle } from './verify.ts'

const folder = mkdtempSync(join(tmpdir(), 'attestry-bundle-'))
afterAll(() => rmSync(folder, { recursive: true }))

const random = (length: number) => Uint8Array.from(randomBytes(length))
const signer = localSigner(generateSigningKey())
const stockTools = ['openssl', 'sha256sum', 'sh'].every(
  (tool) => spawnSync(tool, ['--version']).error === undefined,
)
let tsa: Tsa
let away: Tsa
let sealed: SealedInMemory
beforeAll(async () => {
  tsa = await createTsa({ clock: () => now, random })
  away = await createTsa({ clock: () => now, random, behaviour: () => 'unavailable' })
  sealed = await sealInMemory(partsOf(signer, tsa))
})

/** The bundle's files and those beside it, unpacked where an auditor would. */
function unpack(bundle: SealedInMemory, name: string): string {
  const root = join(folder, name)
  for (const [path, bytes] of [...bundle.files, ...bundle.beside]) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), bytes)
  }
  return root
}

/** The numbered commands of README.txt, as they are printed there. */
function commandsOf(root: string): string[] {
  const readme = readFileSync(join(root, 'README.txt'), 'utf8')
  return [...readme.matchAll(/^[123] {2}(sha256sum|openssl) .*$/gm)].map(([line]) => line.slice(3))
}

const run = (root: string, command: string) =>
  spawnSync('sh', ['-c', command], { cwd: root, encoding: 'utf8' })

describe('sealInMemory()', () => {
  test('the three commands of README.txt verify the bundle with stock tools', ({ skip }) => {
    skip(!stockTools, 'this machine has no openssl, sha256sum or sh to ask')
    const root = unpack(sealed, 'honest')
    const commands = commandsOf(root)
    expect(commands).toHaveLength(3)
    const [sums, signature, timestamp] = commands.map((command) => run(root, command))
    expect(sums?.status).toBe(0)
    expect(sums?.stderr).toBe('')
    expect(sums?.stdout.match(/: OK$/gm)).toHaveLength(9)
    expect(signature?.stdout).toBe('Verified OK\n')
    expect(`${timestamp?.stdout}${timestamp?.stderr}`).toContain('Verification: OK')
    const data = run(root, 'openssl ts -verify -data DATA.SHA256SUMS -in DATA.tsr -CAfile tsa-root.pem')
    expect(`${data.stdout}${data.stderr}`).toContain('Verification: OK')
  })

  test('stock tools notice a changed row', ({ skip }) => {
    skip(!stockTools, 'this machine has no openssl, sha256sum or sh to ask')
    const root = unpack(sealed, 'changed')
    writeFileSync(join(root, 'report/asset-inventory.csv'), 'changed')
    const [sums] = commandsOf(root)
    expect(run(root, sums ?? '').status).toBe(1)
  })

  test('stock tools notice an insider who signs with another key', async ({ skip }) => {
    skip(!stockTools, 'this machine has no openssl, sha256sum or sh to ask')
    const root = unpack(await sealInMemory(partsOf(localSigner(generateSigningKey()), tsa)), 'insider')
    writeFileSync(join(root, 'signer.pub'), signer.publicKeyPem)
    const [sums, signature] = commandsOf(root).map((command) => run(root, command))
    expect(sums?.status).toBe(0)
    expect(signature?.status).toBe(1)
  })

  test('its zip is verified by our verifier', async () => {
    const verdict = await verifyBundle(sealed.zip, trustOf(signer, tsa))
    expect(verdict.checks.filter(({ ok }) => ok !== true).map(({ id }) => id)).toEqual([
      'hmac',
      'known',
      'anchors',
      'period',
      'rederived',
    ])
    expect(verdict).toMatchObject({ ok: true, timestamped: true })
  })

  test('key and root lie beside the bundle, and in it only as hints that the list omits', () => {
    expect([...sealed.beside.keys()]).toEqual(['signer.pub', 'tsa-root.pem'])
    const list = new TextDecoder().decode(sealed.files.get('SHA256SUMS'))
    expect(list).toMatch(
      /^# evidence-bundle\/v1 bundle-0a1b2c3d asset-inventory 2026-02-01T00:00:00Z\/2026-03-01T00:00:00Z\n/,
    )
    expect(list).not.toContain('sig/')
    expect(
      [...sealed.files.keys()].filter((path) => path.startsWith('sig/')).toSorted((a, b) => (a < b ? -1 : 1)),
    ).toEqual([
      'sig/SHA256SUMS.es256',
      'sig/SHA256SUMS.es256.tsr',
      'sig/SHA256SUMS.hmac',
      'sig/signer.pem',
      'sig/tsa-chain.pem',
    ])
  })

  test('the data files alone are in the first tier, the PDF is in the second', () => {
    const list = new TextDecoder().decode(sealed.files.get('DATA.SHA256SUMS'))
    expect([...list.matchAll(/ {2}(.*)$/gm)].map(([, path]) => path)).toEqual([
      'README.txt',
      'log/disclosures.jsonl',
      'log/events.jsonl',
      'log/start.json',
      'manifest.json',
      'report/asset-inventory.csv',
    ])
  })

  test('an authority that is away leaves the bundle pending: sealed, signed, and never stamped by us', async () => {
    const pending = await sealInMemory(partsOf(signer, away))
    expect(pending.dataStamp.status).toBe('pending')
    expect(pending.signatureStamp).toMatchObject({
      status: 'pending',
      reason: 'local: answered with status 503',
    })
    expect([...pending.files.keys()].filter((path) => path.endsWith('.tsr'))).toEqual([])
    const verdict = await verifyBundle(pending.zip, trustOf(signer, away))
    expect(verdict).toMatchObject({ ok: true, timestamped: false })
    expect(verdict.checks.find(({ id }) => id === 'timestamp')).toMatchObject({ ok: 'not-checked' })
  })

  test('the missing timestamp can be added later without touching what is signed', async () => {
    const pending = await sealInMemory(partsOf(signer, away))
    const signature = pending.files.get('sig/SHA256SUMS.es256') ?? text('')
    const stamp = await partsOf(signer, tsa).timestamp(signature, new AbortController().signal)
    if (stamp.status !== 'stamped') throw new Error(stamp.reason)
    const later = new Map(pending.files).set('sig/SHA256SUMS.es256.tsr', stamp.token)
    expect(await verifyBundle(later, trustOf(signer, tsa))).toMatchObject({ ok: true, timestamped: true })
  })

  test('tells its steps, and stops between them when it is cancelled', async () => {
    const steps: string[] = []
    await sealInMemory(
      partsOf(signer, tsa, { progress: (step, done, total) => steps.push(`${step} ${done}/${total}`) }),
    )
    expect(steps).toEqual([
      'data 0/5',
      'timestamp-data 1/5',
      'pdf 2/5',
      'sign 3/5',
      'timestamp-signature 4/5',
      'timestamp-signature 5/5',
    ])
    const cancel = new AbortController()
    const cancelled = sealInMemory(
      partsOf(signer, tsa, { signal: cancel.signal, progress: (step) => step === 'pdf' && cancel.abort() }),
    )
    await expect(cancelled).rejects.toThrow('aborted')
  })

  test('refuses a manifest that disagrees with what is sealed', async () => {
    const parts = partsOf(signer, tsa)
    const other = localSigner(generateSigningKey())
    await expect(sealInMemory({ ...parts, signer: other })).rejects.toThrow('another signing key')
    await expect(sealInMemory({ ...parts, hmacMaster: null })).rejects.toThrow('HMAC')
    const swapped = new Map([...parts.data, ['report/asset-inventory.csv', text('other')] as const])
    await expect(sealInMemory({ ...parts, data: swapped })).rejects.toThrow('another digest')
    const stray = new Map([...parts.data, ['sig/extra', text('x')] as const])
    await expect(sealInMemory({ ...parts, data: stray })).rejects.toThrow('may not be called')
    await expect(sealInMemory({ ...parts, print: async () => new Map() })).rejects.toThrow('printed files')
  })
})
