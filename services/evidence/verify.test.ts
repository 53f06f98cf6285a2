import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { type BundleManifest, canonical, leafOf, manifestText, toHex } from '@attestry/contracts'
import type { Tsa } from '../twin/tsa/index.ts'
import { createTsa } from '../twin/tsa/index.ts'
import {
  columns,
  disclosure,
  hmacMaster,
  ledgerOf,
  manifestOf,
  now,
  partsOf,
  rows,
  type SealedInMemory,
  sealInMemory,
  sha256,
  text,
  trustOf,
} from './bundle.fixture.ts'
import { headerOf } from './bundle.ts'
import { csvBytes } from './csv.ts'
import { bundleHmacKey } from './hmac.ts'
import { generateSigningKey, localSigner } from './sign.ts'
import type { SumsHeader } from './sums.ts'
import { writeSums } from './sums.ts'
import { requestTimestamp } from './timestamp.ts'
import type { Trust } from './verify.ts'
import { verifyBundle } from './verify.ts'
import { writeZip } from './zip.fixture.ts'

const random = (length: number) => Uint8Array.from(randomBytes(length))
const signer = localSigner(generateSigningKey())
const stranger = localSigner(generateSigningKey())
const { signal } = new AbortController()
let tsa: Tsa
let sealed: SealedInMemory
beforeAll(async () => {
  tsa = await createTsa({ clock: () => now, random })
  sealed = await sealInMemory(partsOf(signer, tsa))
})

type Draft = Map<string, Uint8Array>

/** The ids of the checks that fail. */
async function failures(files: Draft | Uint8Array, more: Partial<Trust> = {}): Promise<string[]> {
  const verdict = await verifyBundle(files, trustOf(signer, tsa, more))
  const failed = verdict.checks.filter(({ ok }) => ok === false).map(({ id }) => id)
  expect(verdict.ok).toBe(failed.length === 0)
  return failed
}

/** The files after a change by somebody without any key. */
function tampered(change: (files: Draft) => void): Draft {
  const files = new Map(sealed.files)
  change(files)
  return files
}

const listOf = (files: Draft, omit: (path: string) => boolean, header?: SumsHeader) => {
  const lines = [...files]
    .filter(([path]) => !omit(path))
    .map(([path, bytes]) => ({ path, sha256: sha256(bytes).toHex() }))
  return text(writeSums(lines, header))
}

/**
 * What an insider can do: change anything, make every list anew, print the PDF again, sign with the key he has, and
 * have it all timestamped honestly.
 */
async function resealed(
  change: (files: Draft) => void,
  key = signer,
  more: { header?: Partial<SumsHeader> } = {},
) {
  const files = new Map(sealed.files)
  change(files)
  const { timestamp } = partsOf(signer, tsa)
  const stamp = async (bytes: Uint8Array) => {
    const stamped = await timestamp(bytes, signal)
    if (stamped.status !== 'stamped') throw new Error(stamped.reason)
    return stamped.token
  }
  const tier2 = (path: string) => /^(sig\/|SHA256SUMS$|DATA\.)|\.pdf$/.test(path)
  const dataSums = listOf(files, tier2)
  files.set('DATA.SHA256SUMS', dataSums)
  files.set('DATA.tsr', await stamp(dataSums))
  const mark = `tier-1 SHA-256 ${sha256(dataSums).toHex()}, timestamp stamped`
  files.set('report/asset-inventory.pdf', text(`%PDF-1.7\n${mark}\n%%EOF\n`))
  const header = { ...headerOf(manifestOf(signer, ledgerOf('contoso'))), ...more.header }
  const sums = listOf(files, (path) => path.startsWith('sig/') || path === 'SHA256SUMS', header)
  files.set('SHA256SUMS', sums)
  const signature = await key.sign(sums, signal)
  files.set('sig/SHA256SUMS.es256', signature)
  files.set('sig/SHA256SUMS.es256.tsr', await stamp(signature))
  files.set('sig/signer.pem', text(key.publicKeyPem))
  return files
}

