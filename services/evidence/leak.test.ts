import { createHash } from 'node:crypto'
import { canonical, type EventOf, type EvidenceScope, leafOf, ReportType } from '@attestry/contracts'
import type { ChainEvent } from '@attestry/kit'
import { expect, test } from 'vitest'
import { sha256 } from './bundle.fixture.ts'
import { gather, type Gathering } from './gather.ts'
import { loadFonts } from './pdf/fonts.ts'
import { reportOf } from './pdf.fixture.ts'
import { textOfPdf } from './pdf-text.fixture.ts'
import { printReport } from './pdf.ts'
import { application, Chain, item, LEGACY, PAYMENTS, scanned, vault } from './reports/chain.fixture.ts'
import type { Outlet } from './written-file.ts'

/* A bundle that is narrowed to one vault: what is not of it may stand in no file, in no stream of no PDF. */

const chain = new Chain()
  .told('02-01', scanned(PAYMENTS, { facts: vault('kv-pay'), found: [item('secret-0001', 'pay-api-token')] }))
  .told(
    '02-02',
    scanned(LEGACY, {
      facts: vault('kv-merger-leopard', { subscription: 's-2', tags: [['project', 'leopard']] }),
      found: [item('secret-0003', 'leopard-database', { tags: [['owner', 'leopard-team']] })],
    }),
  )
  .add('02-03', 'discovery.apps-scanned', {
    directory: 'directory-0001',
    found: [application('leopard-portal')],
    changed: [],
    lost: [],
  })

/** Events as the ledger hands them out: names are committed in the envelope, and lie beside it. */
async function* ledger(events: readonly EventOf[]): AsyncGenerator<ChainEvent[]> {
  for (const event of events) {
    const paths = namesIn(event.data, '/data')
    const hidden = canonical({ at: event.at, seq: event.seq, type: event.type })
    const opened = canonical(paths.map(([path, value]) => [path, '00'.repeat(16), value]))
    const leaf = leafOf(sha256, hidden)
    yield [{ seq: event.seq, at: event.at, envelope: hidden, leaf, link: leaf, private: opened, event }]
  }
}

/** Every text of an event that names something, with its path. */
function namesIn(value: unknown, path: string): [string, unknown][] {
  if (typeof value === 'string') return /leopard|pay/.test(value) ? [[path, value]] : []
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => namesIn(inner, `${path}/${key}`))
}

async function bundleOf(
  scope: EvidenceScope | null,
): Promise<{ files: Map<string, string>; gathering: Gathering }> {
  const files = new Map<string, string>()
  const outlet: Outlet = {
    hash: () => createHash('sha256'),
    open: (path) => ({
      write: (bytes) => void files.set(path, (files.get(path) ?? '') + new TextDecoder().decode(bytes)),
      close: () => undefined,
    }),
  }
  const period = { from: '2026-02-01T00:00:00.000Z', to: '2026-03-01T00:00:00.000Z' }
  const wanted = {
    reports: ReportType.options,
    period,
    scope,
    framework: null,
    formats: ['csv', 'json'],
  } as const
  const gathering = await gather(ledger(chain.events), wanted, outlet, () => undefined)
  return { files, gathering }
}

async function printedOf(gathering: Gathering): Promise<string> {
  const inventory = gathering.reports.find(({ report }) => report.type === 'asset-inventory')
  const base = await reportOf({ sample: inventory?.sample ?? [], fonts: await loadFonts() })
  const { scope, observation } = gathering
  const manifest = { ...base.manifest, scope, observation }
  return textOfPdf(await printReport({ ...base, manifest }))
}

test('a bundle of one vault names no other in any file, and the leaves are the same', async () => {
  const scope = { subscriptions: [], vaults: [PAYMENTS], tags: [] }
  const [narrow, whole] = [await bundleOf(scope), await bundleOf(null)]
  const all = (files: Map<string, string>) => [...files.values()].join('\n')
  // The names are there to be found, where nothing is narrowed.
  expect(all(whole.files)).toContain('leopard-database')
  expect(await printedOf(whole.gathering)).toContain('leopard')
  expect([...narrow.files].filter(([, text]) => text.includes('leopard')).map(([path]) => path)).toEqual([])
  expect(all(narrow.files)).toContain('pay-api-token')
  const printed = await printedOf(narrow.gathering)
  expect(printed).not.toContain('leopard')
  expect(narrow.gathering.head.root).toBe(whole.gathering.head.root)
}, 60_000)
