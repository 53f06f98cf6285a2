import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { COUNTERS, newLicenseKey } from '@attestry/contracts'
import { bundleWorker } from '../../license-worker/bundle.ts'
import { nextWrite, type Seen } from '../../license-worker/seen.ts'
import type { Row } from './row.ts'
import { openHammer, startWorkerd } from './workerd.ts'

/*
 * What a fleet costs, by the Worker's own rule of what is written.
 */

/** When the prices were looked up, each on the page beside it. */
const PRICES_OF = '2026-11-26'
/** Of the Workers Paid plan, beyond what it includes, dollars. */
const PRICES = {
  /** https://developers.cloudflare.com/workers/platform/pricing/ */
  millionRequests: 0.3,
  /** The same page: milliseconds of processor time. */
  millionCpuMs: 0.02,
  /** https://developers.cloudflare.com/kv/platform/pricing/ */
  millionReads: 0.5,
  millionWrites: 5,
  /** https://developers.cloudflare.com/durable-objects/platform/pricing/: a request, and two rows of the log. */
  millionLogLines: 0.15 + 2 * 1,
}
/** Processor time that a check may take, milliseconds: the goal, so that the price is one that holds. */
const CPU_MS = 1
const INSTALLS = 100_000
const DAYS = 3
const JITTER_SECONDS = 300

/** A stream of numbers from 0 to 1 that is the same in each run. */
function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Hourly heartbeats of a fleet, each up to five minutes early or late, with counts that stay. */
function simulate(changesADay: number) {
  const random = chance(42)
  const others = COUNTERS.slice(1).map((_, i) => i)
  const perSecond = new Uint32Array(DAYS * 86_400 + 7200)
  let [checks, writes, logs] = [0, 0, 0]
  for (let install = 0; install < INSTALLS; install++) {
    let seen: Seen | null = null
    let first = 3
    // All were started within the same quarter of an hour: the worst there is.
    for (let at = random() * 900; at < DAYS * 86_400; at += 3600 + (random() * 2 - 1) * JITTER_SECONDS) {
      checks += 1
      const second = Math.floor(at)
      perSecond[second] = (perSecond[second] ?? 0) + 1
      if (random() < changesADay / 24) first += 1
      const next = nextWrite(seen, { at: second, version: '1.0.0', counts: [first, ...others] })
      if (!next) continue
      // The first write of an install is not what it costs to keep it.
      if (seen !== null) writes += 1
      if (seen !== null && next.log) logs += 1
      seen = next.seen
    }
  }
  const peak = perSecond.reduce((most, n) => Math.max(most, n), 0)
  const late = perSecond.subarray(2 * 86_400).reduce((most, n) => Math.max(most, n), 0)
  return { checks, writes, logs, peak, late }
}

const dollars = (s: { checks: number; writes: number; logs: number }): number => {
  const aMonth = (n: number) => ((n / DAYS) * 30) / 1_000_000
  // At most: each check reads the licence, and what was last seen of the install where its isolate does not know it.
  return (
    aMonth(s.checks) * (PRICES.millionRequests + CPU_MS * PRICES.millionCpuMs + 2 * PRICES.millionReads) +
    aMonth(s.writes) * PRICES.millionWrites +
    aMonth(s.logs) * PRICES.millionLogLines
  )
}

const median = (of: readonly number[]): number => of.toSorted((a, b) => a - b)[of.length >> 1] ?? Number.NaN

const CONNECTIONS = 16
const WARM_UP = 20_000
const ROUNDS = 41
const A_ROUND = 300

/**
 * Checks of one install against the Worker in the bare runtime, in turns with its bare route, so that whatever else
 * the machine does weighs on both.
 */
