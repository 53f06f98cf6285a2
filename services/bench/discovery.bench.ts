import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import * as z from 'zod'
import { environmentId } from '../discovery/environment.ts'
import { discoveryService } from '../discovery/service.ts'
import { pause } from '../kit/clock.ts'
import { guardOf, testHost } from '../kit/for-tests.ts'
import { createLog } from '../kit/log.ts'
import { generatedEstate, makeAhead, startCloud } from '../twin/index.ts'
import setUpPostgres from '../twin/postgres/global-setup.ts'
import type { Row } from './row.ts'

/*
 * Scans of generated estates by the real service on the real SDKs. The cloud runs in a process of its own, and so
 * does each scan, so that neither pays for the other and memory is that of one scan alone.
 */

const LATENCY_MS = 50
const IN_FLIGHT = 32
/** What the design works out for 200 vaults of 50 secrets, 10 keys and 10 certificates when throttling alone counts. */
const THROTTLE_FLOOR_MS = 2800
const WAIT_MS = 15 * 60_000

interface Shape {
  readonly vaults: number
  readonly secrets: number
  readonly keys: number
  readonly certificates: number
}

const SPEED: Shape = { vaults: 200, secrets: 50, keys: 10, certificates: 10 }
const SMALL: Shape = { vaults: 10, secrets: 70, keys: 15, certificates: 15 }
const LARGE: Shape = { ...SMALL, vaults: 1000 }

/** What a child is asked to be. */
type Part =
  | { readonly part: 'cloud'; readonly shape: Shape; readonly latencyMs: number }
  | ({ readonly part: 'scans'; readonly times: number; readonly memory: boolean } & Where)

const Where = z.object({ url: z.string(), identityEndpoint: z.string(), identityHeader: z.string() })
type Where = z.infer<typeof Where>

const Outcome = z.object({
  scans: z.array(
    z.object({
      calls: z.int(),
      durationMs: z.int(),
      items: z.int(),
      /** Of this process: SDKs, differences, appends and the view. The cloud and Postgres have their own. */
      cpuMs: z.int(),
    }),
  ),
  /** Megabytes: what was alive whenever the heap was cleaned up, and resident, at most. */
  liveMb: z.int(),
  residentMb: z.int(),
})
type Outcome = z.infer<typeof Outcome>

const pages = (count: number): number => Math.max(1, Math.ceil(count / 25))

/** Calls that a scan cannot do without: the formula of the design, and the calls that no vault has a part in. */
function leastCalls({ vaults, secrets, keys, certificates }: Shape, cold: boolean): number {
  const listing = pages(secrets + certificates) + pages(keys + certificates) + pages(certificates)
  const looks = cold ? 3 + keys + certificates : 0
  // Subscriptions, Resource Graph for vaults, sites and container apps, and one page of applications.
  return vaults * (listing + looks) + 1 + Math.ceil(vaults / 1000) + 1 + 1 + 1
}

const megabytes = (bytes: number): number => Math.round(bytes / 2 ** 20)

async function serveCloud(shape: Shape, latencyMs: number): Promise<void> {
  const estate = generatedEstate({ ...shape, now: Date.now() })
  // Where time is measured: a cloud has made its keys before, and not on this machine.
  if (latencyMs > 0) makeAhead(estate)
  const cloud = await startCloud({
    estate,
    faults: latencyMs > 0 ? [{ trouble: { kind: 'latency', ms: latencyMs } }] : [],
  })
  const { url, identityEndpoint, identityHeader } = cloud
  process.send?.({ url, identityEndpoint, identityHeader } satisfies Where)
  process.once('disconnect', () => void cloud.stop())
}

