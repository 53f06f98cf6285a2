import { createHash, randomBytes } from 'node:crypto'
import {
  type BundleManifest,
  canonical,
  commitment,
  envelopeText,
  GENESIS_LINK,
  leafOf,
  linkOf,
  type Sha256,
  toHex,
  treeFrontier,
} from '@attestry/contracts'
import type { Tsa } from '../twin/tsa/index.ts'
import { type BundleParts, type DataFile, type FirstTier, type SealedBundle, sealBundle } from './bundle.ts'
import { wholeFile } from './bundle-source.ts'
import { csvBytes, csvDialect } from './csv.ts'
import type { Signer } from './sign.ts'
import { fingerprint } from './sign.ts'
import { requestTimestamp } from './timestamp.ts'
import type { Trust } from './verify.ts'
import type { Files } from './zip.ts'
import { writeZip } from './zip.fixture.ts'

/* A small ledger and everything that a bundle of it is sealed from, for the tests of bundles and verification. */

export const sha256: Sha256 = (bytes) => Uint8Array.from(createHash('sha256').update(bytes).digest())
export const text = (value: string) => new TextEncoder().encode(value)

export const now = new Date('2026-03-01T12:00:00.000Z')
export const columns = ['asset', 'kind']
const described = columns.map((name) => ({
  name,
  type: 'text' as const,
  unit: null,
  says: name,
  source: 'envelope',
}))
export const rows = [
  ['=payroll-key', 'key'],
  ['smtp-password', 'secret'],
]
const salt = '00112233445566778899aabbccddeeff'

/** Five events of a tenant; the third commits to a name that the disclosures open, the fourth shows only its leaf. */
export function ledgerOf(tenant: string, origin: 'real' | 'demo' = 'real') {
  const name = commitment(sha256, Uint8Array.fromHex(salt), '/data/name', 'smtp-password')
  const facts: [type: string, data: unknown][] = [
    ['ledger.opened', { origin, productVersion: '0.1.0' }],
    ['discovery.scan-started', { scope: 'all' }],
    ['discovery.vault-scanned', { name }],
    ['discovery.vault-scanned', { name: 'withheld' }],
    ['discovery.scan-completed', { count: 2 }],
  ]
  const tree = treeFrontier(sha256)
  let link = GENESIS_LINK
  let at = ''
  const lines = facts.map(([type, data], index) => {
    at = `2026-02-0${index + 1}T00:00:00.000Z`
    const event = canonical({
      by: { kind: 'service', id: 'discovery' },
      cause: { correlation: 'c', causation: 'c' },
      data,
      id: `018f0000-0000-7000-8000-00000000000${index}`,
      v: 1,
    })
    const envelope = envelopeText({
      at,
      event,
      position: 1,
      seq: index + 1,
      stream: `s-${index}`,
      tenant,
      type,
    })
    const leaf = leafOf(sha256, envelope)
    link = linkOf(sha256, link, leaf)
    tree.push(leaf)
    return index === 3 ? canonical({ leaf: toHex(leaf) }) : envelope
  })
  return { lines, link: toHex(link), root: toHex(tree.root()), at, name }
}

export const disclosure = { open: [['/data/name', salt, 'smtp-password']], seq: 3 }

/** A PDF is a tier-2 file that names the data; what else is in it is the business of pdf.ts. */
export const printed = (tier: FirstTier) => {
  const state = tier.stamp.status === 'stamped' ? 'stamped' : 'PENDING'
  const body = `%PDF-1.7\ntier-1 SHA-256 ${tier.digest}, timestamp ${state}\n%%EOF\n`
  return new Map([['report/asset-inventory.pdf', text(body)]])
}