async function validations(): Promise<Row[]> {
  const key = newLicenseKey((bytes) => new Uint8Array(randomBytes(bytes)))
  const install = '01890a5d-ac96-774b-bcce-b302099a8057'
  const counts = Object.fromEntries(COUNTERS.map((name, i) => [name, i * 7]))
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  await using workerd = await startWorkerd(await bundleWorker('./bare-worker.ts'), {
    SIGNING_KEYS: JSON.stringify([{ kid: '2026-01', jwk }]),
    KEY: key,
    INSTALL: install,
    COUNTS: JSON.stringify(Object.values(counts)),
  })
  const posted = (path: string, sent: object) => {
    const stats = JSON.stringify(sent)
    const asked = { key, install, version: '1.0.0', nonce: 'ab'.repeat(16), kids: ['2026-01'], stats }
    const body = JSON.stringify(asked)
    return `POST ${path} HTTP/1.1\r\nhost: license\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  }
  const check = posted('/v1/validate', counts)
  const changed = posted('/v1/validate', { ...counts, vaults: 0 })
  const least = posted('/least', counts)
  const bare = 'GET /health HTTP/1.1\r\nhost: license\r\n\r\n'
  using hammer = await openHammer(workerd.port, CONNECTIONS)
  const round = async (texts: readonly [string, ...string[]], requests = A_ROUND) => {
    const before = await workerd.cpuNs()
    const perSecond = await hammer.ask(texts, requests)
    const after = await workerd.cpuNs()
    return {
      perSecond,
      cpuMs: before === null || after === null ? Number.NaN : (after - before) / requests / 1e6,
    }
  }
  const kinds = { bare: [bare], check: [check], changed: [check, changed], least: [least] } as const
  for (const texts of Object.values(kinds)) await round(texts, WARM_UP)
  const bares: { readonly perSecond: number; readonly cpuMs: number }[] = []
  const checks: typeof bares = []
  const changes: typeof bares = []
  const leasts: typeof bares = []
  for (let n = 0; n < ROUNDS; n++) {
    bares.push(await round(kinds.bare))
    checks.push(await round(kinds.check))
    changes.push(await round(kinds.changed))
    leasts.push(await round(kinds.least))
  }
  const perSecond = (of: typeof bares) => median(of.map((r) => r.perSecond))
  const ratioOf = (of: typeof bares) =>
    median(of.map((r, n) => r.perSecond / (bares[n]?.perSecond ?? Number.NaN)))
  const ratio = ratioOf(checks)
  const cpuMs = median(checks.map((c) => c.cpuMs))
  return [
    {
      what: 'licence checks of a steady install in raw workerd, against its bare route in the same run (medians of rounds in turn)',
      measured: `${perSecond(checks).toFixed(0)}/s of ${perSecond(bares).toFixed(0)}/s: ${(ratio * 100).toFixed(0)} %`,
      goal: '≥ 50 %',
      met: ratio >= 0.5,
    },
    {
      what: 'the same of an install whose counts changed since the isolate last heard of it: one more read, each other time a write',
      measured: `${(ratioOf(changes) * 100).toFixed(0)} % of the bare route`,
      goal: '',
      met: null,
    },
    {
      what: 'the same of what a check cannot do without: body, one SHA-256, one Ed25519 signature, an answer of that size',
      measured: `${(ratioOf(leasts) * 100).toFixed(0)} % of the bare route`,
      goal: '',
      met: null,
    },
    {
      what: 'processor time of a licence check, half of all rounds below',
      measured: Number.isNaN(cpuMs)
        ? 'this system does not tell'
        : `${cpuMs.toFixed(2)} ms (bare route ${median(bares.map((b) => b.cpuMs)).toFixed(2)} ms)`,
      goal: '≤ 1 ms',
      met: Number.isNaN(cpuMs) ? null : cpuMs <= 1,
    },
  ]
}

/** Checks against the runtime, and a fleet of 100,000 installs simulated for three days. */
export async function run(): Promise<Row[]> {
  const checked = await validations()
  const steady = simulate(0)
  const busy = simulate(4)
  const perDay = (s: typeof steady) => (s.writes + s.logs) / INSTALLS / DAYS
  const average = INSTALLS / 3600
  const naive = (INSTALLS * 24 * 30 * PRICES.millionWrites) / 1_000_000
  return [
    ...checked,
    {
      what: 'writes an install and day, counts steady: KV and validation log',
      measured: `${perDay(steady).toFixed(2)} of 24 checks`,
      goal: '≤ 4',
      met: perDay(steady) <= 4,
    },
    {
      what: 'the same, counts changing four times a day',
      measured: perDay(busy).toFixed(2),
      goal: '',
      met: null,
    },
    {
      what: '100,000 installs started within a quarter of an hour: most checks in a second',
      measured: `${steady.peak}/s at first, ${steady.late}/s on the third day; evenly spread ${average.toFixed(0)}/s`,
      goal: '',
      met: null,
    },
    {
      what: 'KV operations of 100,000 installs a month, counts steady',
      measured: `at most ${((steady.checks * 2 * (30 / DAYS)) / 1e6).toFixed(0)} M reads, ${((steady.writes * (30 / DAYS)) / 1e6).toFixed(1)} M writes`,
      goal: '',
      met: null,
    },
    {
      what: `dollars of 100,000 installs a month, beyond what the plan includes; prices of developers.cloudflare.com (workers, kv, durable-objects) on ${PRICES_OF}`,
      measured: `${dollars(steady).toFixed(0)} $ (a write each check alone would be ${naive.toFixed(0)} $)`,
      goal: '',
      met: null,
    },
  ]
}
