import { randomBytes } from 'node:crypto'
import { mkdtemp, open as openFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql'
import type { Pool } from 'pg'
import { systemClock } from '../kit/clock.ts'
import { createIds } from '../kit/ids.ts'
import { type AppendRequest, appendIn, type NewEvent } from '../kit/ledger/append.ts'
import { createAppender } from '../kit/ledger/coalesce.ts'
import { copyOut, rowCutter } from '../kit/ledger/copy-out.ts'
import { openTenant } from '../kit/ledger/open.ts'
import { pages } from '../kit/ledger/read.ts'
import { sha256, verifyFile, verifyLedger } from '../kit/ledger/verify.ts'
import { ledgerMigrations, migrate } from '../kit/migrate.ts'
import { connect, transaction } from '../kit/postgres.ts'
import { startPostgres } from '../twin/postgres/embedded.ts'
import { messageDb } from './message-db.ts'
import type { Row } from './row.ts'

export type { Row } from './row.ts'

const ids = createIds(systemClock)
const ROLE = 'attestry_discovery'
const TENANTS = Array.from({ length: 64 }, (_, n) => `tenant-${n}`)
const by = { id: 'service-discovery', kind: 'service' }
const cause = { causation: 'scan-0001', correlation: 'scan-0001' }
/** Makes an envelope of about 780 bytes, the size of the design's measurements. */
const text = 'x'.repeat(440)

const event = (): NewEvent => ({
  type: 'discovery.vault-scanned',
  v: 1,
  id: ids.uuid(),
  data: { text },
  by,
  cause,
})

/** A writer's way to append `count` events to a stream of its own: writer `n` has its own stream. */
type Write = (tenant: string, stream: string, count: number, n: number) => Promise<unknown>

/** Plain rows with the same columns and indexes, unchained: the seq is a sequence's, the hashes are noise. */
const plain = async (pool: Pool): Promise<Write> => {
  await pool.query(`create schema plain; create sequence plain.seq;
    create table plain.event (like ledger.event including all)`)
  await pool.query("alter table plain.event alter column seq set default nextval('plain.seq')")
  const positions = new Map<string, number>()
  const [leaf, link] = [randomBytes(32), randomBytes(32)]
  return async (tenant, stream, count) => {
    const position = positions.get(stream) ?? 0
    positions.set(stream, position + count)
    const events = Array.from({ length: count }, event)
    const bodies = events.map(
      (e, i) =>
        `{"at":"2026-01-01T00:00:00.000Z","event":${JSON.stringify(e)},"position":${position + i + 1},"seq":1,"stream":"${stream}","tenant":"${tenant}","type":"${e.type}"}`,
    )
    await pool.query(
      `insert into plain.event (tenant, position, context_prev_seq, at, id, context, stream, type, envelope, leaf, link)
        select $1, $2 + o, 0, now(), u.id, 'discovery', $3, 'discovery.vault-scanned', u.envelope, $4, $5
        from unnest($6::uuid[], $7::text[]) with ordinality u(id, envelope, o)`,
      [tenant, position, stream, leaf, link, events.map((e) => e.id), bodies],
    )
  }
}

const ours = (pool: Pool): Write => {
  const appender = createAppender({ pool, role: ROLE })
  return (tenant, stream, count) =>
    appender.append({ tenant, stream, expected: 'any', events: Array.from({ length: count }, event) })
}

/** As five processes do it: five lanes of five pools that know nothing of each other. A writer lives in one of them. */
const five = (url: string): { write: Write; end: () => Promise<unknown> } => {
  const pools = Array.from({ length: 5 }, () => connect({ url, max: 2 }))
  const appenders = pools.map((pool) => createAppender({ pool, role: ROLE, lanes: 1 }))
  return {
    write: async (tenant, stream, count, n) => {
      const request: AppendRequest = {
        tenant,
        stream,
        expected: 'any',
        events: Array.from({ length: count }, event),
      }
      await appenders[n % appenders.length]?.append(request)
    },
    end: () => Promise.all(pools.map((pool) => pool.end())),
  }
}

const peer = async (url: string): Promise<{ write: Write; end: () => Promise<unknown> }> => {
  const store = getPostgreSQLEventStore(url)
  await store.schema.migrate()
  return {
    write: (tenant, stream, count) =>
      store.appendToStream(
        `${tenant}-${stream}`,
        Array.from({ length: count }, () => {
          const { type, id, data } = event()
          return { type, data: { id, by, cause, ...(data as { text: string }) } }
        }),
      ),
    end: () => store.close(),
  }
}

/** Where a folder of message-db's SQL is given. */
const MESSAGE_DB = process.env['ATTESTRY_BENCH_MESSAGE_DB']

const secondPeer = async (
  url: string,
  folder: string,
): Promise<{ write: Write; end: () => Promise<unknown> }> => {
  const store = await messageDb(url, folder)
  return {
    // The category ends at the first dash, and a category is what it locks: one a tenant.
    write: (tenant, stream, count) =>
      store.write(
        `${tenant.replaceAll('-', '')}-${stream}`,
        Array.from({ length: count }, () => {
          const { type, id, data } = event()
          return { id, type, data, metadata: { by, cause } }
        }),
      ),
    end: store.end,
  }
}

interface Shape {
  readonly name: string
  readonly writers: number
  readonly tenants: number
  readonly batch: number
}

const SHAPES: readonly Shape[] = [
  { name: '1 writer', writers: 1, tenants: 1, batch: 1 },
  { name: '8 writers, one tenant', writers: 8, tenants: 1, batch: 1 },
  { name: '64 writers, one tenant', writers: 64, tenants: 1, batch: 1 },
  { name: '64 writers, 64 tenants', writers: 64, tenants: 64, batch: 1 },
  { name: 'batch of 100', writers: 1, tenants: 1, batch: 100 },
]

interface Measured {
  events: number
  ms: number
  latencies: number[]
}

let streams = 0

/** Lets all writers of a shape write for a while. */
const measure = async (write: Write, shape: Shape, forMs: number): Promise<Measured> => {
  const latencies: number[] = []
  const started = performance.now()
  await Promise.all(
    Array.from({ length: shape.writers }, async (_, n) => {
      const tenant = TENANTS[n % shape.tenants] ?? 'tenant-0'
      const stream = `vault-${streams++}`
      for (let before = started; before - started < forMs; ) {
        await write(tenant, stream, shape.batch, n)
        const after = performance.now()
        latencies.push(after - before)
        before = after
      }
    }),
  )
  return { events: latencies.length * shape.batch, ms: performance.now() - started, latencies }
}

const rate = (m: Measured): number => (m.events / m.ms) * 1000
const percentile = (m: Measured, p: number): number =>
  m.latencies.toSorted((a, b) => a - b)[Math.floor((m.latencies.length - 1) * p)] ?? 0
const round = (n: number): string => Math.round(n).toLocaleString('en')

const ROUNDS = 4
const ROUND_MS = 900

const appendRows = async (pool: Pool, url: string): Promise<Row[]> => {
  const fiveProcesses = five(url)
  const emmett = await peer(url)
  const second = MESSAGE_DB === undefined ? null : await secondPeer(url, MESSAGE_DB)
  const writers: Readonly<Record<string, Write>> = {
    plain: await plain(pool),
    ours: ours(pool),
    five: fiveProcesses.write,
    emmett: emmett.write,
    ...(second ? { 'message-db': second.write } : {}),
  }
  const table: Row[] = []
  for (const shape of SHAPES) {
    const sums = new Map<string, Measured>()
    // Interleaved, so that a slow moment of the machine hits all alike, and in turn, so that nobody always writes while
    // the pages of the same one before it go to disk; the first round only warms up.
    const order = Object.entries(writers)
    for (let i = 0; i <= ROUNDS; i++)
      for (const [name, write] of [...order.slice(i % order.length), ...order.slice(0, i % order.length)]) {
        const m = await measure(write, shape, i === 0 ? ROUND_MS / 3 : ROUND_MS)
        if (i === 0) continue
        const sum = sums.get(name) ?? { events: 0, ms: 0, latencies: [] }
        sum.events += m.events
        sum.ms += m.ms
        sum.latencies.push(...m.latencies)
        sums.set(name, sum)
      }
    const of = (name: string): Measured => sums.get(name) ?? { events: 0, ms: 1, latencies: [] }
    table.push(...judge(shape, of))
  }
  await second?.end()
  await emmett.end()
  await fiveProcesses.end()
  return table
}

const RATIO_GOALS: Readonly<Record<string, number>> = {
  '8 writers, one tenant': 0.8,
  '64 writers, one tenant': 2,
  '64 writers, 64 tenants': 1.8,
  'batch of 100': 0.95,
}
const FIVE_GOALS: Readonly<Record<string, number>> = {
  '8 writers, one tenant': 0.25,
  '64 writers, one tenant': 1.2,
}

const judge = (shape: Shape, of: (name: string) => Measured): Row[] => {
  const [p, o, f, e] = [of('plain'), of('ours'), of('five'), of('emmett')]
  const ratio = rate(o) / rate(p)
  const goal = RATIO_GOALS[shape.name]
  const row: Row = {
    what: `append, ${shape.name}`,
    measured: `${round(rate(o))} events/s = ${ratio.toFixed(2)} × plain ${round(rate(p))}`,
    goal: goal === undefined ? '' : `≥ ${goal} ×`,
    met: goal === undefined ? null : ratio >= goal,
  }
  const latency: Row[] = []
  if (shape.name === '1 writer') {
    const [a, b] = [percentile(o, 0.5), percentile(p, 0.5)]
    latency.push({
      what: `append, ${shape.name}, p50`,
      measured: `${a.toFixed(2)} ms against ${b.toFixed(2)} ms`,
      goal: '≤ 1.8 ×',
      met: a <= 1.8 * b,
    })
  }
  if (shape.name === '8 writers, one tenant') {
    const [a, b] = [percentile(o, 0.99), percentile(p, 0.99)]
    latency.push({
      what: `append, ${shape.name}, p99`,
      measured: `${a.toFixed(2)} ms against ${b.toFixed(2)} ms`,
      goal: 'no worse',
      met: a <= b,
    })
  }
  const fiveGoal = FIVE_GOALS[shape.name]
  if (fiveGoal !== undefined)
    latency.push({
      what: `append, ${shape.name}, by five appenders`,
      measured: `${round(rate(f))} events/s = ${(rate(f) / rate(p)).toFixed(2)} × plain`,
      goal: `≥ ${fiveGoal} ×`,
      met: rate(f) / rate(p) >= fiveGoal,
    })
  const needed = shape.writers === 1 && shape.batch === 1 ? 0.85 : 1
  const beside = (name: string, peer: Measured): Row => ({
    what: `append, ${shape.name}, ${name}`,
    measured: `${round(rate(peer))} events/s; ours ${(rate(o) / rate(peer)).toFixed(2)} × that`,
    goal: `≥ ${needed} ×`,
    met: rate(o) / rate(peer) >= needed,
  })
  return [
    row,
    ...latency,
    beside('emmett-postgresql', e),
    ...(MESSAGE_DB === undefined ? [] : [beside('message-db', of('message-db'))]),
  ]
}

const CHAIN = 200_000
const VERIFIED = 'verified'

const VERIFY_ROUNDS = 5

/** Seconds of the fastest run of each work. They run in turn, so that a slow moment of the machine hits all alike. */
const best = async <Name extends string>(
  works: Readonly<Record<Name, () => unknown>>,
): Promise<Readonly<Record<Name, number>>> => {
  const fastest = new Map<string, number>()
  for (let i = 0; i < VERIFY_ROUNDS; i++)
    for (const [name, work] of Object.entries<() => unknown>(works)) {
      const started = performance.now()
      await work()
      const seconds = (performance.now() - started) / 1000
      fastest.set(name, Math.min(seconds, fastest.get(name) ?? Number.POSITIVE_INFINITY))
    }
  // Each name of the works, and no other.
  return Object.fromEntries(fastest) as Record<Name, number>
}

const verifyRows = async (pool: Pool, folder: string): Promise<Row[]> => {
  for (let n = 0; n < CHAIN / 500; n++)
    await transaction(pool, { role: ROLE, tenant: VERIFIED }, (client) =>
      appendIn(client, [
        {
          tenant: VERIFIED,
          stream: `vault-${n % 100}`,
          expected: 'any',
          events: Array.from({ length: 500 }, event),
        },
      ]),
    )
  // What the appends left to be written and tidied is done before anything is measured.
  await pool.query('vacuum analyze ledger.event')
  await pool.query('checkpoint')
  const path = join(folder, 'events.jsonl')
  const envelopes: Buffer[] = []
  await using file = await openFile(path, 'w')
  await transaction(pool, { role: 'attestry_ledger', tenant: VERIFIED }, async (client) => {
    for await (const page of pages(client, { tenant: VERIFIED, after: 0, pageSize: 5000 })) {
      for (const stored of page) envelopes.push(Buffer.from(`\0${stored.envelope}`))
      await file.write(page.map((stored) => `${stored.envelope}\n`).join(''))
    }
  })
  const count = envelopes.length
  const mustHold = (result: { ok: boolean }) => {
    if (!result.ok) throw new Error(`the chain of the benchmark does not verify: ${JSON.stringify(result)}`)
  }
  const { raw, read, quick, full, offline } = await best({
    raw: () => {
      for (const envelope of envelopes) sha256(envelope)
    },
    read: () =>
      transaction(pool, { role: 'attestry_ledger', tenant: VERIFIED }, async (client) => {
        // By the index: where the planner sorts instead, a read takes twice as long.
        await client.query('set local enable_sort = off')
        await copyOut(
          client,
          `copy (select seq, leaf, link, envelope from ledger.event where tenant = '${VERIFIED}' order by seq) to stdout (format binary)`,
          rowCutter(() => {}),
        )
      }),
    quick: async () =>
      mustHold(await verifyLedger(pool, { tenant: VERIFIED, canonical: false, tree: false })),
    full: async () => mustHold(await verifyLedger(pool, { tenant: VERIFIED })),
    offline: async () => mustHold(await verifyFile(path, { canonical: false, tree: false })),
  })
  const bytes = Math.round(envelopes.reduce((sum, e) => sum + e.length, 0) / count)
  const row = (what: string, seconds: number, against: number, name: string, goal: number): Row => ({
    what,
    measured: `${round(count / seconds)} events/s = ${(against / seconds).toFixed(2)} × ${name} ${round(count / against)}`,
    goal: `≥ ${goal} ×`,
    met: against / seconds >= goal,
  })
  return [
    row(`verify ${round(count)} events of ${bytes} B from the database`, quick, raw, 'raw SHA-256', 0.6),
    row('the same', quick, read, 'raw read', 0.7),
    row('verify from a file', offline, raw, 'raw SHA-256', 0.65),
    row('verify with canonical re-check and tree', full, raw, 'raw SHA-256', 0.13),
  ]
}

/** Append and verify against the goals, all in one run, on a Postgres of its own with fsync and checksums on. */
export const run = async (): Promise<Row[]> => {
  const folder = await mkdtemp(join(tmpdir(), 'attestry-bench-'))
  const server = await startPostgres({ stateDir: folder })
  const pool = connect({ url: server.url, max: 16 })
  try {
    await migrate(pool, [
      ...(await ledgerMigrations()),
      { schema: 'discovery', number: 1, name: 'nothing', sql: 'select 1' },
    ])
    for (const tenant of [...TENANTS, VERIFIED])
      await openTenant(pool, {
        tenant,
        origin: 'demo',
        productVersion: 'bench',
        id: ids.uuid(),
        streamKey: randomBytes(32),
        by,
        cause,
      })
    return [
      ...(await appendRows(pool, server.url)),
      ...(MESSAGE_DB === undefined
        ? [
            {
              what: 'append, message-db',
              measured: 'not measured: no folder of its SQL was given (ATTESTRY_BENCH_MESSAGE_DB)',
              goal: '',
              met: null,
            },
          ]
        : []),
      ...(await verifyRows(pool, folder)),
    ]
  } finally {
    await pool.end()
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

if (import.meta.main)
  for (const { what, measured, goal, met } of await run())
    console.log(`${met === null ? ' ' : met ? '✓' : '✗'} ${what}: ${measured}${goal && `  (goal ${goal})`}`)