async function scanSome(where: Where, times: number, memory: boolean): Promise<Outcome> {
  process.env['IDENTITY_ENDPOINT'] = where.identityEndpoint
  process.env['IDENTITY_HEADER'] = where.identityHeader
  await using test = await testHost({
    // As many as a process of the product has.
    connections: 20,
    sweepMs: 200,
    // What goes wrong is worth seeing; a scan in which nothing does says nothing.
    log: createLog({ level: 'warn', pretty: false, destination: process.stderr }),
    services: [
      {
        name: 'discovery',
        make: (host) =>
          discoveryService(host, guardOf(['tenant-admin']), {
            azure: { endpoint: where.url, env: {} },
            autoConnect: false,
          }),
      },
    ],
  })
  const host = test.host('discovery')
  const environment = environmentId(await host.opaque('acme'), 'bench')
  const post = (path: string, body: object) =>
    test.service('discovery').fetch(
      new Request(`http://localhost/api/discovery${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    )
  await post('/environments', { name: 'bench', everyHours: null })
  let resident = 0
  let live = 0
  const look = setInterval(
    () => {
      resident = Math.max(resident, process.memoryUsage().rss)
      // Only where memory is what is asked for: cleaning up takes its time.
      if (!memory) return
      globalThis.gc?.()
      const { heapUsed, external } = process.memoryUsage()
      live = Math.max(live, heapUsed + external)
    },
    memory ? 1000 : 100,
  )
  const scans: Outcome['scans'] = []
  const deadline = AbortSignal.timeout(WAIT_MS)
  for (let n = 0; n < times; n++) {
    const before = process.cpuUsage()
    const started = await post('/scans', { environment })
    if (!started.ok) throw new Error(`a scan was refused: ${await started.text()}`)
    const { scan }: { scan: string } = JSON.parse(await started.text())
    for (;;) {
      deadline.throwIfAborted()
      const last = (await host.stream('acme', scan)).at(-1)
      if (last?.type === 'discovery.scan-failed') throw new Error(`the scan failed: ${last.data.detail}`)
      if (last?.type === 'discovery.scan-completed') {
        const { calls, durationMs, counts, unreachable } = last.data
        if (unreachable.length > 0) throw new Error(`${unreachable.length} vaults could not be read`)
        const { user, system } = process.cpuUsage(before)
        scans.push({
          calls,
          durationMs,
          items: counts.secrets + counts.keys + counts.certificates,
          cpuMs: Math.round((user + system) / 1000),
        })
        break
      }
      await pause(100, deadline)
    }
    // The next scan starts when the view has read this one, as it would an hour later.
    await idle(host, deadline)
  }
  clearInterval(look)
  return { scans, liveMb: megabytes(live), residentMb: megabytes(resident) }
}

async function idle(host: ReturnType<Awaited<ReturnType<typeof testHost>>['host']>, deadline: AbortSignal) {
  for (;;) {
    deadline.throwIfAborted()
    const [row] = await host.tx('acme', (tx) =>
      tx.rows<{ behind: number }>(
        `select (select max(seq) from ledger.event where tenant = $1 and type like 'discovery.%')
           - (select min(seq) from cursor where tenant = $1 and context = 'discovery') as behind`,
        ['acme'],
      ),
    )
    if (row?.behind === 0) return
    await pause(200, deadline)
  }
}

/** A process of this file that plays one part; its first message is its answer. */
async function play<T>(
  part: Part,
  parse: (answer: unknown) => T,
): Promise<{ answer: T; child: ChildProcess }> {
  const child = fork(import.meta.filename, [JSON.stringify(part)], { execArgv: ['--expose-gc'] })
  const ended = new AbortController()
  child.once('exit', () => ended.abort(new Error(`the ${part.part} ended without an answer`)))
  const [answer] = await once(child, 'message', {
    signal: AbortSignal.any([ended.signal, AbortSignal.timeout(WAIT_MS)]),
  })
  return { answer: parse(answer), child }
}

async function scansOf(shape: Shape, latencyMs: number, times: number, memory: boolean): Promise<Outcome> {
  const cloud = await play({ part: 'cloud', shape, latencyMs }, (answer) => Where.parse(answer))
  try {
    const { answer, child } = await play({ part: 'scans', times, memory, ...cloud.answer }, (answer) =>
      Outcome.parse(answer),
    )
    if (child.connected) child.disconnect()
    return answer
  } finally {
    cloud.child.disconnect()
  }
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

const callsRow = (what: string, calls: number, least: number): Row => ({
  what,
  measured: `${calls} calls = ${(calls / least).toFixed(3)} × the least ${least}`,
  goal: '≤ 1.05 ×',
  met: calls <= 1.05 * least,
})

/** Calls, time and memory of scans; rows as the other benchmarks give them. */
export const run = async (): Promise<Row[]> => {
  const stopPostgres = await setUpPostgres()
  try {
    const { scans } = await scansOf(SPEED, LATENCY_MS, 2, false)
    const [cold, again] = scans
    if (!cold || !again) throw new Error('two scans were asked for')
    const floor = Math.max(THROTTLE_FLOOR_MS, (LATENCY_MS * cold.calls) / IN_FLIGHT)
    const small = await scansOf(SMALL, 0, 3, true)
    const large = await scansOf(LARGE, 0, 1, true)
    return [
      callsRow('cold scan of 200 vaults', cold.calls, leastCalls(SPEED, true)),
      callsRow('scan of the same, unchanged', again.calls, leastCalls(SPEED, false)),
      {
        what: `cold scan of 200 vaults, ${LATENCY_MS} ms a call, ${IN_FLIGHT} in flight, appended and folded`,
        measured: `${seconds(cold.durationMs)} = ${(cold.durationMs / floor).toFixed(2)} × the floor ${seconds(floor)}, with ${seconds(cold.cpuMs)} of CPU`,
        goal: '≤ 1.3 ×',
        met: cold.durationMs <= 1.3 * floor,
      },
      {
        what: 'scan of the same, unchanged',
        measured: `${seconds(again.durationMs)}, with ${seconds(again.cpuMs)} of CPU`,
        goal: '',
        met: null,
      },
      ...[small, large].map(
        ({ liveMb, residentMb, scans: [scan] }): Row => ({
          what: `memory of a first scan, ${scan?.items} items listed`,
          measured: `${liveMb} MB alive at most, ${residentMb} MB resident`,
          goal: '',
          met: null,
        }),
      ),
      {
        what: 'memory alive at a hundred times the vaults and items',
        measured: `${(large.liveMb / small.liveMb).toFixed(2)} ×`,
        goal: '≤ 2 ×',
        met: large.liveMb <= 2 * small.liveMb,
      },
    ]
  } finally {
    await stopPostgres()
  }
}

if (import.meta.main) {
  const [asked] = process.argv.slice(2)
  if (asked === undefined)
    for (const { what, measured, goal, met } of await run())
      console.log(`${met === null ? ' ' : met ? '✓' : '✗'} ${what}: ${measured}${goal && `  (goal ${goal})`}`)
  else {
    // Written by play() of this file.
    const part = JSON.parse(asked) as Part
    if (part.part === 'cloud') await serveCloud(part.shape, part.latencyMs)
    else process.send?.(await scanSome(part, part.times, part.memory))
  }
}