export function manifestOf(signer: Signer, ledger: ReturnType<typeof ledgerOf>): BundleManifest {
  const csv = csvBytes(columns, rows)
  return {
    format: 'evidence-bundle/v1',
    bundle: 'bundle-0a1b2c3d',
    tenant: 'contoso',
    origin: 'real',
    product: { name: 'Attestry', version: '0.1.0' },
    generatedAt: now.toISOString(),
    period: { from: '2026-02-01T00:00:00Z', to: '2026-03-01T00:00:00Z' },
    request: { scope: null, framework: null, formats: ['csv', 'pdf'] },
    framework: null,
    reports: [
      {
        type: 'asset-inventory',
        kind: 'posture',
        title: 'Asset inventory',
        query: 'every asset at the end of the period, by name',
        parameters: [['at', '2026-03-01T00:00:00Z']],
        rulesetDigest: null,
        columns: described,
        rows: rows.length,
        controlTotals: [
          ['keys', 1],
          ['secrets', 1],
        ],
        csv: [
          {
            path: 'report/asset-inventory.csv',
            rows: rows.length,
            bytes: csv.length,
            sha256: sha256(csv).toHex(),
          },
        ],
        json: null,
        pdf: 'report/asset-inventory.pdf',
        limits: ['Metadata only.'],
      },
    ],
    csvDialect: { ...csvDialect },
    ledger: {
      start: { seq: 0, link: toHex(GENESIS_LINK), at: null },
      head: { seq: 5, link: ledger.link, root: ledger.root, at: ledger.at },
      events: 5,
      hidden: 1,
      anchors: null,
    },
    scope: {
      declared: ['vault one'],
      listed: ['vault one'],
      reached: ['vault one'],
      differences: [],
      statement: null,
      imported: null,
    },
    observation: [],
    oscal: [],
    signing: {
      algorithm: 'ES256',
      kind: signer.kind,
      keyId: signer.keyId,
      fingerprint: fingerprint(signer.publicKeyPem),
      document: null,
    },
    hmac: { algorithm: 'HMAC-SHA-256', keyId: 'hmac-1', note: 'not independent proof' },
    timestampAuthorities: [{ name: 'local', independent: false }],
    limits: ['This is not a certification.'],
    customerActions: ['Keep the logs of the vaults for a year.'],
  }
}

export const hmacMaster = new Uint8Array(32).fill(9)

/** Everything that `sealBundle` takes, with the authority given; each part can be replaced. */
export function partsOf(signer: Signer, tsa: Tsa, more: Partial<BundleParts> = {}): BundleParts {
  const ledger = ledgerOf('contoso')
  const { signal } = new AbortController()
  const authority = {
    name: 'local',
    url: 'http://tsa.invalid/tsa',
    rootsPem: tsa.rootPem,
    independent: false,
  }
  return {
    manifest: manifestOf(signer, ledger),
    data: new Map([
      ['report/asset-inventory.csv', csvBytes(columns, rows)],
      ['log/events.jsonl', text(ledger.lines.map((line) => `${line}\n`).join(''))],
      ['log/start.json', text(`${canonical({ frontier: [], prev: toHex(GENESIS_LINK), size: 0 })}\n`)],
      ['log/disclosures.jsonl', text(`${canonical(disclosure)}\n`)],
    ]),
    print: async (tier) => printed(tier),
    signer,
    hmacMaster,
    timestamp: (data, given) =>
      requestTimestamp(
        { data, authorities: [authority], signal: given },
        {
          clock: () => now,
          random: (length) => Uint8Array.from(randomBytes(length)),
          fetch: (url, init) => tsa.fetch(new Request(url, init)),
        },
      ),
    tsaChainPem: tsa.chainPem,
    tsaRootsPem: tsa.rootPem,
    progress: () => undefined,
    signal,
    ...more,
  }
}

export const trustOf = (signer: Signer, tsa: Tsa, more: Partial<Trust> = {}): Trust => ({
  signerPublicKeyPem: signer.publicKeyPem,
  tsaRootsPem: tsa.rootPem,
  now,
  sha256,
  ...more,
})

/** A bundle in memory: its files as bytes, and the archive. */
export interface SealedInMemory extends SealedBundle {
  readonly files: Files
  readonly zip: Uint8Array<ArrayBuffer>
}

export async function sealInMemory(parts: BundleParts): Promise<SealedInMemory> {
  const sealed = await sealBundle(parts)
  const source = (path: string) => ({ paths: [path], chunks: () => chunksOf(sealed.files.get(path)) })
  const files = new Map<string, Uint8Array>()
  for (const path of sealed.files.keys())
    files.set(path, (await wholeFile(source(path), path, 2 ** 30)) ?? new Uint8Array(0))
  return { ...sealed, files, zip: writeZip(files) }
}

const chunksOf = (file: DataFile | undefined) =>
  file === undefined ? [] : file instanceof Uint8Array ? [file] : file.chunks()
