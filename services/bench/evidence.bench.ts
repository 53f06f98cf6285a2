import { fork } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'
import { CsvWriter } from '../evidence/csv.ts'
import { reports } from '../evidence/reports/catalog.ts'
import { foldReports } from '../evidence/reports/fold.ts'
import { systemClock } from '../kit/clock.ts'
import { open } from '../kit/committed.ts'
import { createIds } from '../kit/ids.ts'
import { appendIn, type NewEvent } from '../kit/ledger/append.ts'
import { copyOut } from '../kit/ledger/copy-out.ts'
import { openTenant } from '../kit/ledger/open.ts'
import { pages } from '../kit/ledger/read.ts'
import { ledgerMigrations, migrate } from '../kit/migrate.ts'
import { connect, transaction } from '../kit/postgres.ts'
import { startPostgres } from '../twin/postgres/embedded.ts'
import type { Row } from './row.ts'

/*
 * A million rows as CSV: the operator audit log of a chain of a million acts, folded, guarded, hashed and written to a
 * file. Beside it, in the same run, the least that can be done: Postgres’ own COPY of the same columns to a file. Each
 * way runs in a process of its own, so that its memory can be told.
 */

const ROWS = Number(process.env['BENCH_CSV_ROWS'] ?? 1_000_000)
const BATCH = 500
const TENANT = 'csv'
const ROLE = 'attestry_gateway'
const WAIT_MS = 1_800_000
const PERIOD = { from: '2000-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' }

const Part = z.object({ part: z.enum(['bare', 'ours']), url: z.string(), folder: z.string() })
type Part = z.infer<typeof Part>
const Answer = z.object({ ms: z.number(), startMb: z.number(), peakMb: z.number(), bytes: z.number() })
type Answer = z.infer<typeof Answer>

/** A file that bytes go to; writing waits while the disk is behind. */
function fileSink(path: string) {
  const stream = createWriteStream(path)
  return {
    write: async (bytes: Uint8Array) => {
      if (!stream.write(bytes)) await once(stream, 'drain')
    },
    close: async () => {
      stream.end()
      await once(stream, 'close')
    },
  }
}

/** The audit log’s columns as Postgres can take them out of the envelopes itself. */
const COPY = `copy (
  select seq, at, e -> 'event' -> 'by' ->> 'kind', e -> 'event' -> 'by' ->> 'id', '', e -> 'event' -> 'by' ->> 'address',
         type, stream, e -> 'event' -> 'by' ->> 'reason', e -> 'event' -> 'cause' ->> 'correlation', encode(link, 'hex')
  from (select seq, at, type, stream, link, envelope::json e from ledger.event where tenant = '${TENANT}') of
  order by seq) to stdout (format csv, force_quote *)`

async function bare({ url, folder }: Part): Promise<number> {
  const pool = connect({ url, max: 1 })
  const file = createWriteStream(join(folder, 'bare.csv'))
  let bytes = 0
  await transaction(pool, { role: 'attestry_ledger', tenant: TENANT }, (client) =>
    copyOut(client, COPY, (chunk) => {
      bytes += chunk.length
      // It is valid only within the call.
      file.write(Buffer.from(chunk))
    }),
  )
  file.end()
  await once(file, 'close')
  await pool.end()
  return bytes
}

async function ours({ url, folder }: Part): Promise<number> {
  const pool = connect({ url, max: 1 })
  const report = reports['operator-audit-log']
  const csv = new CsvWriter({
    path: 'ours',
    columns: report.columns.map((c) => c.name),
    open: (path) => fileSink(join(folder, path)),
    hash: () => createHash('sha256'),
  })
  const folding = foldReports([report.type], { period: PERIOD, framework: null }, (_, row) => csv.add(row))
  await transaction(pool, { role: 'attestry_ledger', tenant: TENANT }, async (client) => {
    for await (const page of pages(client, { tenant: TENANT, after: 0, pageSize: 200 })) {
      for (const stored of page) {
        const event = open(stored)
        if (event) folding.apply(event, Buffer.from(stored.link).toString('hex'))
      }
      await csv.flush()
    }
  })
  folding.end()
  const parts = await csv.close()
  await pool.end()
  return parts.reduce((sum, part) => sum + part.bytes, 0)
}