const withManifest = (change: (manifest: BundleManifest) => unknown) => (files: Draft) => {
  const manifest = manifestOf(signer, ledgerOf('contoso'))
  change(manifest)
  files.set('manifest.json', text(manifestText(manifest)))
}

const withLines = (change: (lines: string[]) => string[]) => (files: Draft) => {
  const lines = change([...ledgerOf('contoso').lines])
  files.set('log/events.jsonl', text(lines.map((line) => `${line}\n`).join('')))
}

const detailOf = async (files: Draft, id: string, more: Partial<Trust> = {}) =>
  (await verifyBundle(files, trustOf(signer, tsa, more))).checks.find((check) => check.id === id)?.detail

test('a bundle that nobody touched verifies, resealed by our test insider as well', async () => {
  expect(await failures(sealed.zip)).toEqual([])
  expect(await failures(await resealed(() => undefined))).toEqual([])
})

describe('without a key, nobody can', () => {
  test('change, drop or add a file', async () => {
    expect(await failures(tampered((f) => f.set('README.txt', text('other'))))).toEqual([
      'files',
      'data-files',
    ])
    expect(await failures(tampered((f) => f.delete('README.txt')))).toEqual(['files', 'data-files'])
    expect(await failures(tampered((f) => f.set('report/extra.csv', text('x'))))).toContain('files')
    expect(await failures(tampered((f) => f.set('sig/extra.txt', text('x'))))).toContain('files')
    expect(await failures(tampered((f) => f.set('DATA.tsr', text('x'))))).toEqual(['files', 'timestamp-data'])
  })

  test('take out the list, its first line, or the signature', async () => {
    expect(await failures(tampered((f) => f.delete('SHA256SUMS')))).toEqual(['files'])
    expect(await failures(tampered((f) => f.delete('sig/SHA256SUMS.es256')))).toContain('signature')
    const bare = (f: Draft) =>
      f.set('SHA256SUMS', text(new TextDecoder().decode(f.get('SHA256SUMS')).replace(/^#.*\n/, '')))
    expect(await failures(tampered(bare))).toEqual(['binding', 'signature'])
  })

  test('widen the period in the first line', async () => {
    const widened = (f: Draft) =>
      f.set('SHA256SUMS', text(new TextDecoder().decode(f.get('SHA256SUMS')).replace('/2026-03', '/2026-04')))
    expect(await failures(tampered(widened))).toEqual(['binding', 'signature'])
  })

  test('put the signature or the timestamp of another bundle in', async () => {
    const other = await sealInMemory(
      partsOf(signer, tsa, {
        hmacMaster: new Uint8Array(32),
        print: async (tier) => {
          const state = `tier-1 SHA-256 ${tier.digest}, timestamp stamped`
          return new Map([['report/asset-inventory.pdf', text(`%PDF-1.7\n${state}\nother\n%%EOF\n`)]])
        },
      }),
    )
    const take = (path: string) => tampered((f) => f.set(path, other.files.get(path) ?? text('')))
    expect(await failures(take('sig/SHA256SUMS.es256'))).toEqual(['signature', 'timestamp'])
    expect(await failures(take('sig/SHA256SUMS.es256.tsr'))).toEqual(['timestamp'])
    expect(await failures(take('SHA256SUMS'))).toEqual(['files', 'signature'])
  })

  test('pass a zip that is ambiguous', async () => {
    expect(await failures(Uint8Array.of(...sealed.zip, 0))).toEqual(['archive'])
    expect(await failures(text('not a zip'))).toEqual(['archive'])
  })
})

describe('the key is the one that was given, never the one in the bundle', () => {
  test('an insider who changes a CSV, makes all lists anew and signs with another key fails', async () => {
    const csv = csvBytes(columns, [...rows, ['made-up', 'key']])
    const change = (files: Draft) => {
      files.set('report/asset-inventory.csv', csv)
      withManifest((manifest) => {
        const [report] = manifest.reports
        if (report === undefined) throw new Error('the fixture has a report')
        report.rows = 3
        report.csv = [
          { path: 'report/asset-inventory.csv', rows: 3, bytes: csv.length, sha256: sha256(csv).toHex() },
        ]
        manifest.signing.keyId = stranger.keyId
      })(files)
    }
    const files = await resealed(change, stranger)
    expect(await failures(files)).toEqual(['signature'])
    // Against his own key everything else is in order: it is the key handed over another way that finds him.
    expect(await failures(files, { signerPublicKeyPem: stranger.publicKeyPem })).toEqual(['key'])
  })

  test('no key given is a failure, and so is one that is no key', async () => {
    expect(await failures(sealed.zip, { signerPublicKeyPem: null })).toEqual(['signature'])
    expect(await failures(sealed.zip, { signerPublicKeyPem: 'nonsense' })).toEqual(['signature'])
    const broken = '-----BEGIN PUBLIC KEY-----\n====\n-----END PUBLIC KEY-----\n'
    expect(await failures(sealed.zip, { signerPublicKeyPem: broken })).toEqual(['signature'])
  })

  test('the HMAC is checked when its key is given', async () => {
    const key = await bundleHmacKey(hmacMaster, 'bundle-0a1b2c3d')
    expect(await failures(sealed.zip, { hmacKey: key })).toEqual([])
    expect(await failures(sealed.zip, { hmacKey: key.map((octet) => octet ^ 1) })).toEqual(['hmac'])
    expect(
      await failures(
        tampered((f) => f.delete('sig/SHA256SUMS.hmac')),
        { hmacKey: key },
      ),
    ).toEqual(['hmac'])
  })
})

describe('a timestamp counts only against the roots that were given', () => {
  test('no root, a wrong root, or no certificate at all', async () => {
    const other = await createTsa({ clock: () => now, random })
    for (const tsaRootsPem of [null, other.rootPem, 'nonsense', '']) {
      expect(await failures(sealed.zip, { tsaRootsPem })).toEqual(['timestamp-data', 'timestamp'])
    }
  })

  test('an old token, and one from the future', async () => {
    for (const at of ['2026-03-01T11:00:00Z', '2026-06-01T00:00:00Z']) {
      const clock = () => new Date(at)
      const wrong = await createTsa({ clock, random, saved: tsa.saved })
      const signature = sealed.files.get('sig/SHA256SUMS.es256') ?? text('')
      const parts = partsOf(signer, wrong)
      const authority = {
        name: 'a',
        url: 'http://a.invalid/tsa',
        rootsPem: wrong.rootPem,
        independent: false,
      }
      const stamp = await requestTimestamp(
        { data: signature, authorities: [authority], signal: parts.signal },
        { clock, random, fetch: (url, init) => wrong.fetch(new Request(url, init)) },
      )
      if (stamp.status !== 'stamped') throw new Error(stamp.reason)
      expect(await failures(tampered((f) => f.set('sig/SHA256SUMS.es256.tsr', stamp.token)))).toEqual([
        'timestamp',
      ])
    }
  })

  test('a PDF that says stamped while the bundle is pending is noticed', async () => {
    const claim = (f: Draft) => {
      f.delete('DATA.tsr')
    }
    const files = await resealed(() => undefined)
    claim(files)
    const sums = listOf(
      files,
      (path) => path.startsWith('sig/') || path === 'SHA256SUMS',
      headerOf(manifestOf(signer, ledgerOf('contoso'))),
    )
    files.set('SHA256SUMS', sums)
    files.set('sig/SHA256SUMS.es256', await signer.sign(sums, signal))
    files.delete('sig/SHA256SUMS.es256.tsr')
    expect(await failures(files)).toEqual(['printed'])
  })
})

describe('even with the key, the parts must agree', () => {
  test('a CSV with another row, or rows than the manifest counts', async () => {
    const files = await resealed((f) => f.set('report/asset-inventory.csv', csvBytes(columns, [['a', 'b']])))
    expect(await failures(files)).toEqual(['reports'])
    const fewer = await resealed(withManifest(({ reports: [report] }) => report && (report.rows = 1)))
    expect(await failures(fewer)).toEqual(['reports'])
    const stray = await resealed((f) => f.set('report/extra.csv', csvBytes(columns, [])))
    expect(await failures(stray)).toEqual(['reports'])
  })

  test.each<[string, (manifest: BundleManifest) => unknown, string]>([
    ['another bundle', (m) => (m.bundle = 'bundle-ffffffff'), 'of bundle'],
    ['another period', (m) => (m.period.from = '2026-01-01T00:00:00Z'), 'another period'],
    [
      'a log that starts inside the period',
      (m) => (m.ledger.start = { ...m.ledger.start, seq: 1, at: '2026-02-02T00:00:00Z' }),
      'starts after the period',
    ],
    ['a making in the future', (m) => (m.generatedAt = '2027-01-01T00:00:00Z'), 'in the future'],
  ])('a manifest of %s does not fit the signed list', async (_, change, reason) => {
    const files = await resealed(withManifest(change))
    expect(await failures(files)).toContain('binding')
    expect(await detailOf(files, 'binding')).toContain(reason)
  })

  test.each<[string, string]>([
    ['a repeated key', '{\n  "bundle": "bundle-ffffffff",'],
    ['other spacing', '{ '],
  ])('a manifest with %s is not read', async (_, start) => {
    const files = await resealed((f) =>
      f.set('manifest.json', text(manifestText(manifestOf(signer, ledgerOf('contoso'))).replace('{', start))),
    )
    expect(await failures(files)).toContain('manifest')
  })

  test('a manifest of another format is not read', async () => {
    const files = await resealed((f) => f.set('manifest.json', text('{"format":"evidence-bundle/v0"}\n')))
    expect(await failures(files)).toContain('manifest')
  })

  test('a PDF that was updated after it was made, or printed from other data', async () => {
    const appended = (f: Draft) => {
      const pdf = new TextDecoder().decode(f.get('report/asset-inventory.pdf'))
      f.set('report/asset-inventory.pdf', text(`${pdf}later\n%%EOF\n`))
    }
    const files = await resealed(() => undefined)
    appended(files)
    expect(await failures(files)).toContain('printed')
    files.set('report/asset-inventory.pdf', text('%PDF-1.7\n%%EOF\n'))
    expect(await failures(files)).toContain('printed')
  })
})

describe('the ledger export', () => {
  const edited = (line: string) => line.replace('"all"', '"few"')
  test.each<[string, (lines: string[]) => string[], string]>([
    ['edited', (lines) => lines.map(edited), 'head'],
    ['deleted', (lines) => lines.toSpliced(1, 1), 'chain'],
    ['inserted', (lines) => lines.toSpliced(1, 0, lines[1] ?? ''), 'chain'],
    ['reordered', ([a, b, c, ...rest]) => [a ?? '', c ?? '', b ?? '', ...rest], 'chain'],
    ['cut off at the end', (lines) => lines.slice(0, -1), 'head'],
    ['cut off at the start', (lines) => lines.slice(1), 'chain'],
    ['of another tenant', () => ledgerOf('fabrikam').lines, 'chain'],
    [
      'respelled with a space',
      (lines) => lines.map((l) => l.replace('"scope":"all"', '"scope": "all"')),
      'chain',
    ],
    [
      'given a repeated key',
      (lines) => lines.map((l) => l.replace('"scope":"all"', '"scope":"all","scope":"all"')),
      'chain',
    ],
    ['given a float', (lines) => lines.map((l) => l.replace('"count":2', '"count":2.0')), 'chain'],
    [
      'given 2^53+1',
      (lines) => lines.map((l) => l.replace('"count":2', '"count":9007199254740993')),
      'chain',
    ],
    ['given a lone surrogate', (lines) => lines.map((l) => l.replace('"all"', '"\\ud800"')), 'chain'],
    ['followed by an empty line', (lines) => [...lines, ''], 'chain'],
  ])('%s is noticed', async (_, change, id) => {
    expect(await failures(await resealed(withLines(change)))).toEqual([id])
  })

  test('a body that was withheld leaves the chain whole; a forged leaf does not', async () => {
    const withheld = withLines((lines) =>
      lines.map((line, at) => (at === 1 ? canonical({ leaf: toHex(leafOf(sha256, line)) }) : line)),
    )
    const files = await resealed((f) => {
      withheld(f)
      withManifest((m) => (m.ledger.hidden = 2))(f)
    })
    expect(await failures(files)).toEqual([])
    const forged = withLines((lines) =>
      lines.map((line, at) => (at === 1 ? canonical({ leaf: 'f'.repeat(64) }) : line)),
    )
    expect(await failures(await resealed(forged))).toEqual(['head'])
  })

  test.each<[string, object]>([
    ['another value', { ...disclosure, open: [['/data/name', '00112233445566778899aabbccddeeff', 'other']] }],
    ['another salt', { ...disclosure, open: [['/data/name', 'f'.repeat(32), 'smtp-password']] }],
    [
      'another field',
      { ...disclosure, open: [['/data/scope', '00112233445566778899aabbccddeeff', 'smtp-password']] },
    ],
    ['another event', { ...disclosure, seq: 2 }],
    ['a withheld event', { ...disclosure, seq: 4 }],
    ['no event at all', { ...disclosure, seq: 99 }],
  ])('a disclosure of %s is noticed', async (_, line) => {
    const files = await resealed((f) => f.set('log/disclosures.jsonl', text(`${canonical(line)}\n`)))
    expect(await failures(files)).toEqual(['disclosures'])
  })

  test('a start that does not fit is noticed', async () => {
    for (const start of [
      { frontier: ['a'.repeat(64)], prev: '0'.repeat(64), size: 0 },
      { frontier: [], prev: 'a'.repeat(64), size: 0 },
      { frontier: ['a'.repeat(64)], prev: '0'.repeat(64), size: 1 },
      { size: 0 },
    ]) {
      const files = await resealed((f) => f.set('log/start.json', text(`${canonical(start)}\n`)))
      expect(await failures(files)).toEqual(['chain'])
    }
  })

  test('a demonstration cannot pass for the real thing', async () => {
    const demo = ledgerOf('contoso', 'demo')
    const files = await resealed((f) => {
      withLines(() => demo.lines)(f)
      withManifest((m) => (m.ledger.head = { seq: 5, link: demo.link, root: demo.root, at: demo.at }))(f)
    })
    expect(await failures(files)).toEqual(['origin'])
  })

  test('a rewritten or forked history is noticed by whoever kept a place of it', async () => {
    const place = { seq: 5, link: ledgerOf('contoso').link }
    expect(await failures(sealed.zip, { known: [place] })).toEqual([])
    expect(await failures(sealed.zip, { known: [{ seq: 3, link: 'f'.repeat(64) }] })).toEqual(['known'])
  })
})

test('no single changed octet of the files passes, and none throws', async () => {
  for (const [path, bytes] of sealed.files) {
    if (path === 'sig/signer.pem' || path === 'sig/tsa-chain.pem' || path.endsWith('.hmac')) continue // hints, never trusted
    if (path.endsWith('.tsr')) continue // parts of a token are unsigned; timestamp.test.ts covers tokens
    for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 12)) {
      const changed = Uint8Array.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      const found = await failures(tampered((files) => files.set(path, changed)))
      expect(found, `${path} at ${at}`).not.toEqual([])
    }
  }
})

test('a bundle survives being zipped anew: the zip is a wrapper', async () => {
  expect(await failures(writeZip(new Map([...sealed.files].toReversed())))).toEqual([])
})