async function play(part: Part): Promise<Answer> {
  const start = process.memoryUsage().rss
  let peak = start
  const look = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss)
  }, 50)
  const began = performance.now()
  const bytes = await (part.part === 'bare' ? bare(part) : ours(part))
  clearInterval(look)
  return {
    ms: performance.now() - began,
    startMb: Math.round(start / 1e6),
    peakMb: Math.round(peak / 1e6),
    bytes,
  }
}

/** A process of this file that goes one way; its first message is its answer. */
async function apart(part: Part): Promise<Answer> {
  // As the image and npm start run the services.
  const child = fork(import.meta.filename, [JSON.stringify(part)], { execArgv: ['--max-semi-space-size=8'] })
  const ended = new AbortController()
  child.once('exit', () => ended.abort(new Error(`${part.part} ended without an answer`)))
  const [answer] = await once(child, 'message', {
    signal: AbortSignal.any([ended.signal, AbortSignal.timeout(WAIT_MS)]),
  })
  return Answer.parse(answer)
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** A million rows as CSV against bare COPY, in one run. */
export async function run(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'attestry-bench-csv-'))
  const server = await startPostgres({ stateDir: folder, durable: false })
  const pool = connect({ url: server.url, max: 2 })
  const ids = createIds(systemClock)
  const by = { id: 'operator-0001', kind: 'operator' }
  const cause = { causation: 'request-0001', correlation: 'request-0001' }
  const act = (): NewEvent => ({
    type: 'gateway.signed-out',
    v: 1,
    id: ids.uuid(),
    data: { operator: 'operator-0001', session: 'session-0001' },
    by,
    cause,
  })
  try {
    await migrate(pool, [
      ...(await ledgerMigrations()),
      { schema: 'gateway', number: 1, name: 'nothing', sql: 'select 1' },
    ])
    const key = randomBytes(32)
    await openTenant(pool, {
      tenant: TENANT,
      origin: 'demo',
      productVersion: 'bench',
      id: ids.uuid(),
      streamKey: key,
      by,
      cause,
    })
    for (let n = 0; n < ROWS / BATCH; n++)
      await transaction(pool, { role: ROLE, tenant: TENANT }, (client) =>
        appendIn(client, [
          {
            tenant: TENANT,
            stream: `operator-${n % 100}`,
            expected: 'any',
            events: Array.from({ length: BATCH }, act),
          },
        ]),
      )
    await pool.query('vacuum analyze ledger.event')
    const part = { url: server.url, folder }
    const copied = await apart({ part: 'bare', ...part })
    const written = await apart({ part: 'ours', ...part })
    const ratio = written.ms / copied.ms
    return [
      {
        what: `${ROWS.toLocaleString('en')} rows of the audit log as CSV`,
        measured: `${seconds(written.ms)} = ${ratio.toFixed(2)} × bare COPY of the same columns (${seconds(copied.ms)})`,
        goal: '≤ 2 ×',
        met: ratio <= 2,
      },
      {
        what: 'peak memory of the process meanwhile',
        measured: `${written.peakMb} MB = ${(written.peakMb / copied.peakMb).toFixed(2)} × bare COPY (${copied.peakMb} MB); ${written.startMb} MB before the first row`,
        goal: '≤ 200 MB',
        met: written.peakMb <= 200,
      },
    ]
  } finally {
    await pool.end()
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

const [given] = process.argv.slice(2)
if (process.send && given) {
  process.send(await play(Part.parse(JSON.parse(given))))
  process.disconnect?.()
} else if (import.meta.main)
  for (const { what, measured, goal, met } of await run())
    console.log(`${met === null ? ' ' : met ? '✓' : '✗'} ${what}: ${measured}${goal && `  (goal ${goal})`}`)
